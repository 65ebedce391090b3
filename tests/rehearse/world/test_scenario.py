"""Scenarios: data, validated; faults lie over the healthy behaviour."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.world.behaviour import FAILURE, Begin, Behaviour, Fault
from runbook_lib.rehearse.world.scenario import Scenario, load, names
from tests.steps_of_five import FIVE, LAST


@pytest.mark.parametrize("name", names())
def test_every_scenario_that_comes_along_is_valid_and_named_after_its_file(name: str) -> None:
    assert load(name).name == name


def test_the_four_of_the_first_issue_are_there() -> None:
    assert {"healthy", "async_failing", "submit_5xx", "low_traffic"} <= set(names())


def test_healthy_is_3000_requests_over_a_day_with_a_quiet_night() -> None:
    hours = [load("healthy").per_hour(hour) for hour in range(24)]
    assert sum(hours) == pytest.approx(3000)
    assert max(hours[:5]) < min(hours[8:18]) / 3


def test_a_fault_holds_from_its_start_up_to_its_end() -> None:
    fault = Fault(name="f", start=2, end=4, set={"job_failed": 1.0}, times={"llm_time": 3.0}, reason="quota")
    scenario = Scenario(name="s", title="t", faults=(fault,))
    assert [scenario.at(hour).job_failed for hour in (1.99, 2, 3.99, 4)] == [0.002, 1.0, 1.0, 0.002]
    assert scenario.at(3).llm_time == 3.0
    assert [scenario.reason(hour) for hour in (1, 3, 5)] == [FAILURE, "quota", FAILURE]
    assert scenario.edges() == (2, 4)


@pytest.mark.parametrize(
    ("afters", "first"),
    [((), "06"), ((None,), "06"), (("08", "07"), "07"), (("migration",), "08"), (("09",), "08"), (("08", None), "06")],
)
def test_before_its_first_phase_nothing_of_a_scenario_happens(afters: tuple[Begin | None, ...], first: str) -> None:
    faults = tuple(Fault(name="f", after=after) for after in afters)
    assert Scenario(name="s", title="t", faults=faults).first_phase == first


def test_a_fault_after_the_migration_waits_for_it_and_not_for_the_weight() -> None:
    scenario = Scenario(name="s", title="t", faults=(Fault(name="f", after="migration", start=5, set={"quick": 1.0}),))
    assert scenario.waits_for("migration") and not scenario.waits_for("08_phase3_100_percent")
    assert scenario.begun("08_phase3_100_percent", 10.0) == scenario
    begun = scenario.begun("migration", 40.0)
    assert (begun.at(44.9).quick, begun.at(45).quick, begun.waits_for("migration")) == (0.04, 1.0, False)


@pytest.mark.parametrize(
    ("after", "begins_with"),
    [
        ("06", FIVE[0]),
        ("06a", FIVE[0]),
        (FIVE[0], FIVE[0]),
        (FIVE[1], FIVE[1]),
        (FIVE[2], FIVE[2]),
        ("07", FIVE[2]),
        (FIVE[3], FIVE[3]),
        ("08", LAST),
    ],
)
def test_a_fault_waits_for_a_step_of_one_s_own_by_its_name(after: str, begins_with: str) -> None:
    """Of steps with one notebook, the number means the first."""
    scenario = Scenario(name="s", title="t", faults=(Fault(name="f", after=after, set={"quick": 1.0}),))
    scenario.fits((*FIVE, LAST))
    assert scenario.first_phase == begins_with[:2] == scenario.last_start
    for hour, step in enumerate((*FIVE, LAST)):
        scenario = scenario.begun(step, float(hour))
        assert (scenario.at(hour).quick == 1.0) == (hour >= (*FIVE, LAST).index(begins_with))


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("06a_phase1_5_procent", "did you mean '06a_phase1_5_percent'"),
        ("07a", "comes after '07a', which is not a phase of gates.yaml; there are 06a_phase1_5_percent"),
        ("08_five", "comes after '08_five', which is not a phase of gates.yaml"),
    ],
)
def test_a_step_that_the_rollout_does_not_have_is_refused(after: str, told: str) -> None:
    scenario = Scenario(name="s", title="t", faults=(Fault(name="f", after=after),))
    with pytest.raises(UsageError, match="fault 'f'") as error:
        scenario.fits(("06a_phase1_5_percent", "07_phase2_50_percent", LAST))
    assert told in str(error.value)


def test_every_scenario_that_comes_along_fits_the_rollout_and_one_of_five_steps() -> None:
    policy = load_file(params_dir() / "prod.yaml").policy
    for name in names():
        load(name).fits(policy.phases)
        load(name).fits((*FIVE, LAST))


@pytest.mark.parametrize("after", ["05", "6", "10", "09_week", "06a phase", "06-phase", "migrated"])
def test_what_no_fault_can_wait_for_is_refused(after: str) -> None:
    with pytest.raises(ValueError, match="expects 06, 07 or 08, a step of"):
        Fault(name="f", after=after)


def test_later_faults_lie_over_earlier_ones() -> None:
    faults = (Fault(name="a", set={"quick": 0.5}), Fault(name="b", start=1, times={"quick": 0.5}))
    scenario = Scenario(name="s", title="t", faults=faults)
    assert (scenario.at(0).quick, scenario.at(1).quick) == (0.5, 0.25)


@given(hour=st.floats(0, 1000))
def test_without_faults_nothing_changes(hour: float) -> None:
    assert load("healthy").at(hour) == Behaviour()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\ntitle: t\nfaults: [{name: f, set: {speed: 2}}]", "speed"),
        ("name: x\ntitle: t\nfaults: [{name: f, start: 3, end: 2}]", "ends at hour 2"),
        ("name: x\ntitle: t\nfaults: [{name: f, set: {job_failed: 1.5}}]", "job_failed"),
        ("name: x\ntitle: t\nprofile: [1, 2]", "24 weights"),
        ("name: x\ntitle: t\nrequest_per_day: 5", "did you mean 'requests_per_day'"),
        ("name: [", "not valid YAML"),
    ],
)
def test_a_wrong_scenario_is_one_sentence_that_names_file_and_fault(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"broken\.yaml") as error:
        load(path)
    assert named in str(error.value)


def test_an_unknown_scenario_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no scenario 'helthy'; did you mean 'healthy'"):
        load("helthy")


@pytest.mark.parametrize("line", ["late_h: .inf", "requests_per_day: .nan", "behaviour: {traffic: .inf}"])
def test_what_takes_infinitely_long_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "far.yaml"
    path.write_text(f"name: far\ntitle: far\n{line}\n")
    with pytest.raises(UsageError, match=r"far\.yaml, line 3: \.(inf|nan) is a number that YAML reads in its own way"):
        load(path)
