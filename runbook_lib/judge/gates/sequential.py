"""Time-uniform tests, which may be looked at any number of times: early failure, and the traffic split.

Both are Bayes factors against a fixed limit. Under the null hypothesis such a factor is a non-negative
(super)martingale of mean at most 1, so by Ville's inequality the chance that it *ever* reaches 1/alpha is at most
alpha: peeking every minute costs nothing.

- Early failure: beta-binomial mixture. The alternative is a Beta prior on the failure rate, truncated to rates worse
  than the limit (Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; Howard, Ramdas,
  McAuliffe & Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences"). Truncation makes it
  one-sided: for a true rate below the limit each factor's mean is below 1, so the promise holds for every healthy
  service and not just for one exactly at the limit.
- Split: Lindon & Malek 2022, "Anytime-valid inference for multinomial count data": Dirichlet-multinomial, here with two
  cells, hence beta-binomial. The prior is centred on the weight in force.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.special import special

SPLIT_CONCENTRATION = 10.0
"""Weight of the split's prior in requests: few, since a wrong split is grossly wrong (0 % or all)."""


def log_e(bad: ArrayLike, n: ArrayLike, limit: float, prior: tuple[float, float]) -> NDArray[np.float64]:
    """Log of the e-value against "the failure rate is at most `limit`", elementwise over counts of equal shape.

    log [ B(a+k, b+n-k) * P(Beta(a+k, b+n-k) > limit) / (B(a, b) * P(Beta(a, b) > limit)) / (limit^k (1-limit)^(n-k)) ]

    At `limit` 0 a single failure is proof (+inf), and at 1 nothing is (-inf). Rises in `bad`, falls in `n`.

    Raises:
        ValueError: counts, a limit or a prior that cannot be; a prior that holds no rate worse than `limit` possible.
    """
    k, total = np.asarray(bad, dtype=float), np.asarray(n, dtype=float)
    if not (np.isfinite(k).all() and (total <= numbers.LARGEST).all()):
        raise ValueError("a count of failures or samples is no number")
    if ((k < 0) | (k > total)).any():
        raise ValueError("more failures than samples, or fewer than none")
    if math.isnan(limit):
        raise ValueError("a limit of nan is no failure rate")
    numbers.positive(prior_a=prior[0], prior_b=prior[1])
    if limit <= 0:
        return np.where(k > 0, np.inf, -np.inf)
    if limit >= 1:
        return np.full(k.shape, -np.inf)
    a, b = prior
    good = total - k
    whole, worse = _prior(a, b, limit)
    if worse == 0:
        raise ValueError(f"the prior Beta({a:g}, {b:g}) is no alternative to {limit:g}: it allows no worse rate")
    with np.errstate(divide="ignore", under="ignore"):
        # The tail underflows to 0 where all evidence is for the null: log 0 = -inf is right there.
        mixture = special.betaln(a + k, b + good) + np.log(special.betaincc(a + k, b + good, limit))
        mixture -= whole + np.log(worse)
    found = np.asarray(mixture - k * math.log(limit) - good * math.log1p(-limit), dtype=float)
    if np.isnan(found).any():
        raise ValueError(f"the prior Beta({a:g}, {b:g}) and {total.max():g} samples are more than a float can weigh")
    return found


@functools.lru_cache(maxsize=256)
def _prior(a: float, b: float, limit: float) -> tuple[np.float64, np.float64]:
    """Log of the alternative's whole unscaled mass, and the share of it that is worse than `limit`."""
    return special.betaln(a, b), special.betaincc(a, b, limit)


def early_fail_log_e(bad: int, n: int, limit: float, prior: tuple[float, float]) -> float:
    """`log_e` of one count: FAIL may be called at any look where it reaches log(1 / alpha_early)."""
    return float(log_e(bad, n, limit, prior))


def boundary(sizes: ArrayLike, limit: float, alpha: float, prior: tuple[float, float]) -> NDArray[np.int64]:
    """Smallest number of failures that fails early, for each of `sizes`; n + 1 where none does.

    It bisects whole arrays, because `log_e` rises in the number of failures.
    """
    numbers.chance(alpha=alpha)
    asked = np.asarray(sizes, dtype=float)
    if not np.all((asked >= 0) & (asked <= numbers.LARGEST) & (asked == np.floor(asked))):
        raise ValueError("a sample size is a whole number, 0 or more")
    total = asked.astype(np.int64)
    low, high = np.full(total.shape, -1, dtype=np.int64), total + 1
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = log_e(middle, total, limit, prior) >= -math.log(alpha)
        # Where the number is found already, the middle is `low`, which is not enough: nothing changes there.
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def early_rank(n: int, q: float, alpha: float, prior: tuple[float, float]) -> int | None:
    """Rank (1 = smallest of `n`) whose value, if beyond the alert limit, shows that the `q` quantile is, at any look.

    If the k-th largest of n is beyond the limit, at least k of n are; k is the early test's boundary against a share of
    1 - q. One more percentile in the same CloudWatch call then does what a count of slow requests would. None: n is too
    small.
    """
    numbers.chance(q=q, alpha=alpha)
    if n < 1:
        return None
    k = int(boundary(n, 1 - q, alpha, prior))
    return None if k > n else n + 1 - k


def split_log_e(
    k: int, n: int, weight: float, concentration: float = SPLIT_CONCENTRATION, *, least: float | None = None
) -> float:
    """Log of the Bayes factor against "each request is async with probability `weight`", for `k` async of `n`.

    With `least`, against "with some probability from `least` to `weight`": the mixture is held against the likeliest of
    them, so the factor is at most that against the true one, and stays a supermartingale (Wasserman, Ramdas &
    Balakrishnan 2020, "Universal inference"). With weight 0, or 1 without an allowance, one request on the wrong side
    is proof: +inf (and nothing else ever is: 0). Where every share from 0 to 1 is allowed, nothing is evidence: 0.

    Raises:
        ValueError: counts, a weight, an allowance or a concentration that cannot be.
    """
    numbers.share(weight=weight, least=weight if least is None else least)
    numbers.positive(concentration=concentration)
    numbers.count(n=n)
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no count")
    low = weight if least is None else min(least, weight)
    if weight == 0.0 or low == 1.0:
        return math.inf if k != weight * n else 0.0
    numbers.positive(weight=weight)
    if weight == 1.0 and low < numbers.SMALLEST:
        return 0.0
    centre = weight if weight < 1 else low
    a, b = concentration * centre, concentration * (1 - centre)
    mixture = float(special.betaln(a + k, b + n - k) - special.betaln(a, b))
    likeliest = min(weight, max(low, k / n)) if n else weight
    return mixture - float(special.xlogy(k, likeliest) + special.xlog1py(n - k, -likeliest))
