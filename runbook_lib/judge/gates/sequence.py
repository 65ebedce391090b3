"""A sequence of intervals: how sure one is of a rate at every look of a soak, all looks together.

The intervals hold at once: with probability `confidence` none of them misses the rate, however often one looks. What
may be spent on being wrong is split (union bound):

- A fifth is for any look at any time: the beta-binomial mixture of Robbins (1970; Howard, Ramdas, McAuliffe & Sekhon
  2021), two-sided. The rates stay in whose likelihood is not 1/alpha times less than that of the mixture.
- Four fifths are for the declared looks, whose hours are fixed beforehand, in equal parts: Clopper & Pearson (1934).
  So with up to three of them the interval that the soak ends with is at most 1.4 times as wide as one that was looked
  at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.statistics import clopper_pearson

ANYTIME = 0.2
"""Of what may be spent: for the looks that are not declared."""
_HALVINGS = 50
"""Of an interval from 0 to 1; beyond it there is nothing left to halve in floats of this size."""


def so_far(
    bad: ArrayLike, n: ArrayLike, alpha: float, prior: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends for the failure rate, elementwise: all of them hold at once but with probability `alpha`.

    From 0 to 1 where nothing was counted.

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
    """Ends for the failure rate at a declared look, one of `looks`.

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
    """The interval of the failure rate at each look: `bad` of `n` up to it, and whether it is one of the declared.

    Raises:
        ValueError: as `so_far` and `at_declared`.
    """
    low, high = so_far(bad, n, (1 - confidence) * (ANYTIME if looks else 1.0), prior)
    return [
        at_declared(k, total, confidence, looks) if final and looks else (float(below), float(above))
        for k, total, final, below, above in zip(bad, n, declared, low, high, strict=True)
    ]
