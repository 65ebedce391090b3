"""Exact statistics of counts and order statistics: intervals, one-sided bounds, and the samples that a proof needs.

Exact binomial bounds are Clopper & Pearson (1934), the inversion of the binomial test by quantiles of the beta
distribution; score intervals are Wilson (1927); Poisson bounds are Garwood (1936); the bounds of a quantile are order
statistics (Hahn & Meeker, *Statistical Intervals*, 5.2), free of any assumption about the distribution.

`scipy.special` only: `scipy.stats` takes seconds to import, and a verdict must not.
"""

from __future__ import annotations

import math
from typing import Any

from runbook_lib.judge.numbers import LARGEST, first
from runbook_lib.judge.numbers import chance as _chance
from runbook_lib.judge.numbers import count as _count
from runbook_lib.judge.numbers import share as _share
from runbook_lib.judge.special import special

_NOTHING = 1e-9
"""A fractional count (a rate carried forward) below this is 0: the inverse of the beta has no value for it."""


def _checked(k: float, n: float) -> None:
    if not 0 <= k <= n <= LARGEST:
        raise ValueError(f"{k} of {n} is no count")


def _invert(function: Any, *at: float) -> float:
    return float(function(*at))


def upper_bound(k: float, n: float, alpha: float) -> float:
    """One-sided exact upper bound of the proportion behind `k` of `n`, wrong with probability at most `alpha`.

    `k` may be fractional (a rate carried forward to another `n`). 1.0 for n = 0.

    >>> round(upper_bound(0, 149, 0.05), 4)
    0.0199
    """
    _checked(k, n)
    _chance(alpha=alpha)
    return 1.0 if k >= n else _invert(special.betaincinv, k + 1, n - k, 1 - alpha)


def lower_bound(k: float, n: float, alpha: float) -> float:
    """One-sided exact lower bound of the proportion behind `k` of `n`, wrong with probability at most `alpha`.

    0.0 for k = 0.
    """
    _checked(k, n)
    _chance(alpha=alpha)
    return 0.0 if k <= _NOTHING else _invert(special.betaincinv, k, n - k + 1, alpha)


def clopper_pearson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Exact two-sided interval of a proportion: both one-sided bounds, each at half of 1 - `confidence`."""
    tail = (1 - confidence) / 2
    return lower_bound(k, n, tail), upper_bound(k, n, tail)


def wilson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) for n = 0."""
    _checked(k, n)
    _count(k=k, n=n)
    _chance(confidence=confidence)
    if n == 0:
        return 0.0, 1.0
    z = _invert(special.ndtri, (1 + confidence) / 2)
    p = k / n
    scale = 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At k = 0 and k = n an end is exactly 0 or 1, but floats have a rounding error.
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def poisson_interval(k: int, confidence: float) -> tuple[float, float]:
    """Exact two-sided interval (Garwood) of the mean behind a count `k`.

    Raises:
        ValueError: `k` is no count, or `confidence` no probability.
    """
    _checked(k, k)
    _count(k=k)
    _chance(confidence=confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else _invert(special.gammaincinv, k, tail)
    return low, _invert(special.gammainccinv, k + 1, tail)


def binomial_p(k: int, n: int, p: float) -> float:
    """Two-sided exact p-value of `k` of `n` under proportion `p`: twice the smaller tail, at most 1.

    The doubled tail is what the Clopper-Pearson interval inverts: p is below alpha where that interval leaves `p` out.
    """
    _checked(k, n)
    _count(k=k, n=n)
    _share(p=p)
    k, n = int(k), int(n)
    at_most = _invert(special.bdtr, k, n, p)
    at_least = 1.0 if k == 0 else _invert(special.bdtrc, k - 1, n, p)
    return min(1.0, 2 * min(at_most, at_least))


def needed(k: int, limit: float, alpha: float) -> int | None:
    """Smallest n for which `k` failures show a failure rate below `limit` (one-sided, at `alpha`).

    >>> [needed(k, 0.02, 0.05) for k in (0, 1, 2)]
    [149, 236, 313]
    """
    _count(k=k)
    if not 0 < limit < 1:
        return None
    return first(lambda n: upper_bound(k, n, alpha) < limit, max(int(k), 1))


def more_needed(bad: int, n: int, limit: float, alpha: float) -> int | None:
    """How many more samples would put the failure rate on one side of `limit`, if the rate stays the same.

    0 where it is shown already; None where it would take too many (the rate is at the limit, or close to it).
    """
    _checked(bad, n)
    _count(n=n)
    n = int(n)
    if n == 0 or not 0 < limit < 1:
        return None
    rate = bad / n
    if rate == limit:
        return None
    if rate < limit:
        total = first(lambda m: upper_bound(rate * m, m, alpha) < limit, n)
    else:
        total = first(lambda m: lower_bound(rate * m, m, alpha) > limit, n)
    return None if total is None else total - n


def quantile_rank(n: int, q: float, alpha: float) -> int | None:
    """Rank (1 = smallest of `n`) of the one-sided upper bound of the `q` quantile; None where `n` is too small for one.

    P(X_(r) >= quantile) >= P(Binomial(n, q) <= r - 1), the first r for which that is at least 1 - alpha.

    >>> quantile_rank(300, 0.95, 0.05)
    292
    """
    _chance(q=q, alpha=alpha)
    if n < 1:
        return None
    _count(n=n)
    n = int(n)
    if special.bdtr(n - 1, n, q) < 1 - alpha:
        return None
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if special.bdtr(middle - 1, n, q) >= 1 - alpha else (middle, high)
    return high


def quantile_low_rank(n: int, q: float, alpha: float) -> int | None:
    """Rank of the one-sided lower bound of the `q` quantile; None where `n` is too small for one.

    By symmetry: the lower bound of the q quantile is the upper bound of the 1 - q quantile, counted from the top.
    """
    _chance(q=q)
    rank = quantile_rank(n, 1 - q, alpha)
    return None if rank is None else n + 1 - rank


def percentile(rank: int, n: int, *, up: bool = False) -> float:
    """The percentile (0-100) that names the order statistic of `rank` among `n`, as CloudWatch takes it: `p97.33`.

    In whole hundredths, so that "the smallest value with at least p % at or below it" is that very rank, up to 10,000
    samples. Beyond, a hundredth is more than one rank: `up` names one that is not below it, else one not above.

    >>> percentile(292, 300)
    97.33
    """
    _count(1, rank=rank, n=n)
    if rank >= n:
        return 100.0
    return (-(-rank * 10_000 // n) if up and n > 10_000 else rank * 10_000 // n) / 100
