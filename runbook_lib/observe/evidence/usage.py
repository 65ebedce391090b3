"""What each side used in one window, counted from answers, configuration and census. Pure.

A metric of the queue, the table or a log without a point means no usage; without requests, runs and durations there is
no bill. Received messages stand for receive calls (batch size 1). The bucket is not measured: it counts one PUT for
each finished report, and one GET for each that a client waited for. Sizes without a metric are in `service.yaml`.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import Window, parse, when
from runbook_lib.judge.money.charges import MONTH_DAYS, AsyncCounts, Capacity, Function, RunbookCounts, SyncCounts
from runbook_lib.judge.money.cost import Usage
from runbook_lib.observe.evidence.questions import FUNCTIONS, functions, label
from runbook_lib.observe.evidence.seen import Answered, unseen
from runbook_lib.observe.jobs.llm import PATTERN
from runbook_lib.observe.jobs.segment import Segment

_KB_A_GB = 1e6
_NAMES = {"status_fn": "status", "sync_fn": "sync"}
"""Prefix in the catalogue to the name of the function in `service.yaml`, where they differ."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of the async path, with the estimated ones of runs that left no count."""

    input: float
    output: float
    unknown: bool = False
    """Whether jobs completed of which neither the table nor a KPI tells the tokens: then there is no figure, not 0."""
    uncounted: float = 0.0
    """Number of runs that called the LLM and left no count (failed, crashed, cut off): each counts as the mean run."""


def async_counts(seen: Answered) -> AsyncCounts | str:
    """What the async path used in the settled part of the window, or a string that says what a bill lacks.

    `seen` must have a census.
    """
    span, segment = seen.whole, seen.segment
    assert segment is not None  # noqa: S101
    memory = seen.live.get("memory_mb") or {}
    absent = [
        name
        for name in ("async_requests", *(f"{name}_invocations" for name in ("submit", "worker")))
        if seen.sum(name, span) is None
    ]
    names = functions(seen.params)
    absent += [f"{name}_duration" for name in names if _untimed(seen, name)]
    absent += [f"the memory of {_name(name)}" for name in names if _name(name) not in memory]
    if absent:
        return seen.lacks(absent)
    of = {name: math.fsum(seen.alone(one, span) or 0.0 for one in ids) for name, ids in _counted(seen).items()}
    more = _uncensused(seen)
    if more is None:
        return "no census of part of the window, and no KPI that tells what completed in it"
    done = segment.completed + more
    return _async(seen, of, span, done + segment.late, done, tokens(seen))


def _uncensused(seen: Answered) -> int | None:
    """Jobs that completed in the census' gaps, by the KPIs; None: the KPIs do not say."""
    _, _, gaps = unseen(seen) if seen.rules >= 2 else (False, (), [])
    if any(one["created"] is None or one["completed"] is None for one in gaps):
        return None
    return sum(round(float(one["completed"])) for one in gaps)


BILLED = (
    *("async_requests", "status_requests", "queue_sent", "queue_received", "queue_deleted", "queue_empty_receives"),
    *(f"{name}_{what}" for name in FUNCTIONS for what in ("invocations", "duration", "log_bytes")),
    *("table_writes", "gsi_writes", "table_reads", "gsi_reads"),
)
"""Metrics of the asynchronous side's bill: a partial answer to one of them makes the bill partial."""
_COUNTED = (*BILLED, "jobs_created", "jobs_completed", "input_tokens", "output_tokens")


def billed(seen: Answered) -> tuple[str, ...]:
    """The metrics in `BILLED`, and the same ones of the workers after the first."""
    return tuple(dict.fromkeys(one for name in BILLED for one in seen.of_all(name)))


def _counted(seen: Answered) -> dict[str, tuple[str, ...]]:
    """Metrics by the name of their sum: for queues and jobs those of all workers together, for functions each alone."""
    found: dict[str, tuple[str, ...]] = {}
    for name in _COUNTED:
        if name.startswith("worker_"):
            found |= {one: (one,) for one in seen.of_all(name)}
        else:
            found[name] = seen.of_all(name)
    return found


