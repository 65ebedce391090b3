"""The test for a change for the worse inside a soak: whether there was one, when, and whether it is over.

Counted from the start, good hours before a failure hide it. So the test is a mixture over the moment from which the
rate is worse than the limit. Half of its weight is on the start of the soak; the other half is shared among later
starts, one after each part of the course that has a failure, the j-th with 6 / ((j + 5) (j + 6)) of that
half. Each start brings an e-process of its own on what came after it, the weights are fixed beforehand and add up to
1, and a start is known when it comes, so the sum is an e-process too: by Ville's inequality it *ever* reaches 1/alpha
in at most alpha of the soaks that are no worse than the limit (Shin, Ramdas & Rinaldo 2022, "E-detectors"; the starts
are stopping times).

"Ever" is meant literally: what counts is the largest value after any part of the course. So a dip between two looks
that was over before the second is found, and a look finds what a look after each part would have found.

A worse time may lie within one part (what failed within a minute that CloudWatch counts), and no start comes before it.
So a hundredth of that half is on starts with each ten seconds of the clock, the j-th with 24 / ((j + 23) (j + 24)) of
it. Those with which a failing part begins are summed up; without the others the sum is smaller, so the promise holds.

The start's e-process is `sequential.log_e` (a Beta prior of the rate, cut off at the limit). That of a later start has
its prior on a grid of rates: with a rate fixed, all starts together follow one recursion, S <- (S + weight) * ratio,
so the value after every part takes work that is linear in the number of parts.

Why after failures: a change shows by failures, and there are few of them while all is well. A start at every request
would pay log(requests) for the choice; this pays log(failures), and loses no more than the first one of the change. No
length of the soak and no traffic has to be known beforehand, and only the order of failures matters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.sequential import log_e
from runbook_lib.judge.special import special

START_SHARE = 0.5
"""Share of the mixture's weight on the start of the soak: for a service that is bad from the start."""
EVEN = 6
"""Number of failures over which the later starts are spread about evenly before their weights fall off."""
OPENING_SHARE, OPENING_EVEN, OPENING_S = 0.01, 24, 10
"""Share of the later starts' weight that is on starts by the clock; `EVEN` for these; and the seconds between two."""
SURE = 0.95
"""Probability of the interval that contains the change."""
_CELLS, _NEAREST = 40, 1e-3
"""Number of cells in the grid of rates, and width of the one next to the limit, as a share of the range to 1."""


@dataclass(frozen=True)
class Tested:
    """Result of the test for a change."""

    log_e: float
    """Log of the largest e-value after any part, against "the failure rate never was above the limit"."""
    later: bool
    """Whether most of it came from starts after the first."""
    over: int | None
    """Place of the last part of a worse time whose evidence is below the threshold at the end; None: it is not."""
    peak: int | None = None
    """Place of the part after which the evidence is largest; None: it is at the end."""
    peak_later: bool = False
    """`later` for the evidence after that part."""

    @classmethod
    def of(
        cls,
        start: NDArray[np.float64],
        later: NDArray[np.float64],
        alpha: float,
        places: NDArray[np.int64] | None = None,
    ) -> Tested:
        """What the test shows, by the logs of the start's e-value and the later starts' after each part and at the end.

        Args:
            places: the part of each value but the last; None: the values are those of parts 0, 1, 2, ...
        """
        total = np.logaddexp(start, later)
        best, end = int(np.argmax(total)), len(total) - 1
        if math.isclose(total[best], total[end]):
            best = end
        peak = None if best == end else int(best if places is None else places[best])
        lasts = peak is None or bool(total[end] >= -math.log(alpha))
        at = end if lasts else best
        return cls(
            float(total.max()),
            bool(later[at] > start[at]),
            None if lasts else peak,
            peak,
            bool(later[best] > start[best]),
        )


@dataclass(frozen=True)
class Moment:
    """When the change came, as places of parts in the course."""

    first: int
    """The likeliest part for the change to begin with; the first of its parts has a failure."""
    earliest: int
    latest: int
    """The change begins with a part from `earliest` to `latest`, at 95 %."""


