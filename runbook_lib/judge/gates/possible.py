"""Finds impossible evidence: figures that contradict each other, or that no count, time or level can have.

Such evidence shows nothing: the gate is NO_DATA, and its reason names the contradiction.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, Gate, bad_side

MOST = 10**15
"""Most requests in a soak: no service has more, and beyond it the arithmetic of tails is not exact."""


def impossible(gate: Gate, evidence: Evidence) -> str:
    """The first impossible thing in `evidence`, in words; empty: there is none."""
    return next(_contradictions(gate, evidence), "")


def _contradictions(gate: Gate, evidence: Evidence) -> Iterator[str]:
    yield from _window(evidence)
    yield from _counts(evidence)
    if evidence.parts:
        yield from _parts(evidence)
    yield from (
        f"{bad} failures of {n} since {start} are impossible"
        for start, bad, n in (
            *evidence.blocks,
            *evidence.course,
            *(row for part in evidence.parts for row in part.course),
        )
        if not 0 <= bad <= n
    )
    if evidence.kind == "quantile":
        yield from _quantile(gate, evidence)
    yield from (
        f"the counts of both arms in the hour of {words.instant(one.at)} are impossible"
        for arms in evidence.arms
        for one in arms.hours
        if not (0 <= one.bad <= one.most <= one.n and 0 <= one.other_bad <= one.other_most <= one.other_n)
    )


def _window(evidence: Evidence) -> Iterator[str]:
    if not (evidence.n or evidence.values or evidence.value is not None):
        return
    try:
        start, end = dt.datetime.fromisoformat(evidence.start), dt.datetime.fromisoformat(evidence.end)
        if end <= start:
            yield f"figures of a window from {evidence.start} to {evidence.end} are impossible"
    except (ValueError, TypeError):
        yield f"figures of a window from '{evidence.start}' to '{evidence.end}' are impossible"


def _counts(evidence: Evidence) -> Iterator[str]:
    n, bad = evidence.n, evidence.bad
    if n is not None and not 0 <= n <= MOST:
        yield f"{n} samples are impossible"
    if evidence.doubtful and not 0 <= evidence.doubtful <= (bad or 0):
        yield f"{evidence.doubtful} doubtful failures of {bad or 0} are impossible"
    if not 0 <= evidence.untold <= evidence.doubtful:
        yield f"{evidence.untold} of {evidence.doubtful} doubtful failures that no look tells are impossible"


def _parts(evidence: Evidence) -> Iterator[str]:
    for part in evidence.parts:
        if not 0 <= part.bad <= part.n:
            yield f"{part.name}: {part.bad} failures of {part.n} requests are impossible"
    bad, n = sum(part.bad for part in evidence.parts), sum(part.n for part in evidence.parts)
    if (bad, n) != (evidence.bad or 0, evidence.n or 0):
        yield f"{evidence.bad} of {evidence.n} together, and {bad} of {n} by its sources, contradict each other"


def _quantile(gate: Gate, evidence: Evidence) -> Iterator[str]:
    """Contradictions between the count beyond the limit and the quantile: both are views of the same samples."""
    bad, n, value = evidence.bad, evidence.n, evidence.value
    if evidence.most is not None and value is not None and value > evidence.most:
        most = words.limit(evidence.most, gate.unit)
        yield f"{words.number(value, gate.unit)} is more than {most}, the largest possible value: is the unit right?"
    if bad is None or not n or value is None or not math.isfinite(value) or not 0 <= bad <= n:
        return
    line = bad_side(gate)
    share = (gate.quantile or 0.5) if gate.higher_is_better else 1 - (gate.quantile or 0.5)
    beyond = f"{bad:,} of {n:,} samples beyond {words.limit(line.limit, gate.unit)}"
    if bad == 0 and line.holds(value):
        yield f"{beyond}, and a quantile of {words.number(value, gate.unit)}, contradict each other"
    # CloudWatch interpolates percentiles, so only a large difference is a contradiction.
    if not line.holds(value) and bad > 1.5 * share * n + 5:
        yield f"{beyond}, and a quantile of {words.number(value, gate.unit)}, contradict each other"