SYNC_BILLED = (
    *("sync_requests", "sync_5xx", "sync_fn_invocations", "sync_fn_duration", "sync_fn_log_bytes"),
    *("vpr_generated", "vpr_cost_usd"),
)
"""Metrics of the synchronous side's bill."""


def tokens(seen: Answered) -> Tokens:
    """The tokens that were paid for: those of finished jobs by the census, and an estimate for the other runs.

    A job marked FAILED called the LLM too, unless the rate limit refused the call, and so did each run that crashed or
    was cut off and is delivered again. Each of them counts as the mean finished job, or by `service.yaml` where none
    finished.
    """
    segment, service = seen.segment, seen.params.service
    assert segment is not None  # noqa: S101
    done = segment.completed + segment.late
    refused = sum(count for text, count in segment.errors.items() if PATTERN.search(text))
    uncounted = max(0, segment.failed - refused) + (seen.sum("worker_errors", seen.whole) or 0.0)
    mean: tuple[float, float] = (service.input_tokens, service.output_tokens)
    if seen.rules >= 2:
        return _told(seen, segment, done, uncounted, mean)
    if done and segment.input_tokens:
        mean = (segment.input_tokens / done, segment.output_tokens / done)
    return Tokens(
        segment.input_tokens + uncounted * mean[0], segment.output_tokens + uncounted * mean[1], uncounted=uncounted
    )


def _told(seen: Answered, segment: Segment, done: int, uncounted: float, mean: tuple[float, float]) -> Tokens:
    """The tokens of all finished jobs: a job without a count takes the mean of the others, or that of the KPIs."""
    if seen.params.service.contract.tokens.told_by == "none":
        return Tokens(0.0, 0.0, unknown=True)
    told = done - segment.untold
    sums = [seen.sum(name, seen.whole) for name in ("input_tokens", "output_tokens")]
    more = _uncensused(seen) or 0
    if told and segment.input_tokens:
        mean = (segment.input_tokens / told, segment.output_tokens / told)
    elif done + more and None not in sums and (finished := seen.sum("jobs_completed", seen.whole)):
        mean = ((sums[0] or 0.0) / finished, (sums[1] or 0.0) / finished)
    elif done + more:
        return Tokens(0.0, 0.0, unknown=True)
    runs = segment.untold + more + uncounted
    return Tokens(segment.input_tokens + runs * mean[0], segment.output_tokens + runs * mean[1], uncounted=uncounted)


def async_hours(seen: Answered) -> list[Usage]:
    """The counts of `async_counts` by hour, for the spread, with successes and tokens by the KPIs; empty without."""
    if seen.sum("jobs_completed", seen.whole) is None:
        return []
    return [
        _async(
            seen,
            sums,
            span,
            sums["jobs_completed"],
            round(sums["jobs_completed"]),
            Tokens(sums["input_tokens"], sums["output_tokens"]),
        ).usage()
        for span, sums in _by_hour(seen, _counted(seen))
    ]


def _async(
    seen: Answered, of: dict[str, float], span: Window, finished: float, successes: int, used: Tokens
) -> AsyncCounts:
    sizes, api = seen.params.service.sizes, seen.params.service.api.kind
    days = configured(seen).get("report_days", sizes.report_days)
    jobs = of["jobs_created"] or of["queue_sent"]
    answers = (of["async_requests"] + of["status_requests"]) * sizes.answer_kb
    return AsyncCounts(
        api=api,
        successes=successes,
        hours=span.seconds / 3600,
        submits=of["async_requests"],
        polls=of["status_requests"],
        functions=tuple(_function(seen, name, of) for name in functions(seen.params)),
        queue_sent=of["queue_sent"],
        queue_received=of["queue_received"],
        queue_deleted=of["queue_deleted"],
        queue_empty_receives=of["queue_empty_receives"],
        capacity=_capacity(seen, of, span),
        item_gb_months=2 * jobs * sizes.item_kb / _KB_A_GB * seen.params.service.job_ttl_s / 86400 / MONTH_DAYS,
        puts=finished,
        gets=successes,
        report_gb_months=finished * sizes.report_kb / _KB_A_GB * (days or MONTH_DAYS) / MONTH_DAYS,
        log_gb=math.fsum(of[f"{name}_log_bytes"] for name in functions(seen.params)) / 1e9,
        custom_metrics=sizes.kpi_async,
        out_gb=(answers + successes * sizes.report_kb) / _KB_A_GB,
        input_tokens=used.input,
        output_tokens=used.output,
    )


