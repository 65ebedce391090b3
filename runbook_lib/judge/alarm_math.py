"""How often an alarm fires on a healthy day, and how soon on a bad one (DOMAIN.md, trap 15). Pure.

Failures come as a Poisson process. An alarm on a count of k in a sliding window of w seconds fires with the failure
that has at least k - 1 others in the window before it, so alarms come at most at the rate

    lambda * P(N >= k - 1),   N ~ Poisson(lambda * w)

which is exact for k = 1 and, for more, an upper bound of the chance that it fires at all: failures in one clump are
counted one by one. An alarm on a rate replaces the second factor by the chance that the window's rate, with its
requests Poisson and its other failures binomial, is beyond the threshold given one failure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

DAY_S = 86_400.0
EVALUATION_S = 60.0
"""CloudWatch evaluates every minute."""
_TAIL = 1e-12


@dataclass(frozen=True)
class Odds:
    """What one alarm does at one traffic."""

    per_day: float
    """Chance that it fires on a healthy day, 0 to 1; an upper bound."""
    hours: float
    """Expected hours until it fires on a bad service; infinite if it practically never does."""


def count_odds(*, least: int, window_s: float, healthy_per_s: float, bad_per_s: float) -> Odds:
    """An alarm that fires at `least` failures within a sliding window.

    Args:
        healthy_per_s, bad_per_s: failures a second of a service that is well, and of one that is not.
    """

    def rate(per_s: float) -> float:
        return per_s * float(stats.poisson.sf(least - 2, per_s * window_s)) if per_s > 0 else 0.0

    return Odds(_per_day(rate(healthy_per_s)), _hours(rate(bad_per_s), least / bad_per_s if bad_per_s else math.inf))


def rate_odds(*, limit: float, window_s: float, requests_per_s: float, healthy: float, bad: float) -> Odds:
    """An alarm that fires where failures / requests in a window is above `limit` (0 to 1).

    Args:
        healthy, bad: share of requests that fail, of a service that is well and of one that is not.
    """

    def rate(share: float) -> float:
        return requests_per_s * share * _beyond(limit, requests_per_s * window_s, share)

    first = 1 / (requests_per_s * bad) if requests_per_s and bad else math.inf
    return Odds(_per_day(rate(healthy)), _hours(rate(bad), first))


def _beyond(limit: float, mean: float, share: float) -> float:
    """Chance that the window's rate is above `limit`, given that one of its requests failed."""
    top = int(stats.poisson.isf(_TAIL, mean)) + 1
    total = 0.0
    for others in range(top + 1):
        # Failures among the others that are needed beside the one that is known.
        needed = math.floor(limit * (others + 1)) + 1 - 1
        total += float(stats.poisson.pmf(others, mean)) * float(stats.binom.sf(needed - 1, others, share))
    return total


def _per_day(per_s: float) -> float:
    return -math.expm1(-per_s * DAY_S)


def _hours(per_s: float, least_s: float) -> float:
    """Until the first alarm: the wait for one, no shorter than the failures take to add up, and one evaluation."""
    if per_s <= 0:
        return math.inf
    return (max(1 / per_s, least_s) + EVALUATION_S) / 3600


def least_count(op: str, threshold: float) -> int:
    """The smallest count for which `count op threshold` holds."""
    return math.floor(threshold) + 1 if op == ">" else math.ceil(threshold)
