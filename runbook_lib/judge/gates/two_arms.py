"""Tests of two arms, hour by hour: is the canary worse than the other arm by more than a margin? Pure.

Both arms drift together over the day, so only counts of the same hour are compared. The arms may have any weights.
Failures of the canary have the chance p, those of the other arm q; the margin is a difference of the two.

*Worse, at any look* (`worse_log_e`): a bet against "in no hour p - q > margin". In an hour with n and m requests, for a
point (p', q') with p' - q' = margin and a stake a > 0 that were fixed beforehand, the bet pays

    product over the canary of 1 + a (X - p')  *  product over the other arm of 1 - a n/m (Y - q').

With x = p - p' and y = q - q' its mean is (1 + a x)^n (1 - a y n/m)^m. By the inequality of arithmetic and geometric
means that is at most (1 + a n (x - y) / (n + m))^(n + m), so at most 1 where p - q <= margin: an e-value, whatever q
is, and also where p and q change within the hour and their means differ by no more. The product over hours and the mean
over the points are e-processes, so by Ville's inequality the bet *ever* reaches 1/alpha in at most alpha of the soaks
of a canary that is no worse. Points and stakes are those that grow fastest against alternatives: the projection of the
alternative on the margin (Turner & Grünwald 2023, "Exact anytime-valid confidence intervals for contingency tables and
beyond"), with the product over strata of Turner & Grünwald 2023, "Safe sequential testing and effect estimation in
stratified count data"; as bets on means: Waudby-Smith & Ramdas 2024. Lindon, Sanden & Shirikian 2022, "Rapid regression
detection in software deployments", have the same aim without strata.

*Not worse, at a declared look* (`difference`): the bound of the difference. The other arm is weighed as the canary's
requests lie over the hours (direct standardisation), and exact bounds of both arms are put together in quadrature
(MOVER: Zou & Donner 2008; Newcombe 1998, method 10, with Clopper & Pearson's bounds in place of Wilson's).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.statistics import lower_bound, upper_bound
from runbook_lib.judge.special import special

Floats = NDArray[np.float64]
Row = tuple[float, float, float, float]
"""One hour: failures and requests of the canary, failures and requests of the other arm. Fractions are counts that are
carried forward.
"""

_BASES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Failure rates of the other arm for which there are stakes."""
_WORSE = (0.01, 0.025, 0.06, 0.15, 0.35, 0.75)
"""Excesses of the canary's rate over those and the margin, as shares of the range to 1; each pair of both has the same
weight."""
_MOST = 0.9
"""Largest share of its capital that a bet stakes on one request of the other arm."""
_HALVINGS = 60
_LEAST_ROOM = 1e-9
"""Least room between the margin and 1 in which floats can show that a canary is worse."""


@dataclass(frozen=True)
class Difference:
    """Failure rate of the canary minus that of the other arm, -1..1, with its bounds."""

    value: float
    low: float
    high: float


@functools.lru_cache(maxsize=64)
def _stakes(margin: float, share: float) -> tuple[Floats, Floats]:
    """(p', a) of each alternative: the likeliest of the pairs that differ by `margin`, and the stake that follows.

    The projection of (p, q) minimises share * KL(p, p') + (1 - share) * KL(q, q') over p' = q' + margin. That is convex
    in q', and its slope changes its sign between q and p - margin. A base rate beyond the room that the margin leaves
    becomes half of that room. With almost no room nothing is staked, so the bet stays at 1.
    """
    base, excess = (one.ravel() for one in np.meshgrid(_BASES, _WORSE))
    room = 1 - margin
    if room < _LEAST_ROOM:
        return np.full(base.shape, margin), np.zeros(base.shape)
    base = np.where(base + margin < 1, base, room / 2)
    worse = base + margin + (1 - base - margin) * excess
    low, high = base.copy(), worse - margin
    for _ in range(_HALVINGS):
        other = (low + high) / 2
        mine = other + margin
        slope = share * (mine - worse) / (mine * (1 - mine)) + (1 - share) * (other - base) / (other * (1 - other))
        low, high = np.where(slope < 0, other, low), np.where(slope < 0, high, other)
    mine = (low + high) / 2 + margin
    return mine, (worse - mine) / (mine * (1 - mine))