def sync_counts(seen: Answered) -> SyncCounts | str:
    """What the synchronous path used in the settled part of the window, or a string that says what a bill lacks."""
    span = seen.whole
    of = {name: seen.sum(name, span) for name in SYNC_BILLED}
    function = (configured(seen).get("functions") or {}).get("sync")
    absent = [name for name in ("sync_requests", "sync_fn_invocations", "sync_fn_duration") if not of[name]]
    absent += [] if function else ["the settings of the synchronous function"]
    if absent:
        return seen.lacks(absent)
    return _sync(seen, {name: value or 0.0 for name, value in of.items()}, span)


def sync_hours(seen: Answered) -> list[Usage]:
    """The counts of `sync_counts` by hour, for the spread."""
    return [_sync(seen, sums, span).usage() for span, sums in _by_hour(seen, {name: (name,) for name in SYNC_BILLED})]


def _sync(seen: Answered, of: dict[str, float], span: Window) -> SyncCounts:
    service = seen.params.service
    sizes = service.sizes
    refused = seen.sum("sync_4xx", span) or 0.0  # none of the Lambda's own 4xx called the LLM
    successes = max(0, round(of["sync_requests"] - of["sync_5xx"] - refused))
    # Runs that timed out or crashed called the LLM and left no count of tokens.
    silent = max(0.0, of["sync_fn_invocations"] - of["vpr_generated"] - refused)
    prices = seen.params.prices
    usual = prices.of("llm.input_tokens", service.input_tokens) + prices.of("llm.output_tokens", service.output_tokens)
    each = of["vpr_cost_usd"] / of["vpr_generated"] if of["vpr_generated"] and of["vpr_cost_usd"] else usual
    return SyncCounts(
        api=service.api.kind,
        successes=successes,
        hours=span.seconds / 3600,
        requests=of["sync_requests"],
        function=_function(seen, "sync_fn", of),
        log_gb=of["sync_fn_log_bytes"] / 1e9,
        custom_metrics=sizes.kpi_sync,
        out_gb=(of["sync_requests"] * sizes.answer_kb + successes * sizes.report_kb) / _KB_A_GB,
        reported_usd=of["vpr_cost_usd"],
        unreported_usd=silent * each,
    )


def runbook_counts(seen: Answered) -> RunbookCounts:
    """What the runbook itself cost: the questions of this look, and the alarms and the dashboard that it makes.

    Every page of an answer counts its metrics again, which is an upper bound: AWS counts up to five statistics of one
    metric in one call as one.
    """
    made = [alarm for alarm in seen.params.policy.alarms if alarm.owner == "runbook"]
    return RunbookCounts(
        hours=seen.whole.seconds / 3600,
        metrics_asked=sum(len(call["queries"]) * max(1, len(call["pages"])) for call in seen.answers.raw),
        alarm_metrics=sum(max(1, len(alarm.metrics)) for alarm in made),
        dashboards=1,
    )


def consumed(seen: Answered, span: Window) -> dict[str, float]:
    """Write and read units that were used in `span`, table and index together, in either billing mode."""
    return {
        name: math.fsum(seen.sum(f"{part}_{name}", span) or 0.0 for part in ("table", "gsi"))
        for name in ("writes", "reads")
    }


