"""The change test of records whose failures are kept by quarters of an hour, by the rules of then: for replay alone.

`change.py` has today's test, on `Evidence.course`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from runbook_lib.judge.gates.sequential import log_e

CHANGE_SHARE = 0.25
"""Of the mixture's weight for a change that came later than the start; the start itself has the rest."""
STARTS = 400
"""Blocks that a change may begin with, each with the same weight: 100 hours of quarters."""


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
    failures, total = np.asarray(bad, dtype=float), np.asarray(n, dtype=float)
    if not len(total) or len(failures) != len(total) or not np.all((failures >= 0) & (failures <= total)):
        raise ValueError("wants at least one block, and in each a number of failures from 0 to its requests")
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
