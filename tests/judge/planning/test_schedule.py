"""The soonest schedule: its steps are gradual, its soaks decide, and what cannot be says why."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
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


def test_a_soak_that_begins_just_before_the_night_is_one_of_the_night() -> None:
    question = asked(per_s=tuple(0.1 if 8 <= hour < 20 else 0.01 for hour in range(24)))
    early, late, night = (
        soak(question, 50, BEGINS.replace(hour=hour, minute=minute), 150)
        for hour, minute in ((19, 0), (19, 59), (20, 0))
    )
    assert early == (1.0, 180) and night == (10.0, pytest.approx(180))
    assert late == (10.0, pytest.approx(180 + 2.7))
    begins = BEGINS.replace(hour=19, minute=59, second=59)
    assert soak(question, 50, begins, 150) == (10.0, pytest.approx(180 + 162 / 3600))


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


@pytest.mark.parametrize(
    ("percent", "hour", "wanted", "more", "hours", "requests"),
    [
        # In the hour h come 36 h requests at 100 %; of m expected, the 5 % quantile counts.
        (50, 21, 346, {}, 1, 18 * 21),
        (50, 21, 347, {}, 2, 18 * (21 + 22)),
        (100, 23, 1, {}, 1, 36 * 23),
        (100, 23, 782, {}, 3, 36 * (23 + 0 + 1)),
        (50, 0, 347, {}, 8, 18 * 28),
        (100, 1, 1, {"least_h": 2.5}, 3, 36 * 6),
        (100, 1, 1, {"least_h": 3.0}, 3, 36 * 6),
        (100, 23, 791, {"power": 0.9}, 1, 36 * 23),
        (100, 23, 792, {"power": 0.9}, 3, 36 * 24),
        (1, 0, 176, {}, 48, 0.36 * 276 * 2),
        (1, 0, 177, {}, None, None),
    ],
)
def test_a_soak_is_as_long_as_its_hours_of_the_day_say(
    percent: float, hour: int, wanted: int, more: dict[str, float], hours: float | None, requests: float | None
) -> None:
    day = tuple(hour / 100 for hour in range(24))
    found = soak(asked(per_s=day, **more), percent, BEGINS.replace(hour=hour), wanted)
    assert found == (None if hours is None else (hours, pytest.approx(requests)))


def costs(monkeypatch: pytest.MonkeyPatch, users: Any) -> list[Any]:
    """Forecasts as `users` says, by weight in percent and hours of the soak; gives what was asked of them."""
    seen: list[Any] = []

    def forecast(traffic: Any, watch: Any, *, shares: Any, confidence: float) -> list[Any]:
        seen.append((traffic, watch, shares, confidence))
        most = users(round(traffic.weight * 100), watch.looks[0].hours)
        return [SimpleNamespace(share=one, users=SimpleNamespace(most=most if one == 0.5 else 1)) for one in shares]

    monkeypatch.setattr(schedule, "forecast", forecast)
    monkeypatch.setattr(schedule, "needed", lambda asked: 347)
    return seen


def test_the_schedule_to_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = costs(monkeypatch, lambda percent, hours: percent + hours)
    found = plan(asked(after_h=48.0, guard=lambda percent: (int(percent), 60.0) if percent < 100 else None))
    rows = [(one.percent, one.begins[5:], one.ends[5:], one.hours, one.requests, one.guard) for one in found.steps]
    assert rows == [
        (10, "12-01T03:00:00Z", "12-01T07:06:00Z", 4, 500, (10, 60)),
        (40, "12-01T07:06:00Z", "12-01T08:12:00Z", 1, 500, (40, 60)),
        (100, "12-01T08:12:00Z", "12-01T09:18:00Z", 1, 1250, None),
    ]
    assert [(one.needed, one.users, one.worst) for one in found.steps] == [
        (347, 14, 0.5),
        (347, 41, 0.5),
        (347, 101, 0.5),
    ]
    assert [(one.hours, one.alpha) for one in found.steps[0].looks] == [(4, 0.03), (5, 0.01), (6, 0.01)]
    assert (found.ends, found.after_h) == ("2026-12-03T09:24:00Z", 48)
    assert [(one.per_s, one.weight, one.from_hour, one.failing) for one, *_ in seen] == [
        ((30_000 / 86_400,), weight, pytest.approx(hour), 0.002) for weight, hour in ((0.1, 3), (0.4, 7.1), (1.0, 8.2))
    ]
    for (_, watch, shares, confidence), step in zip(seen, found.steps, strict=True):
        assert (watch.looks, watch.guards) == (step.looks, (step.guard,) if step.guard else ())
        assert (shares, confidence) == ([0.05, 0.1, 0.2, 0.5, 1.0], 0.95), "2 % failing is at the limit, not beyond it"


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        ({}, [(10, 4), (40, 1), (100, 1)]),
        ({"after_h": 0.0, "first": 9.9}, [(5, 7), (20, 2), (100, 1)]),
        ({"first": 40.0}, [(40, 1), (100, 1)]),
        ({"first": 100.0, "least_h": 3.0}, [(100, 3)]),
        ({"times": 2.0}, [(10, 4), (20, 2), (40, 1), (50, 1), (100, 1)]),
        ({"times": 10.0}, [(10, 4), (100, 1)]),
    ],
)
def test_the_ways_through_the_weights(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, float], ways: list[tuple[float, float]]
) -> None:
    costs(monkeypatch, lambda percent, hours: 0)
    found = plan(asked(**given))
    assert [(one.percent, one.hours) for one in found.steps] == ways
    assert found.ends == found.steps[-1].ends


def test_a_step_costs_at_most_the_budget_and_soaks_longer_where_a_short_soak_does_not_stop_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs(monkeypatch, lambda percent, hours: 7 if percent <= 10 or hours >= 12 else None)
    found = plan(asked(users=7))
    assert [(one.percent, one.hours, one.users) for one in found.steps] == [(10, 4, 7), (20, 12, 7), (100, 12, 7)]
    costs(monkeypatch, lambda percent, hours: 8 if 10 < percent < 60 else 7)
    assert [one.percent for one in plan(asked(users=7, times=6.0)).steps] == [10, 60, 100]


@pytest.mark.parametrize(
    ("given", "users", "why"),
    [
        (
            {"per_day": 300},
            None,
            "at 10 % of 300 requests a day 48 h hold some 60, and a proof takes 347 with a chance of 95 %: begin with "
            "75 % (--first 75), or have more requests (runbook probe)",
        ),
        (
            {"per_day": 0.25},
            None,
            "at 10 % of 0.25 requests a day 48 h hold some 0, and a proof takes 347 with a chance of 95 %: not even "
            "100 % gets that many: have more requests (runbook probe)",
        ),
        (
            {"per_day": 30, "first": 24.0, "power": 0.9},
            None,
            "at 20 % of 30 requests a day 48 h hold some 12, and a proof takes 347 with a chance of 90 %: not even "
            "100 % gets that many: have more requests (runbook probe)",
        ),
        (
            {"times": 1.25, "first": 24.0},
            None,
            "no step that is tried is above 30 % and at most 1.25 times as large: the next is 40 %; allow 1.34 times "
            "(--times 1.34)",
        ),
        (
            {"times": 1.5, "first": 1.0},
            None,
            "no step that is tried is above 1 % and at most 1.5 times as large: the next is 2 %; allow 2.5 times "
            "(--times 2.5)",
        ),
        (
            {"users": 9},
            lambda percent, hours: 10,
            "at 10 % of 30,000 requests a day a failure of 50 % harms up to 10 users, and the budget is 9; no "
            "step holds it: look more often than every 5 min, or allow more users",
        ),
        (
            {"users": 1000},
            lambda percent, hours: 1234 if percent == 100 else 1000,
            "at 100 % of 30,000 requests a day a failure of 50 % harms up to 1,234 users, and the budget is 1,000; "
            "up to 75 % it is held: look more often than every 5 min, or allow more users",
        ),
        (
            {"users": 1000},
            lambda percent, hours: None if percent > 15 else 1000,
            "at 75 % of 30,000 requests a day a failure of 50 % is not stopped by its soak, and the budget is 1,000; "
            "up to 15 % it is held: look more often than every 5 min, or allow more users",
        ),
        ({"per_day": 0}, None, "no requests were seen, and without traffic no soak can promote anything"),
    ],
)
def test_what_is_impossible_to_the_letter(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], users: Any, why: str
) -> None:
    costs(monkeypatch, users)
    with pytest.raises(ImpossibleError) as refused:
        plan(asked(**given))
    assert str(refused.value) == why
    monkeypatch.setattr(schedule, "needed", lambda asked: None)
    with pytest.raises(ImpossibleError) as refused:
        plan(asked(healthy=0.03))
    assert str(refused.value) == (
        "a service of 97.0 % does not pass the gates, whatever the traffic: look at their limits"
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"per_day": 10_000_001}, "10,000,001 requests a day: expects at most 10,000,000"),
        ({"first": 0.9}, "first is 0.9: a step is 1 to 100 percent"),
        ({"first": 101.0}, "first is 101: a step is 1 to 100 percent"),
        (
            {"times": 1.0},
            "times is 1: expects more than 1, for a step that is no larger than the one before leads nowhere, and "
            "at most 100",
        ),
        ({"least_h": 49.0}, "least_h is 49: expects more than 0 h, and at most 48 h"),
        ({"least_h": 0.0}, "least_h is 0: expects more than 0 h, and at most 48 h"),
        ({"begins": BEGINS.replace(year=1999)}, "it begins in the year 1999: expects 2000 to 2999"),
        ({"begins": BEGINS.replace(year=3000)}, "it begins in the year 3000: expects 2000 to 2999"),
    ],
)
def test_what_is_refused_to_the_letter(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=r"expects|a step is") as refused:
        asked(**given)
    assert str(refused.value) == why
    fits = {"first": (1.0, 100.0), "times": (100.0,), "least_h": (48.0,), "per_day": (1e7,)}
    for name, values in fits.items():
        for one in values:
            asked(**{name: one})
