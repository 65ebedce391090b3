"""The behaviour in a day of a guard that counts failures: how often it fires, and how soon it notices a fault. Pure.

Failures are a Poisson process with one rate in each hour of the day. CloudWatch evaluates the alarm every minute over
the sliding window that ends then (User Guide, "Alarm evaluation"). So the count is a scan statistic, with the hazard of
`alarm_math`, hour by hour. The time to notice starts with an empty window: up to its length it is exact, then it uses
the hazard of the hour. `tests/benchmarks/bench_guards.py` simulates the same days minute by minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from runbook_lib.judge import numbers
from runbook_lib.judge.planning.alarm_math import EVALUATION_S, Floats, _count_hazard, _per_day
from runbook_lib.judge.special import special

HOURS = 24
_STEP_S = 60.0
_MOST_S = 86_400.0
"""Most minutes to notice a fault: a fault that is not noticed within a day counts as a day."""
PERIODS_MIN = (10, 15, 20, 30, 45, 60, 90, 100, 120, 180, 240, 360)
"""Periods for proposals, in minutes."""


@dataclass(frozen=True)
class Demands:
    """The demands on a guard at one weight."""

    target: float
    """Share of failing requests of a service exactly at its target."""
    limit: float
    """Share of failing requests of a service exactly at the alert limit."""
    bad: float
    """Share of failing requests of a service that must be noticed."""
    target_per_day: float
    limit_per_day: float
    within_min: float
    daytime: tuple[int, int]
    """First hour (UTC) in which a fault begins, and the hour after the last one."""
    delay_s: float = 0.0
    """Seconds until a metric's points are available."""

    def __post_init__(self) -> None:
        """Refuses impossible shares, times and hours.

        Raises:
            ValueError: one is impossible; with its name and value.
        """
        numbers.share(
            target=self.target,
            limit=self.limit,
            bad=self.bad,
            target_per_day=self.target_per_day,
            limit_per_day=self.limit_per_day,
        )
        numbers.finite(0.0, within_min=self.within_min, delay_s=self.delay_s)
        first, end = self.daytime
        if not 0 <= first < end <= HOURS:
            raise ValueError(f"daytime {first} to {end} is no stretch of hours of one day")


@dataclass(frozen=True)
class Figures:
    """The figures of one guard with one traffic, and the demands on them."""

    at_target: float
    """Chance to fire in a day on a service at its target."""
    at_limit: float
    """Chance to fire in a day on a service at the alert limit."""
    minutes: float
    """Minutes until it fires on a bad service, on average over faults that begin in the daytime; at most a day each."""
    within: float
    """Chance that such a fault is noticed within the demanded minutes."""
    demands: Demands

    @property
    def gives(self) -> tuple[str, ...]:
        """The demands that it does not meet, in words."""
        wanted = self.demands
        wrong = []
        if self.at_target > wanted.target_per_day:
            wrong.append(
                f"fires on {self.at_target:.1%} of days of a service at its target, at most "
                f"{wanted.target_per_day:.0%} is allowed"
            )
        if self.at_limit > wanted.limit_per_day:
            wrong.append(
                f"fires on {self.at_limit:.1%} of days of a service at the alert limit, at most "
                f"{wanted.limit_per_day:.0%} is allowed"
            )
        if self.minutes > wanted.within_min:
            wrong.append(
                f"notices a service of {1 - wanted.bad:.0%} after {self.minutes:.0f} min of daytime, "
                f"the most allowed is {wanted.within_min:g}"
            )
        return tuple(wrong)


@dataclass(frozen=True)
class Proposal:
    """The best count for one traffic."""

    least: int
    period_s: int
    figures: Figures

    @property
    def words(self) -> str:
        """The count in words: `4 in 90 min`."""
        return f"{self.least} in {self.period_s / 60:g} min"


def figures(least: int, window_s: float, per_s: Sequence[float], demands: Demands) -> Figures:
    """The figures of an alarm that fires at `least` failures (1 or more) within a sliding window of `window_s` seconds.

    Args:
        per_s: requests a second in each hour of the day (UTC), or one number for all.

    Raises:
        ValueError: an impossible count, window or rate.
    """
    numbers.count(1, least=least)
    numbers.positive(window_s=window_s)
    return _figures(least, float(window_s), tuple(map(float, per_s)), demands)


