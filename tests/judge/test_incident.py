"""The clock of an incident, and the decision of a rollback run."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.checks import Check, check
from runbook_lib.judge.incident import Clock, decide_rollback, spell, time_to_effect
from runbook_lib.judge.model import Decision, Verdict

AT = "2026-11-23T03:12:05Z"


def clock(set_at: str | None = None, effective_at: str | None = None) -> Clock:
    return Clock(decided_at=AT, set_at=set_at, effective_at=effective_at, key="4")


@pytest.mark.parametrize(
    ("effective_at", "verdict"),
    [
        (None, Verdict.INCONCLUSIVE),
        ("2026-11-23T03:13:06Z", Verdict.PASS),
        ("2026-11-23T03:17:04Z", Verdict.PASS),
        ("2026-11-23T03:17:05Z", Verdict.FAIL),  # less than five minutes, says the requirement
        ("2026-11-23T04:00:00Z", Verdict.FAIL),
    ],
)
def test_the_limit_is_exclusive_and_counts_from_the_decision(effective_at: str | None, verdict: Verdict) -> None:
    found = time_to_effect("rollback_1", clock("2026-11-23T03:12:06Z", effective_at), 5)
    assert (found.id, found.verdict, found.required) == ("rollback_1.time_to_effect", verdict, True)
    assert "5 min" in found.reason or effective_at is None


def test_nothing_decided_and_nothing_set_are_not_a_failure() -> None:
    assert time_to_effect("rollback_2", None, 10).verdict is Verdict.INCONCLUSIVE
    told = time_to_effect("rollback_2", clock(), 10)
    assert (told.verdict, told.facts["seconds_to_set"]) == (Verdict.INCONCLUSIVE, None)
    assert "not set yet" in told.reason


def test_the_facts_hold_what_the_record_must_tell() -> None:
    facts = time_to_effect("rollback_1", clock("2026-11-23T03:12:06Z", "2026-11-23T03:13:06Z"), 5).facts
    assert (facts["seconds_to_set"], facts["seconds_to_effect"], facts["limit_min"], facts["key"]) == (1, 61, 5, "4")


def test_spelled() -> None:
    assert [spell(seconds) for seconds in (0.4, 61, 119, 120, 450)] == ["0 s", "61 s", "119 s", "2.0 min", "7.5 min"]


def decided(*checks: Check, **more: Any) -> Any:
    words = {"acted": True, "would": "would do", "done": "async is off", "then": "find the cause", **more}
    return decide_rollback(checks, **words)


def one(id: str, ok: bool | None, **more: Any) -> Check:
    return check(id, f"title of {id}", ok, f"reason of {id}", **more)


def test_planned_while_nothing_was_done() -> None:
    outcome = decided(one("a", False), acted=False)
    assert (outcome.decision, outcome.reason) == (Decision.PLANNED, "PLANNED: would do")


def test_complete_only_if_every_required_check_passes() -> None:
    outcome = decided(one("a", True), one("b", False, required=False))
    assert outcome.decision is Decision.PROMOTE
    assert "the rollback is complete: async is off" in outcome.reason
    assert outcome.next == "Find the cause."


def test_what_cannot_be_seen_yet_is_waited_for() -> None:
    outcome = decided(one("a", True), one("b", None), come_back_at=AT)
    assert (outcome.decision, outcome.come_back_at) == (Decision.SOAK, AT)
    assert "title of b" in outcome.reason and AT in outcome.next
    assert decided(one("b", None)).decision is Decision.HOLD


def test_a_failure_is_not_waited_out() -> None:
    outcome = decided(one("b", None), one("a", False), one("c", False), come_back_at=AT)
    assert outcome.decision is Decision.HOLD
    assert outcome.reason == "HOLD: async is off, but reason of a (and 2 more)"


def test_a_mitigation_that_does_not_cure_falls_through() -> None:
    outcome = decided(one("a", False), falls_to="rollback_1", then="turn async off")
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert outcome.next == "Turn async off."


def test_no_way_back_says_what_can_be_done_instead() -> None:
    outcome = decided(one("a", True), no_way="the old endpoint is gone; deploy the archived function")
    assert (outcome.decision, outcome.reason) == (Decision.HOLD, "HOLD: the old endpoint is gone")
    assert outcome.next == "Deploy the archived function."
