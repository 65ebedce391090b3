"""The gate on throttle events from both sides: writes that were retried pass, a request that was lost does not."""

from __future__ import annotations

import pytest
from scipy.stats import poisson

from runbook_lib.judge.model import GateResult, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.quick.local_world import START
from runbook_lib.rehearse.quick.player import HISTORY, InProcess, Soak
from runbook_lib.rehearse.world.jobs import THROTTLED_TRIES
from runbook_lib.rehearse.world.scenario import load

PARAMS = params_of("prod", "test")
GATE = PARAMS.policy.gate("throttling")
WRITES_A_JOB = 3
BUSY_PERIODS = 120
"""Five minutes each, of a day's ten busy hours."""


def soaked(name: str, seed: int = 2, phase: int = 0) -> Outcome:
    """How that phase of the scenario ends."""
    play = InProcess(PARAMS, load(name), seed)
    play.world.live(START + HISTORY)
    return Soak(play, list(PARAMS.policy.phases_of("prod"))[phase]).walk()[0]


def gate(outcome: Outcome) -> GateResult:
    return next(one for one in outcome.results if one.gate.id == "throttling")


@pytest.mark.slow
@pytest.mark.parametrize("phase", [0, 2], ids=["300 a day", "3,000 a day"])
def test_writes_that_got_through_when_retried_pass(phase: int) -> None:
    outcome = soaked("throttled_and_retried", phase=phase)
    found = gate(outcome)
    assert (outcome.decision, found.verdict) == (Decision.PROMOTE, Verdict.PASS), outcome.reason
    assert sum(found.evidence.values) >= 5, "there were some"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["throttling_table", "throttling_index"])
def test_requests_that_are_lost_fail(name: str) -> None:
    """At 300 requests a day: every seed's soak is taken back, or this gate proposes scenario 3."""
    for seed in (1, 2, 3, 4):
        outcome = soaked(name, seed)
        assert outcome.decision is Decision.ROLLBACK
        if outcome.scenario == "rollback_3":
            assert gate(outcome).verdict is Verdict.FAIL
            return
    pytest.fail("the guards were first each time: another scenario has to show the gate")


@pytest.mark.slow
def test_a_table_that_throttles_all_day_and_loses_nothing_is_no_rollback_and_no_promotion() -> None:
    scenario = load("throttled_and_retried")
    all_day = scenario.faults[0].model_copy(update={"start": 0.0, "end": None})
    play = InProcess(PARAMS, scenario.model_copy(update={"faults": (all_day,)}), 2)
    ended = play.play()
    assert (ended.decision, ended.phase) == ("HOLD", "06"), ended.reason
    assert "throttle events" in ended.reason


def test_one_request_lost_is_enough_at_any_traffic() -> None:
    assert GATE.alert is not None and GATE.alert.holds(THROTTLED_TRIES)


def test_retries_alone_hardly_ever_get_there() -> None:
    assert GATE.alert is not None
    for per_day, retried in ((300, 0.2), (3000, 0.04)):
        # Busiest hour: 1.7 of the profile's 23.9 hours' weights.
        scenario = load("healthy").model_copy(update={"requests_per_day": per_day})
        writes = max(scenario.per_hour(hour) for hour in range(24)) / 12 * WRITES_A_JOB
        a_day = BUSY_PERIODS * poisson.sf(GATE.alert.limit - 1, writes * retried)
        assert a_day < 0.01, (per_day, a_day)