def weights(count: int, even: int = EVEN) -> NDArray[np.float64]:
    """Log weights of the first `count` later starts; the weights of all of them add up to 1 - `START_SHARE`.

    With e = `even`, e / ((j + e - 1) (j + e)) is e / (j + e - 1) - e / (j + e), so the sum over j = 1, 2, ... is 1.
    """
    j = np.arange(1, count + 1, dtype=float)
    return np.asarray(math.log((1 - START_SHARE) * even) - np.log(j + even - 1) - np.log(j + even), dtype=float)


_shares = functools.lru_cache(maxsize=128)(weights)


@functools.lru_cache(maxsize=64)
def _rates(limit: float, prior: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A grid of failure rates worse than `limit`, and the log of the prior's mass at each; the masses add up to 1.

    The width of the cells grows with the distance from the limit; the prior's mean within a cell is its rate.
    """
    a, b = prior
    edges = limit + (1 - limit) * np.append(0.0, np.geomspace(_NEAREST, 1.0, _CELLS))
    mass, first = (-np.diff(special.betaincc(shape, b, edges)) for shape in (a, a + 1))
    kept = mass > 0
    mean = a / (a + b) * first[kept] / mass[kept]
    # Rounding may put the mean of a very unlikely cell outside of it.
    inside = np.clip(mean, edges[:-1][kept], edges[1:][kept])
    use = (inside > limit) & (inside < 1)
    return inside[use], np.log(mass[kept][use] / mass[kept][use].sum())


@functools.lru_cache(maxsize=64)
def _odds(limit: float, prior: tuple[float, float]) -> tuple[NDArray[np.float64], ...]:
    """Log likelihood ratios of a failure and of a success, for each of these rates against `limit`; and log masses."""
    at, mass = _rates(limit, prior)
    return np.log(at) - math.log(limit), np.log1p(-at) - math.log1p(-limit), mass


def tested(
    bad: Sequence[int],
    n: Sequence[int],
    limit: float,
    prior: tuple[float, float],
    alpha: float,
    *,
    whole: tuple[int, int] | None = None,
    forgiven: int = 0,
    opening: Sequence[int] | None = None,
) -> Tested:
    """Tests whether the failure rate ever was above `limit`.

    Args:
        bad, n: failures and requests of each part of the course, in the order of time.
        alpha: chance of a false alarm; the test alarms where `log_e` reaches log(1 / alpha).
        whole: failures and requests of the whole time; None: those of the course. Counts without a known time belong
            to the start.
        forgiven: number of failures that do not count, for each start.
        opening: for each part the number, from 1, of the start by the clock with which it begins; 0: it begins later.
            None: there are no such starts.

    Raises:
        ValueError: no part, not as many failures as requests, or what `log_e` refuses.
    """
    numbers.chance(alpha=alpha)
    failing, start, later = _course(bad, n, limit, prior, whole, forgiven, opening)
    return Tested.of(start, later, alpha, failing)


def after_failures(
    bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The parts of a course with a failure, and the log of the e-value after each, without the start right after it.

    A look right after such a part includes that start, so its e-value is larger by at most 1 - `START_SHARE`.

    Raises:
        ValueError: as `tested`.
    """
    failing, start, later = _course(bad, n, limit, prior, None, 0)
    return failing, np.logaddexp(start, later)[:-1]


def _course(
    bad: Sequence[int],
    n: Sequence[int],
    limit: float,
    prior: tuple[float, float],
    whole: tuple[int, int] | None,
    forgiven: int,
    opening: Sequence[int] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The parts with a failure; and the logs of the start's e-value and the later starts', after each and at the end.

    Only a failure raises the evidence.
    """
    each, of = counts(bad, n)
    failing = each.nonzero()[0]
    # Sums up to each of them, and in the last place up to the end.
    k, m = np.empty(len(failing) + 1), np.empty(len(failing) + 1)
    k[:-1], k[-1] = each.cumsum()[failing], each.sum()
    m[:-1], m[-1] = of.cumsum()[failing], of.sum()
    since = np.empty_like(k), np.empty_like(m)
    for fresh, known in zip(since, (k, m), strict=True):
        fresh[0], fresh[1:] = known[0], known[1:] - known[:-1]
    k[-1], m[-1] = whole or (k[-1], m[-1])
    start = log_e(np.maximum(k - forgiven, 0) if forgiven else k, m, limit, prior) + math.log(START_SHARE)
    opened = None
    if opening is not None:
        opened = each[failing], of[failing], np.asarray(opening, dtype=float)[failing]
    return failing, start, _after_failures(*since, limit, prior, forgiven, opened)


def _after_failures(
    bad: NDArray[np.float64],
    n: NDArray[np.float64],
    limit: float,
    prior: tuple[float, float],
    forgiven: int = 0,
    opened: tuple[NDArray[np.float64], ...] | None = None,
) -> NDArray[np.float64]:
    """Log of the later starts' share of the mixture after each part; all parts but the last have failures.

    Args:
        bad, n: failures and requests of each part, with those of the parts without a failure before it.
        opened: failures and requests of each part but the last alone, and its `opening`.
    """
    if not 0 < limit < 1 or len(bad) < 2:
        return np.full(len(bad), -math.inf)
    up, down, mass = _odds(limit, prior)
    ratio = np.cumsum(np.multiply.outer(bad, up) + np.multiply.outer(n - bad, down), axis=0)
    started = np.full_like(ratio, -math.inf)
    started[1:] = np.logaddexp.accumulate(_shares(len(bad) - 1)[:, None] - ratio[:-1], axis=0)
    if opened is not None:
        own, of, at = opened
        before = ratio[:-1] - np.multiply.outer(own, up) - np.multiply.outer(of - own, down)
        each = np.logaddexp.accumulate(_opening(at)[:, None] - before, axis=0)
        started += math.log1p(-OPENING_SHARE)
        started = np.logaddexp(started, each[[*range(len(each)), -1]])
    return np.asarray(np.logaddexp.reduce(ratio + started + (mass - forgiven * (up - down)), axis=1), dtype=float)


def _opening(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log weights of the starts by the clock with these numbers; 0 is no start."""
    share = math.log((1 - START_SHARE) * OPENING_SHARE * OPENING_EVEN)
    place = np.maximum(at, 1.0)
    weight = share - np.log(place + OPENING_EVEN - 1) - np.log(place + OPENING_EVEN)
    return np.where(at > 0, weight, -math.inf)


def moment(bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float]) -> Moment:
    """When the change came that `tested` found: the likeliest part, and an interval.

    Its prior: every request is equally likely to be the first.

    Raises:
        ValueError: as `tested`; or no failure, so no change.
    """
    failures, total = counts(bad, n)
    failing = np.flatnonzero(failures > 0)
    if not len(failing):
        raise ValueError("no failure, so no change for the worse")
    k, m = (np.append(np.cumsum(one[::-1])[::-1], 0.0) for one in (failures, total))
    each = log_e(k[:-1], m[:-1], limit, prior)
    first = int(failing[np.argmax(each[failing])])
    if not np.all(np.isfinite(each)):
        return Moment(first, first, first)
    weighed = each + np.log(np.maximum(m[:-1] - m[1:], 1e-300))
    below = np.cumsum(np.exp(weighed - special.logsumexp(weighed)))
    tail = (1 - SURE) / 2
    earliest, latest = (int(np.searchsorted(below, at)) for at in (tail, 1 - tail))
    return Moment(first, min(earliest, first), max(first, min(latest, len(each) - 1)))


def counts(bad: Sequence[int], n: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Failures and requests of each part, as arrays.

    Raises:
        ValueError: no part, or not as many failures as requests.
    """
    failures, total = np.asarray(bad, dtype=float), np.asarray(n, dtype=float)
    fits = len(total) and len(failures) == len(total)
    if not fits or not ((failures >= 0) & (failures <= total) & (total <= numbers.LARGEST)).all():
        raise ValueError("expects at least one part, and in each a number of failures from 0 to its requests")
    return failures, total
