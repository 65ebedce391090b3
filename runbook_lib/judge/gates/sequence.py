"""Confidence sequences: intervals of a rate or a quantile at every look of a soak that hold for all looks together.

With probability `confidence` none of the intervals misses the rate, however often one looks. The error probability is
split (union bound):

- A fifth is for any look at any time: the beta-binomial mixture of Robbins (1970; Howard, Ramdas, McAuliffe & Sekhon
  2021), two-sided. The rates stay in whose likelihood is not 1/alpha times less than that of the mixture.
- Four fifths are for the declared looks, whose hours are fixed beforehand, in equal parts: Clopper & Pearson (1934).
  So with up to three of them the interval that the soak ends with is at most 1.4 times as wide as one that was looked
  at once.

A quantile needs nothing more: of the samples, those above the true q quantile are a rate of 1 - q that is known
beforehand, so the counts of them that the same test would not exclude are the ranks between which it lies (Howard &
Ramdas 2022, "Sequential estimation of quantiles"; at a declared look, order statistics as everywhere else). Nothing is
assumed about the distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.statistics import clopper_pearson, quantile_low_rank, quantile_rank
from runbook_lib.judge.special import special

ANYTIME = 0.2
"""Share of the error probability for looks that are not declared."""
_HALVINGS = 50
"""Halvings of an interval from 0 to 1 until floats have nothing left to halve."""


def so_far(
    bad: ArrayLike, n: ArrayLike, alpha: float, prior: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends for the failure rate, elementwise; one of them is wrong with probability `alpha` at most.

    They are 0 and 1 where nothing was counted.

    Raises:
        ValueError: counts, a chance or a prior that cannot be.
    """
    numbers.chance(alpha=alpha)
    numbers.positive(prior_a=prior[0], prior_b=prior[1])
    k, total = np.asarray(bad, dtype=float), np.asarray(n, dtype=float)
    if not np.all((k >= 0) & (k <= total) & (total <= numbers.LARGEST)):
        raise ValueError("more failures than samples, fewer than none, or no number")
    a, b = prior
    mixture = special.betaln(a + k, b + total - k) - special.betaln(a, b)
    seen = np.where(total > 0, k / np.maximum(total, 1), 0.5)

    def out(rate: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(mixture - special.xlogy(k, rate) - special.xlog1py(total - k, -rate) >= -math.log(alpha))

    ends = []
    for far in (0.0, 1.0):
        # `outer` is out or the end of all rates, `inner` is in: the likelihood falls from what was seen to both sides.
        outer, inner = np.full(k.shape, far), seen.copy()
        for _ in range(_HALVINGS):
            middle = (outer + inner) / 2
            excluded = out(middle)
            outer, inner = np.where(excluded, middle, outer), np.where(excluded, inner, middle)
        ends.append(np.where(total > 0, outer, far))
    return ends[0], ends[1]


def at_declared(bad: int, n: int, confidence: float, looks: int) -> tuple[float, float]:
    """Ends for the failure rate at one of `looks` declared looks.

    Raises:
        ValueError: counts, a confidence or a number of looks that cannot be.
    """
    numbers.chance(confidence=confidence)
    numbers.count(looks=looks)
    if looks < 1:
        raise ValueError("a declared look is one of at least 1")
    return clopper_pearson(bad, n, 1 - (1 - confidence) * (1 - ANYTIME) / looks)


def band(
    bad: Sequence[int],
    n: Sequence[int],
    declared: Sequence[bool],
    *,
    looks: int,
    confidence: float,
    prior: tuple[float, float],
) -> list[tuple[float, float]]:
    """The interval of the failure rate at each look, from `bad` of `n` up to it and whether the look is declared.

    Raises:
        ValueError: as `so_far` and `at_declared`.
    """
    low, high = so_far(bad, n, (1 - confidence) * (ANYTIME if looks else 1.0), prior)
    return [
        at_declared(k, total, confidence, looks) if final and looks else (float(below), float(above))
        for k, total, final, below, above in zip(bad, n, declared, low, high, strict=True)
    ]


def quantile_ranks(
    n: ArrayLike, q: float, alpha: float, prior: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ranks (1 = smallest of `n`) of the ends for the `q` quantile, elementwise; together wrong with chance `alpha`.

    A lower rank of 0 or an upper one of n + 1 means that there are too few samples for that end.

    Raises:
        ValueError: a size, a quantile, a chance or a prior that cannot be.
    """
    numbers.chance(q=q, alpha=alpha)
    numbers.positive(prior_a=prior[0], prior_b=prior[1])
    asked = np.asarray(n, dtype=float)
    if not np.all((asked >= 0) & (asked <= numbers.LARGEST) & (asked == np.floor(asked))):
        raise ValueError("a sample size is a whole number, 0 or more")
    total, (a, b) = asked.astype(np.int64), prior

    def out(above: NDArray[np.int64]) -> NDArray[np.bool_]:
        mixture = special.betaln(a + above, b + total - above) - special.betaln(a, b)
        return np.asarray(mixture - above * math.log(1 - q) - (total - above) * math.log(q) >= -math.log(alpha))

    usual = np.minimum(np.round(total * (1 - q)).astype(np.int64), total)
    ends = []
    for far in (np.full(total.shape, -1, dtype=np.int64), total + 1):
        outer, inner = far.copy(), usual.copy()
        while np.any(np.abs(outer - inner) > 1):
            middle = (outer + inner) // 2
            # The far end is out by definition; where both are neighbours, nothing moves.
            excluded = np.where(np.abs(outer - inner) > 1, out(np.clip(middle, 0, total)), middle == outer)
            outer, inner = np.where(excluded, middle, outer), np.where(excluded, inner, middle)
        ends.append(inner)
    fewest, most = ends
    return total - most, total - fewest + 1


def quantile_band(
    samples: Sequence[float],
    counts: Sequence[int],
    declared: Sequence[bool],
    *,
    q: float,
    looks: int,
    confidence: float,
    prior: tuple[float, float],
) -> list[tuple[float, float, float]]:
    """The quantile so far with its interval, at each look.

    Args:
        samples: values in the order of time.
        counts: how many of them each look saw: at least one, and never fewer than the look before.
        declared: whether each look is a declared one.

    Returns:
        value (nearest rank) and both ends; 0 or infinite where there are too few samples for an end.

    Raises:
        ValueError: as `quantile_ranks`.
    """
    if not all(1 <= n <= len(samples) for n in counts) or not np.all(np.isfinite(np.asarray(samples, dtype=float))):
        raise ValueError("a look saw no sample or more than there are, or one of them is no number")
    low, high = quantile_ranks(counts, q, (1 - confidence) * (ANYTIME if looks else 1.0), prior)
    each = (1 - confidence) * (1 - ANYTIME) / max(looks, 1) / 2
    found: list[tuple[float, float, float]] = []
    ordered = np.empty(0)
    for n, final, below, above in zip(counts, declared, low.tolist(), high.tolist(), strict=True):
        # Samples that are in order already need a merge only, no sort.
        ordered = np.sort(np.concatenate([ordered, np.asarray(samples[len(ordered) : n], dtype=float)]), kind="stable")
        under, over = below, above
        if final and looks:
            under, over = quantile_low_rank(n, q, each) or 0, quantile_rank(n, q, each) or n + 1
        value = float(ordered[max(1, math.ceil(round(q * n, 9))) - 1])
        bottom = float(ordered[under - 1]) if under >= 1 else 0.0
        found.append((value, bottom, float(ordered[over - 1]) if over <= n else math.inf))
    return found
