"""Evidence of a measure that `gates.yaml` declares: its questions, its figures and its points, by its kind alone. Pure.

The rules are those of the runbook's own measures: absence is no data unless the declaration names what proves that it
is zero, and a partial answer never passes.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import UNORDERED
from runbook_lib.observe.evidence import courses, levels, questions
from runbook_lib.observe.evidence.levels import Point
from runbook_lib.observe.evidence.questions import GAUGE_PERIOD_S
from runbook_lib.observe.evidence.seen import Answered, counts_of
from runbook_lib.observe.jobs.segment import QUARTER_S
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.params.load import Params
from runbook_lib.params.measures import Measure, Side, metric_id


def label(name: str, side: Side) -> str:
    """The label under which a side of the measure is asked."""
    return f"own:{name}:{side}"


def asked_percentiles(name: str, own: Measure) -> questions.Percentiles:
    """The questions of a quantile."""
    metric = metric_id(name, "value", own.sides["value"])
    return questions.Percentiles(name, metric, own.divided_by, own.late_s, label(name, "value"))


def percentiles(params: Params) -> list[questions.Percentiles]:
    """The questions of every quantile that a gate judges."""
    return [asked_percentiles(name, own) for name, own in params.policy.judged.items() if own.kind == "quantile"]


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """The questions for the measures that gates judge, without the bounds of percentiles.

    It asks for counts in the finest period that is kept, for levels in the period of gauges, and for amounts once over
    the whole window and, for their chart, by quarters of an hour.
    """
    found = [ask for one in percentiles(params) for ask in one.asks(params, window, now)]
    for name, own in params.policy.judged.items():
        whole = questions.settled(params, window, now, own.late_s)
        gauges = questions.gauged(params, window, now, own.late_s)
        for side, query in own.sides.items() if own.kind != "quantile" else ():
            id, tag = metric_id(name, side, query), label(name, side)
            stat = own.stat(side) or params.metric(id).stat
            if own.kind == "gauge":
                found.append(Ask(id, gauges, stat, GAUGE_PERIOD_S, tag))
            elif own.kind == "rate":
                found.append(Ask(id, whole, stat, label=tag))
            else:
                found += [Ask(id, whole, stat, "window", tag), Ask(id, whole, stat, QUARTER_S, f"{tag}:quarters")]
    return found


def evidence(seen: Answered, name: str) -> Evidence:
    """The evidence of the measure called `name`.

    Raises:
        KeyError: it is not declared.
    """
    own = seen.params.policy.measures[name]
    if own.kind == "quantile":
        return levels.percentiles(seen, asked_percentiles(name, own), _what(seen, name, own, "value"))
    return {"rate": _rate, "gauge": _gauge, "amount": _amount}[own.kind](seen, name, own)


def points(seen: Answered, name: str) -> tuple[list[Point], int]:
    """Values of a gauge or an amount in each known period, and the length of a period in seconds."""
    own = seen.params.policy.measures[name]
    if own.kind == "gauge":
        _, period = levels.gauged(seen, own.late_s)
        return _levels(seen, name, own)[0], period
    tags = [f"{label(name, side)}:quarters" for side in ("value", "of") if side in own.sides]
    return [(at, value / own.divided_by) for at, value in _quotients(seen, tags)], QUARTER_S


def _what(seen: Answered, name: str, own: Measure, side: Side) -> str:
    """Address of a side in words, such as `Shop/Payments Sum of Declined {Service=shop-prod}`."""
    query = own.sides[side]
    metric = seen.params.metric(metric_id(name, side, query))
    place = address(metric, seen.params)
    pairs = place["Dimensions"] if query.metric is None else []
    where = ", ".join(f"{pair['Name']}={pair['Value']}" for pair in pairs)
    stat = "" if own.kind == "quantile" else f"{own.stat(side) or metric.stat} of "
    return f"{place['Namespace']} {stat}{query.metric or metric.name}" + (f" {{{where}}}" if where else "")


def _query(seen: Answered, name: str, own: Measure) -> str:
    told = " / ".join(_what(seen, name, own, side) for side in own.sides if side != "zero_while")
    return f"CloudWatch {told}"


def _proof(seen: Answered, name: str, own: Measure, window: Window) -> str | None:
    """What proves that a time without a point is zero, in words; None: nothing does."""
    if own.zero_while is None or not any(seen.answers.within(label(name, "zero_while"), window)):
        return None
    query = own.sides["zero_while"]
    what = query.metric or seen.params.metric(metric_id(name, "zero_while", query)).name
    return f"{what}, which was published meanwhile (`zero_while` of measure '{name}')"


def _rate(seen: Answered, name: str, own: Measure) -> Evidence:
    side: Side = "good" if own.good is not None else "bad"
    window = questions.settled(seen.params, seen.window, seen.now, own.late_s)
    tags = tuple(label(name, one) for one in own.sides)
    counted, n = (_total(seen, label(name, one), window) for one in (side, "of"))
    proof = _proof(seen, name, own, window) if counted is None and n else None
    if proof:
        counted = 0.0
    bad = counted if side == "bad" or counted is None or n is None else max(0.0, round(n) - round(counted))
    found = counts_of(bad, n, None)
    notes = [*found.pop("notes", ())]
    if n and counted is None:
        notes.append(
            f"{n:g} were counted, and no point of `{side}`: is it published where there is none (`zero_while`)?"
        )
    if proof:
        notes.append(f"no point of `{side}` is none, proven by {proof}")
    if side == "good" and counted is not None and n is not None and round(counted) > round(n):
        notes.append(f"{counted:g} good ones of {n:g} were counted")
        found["partial"] = True
    if side == "good" and seen.rules >= UNORDERED and courses.apart(seen, label(name, side), label(name, "of"), window):
        notes.append("good ones are counted later than their requests, so there is no test for a change: count the bad")
    return seen.evidence(
        name,
        "rate",
        _query(seen, name, own),
        window,
        tags,
        **found,
        notes=tuple(notes),
        course=courses.of_answers(seen, label(name, side), label(name, "of"), window, good=side == "good"),
    )


def _total(seen: Answered, tag: str, window: Window) -> float | None:
    inside = seen.answers.within(tag, window)
    return math.fsum(inside) if inside else None


def _gauge(seen: Answered, name: str, own: Measure) -> Evidence:
    window, period = levels.gauged(seen, own.late_s)
    known, filled = _levels(seen, name, own)
    expected = len(levels.periods(window, period))
    proof = _proof(seen, name, own, window)
    return seen.evidence(
        name,
        "gauge",
        f"{_query(seen, name, own)}, each {period} s",
        window,
        tuple(label(name, one) for one in own.sides),
        values=tuple(value for _, value in known),
        expected=expected,
        notes=(f"{filled} of {expected} periods have no point and count as 0, proven by {proof}",) if filled else (),
    )


def _levels(seen: Answered, name: str, own: Measure) -> tuple[list[Point], int]:
    """The value in each known period, and the number of those that have no point and count as 0."""
    window, period = levels.gauged(seen, own.late_s)
    tags = [label(name, side) for side in ("value", "of") if side in own.sides]
    known = {at: value / own.divided_by for at, value in _quotients(seen, tags) if window.start <= at < window.end}
    if _proof(seen, name, own, window) is None:
        return sorted(known.items()), 0
    times = levels.periods(window, period)
    return [(at, known.get(at, 0.0)) for at in times], len([at for at in times if at not in known])


def _quotients(seen: Answered, tags: list[str]) -> list[Point]:
    """The points under one label, or their quotients under two, where the second is not 0."""
    found = seen.answers.points(tags[0])
    if len(tags) == 1:
        return found
    below = dict(seen.answers.points(tags[1]))
    return [(at, value / below[at]) for at, value in found if below.get(at)]


def _amount(seen: Answered, name: str, own: Measure) -> Evidence:
    window = questions.settled(seen.params, seen.window, seen.now, own.late_s)
    tags = tuple(label(name, side) for side in own.sides)
    value, n, notes = seen.answers.single(tags[0]), None, []
    if "of" in own.sides:
        n = seen.answers.single(label(name, "of"))
        value = value / n if value is not None and n else None
    several = [tag for tag in tags if len(seen.answers.points(tag)) > 1]
    if several:
        notes.append("the window came in several buckets, which do not add up to one figure")
    found: dict[str, Any] = {"value": None if value is None else value / own.divided_by}
    return seen.evidence(
        name,
        "amount",
        f"{_query(seen, name, own)}, of the whole window",
        window,
        tags,
        **found,
        n=None if value is None else max(1, round(n)) if n is not None else 1,
        notes=tuple(notes),
        partial=bool(several),
    )
