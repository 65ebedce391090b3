"""From answers to evidence, one function for each measure. Pure: the same answers give the same evidence, years later.

Settling (each evidence carries its own window): CloudWatch's figures end `metric_delay` before now, Lambda errors a
job's deadline earlier still (they are stamped with the start of the invocation), the census the deadline before now.
Absence is no data, unless something else proves that it is zero, and then the evidence says what (trap 5).
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.judge.cost import AsyncCounts, cost_per_vpr
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.observe import levels, rates
from runbook_lib.observe.census import Segment
from runbook_lib.observe.fetch import Answers
from runbook_lib.observe.questions import FUNCTIONS, asks, asks_bounds, label
from runbook_lib.observe.seen import Seen, unseen
from runbook_lib.observe.traffic import TrafficState
from runbook_lib.observe.window import Window
from runbook_lib.params import Params

__all__ = ["asks", "asks_bounds", "measure", "usage"]


def measure(
    answers: Answers,
    segment: Segment | None,
    live: dict[str, Any],
    traffic: TrafficState,
    params: Params,
    window: Window,
    now: dt.datetime,
    look: Look | None = None,
) -> dict[str, Evidence]:
    """The evidence for every measure, by its name.

    Args:
        answers: to `asks` and `asks_bounds`, together.
        segment: the merged census of the window; None: there is none.
        live: of `live.read`; what is missing in it proves nothing.
        traffic: dial, switch and since when.
        params: for policy, prices and names.
        window: the window that is judged (such as the soak), unsettled.
        now: AWS's clock when the answers were given.
        look: the declared look, as in `asks_bounds`.
    """
    seen = Seen(answers, segment, live, traffic, params, window, now, look)
    found = (
        rates.success(seen),
        rates.async_5xx(seen),
        levels.submit_latency(seen),
        levels.generation_time(seen),
        levels.queue_depth(seen),
        levels.dlq_depth(seen),
        rates.lambda_errors(seen),
        _cost(seen),
        rates.observed_split(seen),
        rates.baseline_success(seen),
    )
    return {one.measure: one for one in found}


def usage(
    answers: Answers, segment: Segment, live: dict[str, Any], params: Params, window: Window, now: dt.datetime
) -> AsyncCounts | str:
    """What the async path used in the settled part of `window`; a string says what is missing for a bill.

    A metric of a Lambda, the queue or the table without a point is no usage; requests, runs and durations must be
    there. Received messages stand for receive calls (batch size 1). The bucket is not measured: one PUT for each
    finished report, one GET for each that a client waited for.
    """
    seen = Seen(
        answers, segment, live, TrafficState(dial_percent=0, switch_on=False, weight=0), params, window, now, None
    )
    span = seen.whole
    needed = ("async_requests", "submit_invocations", "worker_invocations")
    absent = [name for name in needed if seen.sum(name, span) is None]
    times = {name: answers.points(label(f"{name}_duration")) for name in FUNCTIONS}
    absent += [f"{name}_duration" for name in FUNCTIONS if seen.sum(f"{name}_invocations", span) and not times[name]]
    memory = live.get("memory_mb") or {}
    absent += [f"the memory of {name}" for name in ("submit", "worker", "status") if name not in memory]
    if absent:
        return f"no data for {', '.join(absent)}"

    def of(*metrics: str) -> float:
        return math.fsum(seen.sum(name, span) or 0.0 for name in metrics)

    seconds = {name: math.fsum(value for _, value in points) / 1000 for name, points in times.items()}
    return AsyncCounts(
        api=params.service.api.kind, successes=segment.completed,
        submits=of("async_requests"), polls=of("status_requests"),
        submit_s=seconds["submit"], submit_mb=memory["submit"],
        worker_runs=of("worker_invocations"), worker_s=seconds["worker"], worker_mb=memory["worker"],
        status_s=seconds["status_fn"], status_mb=memory["status"],
        queue_sent=of("queue_sent"), queue_received=of("queue_received"), queue_deleted=of("queue_deleted"),
        queue_empty_receives=of("queue_empty_receives"),
        write_units=of("table_writes", "gsi_writes"), read_units=of("table_reads", "gsi_reads"),
        puts=segment.completed + segment.late, gets=segment.completed,
        input_tokens=segment.input_tokens, output_tokens=segment.output_tokens,
    )  # fmt: skip


def _cost(seen: Seen) -> Evidence:
    params, window = seen.params, seen.whole
    scope = params.policy.cost_scope
    query = (
        f"usage in CloudWatch and the census x list prices of {params.prices.date} / jobs COMPLETED in time ({scope})"
    )
    metrics = ("async_requests", "submit_invocations", "worker_invocations")
    labels = (*map(label, metrics), *(label(f"{name}_duration") for name in FUNCTIONS))
    if seen.segment is None:
        return seen.evidence("cost_per_vpr", "amount", query, window, labels, notes=("no census was taken",))
    counts = usage(seen.answers, seen.segment, seen.live, params, seen.window, seen.now)
    if isinstance(counts, str):
        quiet = seen.idle if not seen.segment.n else None
        empty = {"n": 0, "proven_zero_by": quiet} if quiet else {}
        return seen.evidence("cost_per_vpr", "amount", query, window, labels, notes=(counts,), **empty)
    missed, words, _ = unseen(seen)
    amount = cost_per_vpr(counts.usage(), params.prices, scope, confidence=params.policy.confidence)
    infinite = amount.value is not None and math.isinf(amount.value)
    notes = (*words, *(("money was spent and there is no success to spread it over: infinite",) if infinite else ()))
    return seen.evidence(
        "cost_per_vpr", "amount", query, window, labels,
        value=amount.value, low=amount.low, high=amount.high, n=amount.n, partial=missed, notes=notes,
        extra={
            "infinite": infinite, "scope": scope, "usd": amount.usd,
            "infrastructure": None if infinite else amount.infrastructure, "llm": None if infinite else amount.llm,
            "lines": [line.model_dump(mode="json") for line in amount.lines],
        },
    )  # fmt: skip
