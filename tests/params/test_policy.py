"""Steps as data: which notebook carries a step out, what a name means, and in which order phases come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.policy import HarmBudget, Policy
from runbook_lib.params.sentence import sentence
from runbook_lib.run.launch import find_step
from tests.project import own_project
from tests.steps_of_five import FIVE, LAST, PERCENT, gates

RAW = read_yaml(params_dir(Path(__file__).parent) / "gates.yaml")
SIX, SEVEN = FIVE[1], FIVE[3]


@pytest.fixture(scope="module")
def five() -> Policy:
    return Policy.model_validate(gates(RAW))


def test_five_steps_in_their_order(five: Policy) -> None:
    assert {name: phase.percent for name, phase in five.phases_of("prod").items()} == PERCENT
    assert list(five.phases_of("staging")) == ["05_staging"] and five.guard_phase("prod") == FIVE[0]
    assert [five.guard_phase("prod", percent) for percent in (0, 5, 7, 10, 20, 50, 60)] == [
        *(FIVE[0], FIVE[0], SIX, SIX, FIVE[2], SEVEN, LAST)
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gates": []}, "alarm 'dlq' takes its threshold from gate 'dlq', which is not declared"),
        ({"phases": {}}, "has a count for what is not a phase: '"),
    ],
)
def test_where_no_name_is_known_the_sentence_ends_without_a_hint(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        Policy.model_validate({**RAW, **change})
    said = sentence(error.value, Policy, RAW, "gates.yaml", None)
    assert told in said and not said.rstrip().endswith(";")


def test_a_notebook_carries_out_its_own_step_or_the_one_it_is_told(five: Policy) -> None:
    assert five.carried_out(SIX, "") == SIX == five.carried_out(SIX, SIX)
    assert five.carried_out(SIX, FIVE[0]) == FIVE[0]
    assert five.carried_out("rollback_1_async_failing", "") == "rollback_1_async_failing"
    with pytest.raises(ValueError, match=f"which {SIX} carries out, not {SEVEN}"):
        five.carried_out(SEVEN, FIVE[0])
    with pytest.raises(ValueError, match=f"not a step of gates.yaml; did you mean '{FIVE[0]}'"):
        five.carried_out(SIX, "06a_phase1_5_procent")


def test_a_name_means_itself_then_its_number_then_what_begins_with_it(five: Policy) -> None:
    assert five.named(FIVE[0]) == [FIVE[0]] == five.named("06a") and five.named("06") == [SIX]
    assert five.named("06a_ph") == [FIVE[0]]
    assert five.named("0") == [one for one in five.steps if one[0] == "0"]
    assert five.named("") == five.named("nothing") == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"09_deprecate_sync": {"notebook": SIX}}, "which only a phase can be"),
        ({LAST: {"notebook": SIX}}, "what migrates"),
        ({FIVE[2]: {"notebook": LAST}}, "carries out no other step"),
    ],
)
def test_what_another_notebook_cannot_carry_out_is_refused(step: dict[str, dict[str, str]], told: str) -> None:
    raw = gates(RAW)
    steps = {name: {**one, **step.get(name, {})} for name, one in raw["steps"].items()}
    with pytest.raises(ValidationError, match=told):
        Policy.model_validate({**raw, "steps": steps})


@pytest.mark.parametrize(
    ("phase", "field", "value", "told"),
    [
        (FIVE[2], "before_percent", 5, f"{SIX} before it ends at 10 %; expects 10"),
        (FIVE[0], "before_percent", 10, "expects less than 5|the rollout begins at 0 %"),
    ],
)
def test_each_phase_begins_where_the_one_before_it_ends(
    tmp_path: Path, phase: str, field: str, value: Any, told: str
) -> None:
    file, raw = own_project(tmp_path), gates(RAW)
    raw["phases"] = {**raw["phases"], phase: {**raw["phases"][phase], field: value}}
    (tmp_path / "params" / "gates.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    with pytest.raises(UsageError, match=told):
        load_file(file)


def test_only_the_last_phase_migrates(tmp_path: Path) -> None:
    file, phases = own_project(tmp_path), RAW["phases"]
    early = {**phases[SIX], "after_migration": phases[LAST]["after_migration"]}
    raw = {**RAW, "phases": {**phases, SIX: early}}
    (tmp_path / "params" / "gates.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    with pytest.raises(UsageError, match="only the last phase migrates"):
        load_file(file)


def test_a_step_is_run_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = own_project(tmp_path)
    (tmp_path / "params" / "gates.yaml").write_text(yaml.safe_dump(gates(RAW), sort_keys=False))
    (tmp_path / "notebooks").mkdir()
    for name in (*Policy.model_validate(RAW).steps, *RAW["rollbacks"]):
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    path, values = find_step(FIVE[0], file, {"mode": "plan"})
    assert (path.stem, values) == (SIX, {"mode": "plan", "rollout_step": FIVE[0]})
    assert find_step("06a", file, {})[1] == {"rollout_step": FIVE[0]}
    path, values = find_step("06", file, {})
    assert (path.stem, values) == (SIX, {})
    with pytest.raises(UsageError, match="notebook 'nothing': there is no notebook of that name"):
        find_step("nothing", file, {})


def test_a_watch_that_looks_more_than_each_minute_is_none() -> None:
    assert HarmBudget(watch_min=0).users is None
    with pytest.raises(ValidationError, match="watch_min is"):
        HarmBudget(watch_min=0.5)


def test_an_environment_that_there_is_not_is_told_before_what_requires_the_step() -> None:
    steps = {**RAW["steps"], SIX: {**RAW["steps"][SIX], "envs": ["production"]}}
    with pytest.raises(ValidationError, match=rf"step '{SIX}' is applied in 'production', which is not an environment"):
        Policy.model_validate({**RAW, "steps": steps})


def test_the_phase_that_migrates_is_the_one_that_is_looked_at_after_it() -> None:
    """Whatever its name: the week, rollback 1 and the acceptance look for its records."""
    policy = Policy.model_validate(RAW)
    last = policy.phases["08_phase3_100_percent"]
    assert policy.migrating == "08_phase3_100_percent"
    renamed = {"09_everybody": last, "05_staging": policy.phases["05_staging"]}
    assert policy.model_copy(update={"phases": renamed}).migrating == "09_everybody"
    bare = {"a": policy.phases["05_staging"], "b": policy.phases["05_staging"]}
    assert policy.model_copy(update={"phases": bare}).migrating == "b"
    assert policy.model_copy(update={"phases": {}}).migrating == ""
