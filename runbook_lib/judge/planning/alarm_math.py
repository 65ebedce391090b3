"""Computes how often an alarm fires on a healthy day, and how soon on a bad one (docs/domain.md, trap 15). Pure.

Failures come as a Poisson process. An alarm on a count of k in a sliding window of w seconds is a scan statistic; the
chance Q(T) that it stays quiet for T windows is taken from Naus: Q(2) and Q(3) by his formulas, and from there on
Q(T) = Q(2) (Q(3) / Q(2)) ** (T - 2), good to about three digits (a simulation in the tests agrees). Source: J. I. Naus,
"Approximations for distributions of scan statistics", JASA 77 (1982) 177-183.

An alarm on a rate fires with the failure that puts its window beyond the limit: the rate of failures times the chance
that a window, its other requests Poisson and the failures among them binomial, is beyond it given that one failed. That
is exact where every failure fires it, as with little traffic, and an upper bound of the chance elsewhere.

Traffic has a daily profile: chances are summed over its hours, each as if its rate had always been the same. The time
to fire is that at the profile's mean rate; at night it is longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.special import special

Floats = NDArray[np.float64]
DAY_S = 86_400.0
EVALUATION_S = 60.0
"""CloudWatch evaluates an alarm every minute."""
_TAIL = 1e-12
_TINY = 1e-100
"""Expected failures in a window below which none comes."""
_MOST = 1e7
"""Most requests or failures in one window: with more, the sums below do not fit into memory."""


@dataclass(frozen=True)
class Odds:
    """The behaviour of one alarm with one traffic."""

    per_day: float
    """Chance that it fires on a healthy day, 0 to 1."""
    hours: float
    """Expected hours from the fault to the alarm on a bad service; infinite if it almost never fires."""


def count_odds(
    *, least: int, window_s: float, per_s: Sequence[float], healthy: float, bad: float, delay_s: float = 0.0
) -> Odds:
    """The behaviour of an alarm that fires at `least` failures within a sliding window.

    Args:
        least: at least 1.
        window_s: seconds; one evaluation period.
        per_s: requests a second in each equal part of a day (24 hours, or a single number).
        healthy, bad: share of requests that fail, of a healthy service and of a bad one.
        delay_s: seconds until a metric's points are available.

    Raises:
        ValueError: no rate, or an impossible argument.
    """
    rates = _rates(per_s, healthy, bad, window_s, delay_s)
    if least < 1:
        raise ValueError(f"an alarm at {least} failures always fires")
    numbers.count(least=least)
    if least > _MOST:
        raise ValueError(f"an alarm at {least} failures cannot be calculated")
    return Odds(
        _per_day(_count_hazard(least, window_s, rates * healthy)),
        _later(_count_wait_s(least, window_s, float(rates.mean()) * bad), delay_s),
    )


def rate_odds(
    *, limit: float, window_s: float, per_s: Sequence[float], healthy: float, bad: float, delay_s: float = 0.0
) -> Odds:
    """The behaviour of an alarm that fires where failures / requests in a sliding window is above `limit` (0 to 1).

    Args: as `count_odds`.

    Raises:
        ValueError: as `count_odds`.
    """
    rates = _rates(per_s, healthy, bad, window_s, delay_s)
    numbers.finite(0.0, limit=limit)
    hazards = np.array([_rate_hazard(limit, window_s, rate, healthy) for rate in rates])
    hazard = _rate_hazard(limit, window_s, float(rates.mean()), bad)
    return Odds(_per_day(hazards), _later(1 / hazard if hazard > 0 else math.inf, delay_s))


def _rates(per_s: Sequence[float], healthy: float, bad: float, window_s: float, delay_s: float) -> Floats:
    numbers.finite(0.0, delay_s=delay_s)
    rates = np.asarray(per_s, dtype=float)
    if not len(rates) or not np.all((rates >= 0) & (rates <= numbers.LARGEST)):
        raise ValueError("requests a second: expects at least one rate, none negative and each a number")
    if not (0 <= healthy <= 1 and 0 <= bad <= 1 and numbers.SMALLEST <= window_s <= numbers.LARGEST):
        raise ValueError(f"shares {healthy} and {bad} over a window of {window_s} s cannot be")
    if float(rates.max()) * window_s > _MOST:
        raise ValueError(f"{float(rates.max()):g} requests a second over {window_s:g} s cannot be calculated")
    return rates


def least_count(op: str, threshold: float) -> int:
    """The smallest count for which `count op threshold` holds.

    Raises:
        ValueError: another operator than `>` and `>=`, or a threshold that is no finite number.
    """
    if op not in (">", ">="):
        raise ValueError(f"an alarm on `count {op} threshold` has no smallest count; expects > or >=")
    numbers.finite(threshold=threshold)
    return math.floor(threshold) + 1 if op == ">" else math.ceil(threshold)


def _cdf(n: int | NDArray[np.int64], mean: Floats) -> Floats:
    """Poisson: chance of at most `n` (0 or more).

    Here and below `scipy.stats` would take ten times as long, since it checks arguments, and half a second to import.
    """
    return np.asarray(special.pdtr(n, mean))


def _pmf(n: NDArray[np.int64], mean: Floats) -> Floats:
    """Poisson: chance of exactly `n`."""
    return np.asarray(np.exp(special.xlogy(n, mean) - special.gammaln(n + 1) - mean))


def _beyond(n: Floats, of: NDArray[np.int64], share: float) -> Floats:
    """Binomial: chance of at least `n` among `of`, of which each is one with the chance `share`."""
    within = np.where((n > 0) & (n <= of), n, 1)
    chance = special.betainc(within, np.maximum(of - within + 1, 1), share)
    return np.asarray(np.where(n <= 0, 1.0, np.where(n > of, 0.0, chance)))


def least_likely(chance: float, mean: float) -> int:
    """Poisson: the smallest count that is not exceeded with this chance.

    Raises:
        ValueError: a chance of 0 or 1 or beyond, or a mean that is negative, no number, or too large to count.
    """
    if not 0 < chance < 1 or not 0 <= mean <= _MOST:
        raise ValueError(f"chance {chance} and mean {mean}: expects a chance between 0 and 1, a mean up to {_MOST:g}")
    found: int = math.ceil(special.pdtrik(chance, mean))
    return found - int(found > 0 and special.pdtr(found - 1, mean) >= chance)


def _quiet(k: int, mean: Floats) -> tuple[Floats, Floats]:
    """Naus: chances of no `k` failures within any window of two, and of three, windows; `mean` failures a window."""
    counts = np.arange(2 * k)[:, None]
    cdf, pmf = _cdf(counts, mean), _pmf(counts, mean)

    def below(n: int) -> Floats:
        return cdf[n] if n >= 0 else np.zeros_like(mean)

    one, at = cdf[k - 1], pmf[k]
    two = one**2 - (k - 1) * at * pmf[k - 2] - (k - 1 - mean) * at * below(k - 3)
    a1 = 2 * at * one * ((k - 1) * cdf[k - 2] - mean * below(k - 3))
    inner = (k - 1) * (k - 2) * below(k - 3) - 2 * (k - 2) * mean * below(k - 4) + mean**2 * below(k - 5)
    a2 = 0.5 * at**2 * inner
    # For r = 1 ... k - 1: 2k - r runs from 2k - 1 down to k + 1.
    beyond = pmf[:k:-1]
    a3 = np.sum(beyond * cdf[: k - 1] ** 2, axis=0)
    r, less = np.arange(2, k)[:, None], np.vstack([np.zeros((1, *mean.shape)), cdf[: max(0, k - 3)]])[: max(0, k - 2)]
    a4 = np.sum(beyond[1:] * pmf[2:k] * ((r - 1) * cdf[: max(0, k - 2)] - mean * less), axis=0)
    return two, one**3 - a1 + a2 + a3 - a4


def _count_hazard(k: int, window_s: float, per_s: Floats) -> Floats:
    """Alarms a second, once the window is full, at each rate of failures a second."""
    if k <= 1:
        return per_s
    two, three = _quiet(k, per_s * window_s)
    hazard = np.full_like(per_s, math.inf)  # where the window has far more than needed
    some = two > _TAIL
    hazard[some] = np.log(two[some] / three[some]) / window_s
    return hazard


def _count_wait_s(k: int, window_s: float, per_s: float) -> float:
    """Expected seconds to the first alarm, from an empty window on: the integral of the chance that it is quiet."""
    mean, first = np.array([per_s * window_s]), _first_window(k, window_s, per_s)
    one = float(_cdf(k - 1, mean)[0])
    two = float(_quiet(k, mean)[0][0])
    if two < _TAIL:
        return first
    hazard = float(_count_hazard(k, window_s, np.array([per_s]))[0])
    # Between one and two windows the chance falls about exponentially.
    second = window_s * (one - two) / math.log(one / two) if one > two else window_s * one
    return first + second + (two / hazard if hazard > 0 else math.inf)


def _first_window(k: int, window_s: float, per_s: float) -> float:
    """Expected seconds of the first window before its `k`-th failure, whose time is gamma distributed."""
    mean = per_s * window_s
    come = k / mean * float(special.gammainc(k + 1, mean)) if mean > _TINY else 0.0
    return window_s * (float(special.pdtr(k - 1, mean)) + come)


def _rate_hazard(limit: float, window_s: float, per_s: float, share: float) -> float:
    """Alarms a second: failures a second, times the chance that one puts its window's rate above `limit`."""
    mean = per_s * window_s
    others = np.arange(least_likely(1 - _TAIL, mean) + 2)
    # Failures needed among the others besides the known one: floor(limit n) + 1 - 1 of n = others + 1.
    needed = np.floor(limit * (others + 1))
    return per_s * share * float(np.sum(_pmf(others, np.array(mean)) * _beyond(needed, others, share)))


def _per_day(hazards: Floats) -> float:
    return -math.expm1(-float(np.mean(hazards)) * DAY_S)


def _later(seconds: float, delay_s: float) -> float:
    return (seconds + delay_s + EVALUATION_S) / 3600
