"""The test for a canary that becomes worse than the other arm inside a soak: whether, when, whether it is over. Pure.

Counted from the start, good hours before it hide it, as for one arm alone (`change.py`). So the test is a mixture over
the hour from which the canary is worse: half of its weight is on the start of the soak, the other half is shared among
the later hours that have requests of both arms, the j-th with 24 / ((j + 23) (j + 24)) of that half; these add up to 1
without a last hour being known beforehand. A bet from an hour on is what `two_arms` pays from then on: a
supermartingale where the canary is worse by more than the margin in no hour, whatever both arms do together and
however they drift. The weights are fixed before the hour is played, so the sum is an e-process (Shin, Ramdas & Rinaldo
2022, "E-detectors"), and by Ville's inequality it *ever* reaches 1/alpha in at most alpha of such soaks.

Each hour a start, and not each failure as for one arm: what is decided is an hour, there are few of them, and a start
after the first failing hour would lose what that hour shows.

All starts together follow one recursion for each bet, S <- (S + weight) * pay, so a look takes work that is linear in
the number of hours.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.change import START_SHARE, SURE, Moment, Tested, weights
from runbook_lib.judge.gates.two_arms import Floats, bets
from runbook_lib.judge.special import special

EVEN = 24
"""Number of hours over which the later starts are spread about evenly before their weights fall off."""


def log_e(
    bad: ArrayLike, n: ArrayLike, other_bad: ArrayLike, other_n: ArrayLike, margin: float, share: float
) -> tuple[Floats, Floats]:
    """Log of the e-value after each hour: its part from the start of the soak on, and that of all later starts.

    Args and errors are those of `two_arms.bets`.
    """
    each = bets(bad, n, other_bad, other_n, margin, share)
    count = math.log(each.shape[-1])
    paid = np.cumsum(each, axis=-2)
    start = math.log(START_SHARE) - count + special.logsumexp(paid, axis=-1)
    both = (np.asarray(n) > 0) & (np.asarray(other_n) > 0)
    place = np.cumsum(both, axis=-1)
    # The first hour of both arms is the start's.
    known = np.append(np.full(2, -np.inf), weights(max(0, both.shape[-1] - 1), EVEN))
    weight = np.where(both, known[place], -np.inf)[..., None]
    born = np.logaddexp.accumulate(weight - (paid - each), axis=-2)
    later = special.logsumexp(paid + born, axis=-1) - count
    return np.asarray(start, dtype=float), np.asarray(later, dtype=float)


def tested(
    bad: ArrayLike,
    n: ArrayLike,
    other_bad: ArrayLike,
    other_n: ArrayLike,
    margin: float,
    share: float,
    *,
    alpha: float,
) -> Tested:
    """Tests whether the canary ever was worse by more than `margin`: on the whole soak, or since an hour of it.

    Args:
        bad, n, other_bad, other_n, margin, share: as for `two_arms.bets`; at least one hour.
        alpha: chance of a false alarm; the test alarms where `log_e` reaches log(1 / alpha).

    Raises:
        ValueError: no hour, no chance, or what `two_arms.bets` refuses.
    """
    numbers.chance(alpha=alpha)
    _some(n)
    return Tested.of(*log_e(bad, n, other_bad, other_n, margin, share), alpha)


def moment(
    bad: ArrayLike, n: ArrayLike, other_bad: ArrayLike, other_n: ArrayLike, margin: float, share: float
) -> Moment:
    """The hour of the change that `tested` found: the likeliest, and an interval of hours.

    Its prior: every request of the canary is equally likely to be the first.

    Raises:
        ValueError: no hour with both arms, or what `two_arms.bets` refuses.
    """
    _some(n)
    each = bets(bad, n, other_bad, other_n, margin, share)
    mine = np.where(np.asarray(other_n) > 0, np.asarray(n, dtype=float), 0.0)
    if not mine.any():
        raise ValueError("no hour has requests of both arms, so there is no change to date")
    after = special.logsumexp(np.cumsum(each[::-1], axis=0)[::-1], axis=-1)
    weighed = after + np.log(np.maximum(mine, 1e-300))
    first = int(np.argmax(np.where(mine > 0, after, -np.inf)))
    below = np.cumsum(np.exp(weighed - special.logsumexp(weighed)))
    tail = (1 - SURE) / 2
    earliest, latest = (int(np.searchsorted(below, at)) for at in (tail, 1 - tail))
    return Moment(first, min(earliest, first), max(first, min(latest, len(below) - 1)))


def _some(n: ArrayLike) -> None:
    if np.ndim(n) != 1 or not np.size(n):
        raise ValueError("a soak has one or more hours, in the order of time")
