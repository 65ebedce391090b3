"""The drawings hold what they were given, whatever that is."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.site import draw
from runbook_lib.show.style import badge_of

TIMES = st.datetimes().map(lambda at: at.replace(year=1972 + at.year % 1000, day=min(at.day, 28)).isoformat() + "Z")
ODD = st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "soon"])
NUMBERS = (
    st.none()
    | st.floats(-1e9, 1e9, allow_nan=False)
    | st.sampled_from(["Infinity", "NaN", 1e308, -1e308, math.inf, math.nan])
)


def drawn_at(at: str | None) -> bool:
    return at is not None and at[:1] in "12"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "at": st.none() | TIMES | ODD,
                "value": NUMBERS,
                "low": NUMBERS,
                "high": NUMBERS,
                "unit": st.sampled_from(["ratio", "s", "", None]),
                "verdict": st.sampled_from(["PASS", "FAIL", "NO_DATA", None, "odd"]),
                "word": st.sampled_from(["PASS", "FAIL", "NO DATA", "CLOSED"]),
                "target": st.sampled_from(["> 0.99", None, "odd"]),
                "alert": st.sampled_from(["< 0.98", None]),
                "env": st.text(max_size=4),
                "release": st.just("r<1>&"),
                "notebook": st.just("06"),
            }
        ),
        max_size=6,
    ),
    st.sampled_from([draw.WIDE, draw.SLIM]),
)
def test_a_gate_has_one_dot_a_value(rows: list[dict[str, Any]], size: draw.Size) -> None:
    rows = [row | {"env": re.sub(r"[^\w]", "", row["env"])} for row in rows]
    drawn = draw.gate(rows, size)
    dots = [
        row for row in rows if drawn_at(row["at"]) and isinstance(row["value"], float) and abs(row["value"]) < 1e300
    ]
    assert (drawn == "") is (not dots)
    if dots:
        inside = ElementTree.fromstring(drawn)
        assert len([one for one in inside.iter() if one.tag == "circle"]) == len(dots)
        for one in inside.iter():
            for name in ("cx", "cy", "x1", "y1"):
                assert -1 <= float(one.get(name, "0")) <= size.width + 1


def run(at: str, before: float | None, after: float | None, word: str = "CLOSED") -> dict[str, Any]:
    return {
        "at": at,
        "weight_before": before,
        "weight_after": after,
        "word": word,
        "run": "a",
        "notebook": "06",
    }


def test_a_dot_has_the_colour_of_its_word() -> None:
    """A look during the soak is WATCH, on the page and in its drawing, whatever its verdict is called."""
    row = {"at": "2026-11-09T04:00:00Z", "value": 0.99, "low": 0.98, "high": 1.0, "unit": "ratio", "target": "> 0.98"}
    row |= {"verdict": "INCONCLUSIVE", "word": "WATCH", "alert": None, "env": "prod", "release": "r", "notebook": "06"}
    assert badge_of("WATCH").colour in draw.gate([row]) and badge_of("INCONCLUSIVE").colour not in draw.gate([row])


def test_the_weight_steps_where_a_run_set_it_and_each_decision_leads_to_its_run() -> None:
    rows = [
        run("2026-11-01T00:00:00Z", 0, 10, "SOAK"),
        run("2026-11-02T00:00:00Z", 10, 10, "PROMOTE"),
        run("2026-11-02T01:00:00Z", None, None),
        run("2026-11-03T00:00:00Z", 10, 0, "ROLLBACK"),
    ]
    people = [{"said_at": "2026-11-02T02:00:00Z", "kind": "approval", "item": "07", "person": "<Ada>"}]
    drawn = draw.weights(rows, people)
    path = re.search(r'class="weight" d="([^"]+)"', drawn)
    assert path
    heights = [float(one) for one in re.findall(r"V([\d.]+)", path[1])]
    assert len({*heights}) == 2 and heights[-1] > heights[0], "down is less"
    assert drawn.count('href="#a"') == 3 and "&lt;Ada&gt;" in drawn
    assert draw.weights([], people) == ""


@pytest.mark.parametrize(("item", "told"), [("", "Note by Ada, "), ("06", "Note on 06 by Ada, ")])
def test_who_said_what_is_a_sentence(item: str, told: str) -> None:
    at = "2026-11-02T10:00:00Z"
    said = [{"said_at": at, "kind": "note", "item": item, "person": "Ada"}]
    assert f"<title>{told}2026-11-02 10:00 UTC</title>" in draw.weights([run(at, 0.0, 10.0)], said)
