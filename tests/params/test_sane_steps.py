"""Steps that wait for themselves, and phases in notebooks that play none, are refused when the file is read."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir, read_yaml
from runbook_lib.params.load import Params, load_file
from runbook_lib.params.policy import Policy
from runbook_lib.params.sane_steps import check
from tests import steps_of_five

RAW = read_yaml(params_dir() / "gates.yaml")
PARAMS = load_file(params_dir() / "prod.yaml")
SIX, SEVEN, EIGHT = "06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent"


def said(change: Callable[[dict[str, Any]], object], raw: dict[str, Any] = RAW) -> list[str]:
    found = copy.deepcopy(raw)
    change(found)
    return [f"{key} {value}: {wanted}" for key, value, wanted in check(_params(found))]


def _params(raw: dict[str, Any]) -> Params:
    return PARAMS.model_copy(update={"policy": Policy.model_validate(raw)})


def requires(step: str, *wanted: str, field: str = "requires") -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw["steps"][step].update({field: list(wanted)})


def test_ours_and_one_of_five_steps_are_taken() -> None:
    assert said(lambda raw: None) == []
    assert said(lambda raw: None, steps_of_five.gates(copy.deepcopy(RAW))) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (requires(SIX, f"{SIX}@prod"), f"the step waits for itself: {SIX}@prod waits for {SIX}@prod"),
        (requires("01_preflight", "11_acceptance@prod"), "the step waits for itself: 01_preflight@prod waits for"),
        (requires("04_alarms", f"{SEVEN}@prod"), "waits for itself"),
        (requires(SIX, f"{EIGHT}@prod"), "phases follow each other in their order"),
        (requires("03_dashboard", "04_alarms@prod", field="requires_to_shift"), None),
        (lambda raw: raw["steps"].update({"09_deprecate_sync@": raw["steps"]["09_deprecate_sync"]}), "in its name"),
    ],
)
def test_a_step_that_waits_for_itself_is_told(change: Callable[[dict[str, Any]], object], told: str | None) -> None:
    found = said(change)
    assert (told is None and not found) or any(told is not None and told in one for one in found), found


def percent(step: str, weight: float) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw["phases"][step].update(percent=weight)


def test_a_phase_at_0_percent_is_told_and_not_played() -> None:
    """It was taken, and broke the rehearsal: no look ever had a moment of effect."""
    assert f"phases.{SIX}.percent 0: at 0 % nobody is on async, and nothing can be judged; expects more" in said(
        percent(SIX, 0)
    )


def test_weights_that_look_alike_are_told() -> None:
    """10 and 10.0000001 % were two steps with one name in every table."""
    assert any(
        f"phases.{SEVEN}.percent 10.0000001: a weight has two" in one for one in said(percent(SEVEN, 10.0000001))
    )
    assert not any("decimals" in one for one in said(percent(SIX, 0.29)))


def test_what_migrates_has_been_judged_at_100_percent() -> None:
    """The migration puts everybody on async: at 75 % a quarter of the users would come unjudged."""
    assert any(f"phases.{EIGHT}.percent 75: it migrates" in one for one in said(percent(EIGHT, 75)))
    assert not any("migrates" in one for one in said(percent(SEVEN, 40)))


def test_names_of_steps_are_suggested() -> None:
    assert any("at most: '06a_canary'" in one for one in said(_named("06a-Canary")))
    assert any("at most: 'canary_five'" in one for one in said(_named("Canary-Five")))


def _named(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda raw: raw["steps"].update({name: raw["steps"]["04_alarms"]})


@given(st.data())
def test_what_is_taken_can_be_carried_out_in_some_order(data: st.DataObject) -> None:
    """Played: what has all that it requires may run; at the end every step has run."""
    raw = copy.deepcopy(RAW)
    places = [f"{name}@{env}" for name, step in raw["steps"].items() for env in step["envs"]]
    for _ in range(data.draw(st.integers(1, 2))):
        step, field = (
            data.draw(st.sampled_from(list(raw["steps"]))),
            data.draw(st.sampled_from(["requires", "requires_to_shift"])),
        )
        wanted = data.draw(st.lists(st.sampled_from(places), max_size=2))
        raw["steps"][step][field] = wanted
    params = _params(raw)
    refused = any("waits for itself" in wanted for _, _, wanted in check(params))
    done, before = set[str](), dict[str, str]()
    for env in ("dev", "staging", "prod"):
        phases = list(params.policy.phases_of(env))
        before |= {f"{two}@{env}": f"{one}@{env}" for one, two in itertools.pairwise(phases)}
    while more := {
        place
        for place in set(places) - done
        for step in [params.policy.steps[place.partition("@")[0]]]
        if {*step.requires, *step.requires_to_shift, *([before[place]] if place in before else [])} <= done
    }:
        done |= more
    assert refused == (done != set(places))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("notebook", "told"),
    [
        ("01_preflight", "is not a notebook of a phase; there are 06_phase1_10_percent, 07_phase2_50_percent"),
        (
            "rollback_1_async_failing",
            "is not a notebook of a phase; there are 06_phase1_10_percent, 07_phase2_50_percent",
        ),
        ("05_staging", "carries out no step but its own"),
        (SEVEN, "it deploys nothing, and 06a_phase1_5_percent is the first phase of prod; those that deploy are 05_"),
        (SIX, None),
    ],
)
def test_a_step_is_carried_out_by_the_notebook_of_a_phase(tmp_path: Path, notebook: str, told: str | None) -> None:
    steps_of_five.project(tmp_path)
    raw = read_yaml(tmp_path / "params" / "gates.yaml")
    raw["steps"]["06a_phase1_5_percent"]["notebook"] = notebook
    (tmp_path / "params" / "gates.yaml").write_text(steps_of_five.yaml.safe_dump(raw, sort_keys=False))
    if told is None:
        load_file(tmp_path / "params" / "prod.yaml")
        return
    with pytest.raises(UsageError) as error:
        load_file(tmp_path / "params" / "prod.yaml")
    assert "06a_phase1_5_percent.notebook' is" in str(error.value) and "\n" not in str(error.value)
    assert told in str(error.value), str(error.value)


def test_a_rollout_of_one_step_that_nobody_deploys_is_refused() -> None:
    def alone(raw: dict[str, Any]) -> None:
        for name in (SIX, SEVEN):
            del raw["steps"][name], raw["phases"][name]
        raw["steps"][EIGHT]["requires"] = ["05_staging@staging"]
        raw["phases"][EIGHT]["before_percent"] = 0
        for alarm in raw["alarms"]:
            alarm.pop("phases", None)

    found = said(alone)
    assert any(f"phases.{EIGHT}" in one and "is the first phase of prod" in one for one in found), found


def test_a_measure_that_arrives_after_the_look_is_told() -> None:
    from tests import own_gates

    def late(raw: dict[str, Any]) -> None:
        raw["measures"]["declined"]["late_s"] = 86_400

    found = said(late, own_gates.policy())
    assert any("nothing of it has arrived at the look of phase" in one for one in found), found
