"""Which decisions a verdict leads to: a run may say less than its verdict, and never more."""

from __future__ import annotations

import pytest

from runbook_lib.judge.model import Outcome
from runbook_lib.record.record import Record
from runbook_lib.rollout.replay import _follows


def outcome(decision: str) -> Outcome:
    return Outcome.model_validate({"decision": decision, "reason": "so", "next": "on"})


@pytest.mark.parametrize(
    ("verdict", "checked", "decided", "follows"),
    [
        ("PROMOTE", "PROMOTE", "PROMOTE", True),
        ("PROMOTE", "HOLD", "HOLD", True),
        ("PROMOTE", "HOLD", "SOAK", True),  # the migration goes on, its own checks still to come
        ("PROMOTE", "HOLD", "PROMOTE", False),  # a check did not hold: forged
        ("PROMOTE", "PROMOTE", "PLANNED", True),
        ("PLANNED", "PLANNED", "HOLD", True),
        ("PLANNED", "PLANNED", "PROMOTE", False),
        ("SOAK", "SOAK", "SOAK", True),
        ("SOAK", "SOAK", "PROMOTE", False),
        ("SOAK", "SOAK", "PLANNED", False),
        ("ROLLBACK", "ROLLBACK", "ROLLBACK", True),
        ("ROLLBACK", "ROLLBACK", "SOAK", False),
        ("ROLLBACK", "ROLLBACK", "HOLD", False),
        ("HOLD", "HOLD", "SOAK", False),
        ("SOAK", "SOAK", None, True),  # a watch: its record carries no decision that a phase could count on
    ],
)
def test_what_a_verdict_leads_to(verdict: str, checked: str, decided: str | None, follows: bool) -> None:
    assert _follows(outcome(verdict), outcome(checked), Record(decision=decided)) is follows