@cache
def _figures(least: int, window_s: float, per_s: tuple[float, ...], demands: Demands) -> Figures:
    rates = _hourly(per_s)
    minutes, within = _noticed(least, window_s, rates * demands.bad, demands)
    return Figures(
        at_target=_fires(least, window_s, rates * demands.target),
        at_limit=_fires(least, window_s, rates * demands.limit),
        minutes=minutes,
        within=within,
        demands=demands,
    )


def _hourly(per_s: Sequence[float]) -> Floats:
    rates = np.asarray(per_s, dtype=float)
    if len(rates) not in (1, HOURS) or not np.all(np.isfinite(rates)) or np.any(rates < 0):
        raise ValueError(f"per_s expects 1 or {HOURS} rates, none negative; has {len(rates)}")
    return np.broadcast_to(rates, HOURS) if len(rates) == 1 else rates


def _fires(least: int, window_s: float, failures_per_s: Floats) -> float:
    return _per_day(_count_hazard(least, window_s, failures_per_s))


def _noticed(least: int, window_s: float, failures_per_s: Floats, demands: Demands) -> tuple[float, float]:
    """Mean minutes until the alarm, and the chance that it comes within `within_min`, over the hours of `daytime`."""
    hazard = _count_hazard(least, window_s, failures_per_s)
    late = demands.delay_s + EVALUATION_S
    steps = np.arange(0.0, _MOST_S, _STEP_S)
    window = min(int(window_s / _STEP_S), len(steps) - 1)
    means, chances = [], []
    first, last = demands.daytime
    # Not only at full hours: in the evening, when traffic falls, the wait is much longer at the end of an hour.
    for begins in np.arange(first + 0.25, last, 0.5):
        at = ((begins * 3600 + steps) // 3600 % HOURS).astype(int)
        expected = np.concatenate([[0.0], np.cumsum(failures_per_s[at] * _STEP_S)])[: len(steps)]
        filling = np.asarray(special.pdtr(least - 1, expected[: window + 1]))
        beyond = np.exp(-np.cumsum(np.minimum(hazard[at[window:]], 1.0) * _STEP_S))
        quiet = np.concatenate([filling, filling[window] * beyond[:-1]])
        means.append((float(np.sum(quiet)) * _STEP_S + late) / 60)
        left = demands.within_min * 60 - late
        chances.append(1 - float(quiet[min(int(left / _STEP_S), len(quiet) - 1)]) if left > 0 else 0.0)
    return float(np.mean(means)), float(np.mean(chances))


def least_that_bears(period_s: int, per_s: Sequence[float], demands: Demands) -> int:
    """The smallest count (at least 2) in a period that fires rarely enough on a service at its target and at the limit.

    Raises:
        ValueError: an impossible period or rate.
    """
    numbers.positive(period_s=period_s)
    rates = _hourly(per_s)

    def bears(least: int) -> bool:
        return (
            _fires(least, period_s, rates * demands.target) <= demands.target_per_day
            and _fires(least, period_s, rates * demands.limit) <= demands.limit_per_day
        )

    # The mean of the busiest window is too small; two dozen standard deviations more are always enough.
    peak = float(rates.max()) * max(demands.limit, demands.target) * period_s
    low, high = max(1, math.floor(peak)), math.ceil(peak + 24 * math.sqrt(peak) + 24)
    return numbers.between(low, high, bears)


def propose(per_s: Sequence[float], demands: Demands) -> Proposal | None:
    """The count of the shortest period that meets all demands, or else the one that notices a bad service soonest;
    None: there is no traffic.

    Every proposed count fires rarely enough on a service at its target and at the limit. The figures tell which demands
    it does not meet (`gives`); then no period in `PERIODS_MIN` has a count that meets all.
    """
    if not np.any(_hourly(per_s) > 0):
        return None
    found = []
    for period in PERIODS_MIN:
        least = least_that_bears(period * 60, per_s, demands)
        found.append(Proposal(least, period * 60, figures(least, period * 60, per_s, demands)))
        if not found[-1].figures.gives:
            return found[-1]
    return min(found, key=lambda one: one.figures.minutes)
