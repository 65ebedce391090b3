"""The metric catalogue: what is measured, where CloudWatch keeps it, and under which dimensions.

One table. Whoever asks CloudWatch (fetch), watches it (alarms, dashboard), draws it (charts) or publishes it (the
rehearsal's world) takes namespace, name, dimensions and unit from here.

REST and HTTP APIs differ in metric names *and* dimensions (API Gateway developer guide, "Amazon API Gateway dimensions
and metrics" and "Working with metrics for HTTP APIs"); per-route metrics of both need detailed metrics. An HTTP API is
known to CloudWatch by its id only: `names.api_id` in `service.yaml`; its `Route` is the route key, such as `POST
/api/vpr-async`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runbook_lib.base.errors import UsageError

Dimensions = tuple[tuple[str, str], ...]


Kind = Literal["count", "gauge", "latency"]


Group = Literal["async", "sync", "status", "api", "lambda", "queue", "table", "logs", "kpi"]


Unit = Literal[
    "requests", "errors", "invocations", "ms", "s", "messages", "units", "events", "jobs", "tokens", "USD", "bytes"
]


@dataclass(frozen=True)
class Metric:
    """One CloudWatch metric of the service.

    `dimensions` holds (name, template) pairs in CloudWatch's alphabetical order; a template's `{field}`s are the
    resource names of `service.yaml` and the fields of `_fields`. `http_name` and `http_dimensions` replace name and
    dimensions where the API in front is an HTTP API. `kind` says what the points are: `count` adds up (absence may be
    proven zero), `gauge` has a level, `latency` has quantiles and never adds up.
    """

    id: str
    title: str
    unit: Unit
    group: Group
    stat: str
    namespace: str
    name: str
    dimensions: Dimensions
    period_s: int = 60
    kind: Kind = "count"
    http_name: str | None = None
    http_dimensions: Dimensions | None = None


def _api(prefix: str, title: str, group: Group, route: str | None, method: str) -> list[Metric]:
    rest: Dimensions = (("ApiName", "{api}"), ("Stage", "{stage}"))
    http: Dimensions = (("ApiId", "{api_id}"), ("Stage", "{stage}"))
    if route is not None:
        rest = (("ApiName", "{api}"), ("Method", method), ("Resource", f"{{{route}}}"), ("Stage", "{stage}"))
        http = (("ApiId", "{api_id}"), ("Route", f"{method} {{{route}}}"), ("Stage", "{stage}"))
    rows: tuple[tuple[str, str, Unit, str, str, str, Kind], ...] = (
        ("requests", "requests", "requests", "Sum", "Count", "Count", "count"),
        ("5xx", "5xx answers", "errors", "Sum", "5XXError", "5xx", "count"),
        ("4xx", "4xx answers", "errors", "Sum", "4XXError", "4xx", "count"),
        ("latency", "latency", "ms", "p95", "Latency", "Latency", "latency"),
    )
    return [
        Metric(
            id=f"{prefix}_{key}",
            title=f"{title}: {words}",
            unit=unit,
            group=group,
            stat=stat,
            namespace="AWS/ApiGateway",
            name=name,
            dimensions=rest,
            kind=kind,
            http_name=http_name,
            http_dimensions=http,
        )
        for key, words, unit, stat, name, http_name, kind in rows
    ]


def _function(prefix: str, title: str, resource: str) -> list[Metric]:
    rows: tuple[tuple[str, Unit, str, str, Kind], ...] = (
        ("invocations", "invocations", "Sum", "Invocations", "count"),
        ("errors", "errors", "Sum", "Errors", "count"),
        ("throttles", "events", "Sum", "Throttles", "count"),
        ("duration", "ms", "p95", "Duration", "latency"),
    )
    return [
        Metric(
            id=f"{prefix}_{key}",
            title=f"{title} Lambda: {key}",
            unit=unit,
            group="lambda",
            stat=stat,
            namespace="AWS/Lambda",
            name=name,
            dimensions=(("FunctionName", f"{{{resource}}}"),),
            kind=kind,
        )
        for key, unit, stat, name, kind in rows
    ]


def _queue(
    key: str, title: str, name: str, *, resource: str = "queue", unit: Unit = "messages", gauge: bool = False
) -> Metric:
    return Metric(
        id=key,
        title=title,
        unit=unit,
        group="queue",
        stat="Maximum" if gauge else "Sum",
        namespace="AWS/SQS",
        name=name,
        dimensions=(("QueueName", f"{{{resource}}}"),),
        kind="gauge" if gauge else "count",
    )


def _table(prefix: str, title: str, dimensions: Dimensions) -> list[Metric]:
    rows: tuple[tuple[str, str, Unit, str], ...] = (
        ("reads", "read units consumed", "units", "ConsumedReadCapacityUnits"),
        ("writes", "write units consumed", "units", "ConsumedWriteCapacityUnits"),
        ("read_throttles", "throttled reads", "events", "ReadThrottleEvents"),
        ("write_throttles", "throttled writes", "events", "WriteThrottleEvents"),
    )
    return [
        Metric(
            id=f"{prefix}_{key}",
            title=f"{title}: {words}",
            unit=unit,
            group="table",
            stat="Sum",
            namespace="AWS/DynamoDB",
            name=name,
            dimensions=dimensions,
        )
        for key, words, unit, name in rows
    ]


def _system_errors(operation: str) -> Metric:
    """HTTP 500s of one operation; SystemErrors has no data by table alone (docs/domain.md, trap 10)."""
    return Metric(
        id=f"system_errors_{operation.removesuffix('Item').lower()}",
        title=f"Jobs table: HTTP 500s of {operation}",
        unit="errors",
        group="table",
        stat="Sum",
        namespace="AWS/DynamoDB",
        name="SystemErrors",
        dimensions=(("Operation", operation), ("TableName", "{table}")),
    )


def _log(prefix: str, title: str, resource: str) -> Metric:
    """What the function's log group took in: it is paid by the byte."""
    return Metric(
        id=f"{prefix}_log_bytes",
        title=f"{title} Lambda: bytes logged",
        unit="bytes",
        group="logs",
        stat="Sum",
        namespace="AWS/Logs",
        name="IncomingBytes",
        dimensions=(("LogGroupName", f"/aws/lambda/{{{resource}}}"),),
    )


