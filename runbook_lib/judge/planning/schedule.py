"""The steps and soaks that promote a healthy service soonest, within what a failure may cost the users. Pure.

A schedule is gradual: its first step is small, and each is at most `times` the one before it. A step lasts the fewest
whole hours with enough requests for every countable gate to decide, and for a healthy service to pass with the power
asked for; the requests of those hours are the lower Poisson quantile for that power. A step is within the budget if
every share of failures beyond the alert limit is (`harm.forecast`).

The soonest schedule is the shortest way through the weights: a later beginning never ends a step sooner, so the next
weight needs only the earliest end of each one (Dijkstra 1959).
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runbook_lib.base.window import iso
from runbook_lib.judge import numbers
from runbook_lib.judge.model import Gate, Look
from runbook_lib.judge.planning.alarm_math import least_likely
from runbook_lib.judge.planning.harm import SHARES, forecast
from runbook_lib.judge.planning.harm_terms import HOURS, Traffic, Watch
from runbook_lib.judge.planning.power import fewest, powers
from runbook_lib.judge.terms import Frozen

WEIGHTS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 75.0, 100.0)
"""Weights that a schedule tries, in percent."""
MOST_SOAK_H = 48
"""Longer soaks are not proposed. Beyond 24 h, as long as AppConfig bakes, the guards watch no more until the look."""
LONGER_H = (8.0, 12.0, 24.0)
"""Longer soaks for a step where a failure might pass a short one, in hours."""
MOST_PER_DAY = 1e7
"""Most requests a day in a plan: the counts of a guard are tried one by one."""
YEARS = (2000, 2999)
"""First and last year in which a rollout may begin."""
MOST_SAMPLES = 20_000
"""Most requests that a rate's gate needs for a healthy service."""
_COUNTED = ("rate", "quantile")


class Step(Frozen):
    """One step of a schedule."""

    percent: float
    begins: str
    """When the weight is raised, ISO 8601 UTC."""
    ends: str
    """When its first declared look can promote it, ISO 8601 UTC."""
    hours: float
    """Length of the soak in hours."""
    looks: tuple[Look, ...]
    requests: int
    """Expected asynchronous requests in the soak."""
    needed: int
    """Requests with which a healthy service passes with the power asked for."""
    guard: tuple[int, float] | None
    """(failures, seconds) of the guard that suits the traffic."""
    users: float | None
    """Most users harmed, with the failing share that harms most; None: it is not stopped."""
    worst: float
    """The failing share that harms most."""


class Schedule(Frozen):
    """The steps in their order, up to 100 %."""

    steps: tuple[Step, ...]
    ends: str
    """When the last soak is over, ISO 8601 UTC."""
    after_h: float
    """Hours of the soak after the migration, included in `ends`."""


class ImpossibleError(ValueError):
    """No schedule meets the request; the message says why, and what would help."""


@dataclass(frozen=True)
class Asked:
    """The request for a schedule."""

    per_s: tuple[float, ...]
    """Requests a second in each hour of the day (UTC), or one number for all hours."""
    gates: tuple[Gate, ...]
    looks: tuple[Look, ...]
    """The declared looks of a step: how they share alpha, and how much later the further ones are."""
    watch: Watch
    """What would notice a failure; each step replaces its guards and looks."""
    guard: Callable[[float], tuple[int, float] | None]
    """Gives (failures, seconds) of the guard for a weight in percent."""
    begins: dt.datetime
    healthy: float
    """Share of failing requests of a healthy service."""
    power: float
    confidence: float
    users: int | None
    """Budget of harmed users for a step; None: there is none."""
    first: float = 10.0
    """Largest first step in percent."""
    times: float = 5.0
    """Largest ratio of a step to the one before."""
    least_h: float = 1.0
    """Hours of the shortest soak."""
    after_h: float = 0.0
    """Hours of the soak after the migration."""
    samples: dict[str, float] = field(default_factory=dict)
    """Samples of each measure for one asynchronous request; 1 for a measure that is not in it."""

    def __post_init__(self) -> None:
        """Refuses impossible values.

        Raises:
            ValueError: one is impossible; with its name and value.
        """
        numbers.finite(0.0, **{f"per_s {hour}": rate for hour, rate in enumerate(self.per_s)})
        per_day = sum(self.per_s) / len(self.per_s) * 86_400
        if per_day > MOST_PER_DAY:
            raise ValueError(f"{per_day:,.0f} requests a day: expects at most {MOST_PER_DAY:,.0f}")
        if not WEIGHTS[0] <= self.first <= WEIGHTS[-1]:
            raise ValueError(f"first is {self.first:g}: a step is {WEIGHTS[0]:g} to {WEIGHTS[-1]:g} percent")
        if not 1 < self.times <= WEIGHTS[-1]:
            raise ValueError(
                f"times is {self.times:g}: expects more than 1, for a step that is no larger than the one before leads "
                f"nowhere, and at most {WEIGHTS[-1]:g}"
            )
        if not 0 < self.least_h <= MOST_SOAK_H:
            raise ValueError(f"least_h is {self.least_h:g}: expects more than 0 h, and at most {MOST_SOAK_H} h")
        if not YEARS[0] <= self.begins.year <= YEARS[1]:
            raise ValueError(f"it begins in the year {self.begins.year}: expects {YEARS[0]} to {YEARS[1]}")
        if self.users is not None:
            numbers.count(1, users=self.users)

    @property
    def pause_s(self) -> float:
        """Seconds of a step besides its soak: clients read the weight, and the last request settles."""
        return self.watch.clear_s + self.watch.settle_s


