"""World and judge in one process: the stand-ins answer as the embedded AWS does, and scenarios end as declared."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window, when
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.against import ALONE
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence import measure
from runbook_lib.observe.jobs import census
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics import fetch
from runbook_lib.params.contract import Contract
from runbook_lib.params.load import Params, load_file
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only, params_of
from runbook_lib.rehearse.quick.local_world import START, Local
from runbook_lib.rehearse.quick.player import InProcess
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rehearse.world.world import World
from tests import own_gates
from tests.comparing import BASELINE, BEFORE, LATENCY, lenient
from tests.contracts import contracts
from tests.dial import set_dial

PARAMS = params_of("prod", "test")
QUICK = (
    "async_failing",
    "async_crashing",
    "fails_at_full_weight",
    "heals_by_itself",
    "submit_latency",
    "taken_back_at_night",
    "two_faults",
)
"""Scenarios that end within a few virtual hours."""


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_scenario_ends_as_declared(name: str) -> None:
    scenario = load(name)
    ended = InProcess(PARAMS, scenario, 2).play()
    assert ended.wrong(scenario) == [], ended.reason
    assert ended.detect_s is not None and 0 < ended.detect_s < 12 * 3600


@settings(max_examples=3)
@given(contracts())
def test_a_scenario_ends_the_same_whatever_the_service_calls_things(contract: Contract) -> None:
    """World, table and census by another contract: other words, attributes and times, the same jobs."""
    service = PARAMS.service.model_copy(update={"contract": contract})
    params, scenario = PARAMS.model_copy(update={"service": service}), load("async_failing")
    ended, usual = InProcess(params, scenario, 2).play(), InProcess(PARAMS, scenario, 2).play()
    assert (ended.wrong(scenario), ended.detect_s) == ([], usual.detect_s)


def test_taken_back_to_10_is_a_fail_that_says_who_when_to_which_weight_and_on_which_alarm() -> None:
    scenario = load("taken_back_to_10")
    play = InProcess(PARAMS, scenario, 2)
    ended = play.play()
    assert ended.wrong(scenario) == [], ended.reason
    at = when(play.world.flags.deployments[-1].taken_back_at)
    assert (
        f"AppConfig took the weight back to 10 % by itself when alarm careervp-vpr-failed-jobs-guard-prod fired at {at}"
        in (ended.reason)
    )
    assert play.world.flags.percent == 10, "it is the switch that finishes the job"
    assert play.world.flags.weight == 0


def test_a_shift_by_the_notebook_is_taken_back_to_0() -> None:
    play = InProcess(PARAMS, load("taken_back_to_10").model_copy(update={"by_hand": False}), 2)
    assert "took the weight back to 0 % by itself" in play.play().reason


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_requests_that_become_no_job_call_people_within_hours(share: float) -> None:
    """No job fails, for there is none: only what was accepted against what was written tells it."""
    scenario = load("accepted_lost")
    (fault,) = scenario.faults
    worse = scenario.model_copy(update={"faults": (fault.model_copy(update={"set": {"accepted_lost": share}}),)})
    ended = InProcess(PARAMS, worse, 3).play()
    assert ended.decision == "HOLD" and "does not add up" in ended.reason
    assert ended.detect_s is not None and ended.detect_s <= 6 * 3600


@pytest.mark.slow
def test_workers_whom_the_llm_refuses_are_no_cure() -> None:
    scenario = load("backlog_llm_limited")
    play = InProcess(PARAMS, scenario, 2)
    ended = play.play()
    assert (ended.wrong(scenario), ended.rollback) == ([], 2), ended.reason
    assert (play.world.flags.switch_on, play.world.service.workers) == (False, PARAMS.service.workers)
    cured = InProcess(PARAMS, load("backlog_by_spike"), 2)
    assert cured.play().recovered
    assert (cured.world.flags.switch_on, cured.world.service.workers) == (True, 10)


@pytest.mark.slow
def test_a_fault_after_the_migration_is_answered_by_the_step_before() -> None:
    scenario = load("fails_after_migration")
    play = InProcess(PARAMS, scenario, 2)
    ended = play.play()
    assert ended.wrong(scenario) == [], ended.reason
    assert ended.by == "watch", "AppConfig guards nothing any more"
    assert not play.world.flags.migrated


@pytest.mark.slow
def test_a_healthy_rollout_goes_through_with_nobody_taking_anything_back() -> None:
    play = InProcess(PARAMS, load("healthy"), 2)
    ended = play.play()
    assert play.world.flags.migrated, "the 48 h after the migration are judged, too"
    assert (ended.decision, ended.phase, ended.by, ended.detect_s) == ("PROMOTE", "", "", None), ended.reason


def compared(behaviour: dict[str, float], faults: list[dict[str, Any]], phase: str) -> tuple[Any, list[Any]]:
    """How a rollout ends whose gates compare the arms, and what these gates said at each look."""
    world = {"name": "arms", "title": "Arms", "behaviour": behaviour, "faults": faults, "watch_min": 60}
    play, said = InProcess(lenient(PARAMS), Scenario.model_validate(world), 2, phase), list[Any]()
    with pytest.MonkeyPatch.context() as patch:
        judged = Case.verdict
        patch.setattr(Case, "verdict", lambda case: (said.append((case, found := judged(case))), found)[1])
        ended = play.play()
    return ended, [
        (case, result) for case, outcome in said for result in outcome.results if result.gate.against is not None
    ]


def test_a_canary_that_is_worse_than_a_baseline_that_works_goes_back() -> None:
    ended, said = compared({"quick": 1.0, "job_failed": 0.06}, [], "06")
    assert (ended.decision, ended.phase, ended.by, ended.rollback) == ("ROLLBACK", "06", "watch", 1), ended.reason
    assert ended.reason.startswith("ROLLBACK: success beside the baseline 9")
    assert "of the baseline 100.0 %" in ended.reason and "worse by more than 0.5 points" in ended.reason
    assert [result.verdict for _, result in said if result.gate.id == BASELINE][-1] is Verdict.FAIL
    assert all(result.gate.muted == ALONE for _, result in said if result.gate.id == BEFORE), "it is the first phase"


@pytest.mark.slow
def test_a_phase_that_is_worse_than_the_one_before_it_is_taken_back() -> None:
    fault = {"name": "6 % fail", "after": "08", "start": 2, "set": {"job_failed": 0.06}}
    ended, said = compared({"job_failed": 0.001}, [fault], "07")
    assert (ended.phase, ended.by) == ("08", "watch"), ended.reason
    assert "success beside the phase before 9" in ended.reason and "of the phase before" in ended.reason
    latency = [result for _, result in said if result.gate.id == LATENCY and not result.gate.muted]
    assert latency and all(result.compared.other_n > 0 for result in latency)
    assert Verdict.FAIL not in {result.verdict for result in latency}


@pytest.mark.slow
def test_beside_a_broken_baseline_a_rollout_goes_through_and_each_look_says_why_it_is_no_gate() -> None:
    ended, said = compared({}, [], "06")
    assert ended.decision == "PROMOTE", ended.reason
    finals = [(case, result) for case, result in said if case.look is not None]
    baseline = [result.gate.muted for case, result in finals if result.gate.id == BASELINE]
    assert baseline == ["the baseline is itself broken"] * 2 + [ALONE] * 2
    before = [result.verdict for case, result in finals if result.gate.id == BEFORE]
    assert before == [Verdict.INCONCLUSIVE, *[Verdict.PASS] * 3], "the first phase has none before it"


def test_the_same_seed_ends_the_same_way() -> None:
    first, second = (InProcess(PARAMS, load("two_faults"), 3).play() for _ in range(2))
    assert first == second


def test_what_did_not_end_as_declared_is_said() -> None:
    from runbook_lib.rehearse.play.played import Ended

    ended = Ended("submit_latency", 1, "ROLLBACK", "07", "look", 1, 60.0, True)
    assert ended.wrong(load("submit_latency")) == [
        "ROLLBACK instead of HOLD",
        "caught in 07 instead of 06",
        "rollback 1 instead of none",
    ]
    unplayed = Ended("staging", 1, "PROMOTE", "", "", None, None, None)
    assert unplayed.wrong(load("staging")) == ["scenario 'staging' does not say how it should end"]


@pytest.mark.emulator
def test_a_look_in_this_process_sees_what_one_on_the_embedded_aws_sees() -> None:
    """Six hours at 50 % of the same world, once published and asked for by API, once not."""
    scenario = load("baseline_broken").begun("06", 0.0)
    end = START + dt.timedelta(hours=6)
    window = Window(START + dt.timedelta(minutes=10), end)
    here = Local(PARAMS, scenario, 5)
    here.live(START)
    here.flags.shift(50, START, "test")
    here.live(end)
    twin = Local(PARAMS, scenario, 5)
    twin.live(START)
    with EmbeddedAws(START) as aws, only(aws.env):
        deploy(aws, PARAMS)
        set_dial(aws.client("appconfig"), PARAMS, 50)
        world = World(aws, PARAMS, scenario, seed=5)
        world.service = twin.service  # from START on, not from some seconds later
        world.service.set_weight(0.5)
        world.advance(end)
        segment = census.take(aws.client("dynamodb"), PARAMS, window, end)
        there = _evidence(aws.client("cloudwatch"), segment, here, window, end)
    mine = _evidence(here.metrics, census.taken(here.table.jobs, PARAMS, window, end), here, window, end)
    assert mine.keys() == there.keys()
    for name, one in mine.items():
        other = there[name]
        assert (one.kind, one.bad, one.n, one.partial) == (other.kind, other.bad, other.n, other.partial), name
        assert (one.value, one.upper, one.values) == (
            pytest.approx(other.value, rel=0.02) if other.value is not None else None,
            pytest.approx(other.upper, rel=0.05) if other.upper is not None else None,
            other.values,
        ), name


def _evidence(cloudwatch: Any, segment: Segment, here: Local, window: Window, now: dt.datetime) -> dict[str, Any]:
    state = here.flags.state()
    first = fetch.fetch(cloudwatch, PARAMS, measure.asks(PARAMS, window, now), now)
    answers = first + fetch.fetch(cloudwatch, PARAMS, measure.asks_bounds(first, PARAMS, window, now, None), now)
    return measure.measure(answers, segment, here.live_levels(), state, PARAMS, window, now, None)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """Parameters with a gate of each kind on metrics that nobody here chose."""
    return load_file(own_gates.project(tmp_path_factory.mktemp("shop")))


def _with_fault(measure: str, level: float | None) -> Scenario:
    faults = (Fault(name="ours", start=2, measures={measure: level}),)
    return load("healthy").model_copy(update={"name": "ours", "faults": faults})


@pytest.mark.parametrize(
    ("gate", "level", "decision", "rollback", "by", "says"),
    [
        ("declined", 0.3, "ROLLBACK", 1, "watch", "payments declined"),
        ("served", 0.3, "HOLD", 1, "watch", "searches served"),  # the baseline is shown to be worse
        ("connections", 97.0, "HOLD", None, "watch", "connections peaked at"),
        ("search_time", 4.0, "HOLD", 1, "watch", "P95 search time"),
        pytest.param("basket", 5.0, "HOLD", None, "look", "basket 5 EUR", marks=pytest.mark.slow),
        pytest.param("declined", None, "HOLD", None, "look", "payments declined: no data", marks=pytest.mark.slow),
        pytest.param("connections", None, "HOLD", None, "look", "connections: no data", marks=pytest.mark.slow),
    ],
)
def test_a_gate_on_a_metric_of_the_teams_own_catches_what_only_it_shows(
    shop: Params, gate: str, level: float | None, decision: str, rollback: int | None, by: str, says: str
) -> None:
    ended = InProcess(shop, _with_fault(gate, level), 2).play()
    assert (ended.decision, ended.rollback, ended.phase, ended.by) == (decision, rollback, "06", by), ended.reason
    assert says in ended.reason


@pytest.mark.slow
def test_a_healthy_service_passes_the_gates_on_its_own_metrics(shop: Params) -> None:
    play = InProcess(shop, load("healthy"), 2, "08")
    ended = play.play()
    assert ended.decision == "PROMOTE", ended.reason
    assert f"all {len(PARAMS.policy.gates) + len(own_gates.GATES)} required gates passed" in ended.reason


def test_a_fault_of_a_measure_that_nobody_judges_is_refused(shop: Params) -> None:
    with pytest.raises(UsageError, match=r"fault 'ours' of scenario 'ours' sets measure 'declind'.*did you mean"):
        InProcess(shop, _with_fault("declind", 0.3), 2)
