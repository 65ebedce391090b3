"""Which decisions a verdict leads to: a run may say less than its verdict, and never more."""

from __future__ import annotations

import pytest

from runbook_lib.judge.model import Outcome
from runbook_lib.record.record import Record
from runbook_lib.rollout.replay import _follows, _same


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


def test_an_older_version_may_have_written_the_times_inside_its_sentences_for_machines() -> None:
    old = {"notes": ["no census of 2026-11-09T04:01:30Z to 2026-11-09T05:00:00.250Z: nothing"], "n": 3}
    new = {"notes": ["no census of 2026-11-09 04:01 UTC to 2026-11-09 05:00 UTC: nothing"], "n": 3}
    assert _same(old, new) and not _same(old, {**new, "n": 4})
    assert not _same({"start": "2026-11-09T04:01:30Z"}, {"start": "2026-11-09T04:01:31Z"}), "a time of its own is data"