def needed(asked: Asked) -> int | None:
    """Requests with which every countable gate decides and a healthy service passes; None: no number is enough.

    Raises:
        ValueError: no look, or an impossible power.
    """
    look, users = asked.looks[0], asked.watch.gate
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    enough = [
        None if few is None else math.ceil(few / asked.samples.get(one.measure, 1.0))
        for one in asked.gates
        if one.kind in _COUNTED and not one.muted
        for few in [fewest(one, look)]
    ]
    known = [one for one in enough if one is not None]
    if len(known) < len(enough):
        return None

    def passes(n: int) -> bool:
        (one,) = powers(
            [(at, n / look.hours)],
            [users],
            phase="planned",
            percent=100.0,
            looks=[look],
            samples=asked.samples,
            power=asked.power,
        )
        return (one.passes_at or 0.0) >= asked.healthy

    if not passes(MOST_SAMPLES):
        return None
    low, high = max(known, default=1) - 1, MOST_SAMPLES
    return numbers.between(low, high, passes)


def soak(asked: Asked, percent: float, begins: dt.datetime, wanted: int) -> tuple[float, float] | None:
    """Hours until `wanted` requests have come with the power asked for, and expected requests in them.

    None: the longest soak is not enough.
    """
    rates = asked.per_s if len(asked.per_s) == HOURS else asked.per_s * HOURS
    expected, late = 0.0, _hour(begins) % 1
    for hour in range(1, MOST_SOAK_H + 1):
        # An hour of the soak lies in two hours of the day.
        first, second = (rates[(begins.hour + one) % HOURS] for one in (hour - 1, hour))
        expected += ((1 - late) * first + late * second) * percent / 100 * 3600
        if hour >= asked.least_h and least_likely(1 - asked.power, expected) >= wanted:
            return float(hour), expected
    return None


def _hour(at: dt.datetime) -> float:
    """The hour of the day with its fraction."""
    return at.hour + at.minute / 60 + at.second / 3600


def plan(asked: Asked) -> Schedule:
    """The soonest schedule.

    Raises:
        ImpossibleError: there is none; the message says why.
    """
    if not any(asked.per_s):
        raise ImpossibleError("no requests were seen, and without traffic no soak can promote anything")
    start = max(one for one in WEIGHTS if one <= asked.first)
    gaps = [(low, high) for low, high in itertools.pairwise(WEIGHTS) if low >= start]
    if wide := [gap for gap in gaps if gap[1] > gap[0] * asked.times]:
        least = math.ceil(100 * max(high / low for low, high in gaps)) / 100
        raise ImpossibleError(
            f"no step that is tried is above {wide[0][0]:g} % and at most {asked.times:g} times as large: the next is "
            f"{wide[0][1]:g} %; allow {least:g} times (--times {least:g})"
        )
    wanted = needed(asked)
    if wanted is None:
        raise ImpossibleError(
            f"a service of {(1 - asked.healthy) * 100:.1f} % does not pass the gates, whatever the traffic: "
            "look at their limits"
        )
    ends: dict[float, dt.datetime] = {0.0: asked.begins}
    ways: dict[float, tuple[Step, ...]] = {0.0: ()}
    refused: list[Step] = []
    for percent in WEIGHTS:  # in rising order: only smaller ones lead to a weight
        reached = [one for one in ends if percent <= (one * asked.times if one else asked.first)]
        for before in sorted(reached, key=lambda one: ends[one])[:1]:
            step = _step(asked, percent, ends[before], wanted)
            if step is None:
                continue
            if asked.users is not None:
                step = _stopped(asked, step)
                if step.users is None or step.users > asked.users:
                    refused.append(step)
                    continue
            ends[percent] = dt.datetime.fromisoformat(step.ends)
            ways[percent] = (*ways[before], step)
    if 100.0 not in ways:
        raise ImpossibleError(_why(asked, wanted, max(ends), refused))
    done = ends[100.0] + dt.timedelta(hours=asked.after_h, seconds=asked.pause_s if asked.after_h else 0.0)
    steps = ways[100.0] if asked.users is not None else tuple(_costed(asked, one) for one in ways[100.0])
    return Schedule(steps=steps, ends=iso(done), after_h=asked.after_h)


