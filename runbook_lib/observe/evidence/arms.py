"""Counts both arms of the gates that compare the canary, hour by hour. Pure.

The baseline is the synchronous route in the same hours. The phase before is made again by these functions from its
record's own answers (`rollout.look`); each of its hours is paired once with one of the same hour of the day.

Failures without a known time (refusals that no access log names) count against the canary where it might pass, and not
where it might fail: each of its hours has the failures that are certain, and the most that there may be.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.model import Arms, Evidence, Gate, Hour
from runbook_lib.observe.evidence import courses, questions
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.census import STEP_S

HOUR_S = 3600
BEFORE = "before"
"""Key in the levels that holds the phase before, as `told` writes it."""
_HOURS_A_DAY = 24
_SURE = 0.99
"""Largest share of both arms' requests that one of them is taken to have."""
_WHOLE = ("success", "llm_quota")
"""Measures whose evidence counts the same requests as their hours, so that failures without a time are known too."""

Counts = tuple[int, int, int]
"""Failures that are certain, failures at most, requests."""
Hourly = dict[int, Counts]
"""Counts by the number of the hour since the epoch."""


def beside(seen: Answered, found: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence, with both arms added where a gate compares them."""
    taken = dict(found)
    for gate in seen.params.policy.gates:
        if gate.against is not None and gate.measure in taken:
            evidence = taken[gate.measure]
            taken[gate.measure] = evidence.model_copy(update={"arms": (*evidence.arms, _arms(seen, gate, evidence))})
    return taken


def told(seen: Answered, found: Mapping[str, Evidence], phase: str) -> dict[str, Any] | None:
    """This soak's hours for each gate of a later phase that compares with it, JSON-able; None: no gate does.

    Args:
        seen: what the evidence was made of.
        found: the evidence.
        phase: this phase's name.
    """
    gates = {}
    for gate in seen.params.policy.gates:
        if gate.against == "phase_before" and (evidence := found.get(gate.measure)) is not None:
            hours = sorted(own(seen, gate, evidence).items())
            gates[gate.id] = {"hours": [[at, *counts] for at, counts in hours], "value": evidence.value}
    return {"phase": phase, "weight": seen.traffic.weight, "gates": gates} if gates else None


def own(seen: Answered, gate: Gate, evidence: Evidence) -> Hourly:
    """The canary, hour by hour; failures of the evidence that have no time go into the first hour."""
    found = _OWN[gate.measure](seen, gate, evidence)
    if gate.measure not in _WHOLE or not found:
        return found
    sure, n = (sum(counts[at] for counts in found.values()) for at in (0, 2))
    # The timed counts may exceed the evidence's by a request or two at the edges.
    loose, more = max(0, (evidence.bad or 0) - sure), max(0, (evidence.n or 0) - n)
    left, first = max(0, evidence.doubtful - loose), min(found)
    for at, (bad, most, of) in sorted(found.items()):
        taken = min(left, bad)
        left -= taken
        extra = (min(loose, of + more - most), more) if at == first else (0, 0)
        found[at] = bad - taken, most + extra[0], of + extra[1]
    return found


def _arms(seen: Answered, gate: Gate, evidence: Evidence) -> Arms:
    mine = own(seen, gate, evidence)
    return _with_baseline(seen, gate, evidence, mine) if gate.against == "baseline" else _with_before(seen, gate, mine)


def _with_baseline(seen: Answered, gate: Gate, evidence: Evidence, mine: Hourly) -> Arms:
    weight, none = seen.traffic.weight, ""
    theirs: Hourly
    labels: tuple[str, ...]
    if seen.traffic.migrated:
        none = "the synchronous endpoint is gone"
    elif not 0 < weight < 100:
        none = f"at a weight of {weight:g} % " + ("nobody is sent to the baseline" if weight else "nobody is on async")
    window = Window(parse(evidence.start), parse(evidence.end))
    theirs, labels = ({}, ()) if none else _BASELINE[gate.measure](seen, gate, window)
    return Arms(
        gate=gate.id,
        other="the baseline",
        absent=none,
        share=0.5 if none else weight / 100,
        hours=tuple(_hour(at, counts, theirs.get(at, (0, 0, 0))) for at, counts in sorted(mine.items())),
        partial=any(seen.answers.partial(one) for one in labels),
    )


def _with_before(seen: Answered, gate: Gate, mine: Hourly) -> Arms:
    before = seen.live.get(BEFORE)
    kept = before["gates"].get(gate.id) if before else None
    days = defaultdict[int, list[Counts]](list)
    for at, bad, most, n in kept["hours"] if kept else ():
        days[at % _HOURS_A_DAY].append((bad, most, n))
    hours = []
    for at, counts in sorted(mine.items()):
        left = days[at % _HOURS_A_DAY]
        hours.append(_hour(at, counts, left.pop(0) if left else (0, 0, 0)))
    both = seen.traffic.weight + before["weight"] if before else 0.0
    return Arms(
        gate=gate.id,
        other="the phase before",
        absent="" if before else "no phase before this one is known",
        share=min(_SURE, max(1 - _SURE, seen.traffic.weight / both)) if both else 0.5,
        hours=tuple(hours),
        value=kept["value"] if kept else None,
    )


def _hour(at: int, mine: Counts, theirs: Counts) -> Hour:
    start = iso(dt.datetime.fromtimestamp(at * HOUR_S, dt.UTC))
    bad, most, n = mine
    return Hour(at=start, bad=bad, most=most, n=n, other_bad=theirs[0], other_most=theirs[1], other_n=theirs[2])


def _added(rows: Iterable[tuple[int, Counts]]) -> Hourly:
    found = dict[int, Counts]()
    for at, (bad, most, n) in rows:
        known = found.get(at, (0, 0, 0))
        found[at] = known[0] + bad, known[1] + most, known[2] + n
    return found


def _success(_seen: Answered, _gate: Gate, evidence: Evidence) -> Hourly:
    rows = evidence.course or evidence.blocks
    return _added((int(parse(at).timestamp()) // HOUR_S, (bad, bad, n)) for at, bad, n in rows)


def _counted(seen: Answered, bad: str, n: str, window: Window) -> Hourly:
    failed = courses.by_step(seen, label(bad), window, HOUR_S)
    asked = courses.by_step(seen, label(n), window, HOUR_S)
    pairs = ((at, min(failed.get(at, 0), of), of) for at, of in asked.items())
    return _added((at, (few, few, of)) for at, few, of in pairs)


def _submissions_5xx(seen: Answered, _gate: Gate, evidence: Evidence) -> Hourly:
    """Hours of the canary's 5xx of submissions alone: nobody polls the baseline for a status."""
    return _counted(seen, "async_5xx", "async_requests", Window(parse(evidence.start), parse(evidence.end)))


def _quota(seen: Answered, _gate: Gate, _evidence: Evidence) -> Hourly:
    if seen.segment is None:
        return {}
    jobs = [(at * STEP_S // HOUR_S, (0, 0, n)) for at, _, n in seen.segment.steps]
    return _added([*jobs, *((at * STEP_S // HOUR_S, (1, 1, 0)) for at in seen.segment.quota_at)])


def _slow_jobs(seen: Answered, gate: Gate, _evidence: Evidence) -> Hourly:
    segment, line = seen.segment, gate.alert
    if segment is None or line is None or len(segment.generation_at) != len(segment.generation_s):
        return {}
    jobs = zip(segment.generation_at, segment.generation_s, strict=True)
    slow = ((at * STEP_S // HOUR_S, int(line.holds(value))) for at, value in jobs)
    return _added((at, (beyond, beyond, 1)) for at, beyond in slow)


def _slow_answers(seen: Answered, gate: Gate, arm: questions.Percentiles) -> Hourly:
    """Hours of submissions beyond the alert limit, within the bounds that the percentiles of five minutes give."""
    names = [arm.level(stat) for stat in (*questions.LEVELS, "SampleCount")]
    if gate.alert is None or names[-1] not in seen.answers.series:
        return {}
    levels = [dict(seen.answers.points(name)) for name in names]
    counts, rows = levels.pop(), []
    for when, of in counts.items():
        n = round(of)
        beyond = {
            stat: gate.alert.holds(known[when] / arm.divided_by)
            for stat, known in zip(questions.LEVELS, levels, strict=True)
            if when in known
        }
        least = courses.beyond_at_least(n, beyond)
        rows.append((int(when.timestamp()) // HOUR_S, (least, max(least, courses.beyond_at_most(n, beyond)), n)))
    return _added(row for row in rows if row[1][2])


_OWN: dict[str, Callable[[Answered, Gate, Evidence], Hourly]] = {
    "success": _success,
    "async_5xx": _submissions_5xx,
    "llm_quota": _quota,
    "generation_time": _slow_jobs,
    "submit_latency": lambda seen, gate, _: _slow_answers(seen, gate, questions.LATENCY),
}


def _sync_5xx(seen: Answered, _gate: Gate, window: Window) -> tuple[Hourly, tuple[str, ...]]:
    return _counted(seen, "sync_5xx", "sync_requests", window), (label("sync_5xx"), label("sync_requests"))


def _sync_latency(seen: Answered, gate: Gate, _window: Window) -> tuple[Hourly, tuple[str, ...]]:
    names = tuple(questions.BASELINE_LATENCY.level(stat) for stat in questions.LEVELS)
    return _slow_answers(seen, gate, questions.BASELINE_LATENCY), names


_BASELINE: dict[str, Callable[[Answered, Gate, Window], tuple[Hourly, tuple[str, ...]]]] = {
    "success": _sync_5xx,
    "async_5xx": _sync_5xx,
    "submit_latency": _sync_latency,
}
"""Measure to the function that reads the synchronous route's hours, and the labels of their series."""
