"""A change for the worse inside a soak: whether there was one, when, and what has been since.

Counted from the start, good hours before a failure hide it. So the test is a mixture over the moment from which the
rate is worse than the limit. Half of its weight is on the start of the soak; the other half is shared among later
starts, one after each part of the course (ten seconds) with a failure, the j-th with 6 / ((j + 5) (j + 6)) of that
half. Each start brings an e-process of its own (`sequential.log_e` on what came after it), the weights are fixed
beforehand and add up to 1, and a start is known when it comes, so the sum is an e-process too: by Ville's inequality
it reaches 1/alpha in at most alpha of the soaks that are no worse than the limit, however often one looks (Shin, Ramdas
& Rinaldo 2022, "E-detectors"; the starts are stopping times).

Why after failures: a change shows by failures, and there are few of them while all is well. A start at every request
would pay log(requests) for the choice; this pays log(failures), and loses no more than the first one of the change. No
length of the soak and no traffic has to be known beforehand, and only the order of failures matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from runbook_lib.judge.gates.sequential import log_e

START_SHARE = 0.5
"""Of the mixture's weight: for a service that is bad from the start."""
EVEN = 6
"""How many failures the later starts are spread over about evenly before their weights fall off."""
SURE = 0.95
"""Of the interval in which the change lies."""


@dataclass(frozen=True)
class Moment:
    """When the change came, as places in the course."""

    first: int
    """The likeliest part for the change to begin with; the first of its parts has a failure."""
    earliest: int
    latest: int
    """It begins with a part from `earliest` to `latest`, at 95 %."""


def weights(count: int) -> NDArray[np.float64]:
    """Log weights of the first `count` later starts; all there can ever be add up to 1 - `START_SHARE`.

    6 / ((j + 5) (j + 6)) is 6 / (j + 5) - 6 / (j + 6), so the sum over j = 1, 2, ... is 1.
    """
    j = np.arange(1, count + 1, dtype=float)
    return np.asarray(math.log((1 - START_SHARE) * EVEN) - np.log(j + EVEN - 1) - np.log(j + EVEN), dtype=float)


def tested(
    bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float], whole: tuple[int, int] | None = None
) -> tuple[float, bool]:
    """The e-value against "the failure rate never was above `limit`", and whether a change is what speaks.

    Args:
        bad, n: failures and requests of each part of the course, in the order of time.
        whole: failures and requests of the whole time; None: those of the course. What is counted but has no known
            time speaks from the start on.

    Returns:
        the log of the e-value; whether most of it comes from starts after the first.

    Raises:
        ValueError: no part, not as many failures as requests, or what `log_e` refuses.
    """
    failures, k, m = _from_each(bad, n)
    all_bad, all_n = whole or (k[0], m[0])
    start = float(log_e(all_bad, all_n, limit, prior)) + math.log(START_SHARE)
    after = np.flatnonzero(failures > 0) + 1
    later = -math.inf
    if len(after):
        later = float(special.logsumexp(log_e(k[after], m[after], limit, prior) + weights(len(after))))
    return float(np.logaddexp(start, later)), later > start


def moment(bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float]) -> Moment:
    """When the change came that `tested` speaks of: the likeliest part, and an interval.

    Beforehand every request is as likely to be the first.

    Raises:
        ValueError: as `tested`; or no failure, so no change.
    """
    failures, k, m = _from_each(bad, n)
    failing = np.flatnonzero(failures > 0)
    if not len(failing):
        raise ValueError("no failure, so no change for the worse")
    each = log_e(k[:-1], m[:-1], limit, prior)
    first = int(failing[np.argmax(each[failing])])
    if not np.all(np.isfinite(each)):
        return Moment(first, first, first)
    weighed = each + np.log(np.maximum(m[:-1] - m[1:], 1e-300))
    below = np.cumsum(np.exp(weighed - special.logsumexp(weighed)))
    tail = (1 - SURE) / 2
    earliest, latest = (int(np.searchsorted(below, at)) for at in (tail, 1 - tail))
    return Moment(first, min(earliest, first), max(first, min(latest, len(each) - 1)))


def _from_each(
    bad: Sequence[int], n: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Failures of each part; failures and requests from each part to the end, and 0 for the end itself."""
    failures, total = np.asarray(bad, dtype=float), np.asarray(n, dtype=float)
    if not len(total) or len(failures) != len(total) or not np.all((failures >= 0) & (failures <= total)):
        raise ValueError("wants at least one part, and in each a number of failures from 0 to its requests")
    k, m = (np.append(np.cumsum(one[::-1])[::-1], 0.0) for one in (failures, total))
    return failures, k, m
