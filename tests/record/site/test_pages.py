"""The pages: words as in the reports, ARNs by what tells them apart, and no text of a record breaks out of the data."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest

from runbook_lib.base.foreign import terminal
from runbook_lib.record.site.asked import Rollout
from runbook_lib.record.site.pages import Pages, page_of

RUN = {
    "run": "a" * 12,
    "env": "prod",
    "release": "r1",
    "notebook": "06_phase1_10_percent",
    "attempt": 2,
    "word": "ASYNC IS OFF",
    "operator": "arn:aws:sts::000000000000:assumed-role/Operators/ada",
    "reason": "the weight is in force",
    "error": None,
    "weight_before": 0.0,
    "weight_after": 10.0,
    "folder": "env=prod/release=r1/06_phase1_10_percent/20261101T000000.000Z-" + "a" * 12,
    "at": "2026-11-01T00:00:00Z",
}
GATE = {
    **{name: RUN[name] for name in ("run", "env", "release", "notebook", "attempt", "folder", "at")},
    "gate": "success_rate",
    "title": "Success rate",
    "verdict": "INCONCLUSIVE",
    "value": 0.995,
    "low": 0.95,
    "high": 1.0,
    "n": 60,
    "unit": "ratio",
    "target": "> 0.99",
    "alert": "< 0.98",
    "reason": "soaking",
    "moment": "during",
}
EVIL = "</script><script>alert(1)</script><!-- \u2028 & \" '"


def data(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def index(*runs: dict[str, Any]) -> str:
    return Pages("../archive").index(runs, [], [], [("Records", "1")], [])


def test_a_run_leads_to_its_report_and_its_rollout() -> None:
    (run,) = data(index(RUN))["runs"]
    assert run["report"] == f"../archive/{RUN['folder']}/report.html".replace("=", "%3D")
    assert run["rollout"] == "rollout-prod-r1.html" == page_of("rollout", "prod", "r1")
    word = "ASYNC IS OFF"
    assert (run["who"], run["word"], run["reason"]) == ("assumed-role/Operators/ada", word, "The weight is in force.")


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"word": "DIED"}, "DIED"), ({"word": None}, "CLOSED"), ({"word": "ODD"}, "CLOSED")],
)
def test_what_was_not_decided_is_told_by_its_end(changed: dict[str, Any], word: str) -> None:
    assert data(index(RUN | changed))["runs"][0]["word"] == word


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "WATCH"),
        ({"value": 0.97}, "INCONCLUSIVE"),
        ({"moment": "after"}, "INCONCLUSIVE"),
        ({"verdict": "FAIL"}, "FAIL"),
    ],
)
def test_a_gate_has_the_word_of_the_report(changed: dict[str, Any], word: str) -> None:
    page = Pages("../archive").gate("success_rate", [GATE | changed])
    assert (f"</span> {word}</span>" in page and "99.5 %" in page) or "97.0 %" in page


def test_two_runs_are_compared_by_gates_and_by_settings_kept_once() -> None:
    other = RUN | {"run": "b" * 12}
    records = {
        "a" * 12: {"params": {"attempt": 1}, "policy": {"x": 1}},
        "b" * 12: {"params": {"attempt": 2}, "policy": {"x": 1}},
    }
    page = Pages("..").rollout("prod", "r1", Rollout([RUN, other], [GATE], [], [], []), records)
    told = data(page)
    one, two = told["runs"]
    assert one["gates"]["success_rate"]["told"] == "99.5 % (95.0-100.0 %)" and two["gates"] == {}
    assert one["policy"] == two["policy"] and one["params"] != two["params"]
    assert told["settings"][two["params"]] == {"params.attempt": "2"}
    assert 'id="compared"' in page


@pytest.mark.parametrize(
    ("one", "other"),
    [(("success_rate",), ("success rate",)), (("R1",), ("r1",)), (("a-b", "c"), ("a", "b-c")), (("a/b",), ("a_b",))],
)
def test_two_names_are_two_pages_on_every_disk(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert page_of("rollout", *one).casefold() != page_of("rollout", *other).casefold()


@pytest.mark.parametrize("name", ["reason", "operator", "notebook", "release"])
def test_no_text_of_a_record_ends_the_data_or_becomes_markup(name: str) -> None:
    page = index(RUN | {name: EVIL})
    assert "<script>alert" not in page and page.count("<script") == 2
    (run,) = data(page)["runs"]
    assert run[name].rstrip(".") == terminal(EVIL).rstrip(".")


HIDDEN = "\u202eright\u202c \u2066\u200b \x9b31mred \x1b]8;;http://evil.invalid\x07t \U000e0041 \x07"
UNSEEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200b\\u202a-\\u202e\\u2066-\\u2069\\U000e0000-\\U000e0fff]")
SAID = {
    **dict.fromkeys(("kind", "item", "person", "role", "caller", "text"), "x"),
    "said_at": "2026-11-01T01:00:00Z",
    "at": "2026-11-01T01:00:00Z",
}
ACTED = {"begun_at": "2026-11-01T01:00:00Z", "ok": True, "what": "x", "person": "x", "undo": "x"}
COST = {"as_of": "2026-11-01T01:00:00Z", "notebook": "x", "side": "x"}
COST |= {"infrastructure": 1.0, "tokens": 1.0, "successes": 1}
TIMES = ("at", "as_of", "said_at", "begun_at")
EACH = [
    (row, name)
    for row in (RUN, GATE, SAID, ACTED, COST)
    for name, value in row.items()
    if isinstance(value, str) and name not in TIMES
]


def held(value: Any) -> str:
    """All texts in data, as a script would write them on the page."""
    if isinstance(value, dict):
        return " ".join(f"{name} {held(one)}" for name, one in value.items())
    return " ".join(map(held, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(("row", "name"), EACH)
def test_nothing_on_a_page_turns_or_hides_text_whatever_field_it_was_written_in(row: dict[str, Any], name: str) -> None:
    """In the page, in the drawings and in the data of the script."""
    run, gate, said, acted, cost = (
        one | {name: HIDDEN} if one is row else one for one in (RUN, GATE, SAID, ACTED, COST)
    )
    records = {run["run"]: {"params": {"reason": HIDDEN, HIDDEN: ["a", HIDDEN]}, "policy": {"x": {HIDDEN: HIDDEN}}}}
    made = Pages("..")
    pages = [
        made.rollout(run["env"], run["release"], Rollout([run], [gate], [said], [acted], [cost]), records),
        made.gate(gate["gate"], [gate]),
        made.index([run], [], [], [("Log", HIDDEN)], [HIDDEN]),
    ]
    for page in pages:
        assert not UNSEEN.search(page) and not UNSEEN.search(held(data(page)))


def test_who_is_filtered_by_is_who_is_in_the_data() -> None:
    page = index(RUN | {"operator": HIDDEN})
    assert f"<option>{html.escape(data(page)['runs'][0]['operator'])}</option>" in page
