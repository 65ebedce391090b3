from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.record import report
from runbook_lib.record.cells import pieces
from runbook_lib.record.record import Change, Problem, Record
from runbook_lib.record.report import facts, gate_row, headline, report_html

PNG = base64.b64encode(b"\x89PNG not really").decode()


class Page(HTMLParser):
    """Everything a browser would load or run, and the visible text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._skip = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._skip = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._skip else data

    def loads(self) -> list[str]:
        found = [str(a[k]) for _, a in self.tags for k in ("src", "srcset", "poster", "data", "background") if a.get(k)]
        return found + [str(a.get("href")) for tag, a in self.tags if tag in ("link", "base", "image", "use")]


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "execution_count": 3, "metadata": {}}


def prose(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}, **more}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def failure(name: str, sentence: str, *trace: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": sentence, "traceback": list(trace)}


def show(mime: str, data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {mime: data, "text/plain": "plainly"}, "metadata": {}}


@pytest.fixture
def record(gate_result: Callable[..., dict[str, Any]]) -> Record:
    return Record(
        run_id="4f1c9a7be210",
        env="prod",
        release="2026.11",
        notebook="06_phase1_10_percent",
        origin="papermill",
        status="completed",
        opened_at="2026-11-23T03:00:00+00:00",
        as_of="2026-11-23T02:55:00+00:00",
        mode="apply",
        operator="A. Engineer",
        moment="after",
        decision="ROLLBACK",
        outcome={
            "decision": "ROLLBACK",
            "reason": "1 job <lost>",
            "next": "Run rollback_1",
            "come_back_at": "2026-11-24T03:00:00Z",
        },
        gates=(gate_result(), gate_result("dlq", "FAIL", 1.0, low=None, high=None, n=None, reason="peaked at 1")),
    )


def test_the_first_screen_says_what_matters(record: Record) -> None:
    page = Page(report_html(notebook(prose("# Phase 1\n\nHello"), code("1+1")), record))
    head = page.text.split("Show code")[0]
    for words in (
        "Phase 1",
        "↩",
        "ROLLBACK",
        "1 job <lost>",
        "Run rollback_1",
        "Come back at 2026-11-24 03:00 UTC",
        "prod",
        "2026.11",
        "apply (may change AWS)",
        "2026-11-23 02:55 UTC",
        "A. Engineer",
        "Success rate",
        "99.7 %",
        "99.0-99.9 %",
        "301",
        "> 99 %",
        "< 98 %",
        "PASS",
        "DLQ depth",
        "FAIL",
        "peaked at 1",
    ):
        assert words in head, words
    assert page.text.count("Phase 1") == 2  # in the window's title and at the top, not once more in the body


def test_a_page_is_searched_for_secrets_as_if_its_style_were_searched_too(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "zebra" + "0zebra0"
    told = record.model_copy(update={"notebook": "pass" + f"word: {secret}", "operator": "api_" + f"key={secret}"})
    pages = list[str]()
    with monkeypatch.context() as patch:
        patch.setattr(report, "_without_secrets", lambda page: pages.append(page) or page)
        report_html(None, told)
    clean = report_html(None, told)
    assert clean == redact_text(pages[0]) and pages[0].count(secret) >= 2
    assert secret not in clean and clean.partition("<style>")[0].count(MASK) == 1
    assert redact_text(report._style()) == report._style(), "nothing in it looks like a secret"


def test_nothing_is_loaded_and_nothing_runs(record: Record) -> None:
    hostile = (
        '<link rel="stylesheet" href="https://cdn.example/x.css"><img src="https://a.example/x.png">'
        '<img src=//b.example/y><script src="https://c.example/x.js">alert(1)</script><script>alert(2)</script>'
        '<iframe src="http://d.example"></iframe>'
        "<video poster='http://e.example/p'></video><p>kept</p>"
    )
    page = Page(report_html(notebook(prose(hostile), code("x", show("text/html", hostile))), record))
    assert [url for url in page.loads() if "//" in url] == []
    assert not {"script", "link", "iframe", "base"} & {tag for tag, _ in page.tags}
    assert page.text.count("kept") == 2 and "alert" not in page.text
    policy = next(
        a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None and policy.startswith("default-src 'none'") and "script" not in policy


def test_code_is_there_and_hidden_until_asked_for_without_a_script(record: Record) -> None:
    markup = report_html(notebook(code("answer = 42")), record)
    assert re.search(r'<input type="checkbox" id="show-code" class="toggle"><label for="show-code"', markup)
    assert ".source { display: none" in markup and ".toggle:checked ~ .cells .source { display: block; }" in markup
    assert "answer" in Page(markup).text and "checked>" not in markup


def test_outputs(record: Record) -> None:
    markup = report_html(
        notebook(
            prose("## Charts"),
            code(
                "a",
                show("image/png", PNG),
                show("image/svg+xml", ["<svg>", "</svg>"]),
                show("text/markdown", "**bold**"),
            ),
            code(
                "b",
                show("application/x-unknown", "?"),
                {"output_type": "stream", "name": "stderr", "text": ["\x1b[31mcare\x1b[0m ", "<b>"]},
            ),
            code("c", {"output_type": "display_data", "data": {"application/x": 1}, "metadata": {}}),
            code("d", failure("AwsError", "no answer", "AwsError: no answer")),
            code("e", failure("KeyError", "'x'", "\x1b[0;31mTrace", "line 2")),
            code("f", failure("RedVerdict", "HOLD: ask")),
            {"cell_type": "raw", "source": "raw"},
            prose("papermill's own", metadata={"tags": ["papermill-error-cell-tag"]}),
            prose("![x](attachment:a.png)", attachments={"a.png": {"image/png": PNG}}),
        ),
        record,
    )
    page = Page(markup)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [str(image["src"])[:20] for image in images] == [
        "data:image/png;base6",
        "data:image/svg+xml;b",
        "data:image/png;base6",
    ]
    assert images[0]["alt"] == "Charts"
    assert (
        "<strong>bold</strong>" in markup
        and "plainly" in page.text
        and "care <b>" in page.text
        and "\x1b" not in markup
    )
    assert "AwsError: no answer" in page.text and markup.count("<summary>Traceback</summary>") == 1
    assert "The run ends here, after everything was saved: HOLD: ask" in page.text
    assert "papermill's own" not in page.text


@pytest.mark.parametrize(
    ("status", "word", "lead"),
    [
        ("failed", "FAILED", "The run failed"),
        ("died", "DIED", "The run died"),
        ("cancelled", "CANCELLED", "The run was cancelled"),
    ],
)
def test_a_run_that_did_not_complete_is_not_dressed_up(record: Record, status: Any, word: str, lead: str) -> None:
    ended = record.model_copy(
        update={"status": status, "error": Problem(type="X", sentence="the kernel died"), "decision": "PROMOTE"}
    )
    said = headline(ended)
    assert (said.word, said.reason) == (word, f"{lead}: the kernel died; nothing was changed.")
    assert "Before that it had decided PROMOTE" in said.aside and "Run the notebook again" in said.next
    page = Page(report_html(None, ended))
    assert word in page.text and "No executed notebook was at hand" in page.text
    change = Change(intent={"what": "dial"})
    assert "not read back" in headline(ended.model_copy(update={"changes": (change,)})).next
    assert (
        headline(ended.model_copy(update={"error": None, "decision": None})).reason == f"{lead}; nothing was changed."
    )


@pytest.mark.parametrize(
    ("origin", "notebook", "runs", "asks"),
    [
        ("papermill", "06_phase1_10_percent", "Run the notebook again", "the notebook in plan mode"),
        ("command", "rollback_1_async_failing", "Run the notebook again", "the notebook in plan mode"),
        ("command", "dlq", "Run the command again", "`runbook status` says how"),
    ],
)
def test_who_has_no_notebook_is_not_sent_to_one(origin: str, notebook: str, runs: str, asks: str) -> None:
    """A failed `dlq redrive` said "Run the notebook again"."""
    record = Record(status="failed", origin=origin, notebook=notebook)
    assert headline(record).next.startswith(runs)
    assert asks in headline(record.model_copy(update={"changes": (Change(intent={"what": "x"}),)})).next


def test_a_note_that_another_one_repeats_and_goes_on_from_is_said_once() -> None:
    """The second `rollback 1` said that async is off already twice."""
    notes = ("async is off already", "async is off already, and no time is measured", "people know")
    said = headline(Record(status="completed", origin="command", notebook="rollback_1_async_failing", notes=notes))
    assert said.reason == "async is off already, and no time is measured. people know."


def test_a_bare_record_has_a_report_too() -> None:
    page = Page(report_html(None, Record(status="completed", origin="interactive", warnings=("care",))))
    assert "closed without a decision" in page.text and "runbook archive attach" in page.text and "care" in page.text
    assert ("Opened", "never") in facts(Record())


def test_gates_in_words(gate_result: Callable[..., dict[str, Any]]) -> None:
    assert gate_row(gate_result("queue_depth", "PASS", 4.0, low=None, high=7.0))["interval"] == "≤ 7"
    assert gate_row(gate_result("queue_depth", "PASS", 4.0, low=2.0, high=None))["interval"] == "≥ 2"
    split = gate_row(gate_result("observed_split", "NO_DATA", None, low=None, high=None, n=None))
    assert (split["verdict"], split["value"], split["target"], split["alert"]) == ("NO DATA", "–", "as the weight", "–")
    muted = gate_result()
    muted["gate"] |= {"muted": "known noise"}
    assert gate_row(muted)["aside"] == "muted: known noise"
    muted["gate"] |= {"muted": None, "required": False}
    assert gate_row(muted)["aside"] == "advisory"


def test_a_gate_that_compares_shows_both_arms_and_the_interval_of_their_difference(
    gate_result: Callable[..., dict[str, Any]],
) -> None:
    raw = gate_result("success_rate", "PASS", 0.99, low=0.98, high=0.999, n=300)
    raw["gate"] |= {"against": "baseline", "margin": 0.01}
    raw["compared"] = {
        **{"other": "the baseline", "value": 0.99, "other_value": 0.995, "other_n": 2700},
        **{"difference": -0.005, "low": -0.009, "high": 0.001},
    }
    row = gate_row(raw)
    assert (row["value"], row["interval"]) == ("99.0 % against 99.5 %", "-0.50 points (-0.90 to +0.10)")
    assert (row["n"], row["target"], row["alert"]) == ("300 and 2,700", "at most 1 point worse", "–")
    assert gate_row({**raw, "compared": None})["target"] == "at most 1 point worse"


def test_a_gate_of_another_version_is_shown_as_far_as_it_goes(record: Record) -> None:
    strange = (
        {"gate": {"id": "new", "shape": 1}, "verdict": "PASS", "reason": "so it was"},
        {"gate": "bare", "verdict": "?"},
    )
    page = Page(report_html(None, record.model_copy(update={"gates": strange})))
    assert "new" in page.text and "so it was" in page.text and "bare" in page.text


def test_times_that_are_none_stay_as_they_are() -> None:
    assert ("As of", "soon") in facts(Record(as_of="soon"))


def test_a_soak_in_order_does_not_alarm(record: Record, gate_result: Callable[..., dict[str, Any]]) -> None:
    fine = gate_result("success_rate", "INCONCLUSIVE", 1.0, reason="soaking, in order")
    short = gate_result("success_rate", "INCONCLUSIVE", 0.985, reason="soaking, short of the target")
    soak = record.model_copy(
        update={"decision": "SOAK", "moment": "during", "outcome": {"reason": "SOAK: ok"}, "gates": (fine, short)}
    )
    page = Page(report_html(None, soak))
    assert "◔ WATCH" in page.text and "? INCONCLUSIVE" in page.text
    assert "short of the target" in page.text and "soaking, in order" not in page.text
    after = soak.model_copy(update={"moment": "after"})
    assert "WATCH" not in Page(report_html(None, after)).text


def test_a_hold_lists_every_check_that_holds_it_up(record: Record) -> None:
    checks = (
        {"id": "a", "title": "Lint", "verdict": "FAIL", "required": True, "reason": "2 errors"},
        {"id": "d", "title": "Names", "verdict": "NO_DATA", "required": True, "reason": "cannot be read"},
        {"id": "b", "title": "Advice", "verdict": "FAIL", "required": False, "reason": "aside"},
        {"id": "c", "title": "Types", "verdict": "PASS", "required": True, "reason": "fine"},
    )
    held = record.model_copy(update={"decision": "HOLD", "checks": checks})
    text = Page(report_html(None, held)).text
    assert "What holds it up" in text and "2 errors" in text and "cannot be read" in text and "aside" not in text
    alone = held.model_copy(update={"checks": checks[:1]})
    assert "What holds it up" not in Page(report_html(None, alone)).text, "the banner has said it"
    assert "What holds it up" not in Page(report_html(None, held.model_copy(update={"decision": "PROMOTE"}))).text


def test_the_time_to_come_back_is_said_once(record: Record) -> None:
    outcome = {
        "reason": "SOAK: ok",
        "next": "Run it again at 2026-11-24 03:00 UTC.",
        "come_back_at": "2026-11-24T03:00:00Z",
    }
    said = headline(record.model_copy(update={"decision": "SOAK", "outcome": outcome}))
    assert (said.reason, said.aside) == ("Ok.", "")


def test_a_complete_rollback_reads_done(record: Record) -> None:
    outcome = {"reason": "DONE: the rollback is complete: async is off", "next": "Find the cause."}
    said = headline(record.model_copy(update={"status": "completed", "decision": "PROMOTE", "outcome": outcome}))
    assert (said.word, said.reason) == ("DONE", "The rollback is complete: async is off.")


def test_a_command_in_the_banner_reads_as_one_and_nothing_else_becomes_markup(record: Record) -> None:
    outcome = {"reason": "HOLD: <b> & `runbook status`", "next": "Run `runbook dlq list`."}
    html = report_html(None, record.model_copy(update={"decision": "HOLD", "outcome": outcome}))
    assert "<code>runbook dlq list</code>" in html and "&lt;b&gt; &amp; <code>runbook status</code>" in html


def test_markdown_that_a_cell_shows_is_a_page() -> None:
    nb = notebook(
        code("page", {"output_type": "display_data", "data": {"text/markdown": "# Sign here", "text/plain": "x"}})
    )
    assert '<div class="prose page"><h2>Sign here</h2>' in report_html(nb, Record()), "the report has its own h1"


@pytest.mark.parametrize("metadata", [{"text/markdown": {"runbook_one_sheet": True}}, {"runbook_one_sheet": True}])
def test_a_page_that_is_made_to_be_signed_is_kept_on_one_sheet(metadata: dict[str, Any]) -> None:
    output = {"output_type": "display_data", "data": {"text/markdown": "# Sign here"}, "metadata": metadata}
    assert '<div class="output one-sheet">' in report_html(notebook(code("page", output)), Record())
    assert '<div class="output">' in report_html(notebook(code("page", {**output, "metadata": {}})), Record())


def test_what_pandas_says_of_no_rows_is_said_in_words() -> None:
    def drawn(text: str) -> str:
        output = {"output_type": "execute_result", "data": {"text/plain": text}}
        cell = {"cell_type": "code", "source": "run.tables().errors()", "outputs": [output], "execution_count": 1}
        return next(pieces({"cells": [cell]})).body

    for none in ("Series([], Name: jobs, dtype: int64)", "Empty DataFrame\nColumns: [time, jobs]\nIndex: []"):
        assert "nothing to show" in drawn(none) and "[]" not in drawn(none)
    assert "Series([1])" in drawn("Series([1])")


HIDDEN = "\u202eright\u202c \u2066\u200b \x9bred \x07 \U000e0041"


def test_nothing_in_a_report_turns_or_hides_text_wherever_it_was_written(record: Record) -> None:
    cells = notebook(
        prose(f"# {HIDDEN}\n\n{HIDDEN} [{HIDDEN}](a 'b{HIDDEN}')"),
        code(f"reason = '{HIDDEN}'", show("text/html", f"<b title='{HIDDEN}'>{HIDDEN} &#x202e;</b>")),
        code("b", show("text/markdown", HIDDEN), show("text/plain", HIDDEN)),
        code("c", {"output_type": "stream", "name": "stdout", "text": HIDDEN}, failure("Error", HIDDEN, HIDDEN)),
    )
    named = dict.fromkeys(("operator", "reason", "caller_arn", "release", "env", "notebook"), HIDDEN)
    entry = {"kind": "note", "by": HIDDEN, "role": HIDDEN, "item": HIDDEN, "text": HIDDEN, "link": HIDDEN}
    told = {"warnings": (HIDDEN,), "params": {HIDDEN: HIDDEN}, "versions": {HIDDEN: HIDDEN}, **named}
    for one in (record.model_copy(update=told), record.model_copy(update={**told, "entry": entry})):
        for page in (report_html(cells, one), report_html(None, one)):
            assert not set(HIDDEN) & set(page) - set("right red")
            assert not set(HIDDEN) & set(Page(page).text) - set("right red")
