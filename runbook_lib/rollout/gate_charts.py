"""The timeline of each gate: the quantity that it judges, from the same answers, with earlier looks' values. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from runbook_lib.base.window import parse
from runbook_lib.judge import words
from runbook_lib.judge.case import Case
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.judge.terms import Word
from runbook_lib.observe.evidence.course import SO_FAR, Course, course
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.record.record import Record
from runbook_lib.rollout.so_far import rate_band, so_far, spans
from runbook_lib.show.levels import Level
from runbook_lib.show.multiples import PERCENT, Tile
from runbook_lib.show.points import Grid, Points


def tiles(seen: Answered, case: Case, results: Iterable[GateResult], earlier: Iterable[Record]) -> list[Tile]:
    """One tile for each result.

    Args:
        seen: the answers that the case's evidence was made of.
        case: the judged case.
        results: its verdicts.
        earlier: records of earlier looks, whose values are drawn too.
    """
    looks = judged(earlier := tuple(earlier), results := tuple(results))
    return [_tile(seen, case, result, looks.get(result.gate.id, []), earlier) for result in results]


def judged(records: Iterable[Record], results: Iterable[GateResult]) -> dict[str, list[tuple[dt.datetime, float]]]:
    """Gate to each look's value in the gate's unit at the end of its judged time; this look's is the last."""
    points: dict[str, dict[dt.datetime, float]] = {}
    for record in records:
        for one in record.gates:
            id, value = str((one.get("gate") or {}).get("id")), one.get("value")
            end = (one.get("evidence") or {}).get("end") or record.as_of
            if end and isinstance(value, int | float):
                points.setdefault(id, {})[parse(end)] = float(value)
    for result in results:
        if result.value is None or not result.evidence.end:
            continue
        now = parse(result.evidence.end)
        before = {at: value for at, value in points.get(result.gate.id, {}).items() if at < now}
        points[result.gate.id] = {**before, now: result.value}
    return {id: sorted(each.items()) for id, each in points.items()}


def weights(records: Iterable[Record], result: GateResult) -> tuple[Level, ...]:
    """The weights that a split was judged by, in percent: one for the whole chart, or each with the hours of its looks;
    empty for other gates.

    AppConfig may have taken the weight back since: a look is held against the weight of its own hours. Where nothing
    was judged yet, the weight has the hours of its evidence.
    """
    mine = [gate for one in records for gate in one.gates if (gate.get("gate") or {}).get("id") == result.gate.id]
    past = [gate.get("evidence") or {} for gate in mine if isinstance(gate.get("value"), int | float)]
    now = result.evidence.model_dump(mode="json")
    known = {str(one.get("end")): one for one in [*past, *([now] if result.value is not None or not past else [])]}
    spans = defaultdict[float, list[tuple[dt.datetime, dt.datetime]]](list)
    before = None
    for _, one in sorted(known.items()):
        if not one.get("end") or one.get("weight") is None:
            continue
        start, end = parse(one["start"]), parse(one["end"])
        spans[PERCENT * one["weight"]].append((max(start, before) if before else start, end))
        before = end
    several = len(spans) > 1 or (result.value is None and not past)
    return tuple(Level(f"weight {at:g} %", at, tuple(each) if several else ()) for at, each in spans.items())


def _tile(seen: Answered, case: Case, result: GateResult, looks: Points, earlier: Sequence[Record]) -> Tile:
    word = words.of_gate(result, case.look is None)
    gate, evidence = result.gate, case.evidence.get(result.gate.measure)
    if gate.against and evidence:
        return _both(result, word, evidence, looks if gate.kind == "rate" else [])
    drawn = [(at, _shown(gate, value)) for at, value in looks]
    # A quantile's tile has the gate's unit; the share of its samples beyond the limit has a chart of its own.
    own = so_far(evidence, result, case) if evidence and gate.kind != "quantile" else None
    if own:
        return Tile(result, word, own["series"], drawn, band=own["band"], beside=weights(earlier, result))
    went = course(gate.measure, seen)
    series = {
        **{_named(name): [(at, PERCENT * bad / n) for at, bad, n in rows] for name, rows in went.counts.items()},
        **{name: [(at, _shown(gate, value)) for at, value in points] for name, points in went.points.items()},
    }
    periods = {name: [(at, _shown(gate, value)) for at, value in points] for name, points in went.periods.items()}
    return Tile(
        result,
        word,
        {**series, **periods},
        drawn,
        irregular=tuple(series),
        kind="step" if gate.kind == "gauge" else "line",
        grid=Grid(went.period_s, seen.window.start, seen.window.end) if went.period_s else None,
        band=_band(case, went) if gate.kind == "rate" else (),
        beside=weights(earlier, result),
    )


def _both(result: GateResult, word: Word, evidence: Evidence, looks: Points) -> Tile:
    """A tile with canary and other arm so far at the end of each hour, the line of the margin from the other arm, and
    the canary since the change, where a change fails the gate.
    """
    gate, both = result.gate, result.compared
    arms = next((one for one in evidence.arms if one.gate == gate.id), None)
    hours, end = arms.hours if arms else (), parse(evidence.end)
    ends = [min(end, parse(one.at) + dt.timedelta(hours=1)) for one in hours]
    counts = {
        "async": [(one.most, one.n) for one in hours],
        arms.other if arms else "": [(one.other_bad, one.other_n) for one in hours],
    }
    sums = {name: _summed(ends, each) for name, each in counts.items()}
    for name, span in spans(result, end).items():
        then = [place for place, at in enumerate(ends) if span[0] < at <= span[1]]
        sums[name] = _summed([ends[place] for place in then], [counts["async"][place] for place in then])
    up = gate.kind == "rate" and gate.higher_is_better
    series = {
        name: [(at, PERCENT * (1 - bad / n if up else bad / n)) for at, bad, n in rows if n]
        for name, rows in sums.items()
    }
    edge = PERCENT * (both.other_value + (-1 if up else 1) * (gate.margin or 0.0)) if both else None
    return Tile(
        result,
        word,
        {name: points for name, points in series.items() if points},
        [(at, PERCENT * value) for at, value in looks],
        irregular=tuple(series),
        beside=() if edge is None else (Level(f"{words.points(gate.margin or 0.0)} worse", edge),),
    )


def _summed(ends: Iterable[dt.datetime], counts: Sequence[tuple[int, int]]) -> list[tuple[dt.datetime, int, int]]:
    """The sums of both counts at each end."""
    return list(zip(ends, accumulate(bad for bad, _ in counts), accumulate(n for _, n in counts), strict=True))


def _named(source: str) -> str:
    """The name of a source in a legend: a function as the gates call it."""
    return source.removesuffix("_fn")


def _shown(gate: Gate, value: float) -> float:
    return PERCENT * value if gate.unit == "ratio" else value


def _band(case: Case, went: Course) -> list[tuple[dt.datetime, float, float]]:
    """The interval of a rate at each moment; empty for several sources, since each has its own."""
    rows: Sequence[tuple[dt.datetime, int, int]] = went.counts.get(SO_FAR, ())
    if not rows:
        return []
    return [
        (at, PERCENT * low, PERCENT * high) for (at, _, _), (low, high) in zip(rows, rate_band(case, rows), strict=True)
    ]
