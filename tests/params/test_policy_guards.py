"""The guards' counts in `gates.yaml`: which phase's are in force, and what of them is refused when the file is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.observe.alarms.declared import realise, variants
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.params.policy import Policy

FOLDER = params_dir(Path(__file__).parent)
PARAMS = load_file(FOLDER / "prod.yaml")
POLICY = PARAMS.policy
FIRST, SECOND, THIRD = "06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent"


@pytest.mark.parametrize(
    ("env", "percent", "phase"),
    [
        ("prod", 0, FIRST),
        ("prod", 10, FIRST),
        ("prod", 10.5, SECOND),
        ("prod", 50, SECOND),
        ("prod", 100, THIRD),
        ("staging", 0, "05_staging"),
        ("staging", 100, "05_staging"),
        ("dev", 100, None),
    ],
)
def test_the_phase_of_a_weight(env: str, percent: float, phase: str | None) -> None:
    assert POLICY.guard_phase(env, percent) == phase
    assert POLICY.guard_phase(env) == next(iter(POLICY.phases_of(env)), None), "without a weight the first"


def test_a_guard_is_realised_with_the_count_of_the_phase_and_else_of_the_first() -> None:
    alarm = next(one for one in POLICY.alarms if one.phases)
    for phase, count in alarm.phases.items():
        found = realise(alarm, PARAMS, phase)
        assert (found["Threshold"], found["Period"]) == (count.threshold, count.period_s)
    assert realise(alarm, PARAMS) == realise(alarm, PARAMS, FIRST)
    assert list(variants(alarm, PARAMS)) == [FIRST, SECOND, THIRD], "staging's is none of prod's"
    depth = next(one for one in POLICY.alarms if one.id == "guard_queue_depth")
    assert list(variants(depth, PARAMS)) == [None]
    assert realise(depth, PARAMS, SECOND) == realise(depth, PARAMS)


def test_every_period_is_one_that_cloudwatch_evaluates_each_minute() -> None:
    for alarm in POLICY.alarms:
        for count in alarm.phases.values():
            assert count.period_s % 60 == 0
            assert count.period_s * alarm.periods <= 86_400
            assert math.isfinite(count.threshold)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: one["phases"].pop(SECOND), f"has no count for '{SECOND}'"),
        (lambda one: one["phases"].update({"07_phase2_50_procent": one["phases"][SECOND]}), "07_phase2_50_procent"),
        (lambda one: one["phases"][SECOND].update(period_s=90), "multiple of 60"),
        (lambda one: one["phases"][SECOND].update(period_s=86_460), "less than or equal to 86400"),
        (lambda one: one["phases"][SECOND].update(threshold=0), "greater than 0"),
        (lambda one: one.update(periods=2), "one period"),
        (lambda one: one.update(guard=False), "is for a guard"),
    ],
)
def test_a_wrong_count_is_refused_when_the_file_is_read(change: Any, says: str) -> None:
    raw = POLICY.model_dump(mode="json")
    change(next(one for one in raw["alarms"] if one["id"] == "guard_failed_jobs"))
    with pytest.raises(ValidationError, match=says):
        Policy.model_validate(raw)


def test_a_policy_without_counts_is_as_before() -> None:
    raw = POLICY.model_dump(mode="json")
    for one in raw["alarms"]:
        one.pop("phases")
    for name in ("limit_per_day", "detect_within_min", "daytime", "gate"):
        raw["alarm_math"].pop(name)
    raw.pop("guards_of_a_stack")
    old = Policy.model_validate(raw)
    assert old.guards_of_a_stack == "refuse"
    assert all(one.at(SECOND) == one for one in old.alarms)
