"""What a failure would cost the users before it is stopped: requests, minutes, users, before a shift is made. Pure.

Soaks are played, not modelled: requests come as a Poisson process under the day's curve, a share of them fails from
an hour on, and the tests that judge a real soak are applied to what they have seen by then: `change.tested` at each
look of whoever watches, `gates.judge` at the declared looks, and a guard's own definition (a count within a sliding
window, evaluated each minute). A play ends with the first of them. The seed is fixed, so a record says the same again.

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
from scipy import stats

from runbook_lib.judge import numbers
from runbook_lib.judge.planning.harm_play import By, Played, play
from runbook_lib.judge.planning.harm_terms import Traffic, Watch, late
from runbook_lib.judge.terms import Frozen

SHARES = (0.02, 0.05, 0.10, 0.20, 0.50, 1.0)
"""Shares of the requests that fail."""
_MOST_PARTS = 400_000
"""Parts that hold a request, of all plays together: beyond, fewer plays are made."""
SURE = 0.95
"""How sure it is that as large a share of all soaks is within the second figure of a pair."""


class Pair(Frozen):
    """One figure: in the middle of the plays, and with the confidence that was asked for. None: it goes on and on."""

    median: float | None
    most: float | None


class Harm(Frozen):
    """What a failing share costs, beginning at one hour of the soak."""

    share: float
    """Of the requests that fail, 0..1."""
    begins_h: float
    """Hours after the shift."""
    requests: Pair
    """Asynchronous requests from the beginning until the last client has left."""
    minutes: Pair
    """From the beginning until it is stopped."""
    users: Pair
    """Users whose request failed."""
    baseline: Pair | None
    """Users that the synchronous endpoint would have failed of the same requests; None: its success is not known."""
    by_looks: Pair
    """As `users`, where no guard counts these failures: found by those who look."""
    unseen: Pair
    """As `users`, where neither a guard nor a look in between can tell: until the last declared look."""
    stopped_by: dict[By, float]
    """Share of the plays that each of them stopped."""
    goes_on: float
    """Share of the plays in which the soak ends and promotes it."""
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
    """What each share costs, beginning at each hour; those that begin at once first.

    Args:
        begins: hours after the shift; None: at once, and half of the soak later.
        confidence: of the second figure of each pair.
        plays: for each share and beginning; fewer where the traffic is large.

    Raises:
        ValueError: shares, hours, a confidence or a number of plays that cannot be.
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
    """As `forecast`; a notebook that is run once more, with traffic as before, does not play it again."""
    numbers.share(**{f"share {share}": share for share in shares})
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
    """The smallest rank whose order statistic covers `confidence` of all soaks, with `SURE` certainty.

    The share below the r-th of n is Beta(r, n - r + 1).
    """
    ranks = np.arange(1, plays + 1)
    enough = stats.beta.sf(confidence, ranks, plays - ranks + 1) >= SURE
    return int(ranks[enough][0])
