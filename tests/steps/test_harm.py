"""The forecast of a phase, and the budget that a shift has to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook_lib.base.project import params_dir
from runbook_lib.judge.planning.harm import Harm, Pair
from runbook_lib.judge.planning.harm import forecast as forecast_of
from runbook_lib.params.load import Params, load_file
from runbook_lib.steps.alarm_odds import Submissions
from runbook_lib.steps.harm import Forecast, harm_check, mended, of_phase, shown, watch_of

PARAMS = load_file(params_dir() / "prod.yaml")
SEEN = Submissions((3000 / 86_400,), 0.96, known=True)
NAME = "07_phase2_50_percent"


def with_budget(users: int | None) -> Params:
    policy = PARAMS.policy
    return PARAMS.model_copy(
        update={"policy": policy.model_copy(update={"harm": policy.harm.model_copy(update={"users": users})})}
    )


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    return of_phase(PARAMS, NAME, SEEN, 5.0)


def test_the_watch_is_that_of_the_policy() -> None:
    found = watch_of(PARAMS, NAME, PARAMS.policy.phases[NAME])
    assert (found.guards, found.every_min, found.limit) == (((5, 1200.0),), 5.0, pytest.approx(0.02))
    assert (found.settle_s, found.delay_s, found.clear_s) == (300, 345, 60)


@pytest.mark.slow
def test_without_a_budget_it_is_advice(forecast: Forecast) -> None:
    found = harm_check(PARAMS, forecast, required=True)
    assert found.ok and not found.required and found.id == f"harm.{NAME}"
    assert found.expected == "no budget (gates.yaml, harm.users)"
    rows = [Harm.model_validate(one) for one in found.facts["rows"]]
    assert tuple(rows) == forecast.rows, "the record has the whole forecast"


@pytest.mark.slow
def test_without_a_budget_too_what_is_not_stopped_is_said_first(forecast: Forecast) -> None:
    """Not the largest of those that are."""
    endless = forecast.rows[-1].model_copy(update={"users": Pair(median=9, most=None)})
    found = harm_check(PARAMS, replace(forecast, rows=(*forecast.rows[:-1], endless)), required=True)
    assert found.ok and "none harms more" not in found.reason
    assert found.reason.startswith("100 % failing from 12 h after the shift on is not stopped by this soak at 95 %")
    assert found.facts["worst"] == {"share": 1.0, "begins_h": 12.0, "users": None}


@pytest.mark.slow
def test_what_the_policy_bears_does_not_break_a_budget(forecast: Forecast) -> None:
    """2 % failing is the alert limit: nothing stops it, and no budget could."""
    worst = max(one.users.most or 0 for one in forecast.rows if one.share > 0.02)
    held = replace(forecast, users=round(worst))
    assert harm_check(PARAMS, held, required=True).ok
    unseen = forecast.rows[0].model_copy(update={"share": 0.02, "users": Pair(median=1e6, most=None)})
    assert harm_check(PARAMS, replace(held, rows=(unseen, *forecast.rows)), required=True).ok


@pytest.mark.slow
def test_a_budget_that_is_not_held_refuses_with_what_would_hold_it(forecast: Forecast) -> None:
    worst = max(one.users.most or 0 for one in forecast.rows if one.share > 0.02)
    found = harm_check(with_budget(round(worst) - 1), replace(forecast, users=round(worst) - 1), required=True)
    assert not found.ok and found.required
    assert f"harms up to {worst:.0f} users at 95 %, and the budget is {worst - 1:.0f} users" in found.reason
    assert "a step of" in found.reason and "would hold it" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize(("name", "per_day", "users"), [("06_phase1_10_percent", 300, 6), (NAME, 300, 10)])
def test_what_is_proposed_holds_the_budget_when_it_is_done(name: str, per_day: int, users: int) -> None:
    """Each row of the phase as the next forecast plays it: a step that mends one row may break another."""
    found = of_phase(PARAMS, name, Submissions((per_day / 86_400,), 0.96, known=True), 5.0)
    said = list(mended(with_budget(users), replace(found, users=users)))
    steps = [float(one.split()[-2]) for one in said if one.startswith("a step of")]
    assert steps
    again = forecast_of(replace(found.traffic, weight=steps[0] / 100), found.watch, confidence=found.confidence)
    assert not replace(found, users=users, rows=again).broken


@pytest.mark.slow
def test_no_step_is_proposed_that_goes_back(forecast: Forecast) -> None:
    """10 % is in force before phase 2: 5 % would hold this budget, and is no step."""
    found = harm_check(with_budget(20), replace(forecast, users=20), required=True)
    assert not found.ok and "a step of" not in found.reason


@pytest.mark.slow
def test_what_nothing_holds_says_so(forecast: Forecast) -> None:
    found = harm_check(with_budget(1), replace(forecast, users=1), required=True)
    assert found.reason.endswith("no smaller step, watch or guard would hold it")


@pytest.mark.slow
def test_a_failure_that_the_soak_does_not_stop_holds_no_budget(forecast: Forecast) -> None:
    endless = forecast.rows[-1].model_copy(update={"users": Pair(median=3, most=None), "share": 0.05, "begins_h": 12.0})
    found = replace(forecast, users=10**6, rows=(endless,))
    assert found.broken == (endless,)


@pytest.mark.slow
def test_it_is_shown_with_title_and_units(forecast: Forecast) -> None:
    text = str(shown(forecast))
    assert "What a failure would cost at 50 % (forecast" in text
    assert "3,000 requests a day, seen" in text and "guards at 5 in 20 min" in text
    assert "Users harmed before a failure is stopped" in text, "the chart in words"