def assumed(seen: Answered) -> tuple[str, ...]:
    """What the bill assumes because it could not be read, one sentence each."""
    found = configured(seen)
    notes = [] if found else [_UNREAD]
    notes += [f"not read, so assumed to be as usual: {text}" for text in found.get("unread", ())]
    table = found.get("table") or {}
    since = table.get("since") if table.get("mode") == "PAY_PER_REQUEST" else None
    if table.get("mode") == "PROVISIONED" and not table.get("since"):
        notes.append("nobody recorded when the table was provisioned: it is billed as provisioned throughout")
    if since and seen.whole.start < parse(since) < seen.whole.end:
        notes.append(f"the table went on demand at {when(since)}: what was provisioned before is not in the bill")
    if seen.sum("async_requests", seen.whole) and not any(
        seen.answers.points(label(f"{name}_log_bytes")) for name in functions(seen.params)
    ):
        notes.append("the logs have no metric of what they took in: they are not in the bill")
    return tuple(notes)


_UNREAD = "the bill assumes x86_64 functions, an on-demand table, and reports kept as long as service.yaml says"


def configured(seen: Answered) -> dict[str, Any]:
    """The answer of `configured.read`; empty where it was not asked."""
    return dict(seen.live.get("configured") or {})


def _name(prefix: str) -> str:
    return _NAMES.get(prefix, prefix)


def _function(seen: Answered, prefix: str, of: dict[str, float]) -> Function:
    name = _name(prefix)
    settings = (configured(seen).get("functions") or {}).get(name) or {}
    memory = (seen.live.get("memory_mb") or {}).get(name) or settings["memory_mb"]
    return Function(
        service=f"Lambda {name}",
        runs=of[f"{prefix}_invocations"],
        seconds=of[f"{prefix}_duration"] / 1000,
        memory_mb=memory,
        architecture=settings.get("architecture", "x86_64"),
    )


def _capacity(seen: Answered, of: dict[str, float], span: Window) -> Capacity:
    """Table capacity: consumed units on demand, unit hours provisioned; each for its part of the window, where it is
    recorded when a mitigation provisioned the table.
    """
    table = configured(seen).get("table") or {}
    if table.get("mode") == "PROVISIONED":
        since = parse(table["since"]) if table.get("since") else span.start
        before, hours = Window(span.start, max(span.start, min(since, span.end))), span.since(since).seconds / 3600
        used = consumed(seen, before)
        return Capacity(
            write_units=used["writes"],
            read_units=used["reads"],
            write_unit_hours=hours * table["write_units"],
            read_unit_hours=hours * table["read_units"],
        )
    return Capacity(write_units=of["table_writes"] + of["gsi_writes"], read_units=of["table_reads"] + of["gsi_reads"])


def _untimed(seen: Answered, prefix: str) -> bool:
    """Whether the function ran, but its duration metric has no data."""
    return bool(seen.alone(f"{prefix}_invocations", seen.whole)) and not seen.answers.points(
        label(f"{prefix}_duration")
    )


def _by_hour(seen: Answered, names: Mapping[str, tuple[str, ...]]) -> list[tuple[Window, dict[str, float]]]:
    """Sums of `names`, each of one or more metrics, in each hour of the settled window. The hours count from its start;
    the last one may be shorter.
    """
    span = seen.whole
    hours = [_hour(span, k) for k in range(math.ceil(span.seconds / 3600))]
    edges = [*(hour.start for hour in hours), span.end]
    sums = {name: [0.0] * len(hours) for name in names}
    for name, ids in names.items():
        for one in filter(None, (seen.answers.series.get(label(id)) for id in ids)):
            places = [bisect_left(one.times, edge) for edge in edges]
            for k, (low, high) in enumerate(itertools.pairwise(places)):
                sums[name][k] += sum(one.values[low:high])
    return [(hour, {name: of[k] for name, of in sums.items()}) for k, hour in enumerate(hours)]


def _hour(span: Window, k: int) -> Window:
    start = span.start + dt.timedelta(hours=k)
    return Window(start, min(span.end, start + dt.timedelta(hours=1)))
