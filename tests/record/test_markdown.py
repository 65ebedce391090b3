"""A record as Markdown: the verdict first, every gate, the checks that do not pass, and no markup out of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.judge.gates.checks import check
from runbook_lib.record.markdown import markdown
from runbook_lib.record.record import Record


def record(**values: Any) -> Record:
    given: dict[str, Any] = {
        "run_id": "abc123",
        "env": "prod",
        "release": "r1",
        "notebook": "06_phase1_10_percent",
        "status": "completed",
        "decision": "HOLD",
        "outcome": {"decision": "HOLD", "said": None, "reason": "no approval", "next": "Ask for it."},
        **values,
    }
    return Record.model_validate(given)


def test_the_decision_and_why_come_first() -> None:
    lines = markdown(record()).splitlines()
    assert lines[0] == "## ✋ HOLD: 06_phase1_10_percent in prod"
    assert lines[2] == "No approval."
    assert "**Next:** Ask for it." in lines


def test_a_complete_rollback_promotes_nothing_in_words() -> None:
    outcome = {
        "decision": "PROMOTE",
        "reason": "DONE: the rollback is complete: async is off",
        "next": "Find the cause.",
    }
    lines = markdown(record(decision="PROMOTE", outcome=outcome)).splitlines()
    assert lines[0].startswith("## ✅ DONE: ") and lines[2] == "The rollback is complete: async is off."


def test_a_run_that_failed_says_why() -> None:
    text = markdown(
        record(status="failed", decision=None, outcome=None, error={"type": "AwsError", "sentence": "no credentials"})
    )
    assert "❌ FAILED" in text
    assert "no credentials" in text


def test_each_gate_is_a_row_with_its_numbers_and_who_fails_comes_first(gate_result: Callable[..., Any]) -> None:
    passed = gate_result(reason="served | well")
    failed = gate_result("generation_time", "FAIL", 210.0, low=190.0, high=240.0, n=1200)
    unseen = gate_result("lost_jobs", "NO_DATA", None, low=None, high=None, n=None)
    rows = [line for line in markdown(record(gates=(passed, unseen, failed))).splitlines() if line.startswith("| ")]
    assert rows[0] == "| Gate | Verdict | Value | 95 % interval | n | Why |"
    assert "| ❌ FAIL | 210 s | 190-240 s | 1,200 |" in rows[1]
    assert "❔ NO DATA | – | – | – |" in rows[2]
    assert rows[3].endswith("| ✅ PASS | 99.7 % | 99.0-99.9 % | 301 | served \\| well |")


def test_checks_that_do_not_pass_are_listed_and_all_are_counted() -> None:
    checks = (
        check("a.b", "A", True, "fine"),
        check("c.d", "C", False, "broken"),
        check("e", "E", None, "unseen", required=False),
    )
    text = markdown(record(checks=tuple(one.model_dump(mode="json") for one in checks)))
    assert "1 of 3 checks pass." in text
    assert "| c.d | ❌ FAIL | required | broken |" in text
    assert "| e | ❔ NO DATA | advisory | unseen |" in text
    assert "a.b" not in text


@pytest.mark.parametrize(
    "gate", [{"gate": {"id": "a", "title": "A | b", "kind": "of tomorrow"}, "verdict": "PASS"}, {"verdict": "ODD"}, {}]
)
def test_a_gate_or_check_of_another_version_shows_what_it_has(gate: dict[str, Any]) -> None:
    text = markdown(record(gates=({**gate, "reason": "why"}, gate), checks=({"id": "x"}, {})))
    assert "why" in text and "0 of 2 checks pass." in text
    if "gate" in gate:
        assert "| A \\| b | ✅ PASS | – | – | – | why |" in text


@pytest.mark.parametrize("value", ["a | b", "<script>", "`x`", "*bold*", "line\nbreak"])
def test_a_value_cannot_break_the_table(value: str) -> None:
    text = markdown(record(checks=(check("x", "X", False, value).model_dump(mode="json"),)))
    row = next(line for line in text.splitlines() if line.startswith("| x "))
    assert row.replace("\\|", "").count("|") == 5
    assert "<script>" not in text


@pytest.mark.parametrize("kind", ["note", "approval", "attestation"])
def test_what_a_person_said_is_told_with_who_and_when(kind: str) -> None:
    entry = {"kind": kind, "by": "Ada L.", "role": "SRE", "at": "2026-11-09T04:01:30Z", "text": "the | queue grew"}
    text = markdown(record(notebook="entry", decision=None, outcome=None, entry={**entry, "item": "06", "link": "x"}))
    assert text.startswith("## ") and "the \\| queue grew" in text
    assert "Ada L." in text and "2026-11-09 04:01 UTC" in text
    assert "no decision" not in text and "nothing was changed" not in text


def test_a_command_is_code_and_the_text_around_it_stays_text() -> None:
    """Copied from the summary of a CI job, a command had backticks around it: a shell runs what is in them."""
    told = "may be run now; *see* `runbook run 06 --set 'reason=a $x'`; then `runbook status` <b>"
    shown = markdown(record(outcome={"decision": "HOLD", "said": None, "reason": "no", "next": told}))
    (line,) = (one for one in shown.splitlines() if one.startswith("**Next:**"))
    assert "may be run now; \\*see\\* `runbook run 06 --set 'reason=a $x'`; then `runbook status` &lt;b&gt;" in line


@pytest.mark.parametrize("told", ["a ` alone", "``", "` `", "`a` b `", "x\n`a\nb`"])
def test_other_backticks_begin_no_code(told: str) -> None:
    shown = markdown(record(outcome={"decision": "HOLD", "said": None, "reason": "no", "next": told}))
    (line,) = (one for one in shown.splitlines() if one.startswith("**Next:**"))
    if told.count("`") % 2 or not told.split("`")[1].strip():
        assert line.count("\\`") == line.count("`")