def _kpi(key: str, title: str, name: str, unit: Unit = "jobs") -> Metric:
    return Metric(
        id=key,
        title=title,
        unit=unit,
        group="kpi",
        stat="Sum",
        namespace="{kpi_namespace}",
        name=name,
        dimensions=(("service", "{kpi_service}"),),
    )


_TABLE: Dimensions = (("TableName", "{table}"),)


_GSI: Dimensions = (("GlobalSecondaryIndexName", "{gsi}"), ("TableName", "{table}"))


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        *_api("async", "Submit route", "async", "route_submit", "POST"),
        *_api("sync", "Synchronous route", "sync", "route_sync", "POST"),
        *_api("status", "Status route", "status", "route_status", "GET"),
        # Stage-wide: poisoned by the broken baseline (trap 3), so charts and cost only.
        *(metric for metric in _api("api", "Whole stage", "api", None, "") if metric.id in ("api_requests", "api_5xx")),
        *_function("submit", "Submit", "submit"),
        *_function("worker", "Worker", "worker"),
        *_function("status_fn", "Status", "status"),
        *_function("sync_fn", "Synchronous", "sync"),
        _log("submit", "Submit", "submit"),
        _log("worker", "Worker", "worker"),
        _log("status_fn", "Status", "status"),
        _log("sync_fn", "Synchronous", "sync"),
        _queue("queue_visible", "Queue: messages waiting", "ApproximateNumberOfMessagesVisible", gauge=True),
        _queue("queue_in_flight", "Queue: messages in flight", "ApproximateNumberOfMessagesNotVisible", gauge=True),
        _queue("queue_oldest_age", "Queue: age of the oldest", "ApproximateAgeOfOldestMessage", unit="s", gauge=True),
        _queue("queue_sent", "Queue: messages sent", "NumberOfMessagesSent"),
        _queue("queue_received", "Queue: messages received", "NumberOfMessagesReceived"),
        _queue("queue_deleted", "Queue: messages deleted", "NumberOfMessagesDeleted"),
        _queue("queue_empty_receives", "Queue: empty receives", "NumberOfEmptyReceives", unit="requests"),
        _queue("dlq_visible", "DLQ: messages", "ApproximateNumberOfMessagesVisible", resource="dlq", gauge=True),
        *_table("table", "Jobs table", _TABLE),
        *_table("gsi", "Idempotency index", _GSI),
        *(_system_errors(operation) for operation in ("PutItem", "GetItem", "UpdateItem", "Query")),
        _kpi("jobs_created", "Jobs created", "VPRJobCreated"),
        _kpi("jobs_completed", "Jobs completed", "VPRJobCompleted"),
        _kpi("jobs_failed", "Jobs marked FAILED (from the worker's log)", "VPRJobFailed"),
        _kpi("input_tokens", "LLM input tokens", "VPRInputTokens", "tokens"),
        _kpi("output_tokens", "LLM output tokens", "VPROutputTokens", "tokens"),
        # Also counts what was finished after the client had its 504 (trap 2): good for cost only.
        _kpi("vpr_generated", "Reports generated synchronously", "VPRGenerated"),
        _kpi("vpr_cost_usd", "LLM cost of the synchronous path", "VPRCostUSD", "USD"),
    )
}


def metric(id: str) -> Metric:
    """The metric called `id`.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return METRICS[id]
    except KeyError:
        raise UsageError(f"the metric catalogue has no '{id}'") from None
