"""The course of each measure: its evidence at each moment so far, or the periods that it is made of. Pure.

The charts of a gate come from here, so they show the quantity that is judged: the same functions on the same answers,
for a window that ends earlier. The last value is the evidence itself.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from runbook_lib.base.window import Window, parse
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.money.cost import cost_per_vpr
from runbook_lib.observe.evidence import declared, levels, questions, rates, usage
from runbook_lib.observe.evidence.levels import Point
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.segment import QUARTER_S, STEPS_A_MINUTE
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.params.load import Params
from runbook_lib.params.measures import Measure
from runbook_lib.params.prices import NoPrices

MOST_POINTS = 48
"""At most this many points in a curve; a longer window has wider steps."""
COURSE = "course:"
"""Prefix of the labels under which quantiles of each quarter of an hour are asked."""
SO_FAR = "so far"

Counted = tuple[dt.datetime, int, int]
"""Time, failures up to it, requests up to it."""


@dataclass(frozen=True)
class Course:
    """The course of one measure, in the unit of its evidence."""

    counts: Mapping[str, tuple[Counted, ...]] = field(default_factory=dict)
    """Rates and splits: counts up to each moment, by source. A single source is called `so far`."""
    points: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    """Times and amounts so far: points by the name of the curve."""
    periods: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    """Points of single periods, by the name of the curve; a missing period is a gap."""
    period_s: float | None = None


def every(period_s: float) -> str:
    """Name of a curve whose points are periods."""
    return f"every {period_s / 60:g} min"


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """The questions that the courses need beside those of the evidence."""
    asked = [questions.LATENCY, *declared.percentiles(params)]
    return [_quarters(one, params, window, now) for one in asked]


def _quarters(asked: questions.Percentiles, params: Params, window: Window, now: dt.datetime) -> Ask:
    whole = questions.settled(params, window, now, asked.late_s)
    q = questions.quantile_of(params, asked.measure)
    return Ask(asked.metric, whole, f"p{100 * q:g}", QUARTER_S, label=f"{COURSE}{asked.label}")


def course(measure: str, seen: Answered) -> Course:
    """The course of `measure`.

    Raises:
        KeyError: there is no such measure.
    """
    own = seen.params.policy.measures.get(measure)
    return _declared(measure, own, seen) if own is not None else _COURSES[measure](seen)


def _declared(name: str, own: Measure, seen: Answered) -> Course:
    """The course of a measure that `gates.yaml` declares."""
    if own.kind == "rate":
        return _counted(partial(declared.evidence, name=name), seen)
    if own.kind == "quantile":
        return _percentiles(declared.asked_percentiles(name, own), seen)
    points, period_s = declared.points(seen, name)
    return Course(periods={every(period_s): tuple(points)}, period_s=period_s)


def _moments(window: Window) -> Iterator[dt.datetime]:
    """The moments of a course: full quarters of an hour, or several together, within the window, and its end."""
    step = QUARTER_S * max(1, math.ceil(window.seconds / QUARTER_S / MOST_POINTS))
    at = dt.datetime.fromtimestamp((window.start.timestamp() // step + 1) * step, dt.UTC)
    while at < window.end:
        yield at
        at += dt.timedelta(seconds=step)
    if not window.empty:
        yield window.end


def _counted(taken: Callable[[Answered], Evidence], seen: Answered) -> Course:
    """The counts of the evidence, taken again for the window up to each moment."""
    whole = taken(seen)
    found = defaultdict[str, list[Counted]](list)
    for at in _moments(Window(parse(whole.start), parse(whole.end))):
        one = whole if at == parse(whole.end) else taken(replace(seen, window=Window(seen.window.start, at)))
        for name, bad, n in (
            [(part.name, part.bad, part.n) for part in one.parts] if one.parts else [(SO_FAR, one.bad, one.n)]
        ):
            if n and bad is not None:
                found[name].append((at, bad, n))
    return Course(counts={name: tuple(rows) for name, rows in found.items()})


def _generation(seen: Answered) -> Course:
    """The quantile of all jobs so far, and of each quarter of an hour, by the time of their creation."""
    segment = seen.segment
    if segment is None or len(segment.generation_at) != len(segment.generation_s):
        return Course()
    gate = questions.gate_of(seen.params, "generation_time")
    q = gate.quantile if gate and gate.quantile else 0.95
    quarters = defaultdict[int, list[float]](list)
    for seconds, place in zip(segment.generation_s, segment.generation_at, strict=True):
        quarters[place * 60 // STEPS_A_MINUTE // QUARTER_S].append(seconds)
    sample: list[float] = []
    so_far, each = [], []
    for place, mine in sorted(quarters.items()):
        at = dt.datetime.fromtimestamp(place * QUARTER_S, dt.UTC)
        for seconds in mine:
            insort(sample, seconds)
        so_far.append((min(at + dt.timedelta(seconds=QUARTER_S), segment.end_settled), levels.nearest_rank(sample, q)))
        each.append((at, levels.nearest_rank(mine, q)))
    return Course(points={SO_FAR: tuple(so_far)}, periods={every(QUARTER_S): tuple(each)}, period_s=QUARTER_S)


def _percentiles(asked: questions.Percentiles, seen: Answered) -> Course:
    points = seen.answers.points(f"{COURSE}{asked.label}")
    each = tuple((at, value / asked.divided_by) for at, value in points)
    return Course(periods={every(QUARTER_S): each}, period_s=QUARTER_S)


def _cost(seen: Answered) -> Course:
    """The cost of a success so far, hour by hour as the KPIs count; with tokens where they are judged."""
    unpriced = isinstance(seen.params.prices, NoPrices)
    if unpriced or seen.segment is None or isinstance(usage.async_counts(seen), str):
        return Course()
    policy, prices, span = seen.params.policy, seen.params.prices, seen.whole
    total, points = None, []
    for place, hour in enumerate(usage.async_hours(seen), 1):
        total = hour if total is None else total + hour
        value = cost_per_vpr(total, prices, policy.cost_scope).value
        if value is not None and math.isfinite(value):
            points.append((min(span.end, span.start + dt.timedelta(hours=place)), value))
    return Course(points={"so far, by the KPIs": tuple(points)})


def _periods(taken: Callable[[Answered], list[Point]], seen: Answered) -> Course:
    _, period_s = levels.gauged(seen)
    return Course(periods={every(period_s): tuple(taken(seen))}, period_s=period_s)


def _looks_alone(_: Answered) -> Course:
    """An empty course: each census gives only one figure, or the evidence holds its own course (`success`)."""
    return Course()


_COURSES: dict[str, Callable[[Answered], Course]] = {
    "success": _looks_alone,
    "refused": partial(_counted, rates.refused),
    "lost_jobs": _looks_alone,
    "llm_quota": _looks_alone,
    "async_5xx": partial(_counted, rates.async_5xx),
    "lambda_errors": partial(_counted, rates.lambda_errors),
    "baseline_success": partial(_counted, rates.baseline_success),
    "submit_latency": partial(_percentiles, questions.LATENCY),
    "generation_time": _generation,
    "queue_depth": partial(_periods, lambda seen: levels.queue_points(seen)[0]),
    "dlq_depth": partial(_periods, levels.dlq_points),
    "throttle_events": partial(_periods, levels.throttle_points),
    "cost_per_vpr": _cost,
    "cost_per_vpr_sync": _looks_alone,
    "observed_split": partial(_counted, rates.observed_split),
}
