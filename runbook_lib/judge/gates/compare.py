"""Canary against baseline: how much better or worse, and whether that is beyond doubt.

Every difference is canary minus baseline: positive is good for success rates and bad for latencies. Swapping the arms
reverses the sign. A test checks this, because a swapped comparison promotes exactly what it should stop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.statistics import wilson
from runbook_lib.judge.special import special


class Difference(NamedTuple):
    """A difference of success rates with its interval, -1..1."""

    value: float
    low: float
    high: float


class Shift(NamedTuple):
    """Brunner-Munzel: `superiority` = P(canary > baseline) + P(tie)/2; above 0.5 the canary is the slower one."""

    superiority: float
    low: float
    high: float
    p: float
    """Two-sided p-value against 0.5."""


def difference(
    good_canary: int, n_canary: int, good_baseline: int, n_baseline: int, confidence: float = 0.95
) -> Difference:
    """Difference of success rates, canary minus baseline, with Newcombe's hybrid score interval.

    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10 (no continuity
    correction): distances of each Wilson interval's ends, added in quadrature.

    Raises:
        ValueError: an arm without requests, or counts that cannot be.
    """
    if n_canary == 0 or n_baseline == 0:
        raise ValueError("an arm without requests cannot be compared")
    p, q = good_canary / n_canary, good_baseline / n_baseline
    p_low, p_high = wilson(good_canary, n_canary, confidence)
    q_low, q_high = wilson(good_baseline, n_baseline, confidence)
    value = p - q
    return Difference(value, value - math.hypot(p - p_low, q_high - q), value + math.hypot(p_high - p, q - q_low))


def shift(canary: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Shift:
    """Tests whether one arm's values tend to be larger (latency per period), without assuming equal spread.

    Brunner & Munzel 2000, "The nonparametric Behrens-Fisher problem", with the t approximation. Arms that do not
    overlap at all have no variance: p is 0 then, and the interval is the point.

    Raises:
        ValueError: fewer than two values in an arm, values that are not finite, or a confidence that cannot be.
    """
    numbers.chance(confidence=confidence)
    x, y = np.asarray(canary, dtype=float), np.asarray(baseline, dtype=float)
    if len(x) < 2 or len(y) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("expects two or more finite values in each arm")
    m, n = len(x), len(y)
    both = _ranks(np.concatenate([x, y]))
    x_both, y_both = both[:m], both[m:]
    x_mean, y_mean = x_both.mean(), y_both.mean()
    superiority = float((x_mean - y_mean) / (m + n) + 0.5)
    x_var = float(((x_both - _ranks(x) - x_mean + (m + 1) / 2) ** 2).sum() / (m - 1))
    y_var = float(((y_both - _ranks(y) - y_mean + (n + 1) / 2) ** 2).sum() / (n - 1))
    spread = m * x_var + n * y_var
    if spread == 0:
        return Shift(superiority, superiority, superiority, 1.0 if superiority == 0.5 else 0.0)
    statistic = m * n * (x_mean - y_mean) / (m + n) / math.sqrt(spread)
    freedom = spread**2 / ((m * x_var) ** 2 / (m - 1) + (n * y_var) ** 2 / (n - 1))
    p = float(2 * special.stdtr(freedom, -abs(statistic)))
    half = float(special.stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(x_var / m / n**2 + y_var / n / m**2)
    return Shift(superiority, max(0.0, superiority - half), min(1.0, superiority + half), p)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Midranks from 1; ties share their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=float)
