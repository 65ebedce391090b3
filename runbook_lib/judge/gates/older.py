"""The tests for a change by which older records were judged, for replay only. `change.py` has today's test.

`change_log_e` is for records that keep failures by quarters of an hour. `at_the_end` is for records of rules 2, which
have a course: it uses the evidence of the whole course only, so it forgets a dip that is over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.sequential import log_e
from runbook_lib.judge.special import special

CHANGE_SHARE = 0.25
"""Share of the mixture's weight on a change after the start; the start itself has the rest."""
STARTS = 400
"""Number of blocks with which a change may begin, each with the same weight: 100 hours of quarters."""


def at_the_end(
    bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float], whole: tuple[int, int]
) -> change.Tested:
    """The test of `change.tested`, but by the evidence at the end only: each start with `log_e` of what is after."""
    failures, total = change.counts(bad, n)
    k, m = (np.append(np.cumsum(one[::-1])[::-1], 0.0) for one in (failures, total))
    start = float(log_e(*whole, limit, prior)) + math.log(change.START_SHARE)
    after = np.flatnonzero(failures > 0) + 1
    later = -math.inf
    if len(after):
        later = float(special.logsumexp(log_e(k[after], m[after], limit, prior) + change.weights(len(after))))
    return change.Tested(float(np.logaddexp(start, later)), later > start, None)


def change_log_e(
    bad: Sequence[int], n: Sequence[int], limit: float, prior: tuple[float, float]
) -> tuple[float, int, float]:
    """Log of the e-value against "the failure rate never was above `limit`", over blocks in the order of time.

    A mixture of `log_e` over the moment from which the rate is worse: 75 % on the start, 25 % spread evenly over all
    blocks (Shin, Ramdas & Rinaldo 2022, "E-detectors": sums of e-processes started at each time; weights that add up to
    1 make the sum itself an e-process, so Ville's inequality holds for the whole soak). Good hours before a change then
    no longer hide it.

    Args:
        bad, n: failures and requests of each block; more than `STARTS` blocks are merged two by two.

    Returns:
        the log of the e-value; the block with which the likeliest change begins; the log of its own e-value.

    Raises:
        ValueError: no block, not as many failures as requests, or what `log_e` refuses.
    """
    failures, total = change.counts(bad, n)
    width = 1
    while len(total) > STARTS:
        pad = len(total) % 2
        failures, total = (np.append(one, [0.0] * pad).reshape(-1, 2).sum(axis=1) for one in (failures, total))
        width *= 2
    # Sums from each block to the end; shape (blocks,).
    k, m = np.cumsum(failures[::-1])[::-1], np.cumsum(total[::-1])[::-1]
    each = log_e(k, m, limit, prior)
    best = int(np.argmax(each))
    later = float(special.logsumexp(each)) - math.log(STARTS)
    mixed = np.logaddexp(math.log(1 - CHANGE_SHARE) + float(each[0]), math.log(CHANGE_SHARE) + later)
    return float(mixed), best * width, float(each[best])