def _step(asked: Asked, percent: float, begins: dt.datetime, wanted: int) -> Step | None:
    """A step that begins at a time; None: its soak cannot decide."""
    found = soak(asked, percent, begins, wanted)
    if found is None:
        return None
    return _soaking(asked, percent, begins, found, wanted)


def _soaking(asked: Asked, percent: float, begins: dt.datetime, soaked: tuple[float, float], wanted: int) -> Step:
    """A step with a soak of these hours and expected requests."""
    hours, expected = soaked
    scale = hours / asked.looks[0].hours
    looks = tuple(Look(hours=one.hours * scale, alpha=one.alpha) for one in asked.looks)
    return Step(
        percent=percent,
        begins=iso(begins),
        ends=iso(begins + dt.timedelta(hours=hours, seconds=asked.pause_s)),
        hours=hours,
        looks=looks,
        requests=math.floor(expected),
        needed=wanted,
        guard=asked.guard(percent),
        users=None,
        worst=1.0,
    )


def _stopped(asked: Asked, step: Step) -> Step:
    """The step with its costs, and with a longer soak where a failure might pass a shorter one."""
    found = _costed(asked, step)
    begins = dt.datetime.fromisoformat(step.begins)
    for hours in LONGER_H:
        if found.users is not None:
            break
        if hours > step.hours:
            longer = soak(replace(asked, least_h=hours), step.percent, begins, step.needed)
            if longer is not None:
                found = _costed(asked, _soaking(asked, step.percent, begins, longer, step.needed))
    return found


def _costed(asked: Asked, step: Step) -> Step:
    """The step with its costs: the failing share beyond the alert limit that harms most users."""
    watch = replace(asked.watch, looks=step.looks, guards=(step.guard,) if step.guard else ())
    from_hour = _hour(dt.datetime.fromisoformat(step.begins))
    traffic = Traffic(asked.per_s, step.percent / 100, from_hour=from_hour, failing=asked.healthy)
    shares = [share for share in SHARES if share > watch.limit]
    rows = forecast(traffic, watch, shares=shares, confidence=asked.confidence)
    worst = max(rows, key=lambda one: math.inf if one.users.most is None else one.users.most)
    return step.model_copy(update={"users": worst.users.most, "worst": worst.share})


def _why(asked: Asked, wanted: int, most: float, refused: Sequence[Step]) -> str:
    """The reason why no schedule reaches 100 %, and what would help."""
    per_day = sum(asked.per_s) / len(asked.per_s) * 86_400
    about = f"{per_day:,.0f} requests a day" if per_day >= 10 else f"{per_day:.2g} requests a day"
    start = max(one for one in WEIGHTS if one <= asked.first)
    over = next((one for one in refused if one.percent == 100.0), refused[-1] if refused else None)
    if over is not None:
        cost = "is not stopped by its soak" if over.users is None else f"harms up to {over.users:,.0f} users"
        held = f"up to {most:g} % it is held" if most else "no step holds it"
        return (
            f"at {over.percent:g} % of {about} a failure of {over.worst * 100:.0f} % {cost}, and the budget is "
            f"{asked.users:,}; {held}: look more often than every {asked.watch.every_min:g} min, or allow more users"
        )
    enough = (one for one in WEIGHTS if soak(asked, one, asked.begins, wanted))
    least = next(enough, None)
    more = f"begin with {least:g} % (--first {least:g}), or" if least else "not even 100 % gets that many:"
    some = per_day / HOURS * MOST_SOAK_H * start / 100
    return (
        f"at {start:g} % of {about} {MOST_SOAK_H} h hold some {some:,.0f}, and a proof "
        f"takes {wanted:,} with a chance of {asked.power * 100:g} %: {more} have more requests (runbook probe)"
    )
