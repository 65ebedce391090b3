"""The word of a run, of records of every version."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.terms import Word
from runbook_lib.judge.told import of_today, word_of


@pytest.mark.parametrize(
    ("decision", "reason", "said", "rest"),
    [
        ("HOLD", "HOLD: x", None, "x"),
        ("PROMOTE", "DONE: async is off", "DONE", "async is off"),
        ("PROMOTE", "what was DONE: all", None, "what was DONE: all"),
        ("HOLD", "06 says HOLD: x", None, "06 says HOLD: x"),
        ("HOLD", "ROLLBACK: x", None, "ROLLBACK: x"),
        (None, "PROMOTE: a look", None, "PROMOTE: a look"),
        ("HOLD", None, None, ""),
    ],
)
def test_the_word_in_the_reason_of_version_0_1_is_a_field(
    decision: str | None, reason: str | None, said: str | None, rest: str
) -> None:
    found = of_today({"decision": decision, "reason": reason, "next": "n"})
    assert found == {"decision": decision, "said": said, "reason": rest, "next": "n"}
    assert of_today(found) == found, "of today already"


@pytest.mark.parametrize(
    ("status", "decision", "outcome", "origin", "word"),
    [
        ("completed", "SOAK", {"said": "ASYNC IS OFF"}, "", "ASYNC IS OFF"),
        ("completed", "SOAK", {"said": None}, "", "SOAK"),
        (None, "SOAK", {}, "", "SOAK"),
        ("died", "SOAK", {}, "", "DIED"),
        ("failed", None, {}, "command", "FAILED"),
        ("completed", None, {}, "command", "DONE"),
        (None, None, {"said": "X"}, "command", "DONE"),
        ("completed", None, {}, "", "CLOSED"),
        ("completed", "", {}, "notebook", "CLOSED"),
        # Of version 0.1 the word is in the reason.
        ("completed", "PROMOTE", {"reason": "DONE: async is off"}, "", "DONE"),
        ("completed", "PROMOTE", {"reason": "HOLD: not its word"}, "", "PROMOTE"),
        ("completed", "HOLD", {"decision": "PROMOTE", "reason": "HOLD: no"}, "", "HOLD"),
    ],
)
def test_the_one_word_of_a_run(
    status: str | None, decision: str | None, outcome: dict[str, Any], origin: str, word: str
) -> None:
    assert word_of(status, decision, outcome, origin=origin) == word


@pytest.mark.parametrize(
    ("origin", "notebook", "checks", "word"),
    [
        ("command", "dlq", (), Word.DONE),
        ("command", "rollback_1_async_failing", (), Word.ASYNC_IS_OFF),
        ("command", "rollback_1_async_failing", ({"id": "rollback_1.off", "verdict": "FAIL"},), Word.HOLD),
        ("watch", "06_phase1_10_percent", (), Word.WATCH),
        ("papermill", "06_phase1_10_percent", (), Word.CLOSED),
    ],
)
def test_a_run_that_decides_nothing_says_what_it_is(origin: str, notebook: str, checks: Any, word: Word) -> None:
    """The kill switch's own record read DONE before the rollback was proven, a watch's kept look CLOSED."""
    assert word_of("completed", None, {}, origin=origin, notebook=notebook, checks=checks) == word
    assert word_of("failed", None, {}, origin=origin, notebook=notebook, checks=checks) == "FAILED"
