"""Forecasts, before a shift, what a failure would cost the users until it is stopped: requests, minutes, users. Pure.

Soaks are simulated: requests come as a Poisson process with the day's curve, and a share of them fails from an hour on.
The tests of a real soak then judge what they would have seen: `change.tested` at each look of the people who watch,
`gates.judge` at the declared looks, and a guard by its definition (a count within a sliding window, evaluated each
minute). A play ends with the first that stops it. The seed is fixed, so a record gives the same result again.

Only the users' success is played. Another gate (5xx, refusals, crashes) may stop a real failure sooner, never later.
The figure "at 95 %" is an upper tolerance limit: the order statistic within which, for 95 of 100 sets of plays, at
least 95 % of all soaks are (Wilks 1941, "Determination of sample sizes for setting tolerance limits"; of 93 plays the
worst but one).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np

from runbook_lib.judge import numbers
from runbook_lib.judge.planning.harm_play import By, Played, play
from runbook_lib.judge.planning.harm_terms import Traffic, Watch, late
from runbook_lib.judge.special import special
from runbook_lib.judge.terms import Frozen

SHARES = (0.02, 0.05, 0.10, 0.20, 0.50, 1.0)
"""Shares of failing requests in a forecast."""
_MOST_PARTS = 400_000
"""Most parts with a request, in all plays together: with more, there are fewer plays."""
SURE = 0.95
"""Certainty that the second figure of a pair covers the demanded share of all soaks."""


class Pair(Frozen):
    """One figure: the median of the plays, and its upper limit at the given confidence. None: it is never stopped."""

    median: float | None
    most: float | None


class Harm(Frozen):
    """The cost of one failing share that begins at one hour of the soak."""

    share: float
    """Share of failing requests, 0..1."""
    begins_h: float
    """When the failure begins, in hours after the shift."""
    requests: Pair
    """Asynchronous requests from the failure's beginning until the last client has left."""
    minutes: Pair
    """Time from the failure's beginning until it is stopped."""
    users: Pair
    """Number of users whose request failed."""
    baseline: Pair | None
    """Number of users whose request would have failed on the synchronous endpoint; None: its success is unknown."""
    by_looks: Pair
    """As `users`, without a guard: until people or a declared look stop it."""
    unseen: Pair
    """As `users`, if neither people nor a guard notice: until the last declared look."""
    stopped_by: dict[By, float]
    """Share of the plays that each way stopped."""
    goes_on: float
    """Share of the plays in which the soak ends with a promotion."""
    plays: int


def forecast(
    traffic: Traffic,
    watch: Watch,
    *,
    shares: Sequence[float] = SHARES,
    begins: Sequence[float] | None = None,
    confidence: float = 0.95,
    plays: int = 93,
    seed: int = 18,
) -> tuple[Harm, ...]:
    """The cost of each share for each hour of its beginning; those that begin at once first.

    Args:
        begins: hours after the shift; None: at once, and after half of the soak.
        confidence: share of all soaks that the second figure of each pair covers.
        plays: number of plays for each share and beginning; fewer with much traffic.

    Raises:
        ValueError: an impossible share, hour, confidence or number of plays.
    """
    begins = (0.0, late(watch)) if begins is None else begins
    return _forecast(traffic, watch, tuple(shares), tuple(begins), confidence, plays, seed)


@lru_cache(maxsize=64)
def _forecast(
    traffic: Traffic,
    watch: Watch,
    shares: tuple[float, ...],
    begins: tuple[float, ...],
    confidence: float,
    plays: int,
    seed: int,
) -> tuple[Harm, ...]:
    """`forecast`, cached: a notebook that runs again with the same traffic does not simulate again."""
    for one in shares:
        numbers.share(share=one)
    numbers.chance(confidence=confidence)
    numbers.count(1, plays=plays)
    for begin in begins:
        if not 0 <= begin * 3600 < watch.end_s:
            raise ValueError(
                f"a failure that begins after {begin:g} h begins in no soak of {watch.looks[-1].hours:g} h"
            )
    expected, part_s = traffic.expected(watch.end_s)
    busy = int(np.sum(-np.expm1(-expected)))
    plays = max(math.ceil(math.log(1 - SURE) / math.log(confidence)), min(plays, _MOST_PARTS // max(1, busy)))
    found = []
    for place, begin in enumerate(begins):
        rng = np.random.default_rng([seed, place])
        came = [np.asarray(rng.poisson(expected), dtype=np.int64) for _ in range(plays)]
        for share in shares:
            each = [
                play(np.random.default_rng([seed, place, one]), n, part_s, (begin * 3600, share), traffic, watch)
                for one, n in enumerate(came)
            ]
            found.append(_told(share, begin, each, traffic, confidence))
    return tuple(found)


def _told(share: float, begin: float, each: Sequence[Played], traffic: Traffic, confidence: float) -> Harm:
    stopped = [one.by is not None for one in each]

    def pair(value: Callable[[Played], float], ended: Sequence[bool] = stopped) -> Pair:
        return _pair([value(one) if over else math.inf for one, over in zip(each, ended, strict=True)], confidence)

    requests = pair(lambda one: one.requests)
    base = traffic.baseline
    names: tuple[By, ...] = ("guard", "watch", "look")
    return Harm(
        share=share,
        begins_h=begin,
        requests=requests,
        minutes=pair(lambda one: one.seconds / 60),
        users=pair(lambda one: one.failed),
        baseline=None if base is None else pair(lambda one: one.requests * base),
        by_looks=pair(lambda one: one.failed_by_looks, [one.looked for one in each]),
        unseen=pair(lambda one: one.failed_unseen, [True] * len(each)),
        stopped_by={name: sum(one.by == name for one in each) / len(each) for name in names},
        goes_on=1 - sum(stopped) / len(each),
        plays=len(each),
    )


def _pair(values: Sequence[float], confidence: float) -> Pair:
    ranked = sorted(values)
    middle, most = ranked[len(ranked) // 2], ranked[_rank(len(ranked), confidence) - 1]
    return Pair(median=middle if math.isfinite(middle) else None, most=most if math.isfinite(most) else None)


@cache
def _rank(plays: int, confidence: float) -> int:
    """The smallest rank whose order statistic covers the share `confidence` of all soaks with certainty `SURE`.

    The share below the r-th of n is Beta(r, n - r + 1).
    """
    ranks = np.arange(1, plays + 1)
    enough = special.betaincc(ranks, plays - ranks + 1, confidence) >= SURE
    return int(ranks[enough][0])
