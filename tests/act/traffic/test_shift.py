"""Plans of a shift: pure, JSON-able, honest about what is in the way."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.act.traffic.shift import ShiftPlan, describe, plan_shift
from runbook_lib.base.errors import UsageError
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import Params, load_file

Make = Callable[..., Params]
PERCENT = st.sampled_from([0.0, 1.0, 10.0, 33.3, 50.0, 100.0])
STATES = ("DEPLOYING", "VALIDATING", "BAKING", "COMPLETE", "ROLLING_BACK", "ROLLED_BACK", "REVERTED")


ROLLBACK = "runbook release=r notebook=rollback_1 attempt=1 run=a"


def state(percent: float, latest: str | None, on: bool = True, off_by: str = ROLLBACK) -> TrafficState:
    newest = Deployment(number=7, state=latest, percent=percent, description="runbook run=a") if latest else None
    older = Deployment(number=6, state="COMPLETE", percent=0.0)
    return TrafficState(
        dial_percent=percent,
        switch_on=on,
        weight=percent if on else 0,
        dial_deployment=newest,
        switch_deployment=Deployment(number=3, state="COMPLETE", enabled=on, description=off_by),
        history=(newest, older) if newest else (),
    )


@pytest.fixture(scope="module")
def params() -> Params:
    from pathlib import Path

    return load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")


def plan(seen: TrafficState, percent: float, params: Params, **kwargs: Any) -> ShiftPlan:
    return plan_shift(seen, percent, params, **{"soak_hours": 24.0, "description": "runbook release=r", **kwargs})


@given(before=PERCENT, percent=PERCENT, latest=st.sampled_from([None, *STATES]), on=st.booleans())
def test_every_plan_is_a_chain_that_steps_over_0(
    params: Params, before: float, percent: float, latest: str | None, on: bool
) -> None:
    made = plan(state(before, latest, on), percent, params)
    at = made.before
    for step in made.steps:
        assert step.before == at
        at = step.after
    assert at == percent
    weights = [step.after for step in made.steps if step.action == "deploy"]
    if percent > 0:
        assert weights == [0, percent], "AppConfig's own rollback must land on 0"
        assert [step.strategy for step in made.steps][-2:] == [
            "careervp-vpr-immediate-strategy-prod",
            "careervp-vpr-soak-strategy-prod",
        ]
    assert any(step.action == "stop" for step in made.steps) == (latest in (*STATES[:3], "ROLLING_BACK"))
    assert made.raises == (percent > 0)
    assert not made.blockers
    turned = [place for place, step in enumerate(made.steps) if step.action == "switch on"]
    assert turned == ([len(made.steps) - 2] if percent > 0 and not on else []), "at dial 0, before the weight"
    assert ShiftPlan.model_validate_json(made.model_dump_json()) == made


def test_the_text_says_it_all(params: Params) -> None:
    text = plan(state(10, "BAKING"), 50, params).text()
    assert "dial 10 % -> 50 %" in text
    assert "1. stop 10 % -> 0 %: deployment 7 is BAKING" in text
    assert "3. deploy 0 % -> 50 % (careervp-vpr-soak-strategy-prod)" in text
    assert "undo: turn the switch off" in text


def test_nothing_to_do_has_no_steps(params: Params) -> None:
    made = plan(state(0, "COMPLETE"), 0, params)
    assert made.steps == ()
    assert "nothing to do" in made.text()


def test_a_switch_that_is_off_goes_on_at_dial_0_by_a_shift_and_not_by_a_lowering(params: Params) -> None:
    text = plan(state(10, "COMPLETE", on=False), 50, params).text()
    assert "2. switch on 0 % -> 0 % (careervp-vpr-immediate-strategy-prod): it is off by deployment 3" in text
    assert [step.action for step in plan(state(10, "COMPLETE", on=False), 0, params).steps] == ["deploy"]


def test_a_soak_longer_than_a_bake_says_when_to_renew(params: Params) -> None:
    assert "renew the bake before hour 24 of the 48 h soak" in plan(state(0, None), 50, params, soak_hours=48).text()
    assert plan(state(0, None), 50, params).notes == ()


def test_a_stop_returns_to_what_was_before_not_to_0(params: Params) -> None:
    """A deployment made by hand, 10 -> 50 without a step over 0: stopping it brings 10 back."""
    history = (
        Deployment(number=9, state="BAKING", percent=50),
        Deployment(number=8, state="ROLLED_BACK", percent=30),
        Deployment(number=7, state="COMPLETE", percent=10),
    )
    seen = state(50, "BAKING").model_copy(update={"history": history, "dial_deployment": history[0]})
    assert [(step.before, step.after) for step in plan(seen, 0, params).steps] == [(50, 10), (10, 0)]


@pytest.mark.parametrize("percent", [-1, 100.5, float("nan")])
def test_a_percent_out_of_bounds_is_a_sentence(params: Params, percent: float) -> None:
    with pytest.raises(UsageError, match="expects 0 to 100"):
        plan(state(0, None), percent, params)


def test_a_description_has_1024_characters_at_most(params: Params) -> None:
    with pytest.raises(UsageError, match="1025 characters, AppConfig takes 1024"):
        plan(state(0, None), 10, params, description="x" * 1025)


def test_the_description_names_the_run() -> None:
    until = dt.datetime(2026, 11, 11, 5, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert describe(release="r1", notebook="06_x", attempt=2, run="abc", until=until) == (
        "runbook release=r1 notebook=06_x attempt=2 run=abc until=2026-11-11T03:00:00Z"
    )
    assert "until" not in describe(release="r1", notebook="06_x", attempt=2, run="abc")


@pytest.mark.slow
def test_act_is_light() -> None:
    heavy = "{'pandas', 'matplotlib', 'scipy', 'numpy', 'IPython'}"
    code = f"import sys, runbook_lib.act.traffic.dial, runbook_lib.act.guard; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("off_by", ["", "for the audit", "maintenance: run=7"])
def test_a_switch_that_somebody_else_turned_off_blocks_a_shift_and_not_a_lowering(off_by: str, params: Params) -> None:
    seen = state(10, "COMPLETE", on=False, off_by=off_by)
    assert "whoever turned it off turns it on, at dial 0" in plan(seen, 50, params).text()
    assert plan(seen, 0, params).blockers == ()


def test_nothing_is_raised_while_the_switch_goes_off_for_more_and_more_clients(params: Params) -> None:
    off = Deployment(number=4, state="DEPLOYING", enabled=False, reached=10.0)
    seen = state(10, "COMPLETE").model_copy(update={"switch_deployment": off})
    told = "the switch goes off by deployment 4: 10 % of the clients have it; wait until that is over"
    assert plan(seen, 50, params).blockers == (told,)
    assert not plan(seen, 0, params).blockers
