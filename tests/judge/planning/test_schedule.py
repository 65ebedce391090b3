"""The soonest schedule: its steps are gradual, its soaks decide, and what cannot be says why."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from runbook_lib.base.project import params_dir
from runbook_lib.judge.planning import schedule
from runbook_lib.judge.planning.power import powers
from runbook_lib.judge.planning.schedule import Asked, ImpossibleError, needed, plan, soak
from runbook_lib.params.load import load_file
from runbook_lib.steps.harm import watch_of

PARAMS = load_file(params_dir() / "prod.yaml")
POLICY = PARAMS.policy
NAME = "06_phase1_10_percent"
BEGINS = dt.datetime(2026, 12, 1, 3, tzinfo=dt.UTC)
GATES = tuple(one for one in POLICY.gates if one.kind in ("rate", "quantile"))


def asked(per_day: float = 30_000, **more: Any) -> Asked:
    given: dict[str, Any] = {
        "per_s": (per_day / 86_400,),
        "gates": GATES,
        "looks": POLICY.phases[NAME].looks,
        "watch": watch_of(PARAMS, NAME, POLICY.phases[NAME]),
        "guard": lambda percent: (5, 1200.0),
        "begins": BEGINS,
        "healthy": 0.002,
        "power": 0.95,
        "confidence": 0.95,
        "users": None,
    }
    return Asked(**{**given, **more})


def test_as_many_requests_are_needed_as_let_a_healthy_service_pass() -> None:
    """P(at most k of n fail | 0.2 %) >= 95 % for the k with which n still passes: 347 for k = 2."""
    wanted = needed(asked())
    assert wanted == 347
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    gate = POLICY.gate("success_rate")

    def passes_at(n: int) -> float:
        look = asked().looks[0]
        (one,) = powers([(at, n / look.hours)], [gate], phase="p", percent=100, looks=[look], samples={})
        return one.passes_at or 0.0

    assert passes_at(347) >= 0.002 > passes_at(346)


def test_a_soak_is_longer_at_night() -> None:
    day = tuple(0.1 if 8 <= hour < 20 else 0.01 for hour in range(24))
    question = asked(per_s=day)
    night, noon = (soak(question, 50, BEGINS.replace(hour=hour), 347) for hour in (21, 8))
    assert night is not None and noon is not None and night[0] > noon[0]


@pytest.mark.slow
def test_the_schedule_is_gradual_and_each_step_begins_where_the_last_ended() -> None:
    found = plan(asked(after_h=48))
    assert found.steps[0].percent <= 10 and found.steps[-1].percent == 100
    before = 0.0
    at = BEGINS.isoformat().replace("+00:00", "Z")
    for step in found.steps:
        assert step.percent <= (before * 5 or 10) and step.begins == at
        assert step.looks[0].hours == step.hours and [one.alpha for one in step.looks] == [0.03, 0.01, 0.01]
        before, at = step.percent, step.ends
    last = dt.datetime.fromisoformat(found.steps[-1].ends)
    assert dt.datetime.fromisoformat(found.ends) >= last + dt.timedelta(hours=48)


@pytest.mark.slow
def test_no_other_way_is_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against every way through a few weights, tried one by one."""
    weights = (5.0, 10.0, 20.0, 50.0, 100.0)
    monkeypatch.setattr(schedule, "WEIGHTS", weights)
    question = asked(6_000)
    wanted = needed(question) or 0

    def ends(ways: tuple[float, ...]) -> dt.datetime | None:
        at, before = BEGINS, 0.0
        for one in ways:
            found = soak(question, one, at, wanted)
            if found is None or one > (before * 5 or 10):
                return None
            at, before = at + dt.timedelta(hours=found[0], seconds=question.pause_s), one
        return at

    every = [(*(one for place, one in enumerate(weights[:-1]) if number >> place & 1), 100.0) for number in range(16)]
    best = min(end for way in every if (end := ends(way)) is not None)
    assert dt.datetime.fromisoformat(plan(question).ends) == best


@pytest.mark.slow
def test_each_step_holds_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "WEIGHTS", (10.0, 100.0))
    found = plan(asked(users=250, times=10))
    assert [step.percent for step in found.steps] == [10, 100]
    assert all(step.users is not None and step.users <= 250 for step in found.steps)
    with pytest.raises(
        ImpossibleError, match=r"at 100 % of 30,000 requests a day a failure of 100 % harms up to \d+ users"
    ):
        plan(asked(users=round(found.steps[0].users or 0) + 1, times=10))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"per_day": 0}, "without traffic"),
        ({"per_day": 300}, r"hold some 60, and a proof takes 347 .*: begin with \d+ % \(--first \d+\)"),
        ({"per_day": 30}, "not even 100 % gets that many"),
        ({"healthy": 0.03}, "does not pass the gates"),
    ],
)
def test_what_is_impossible_says_why(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ImpossibleError, match=why):
        plan(asked(**given))


@pytest.mark.parametrize(
    ("given", "name"), [({"times": 1.0}, "times"), ({"least_h": 90.0}, "least_h"), ({"first": 0.0}, "first")]
)
def test_what_cannot_be_is_refused(given: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(asked(), **given)
