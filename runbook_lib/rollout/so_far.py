"""Chart data of a rate or a quantile at each moment of a soak, with its interval at that moment. Pure."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates import sequence
from runbook_lib.judge.gates.gates import judge, sources
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.observe.jobs.census import STEP_S
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.rollout.panels import PERIOD_S
from runbook_lib.show.multiples import over

_PERCENT = 100.0
TIMES = "generation_time"
"""The measure whose samples are in the census."""
CHANGE = "since the change"
"""Name of the series for a time that is worse, and lasts."""
WORSE, AFTER = "worse", "after it"
"""Names of the series for a time that was worse and is over, and for what came after it."""


def how_sure(
    case: Case, results: Iterable[GateResult], segment: Segment | None
) -> list[tuple[dict[str, Any], GateResult]]:
    """Charts of gates so far with their intervals, each with its result.

    The users' success and the times of the jobs always have one; other gates and sources if a change fails them.

    Args:
        results: the case's verdicts. A gate of several sources has that of the worst, so its sources are judged again.
    """
    found = list[tuple[dict[str, Any], GateResult]]()
    for whole in results:
        gate, seen = whole.gate, case.evidence.get(whole.gate.measure)
        # A comparing gate shows both arms in its tile.
        each = sources(gate, seen) if seen and not gate.against else []
        for named, own in each:
            result = whole if own is seen else _of_source(case, named, own, len(each))
            if gate.measure == TIMES and segment:
                chart = quantile_so_far(timed(segment), result, case, end=parse(own.end))
            elif gate.measure == USER_SUCCESS or result.since is not None:
                chart = so_far(own, result, case)
            else:
                continue
            if chart is not None:
                found.append((chart, result))
    return found


def _of_source(case: Case, named: Gate, own: Evidence, of: int) -> GateResult:
    """The gate's result for one source, as within the whole: the sources share the chance of a false FAIL."""
    return judge(
        named,
        own,
        look=case.look,
        looks=case.looks,
        confidence=case.confidence,
        alpha_early=case.alphas.get(named.id, case.alpha_early) / of,
        prior=case.prior,
        version=case.rules,
    )


def timed(segment: Segment) -> list[tuple[dt.datetime, float]]:
    """(creation, seconds to completion) of each completed job, in the order of time; empty where that is not kept."""
    if len(segment.generation_at) != len(segment.generation_s):
        return []
    pairs = sorted(zip(segment.generation_at, segment.generation_s, strict=True))
    return [(dt.datetime.fromtimestamp(at * STEP_S, dt.UTC), value) for at, value in pairs]


def rate_band(case: Case, rows: Sequence[tuple[dt.datetime, int, int]]) -> list[tuple[float, float]]:
    """The interval of a rate at each of `rows` (moment, bad and all so far); a declared look is at the last."""
    return sequence.band(
        [bad for _, bad, _ in rows],
        [n for _, _, n in rows],
        [case.look is not None and at == rows[-1][0] for at, _, _ in rows],
        looks=len(case.looks),
        confidence=case.confidence,
        prior=case.prior,
    )


def so_far(evidence: Evidence, result: GateResult, case: Case) -> dict[str, Any] | None:
    """A chart as `show.charts.timelines` takes it: the value so far, its interval at every look, and since the change.

    Args:
        evidence: evidence with a course; for a quantile the chart shows the share beyond the alert limit.
        result: the gate's result, with the time since which it is worse.
        case: the case that it was judged in, for looks and confidence.

    Returns:
        None where there is nothing to draw.
    """
    if not evidence.course or not evidence.n or (evidence.kind == "rate" and evidence.bad is None):
        return None
    rows = [(parse(start), bad, n) for start, bad, n in evidence.course]
    end = parse(evidence.end)
    times = [*_quarters(rows[0][0], end), end]
    counts = [_before(rows, at) for at in times[:-1]]
    # For a quantile only the samples with a known time are counted as within or beyond the limit.
    known = sum(bad for _, bad, _ in rows), sum(n for _, _, n in rows)
    counts.append(known if evidence.bad is None or evidence.kind == "quantile" else (evidence.bad, evidence.n))
    seen = [(at, bad, n) for at, (bad, n) in zip(times, counts, strict=True) if n]
    ends = rate_band(case, seen)
    gate = result.gate
    series = {"so far": [(at, _value(gate, bad, n)) for at, bad, n in seen]}
    for name, span in spans(result, end).items():
        own = [row for row in rows if span[0] <= row[0] < span[1]]
        then = [(at, *_before(own, at)) for at in _until(times, span)]
        series[name] = [(at, _value(gate, bad, n)) for at, bad, n in then if n]
    return {
        "series": series,
        "title": f"{gate.title} so far" + (", beyond its alert limit" if gate.kind == "quantile" else ""),
        "unit": "% of requests",
        "gate": gate if gate.kind == "rate" else None,
        "worse": over(result),
        "band": [
            (at, *sorted((_of(gate, low), _of(gate, high)))) for (at, _, _), (low, high) in zip(seen, ends, strict=True)
        ],
    }


def quantile_so_far(
    samples: Sequence[tuple[dt.datetime, float]], result: GateResult, case: Case, *, end: dt.datetime
) -> dict[str, Any] | None:
    """As `so_far`, for a quantile such as the p95 of the times of all jobs so far.

    Args:
        samples: (time, value), in the order of time.
        end: end of the evidence.

    Returns:
        None where there is nothing to draw.
    """
    gate, q = result.gate, result.gate.quantile
    if not samples or q is None:
        return None
    starts = [at for at, _ in samples]
    times = [at for at in [*_quarters(starts[0], end), end] if at > starts[0]]
    declared = [case.look is not None and at == end for at in times]
    how: dict[str, Any] = {"q": q, "looks": len(case.looks), "confidence": case.confidence, "prior": case.prior}
    found = sequence.quantile_band(
        [value for _, value in samples], [bisect_left(starts, at) for at in times], declared, **how
    )
    series = {"so far": [(at, value) for at, (value, _, _) in zip(times, found, strict=True)]}
    for name, span in spans(result, end).items():
        own = [one for one in samples if span[0] <= one[0] < span[1]]
        places = {at: bisect_left([when for when, _ in own], at) for at in _until(times, span)}
        some = {at: n for at, n in places.items() if n}
        then = sequence.quantile_band([value for _, value in own], list(some.values()), [False] * len(some), **how)
        series[name] = [(at, value) for at, (value, _, _) in zip(some, then, strict=True)]
    return {
        "series": series,
        "title": f"{gate.title} so far",
        "unit": gate.unit,
        "gate": gate,
        "worse": over(result),
        "band": [(at, low, high) for at, (_, low, high) in zip(times, found, strict=True) if math.isfinite(high)],
    }


def spans(result: GateResult, end: dt.datetime) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    """The time in which it was worse, and the time after it, by the name of its series; empty: it was not worse."""
    if result.since is None:
        return {}
    since = parse(result.since)
    if result.until is None:
        return {CHANGE: (since, end)}
    until = parse(result.until)
    return {WORSE: (since, until), AFTER: (until, end)}


def _until(times: Sequence[dt.datetime], span: tuple[dt.datetime, dt.datetime]) -> list[dt.datetime]:
    """The moments within a change, and its end."""
    return sorted({span[1], *(at for at in times if span[0] < at < span[1])})


def _quarters(first: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The full quarters of an hour after `first` and before `end`, which are the parts of a course."""
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
    return _PERCENT * (1 - failing if gate.higher_is_better and gate.kind == "rate" else failing)