def bets(bad: ArrayLike, n: ArrayLike, other_bad: ArrayLike, other_n: ArrayLike, margin: float, share: float) -> Floats:
    """Log of what each bet pays in each hour; hours are the last axis but one, bets the last; 0 without both arms.

    Args:
        bad, n: failures and requests of the canary, hour by hour in the order of time (the last axis).
        other_bad, other_n: failures and requests of the other arm in the same hours.
        margin: difference of failure rates, between 0 and 1.
        share: share of all requests that the weights send to the canary; fixed beforehand, a wrong guess is safe too.

    Raises:
        ValueError: counts that cannot be, arms of different length, or a margin or share that is none.
    """
    numbers.chance(margin=margin, share=share)
    k, mine, j, theirs = (np.asarray(one, dtype=float)[..., None] for one in (bad, n, other_bad, other_n))
    if not k.shape == mine.shape == j.shape == theirs.shape:
        raise ValueError("both arms must have the same hours")
    if not all(np.all((few >= 0) & (few <= of) & (of <= numbers.LARGEST)) for few, of in ((k, mine), (j, theirs))):
        raise ValueError("each hour and arm must have a number of failures from 0 to its requests")
    point, stake = _stakes(margin, share)
    other = point - margin
    both = (mine > 0) & (theirs > 0)
    ratio = np.divide(mine, theirs, out=np.ones_like(mine), where=both)
    a = np.where(both, np.minimum(stake, _MOST / (ratio * (1 - other))), 0.0)
    b = -a * ratio
    hour = special.xlog1py(k, a * (1 - point)) + special.xlog1py(mine - k, -a * point)
    hour += special.xlog1py(j, b * (1 - other)) + special.xlog1py(theirs - j, -b * other)
    return np.asarray(hour, dtype=float)


def worse_log_e(
    bad: ArrayLike, n: ArrayLike, other_bad: ArrayLike, other_n: ArrayLike, margin: float, share: float
) -> Floats:
    """Log of the e-value against "in no hour is the canary worse by more than `margin`", after each hour.

    Args and errors are those of `bets`.
    """
    each = bets(bad, n, other_bad, other_n, margin, share)
    return np.asarray(special.logsumexp(np.cumsum(each, axis=-2), axis=-1) - math.log(each.shape[-1]), dtype=float)


def difference(hours: Sequence[Row], alpha: float) -> Difference | None:
    """The difference of failure rates with two bounds, each wrong with a chance of about `alpha` at most.

    Hours without requests of one of the arms are left out; None: there are no others.

    Raises:
        ValueError: counts that cannot be, or no probability.
    """
    numbers.chance(alpha=alpha)
    for k, n, j, m in hours:
        if not (0 <= k <= n <= numbers.LARGEST and 0 <= j <= m <= numbers.LARGEST):
            raise ValueError(f"{k} of {n} and {j} of {m} are no counts of two arms")
    used = [row for row in hours if row[1] > 0 and row[3] > 0]
    if not used:
        return None
    failed, total = math.fsum(row[0] for row in used), math.fsum(row[1] for row in used)
    weights = [row[1] / total for row in used]
    mean = math.fsum(weight * j / m for weight, (_, _, j, m) in zip(weights, used, strict=True))
    # Number of requests that would be worth as much as the weighted mean, if all hours had one failure rate.
    worth = 1 / math.fsum(weight**2 / row[3] for weight, row in zip(weights, used, strict=True))
    rate, mean = failed / total, min(1.0, mean)
    value = rate - mean
    up = math.hypot(upper_bound(failed, total, alpha) - rate, mean - lower_bound(mean * worth, worth, alpha))
    down = math.hypot(rate - lower_bound(failed, total, alpha), upper_bound(mean * worth, worth, alpha) - mean)
    return Difference(value, max(-1.0, value - down), min(1.0, value + up))
