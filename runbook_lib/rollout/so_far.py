"""The users' success as it stood at each moment of a soak, with the interval of then: a chart's data. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.judge.gates import sequence
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look
from runbook_lib.rollout.panels import PERIOD_S

_PERCENT = 100.0


def so_far(
    evidence: Evidence,
    result: GateResult,
    *,
    look: Look | None,
    looks: Sequence[Look],
    confidence: float,
    prior: tuple[float, float],
) -> dict[str, Any] | None:
    """A chart as `show.charts.timelines` takes it: the value so far, its interval at every look, and since the change.

    Args:
        evidence: a rate that has its course.
        result: what the gate says of it: since when it is worse.
        look: the declared look that the evidence ends with; None for an interim one.
        looks: all that are declared.

    Returns:
        None where there is nothing to draw.
    """
    if not evidence.course or not evidence.n or evidence.bad is None:
        return None
    rows = [(parse(start), bad, n) for start, bad, n in evidence.course]
    end = parse(evidence.end)
    times = [*_quarters(rows[0][0], end), end]
    counts = [_before(rows, at) for at in times[:-1]]
    counts.append((evidence.bad, evidence.n))
    seen = [(at, bad, n) for at, (bad, n) in zip(times, counts, strict=True) if n]
    ends = sequence.band(
        [bad for _, bad, _ in seen],
        [n for _, _, n in seen],
        [look is not None and at == end for at, _, _ in seen],
        looks=len(looks),
        confidence=confidence,
        prior=prior,
    )
    gate = result.gate
    series = {"so far": [(at, _value(gate, bad, n)) for at, bad, n in seen]}
    if result.since is not None:
        since = parse(result.since)
        after = [row for row in rows if row[0] >= since]
        then = [(at, *_before(after, at)) for at in times if at > since]
        series["since the change"] = [(at, _value(gate, bad, n)) for at, bad, n in then if n]
    return {
        "series": series,
        "title": f"{gate.title} so far",
        "unit": "% of requests",
        "gate": gate,
        "band": [
            (at, *sorted((_of(gate, low), _of(gate, high)))) for (at, _, _), (low, high) in zip(seen, ends, strict=True)
        ],
    }


def _quarters(first: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The full quarters of an hour after `first` and before `end`: as the parts of a course are cut."""
    at = dt.datetime.fromtimestamp((first.timestamp() // PERIOD_S + 1) * PERIOD_S, dt.UTC)
    found = []
    while at < end:
        found.append(at)
        at += dt.timedelta(seconds=PERIOD_S)
    return found


def _before(rows: Sequence[tuple[dt.datetime, int, int]], at: dt.datetime) -> tuple[int, int]:
    mine = [row for row in rows if row[0] < at]
    return sum(bad for _, bad, _ in mine), sum(n for _, _, n in mine)


def _value(gate: Gate, bad: int, n: int) -> float:
    return _of(gate, bad / n)


def _of(gate: Gate, failing: float) -> float:
    """A failure rate in percent of the gate's own rate."""
    return _PERCENT * (1 - failing if gate.higher_is_better else failing)
