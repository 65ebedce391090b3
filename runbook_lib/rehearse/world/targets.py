"""Every metric that the world publishes: its signal, and its address in CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runbook_lib.base.template import filled
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.rows import ID


class Target(NamedTuple):
    """One metric as AWS publishes it."""

    signal: str
    namespace: str
    name: str
    unit: str
    dimensions: Dimensions


_ROUTE = (
    ("count", "Count", "Count"),
    ("4xx", "4XXError", "Count"),
    ("5xx", "5XXError", "Count"),
    ("latency", "Latency", "Milliseconds"),
    ("integration", "IntegrationLatency", "Milliseconds"),
)


# HTTP APIs: other names, and the routes by `Route`; the case differs for the errors.
_HTTP_NAMES = {"4XXError": "4xx", "5XXError": "5xx"}


_FUNCTION = (
    ("invocations", "Invocations", "Count"),
    ("errors", "Errors", "Count"),
    ("throttles", "Throttles", "Count"),
    ("duration", "Duration", "Milliseconds"),
    ("concurrent", "ConcurrentExecutions", "Count"),
)


_QUEUE = (
    ("visible", "ApproximateNumberOfMessagesVisible", "Count"),
    ("in_flight", "ApproximateNumberOfMessagesNotVisible", "Count"),
    ("age", "ApproximateAgeOfOldestMessage", "Seconds"),
    ("sent", "NumberOfMessagesSent", "Count"),
    ("received", "NumberOfMessagesReceived", "Count"),
    ("deleted", "NumberOfMessagesDeleted", "Count"),
    ("empty", "NumberOfEmptyReceives", "Count"),
)


_KPI = (
    ("jobs_created", "Count"),
    ("jobs_completed", "Count"),
    ("jobs_failed", "Count"),
    ("input_tokens", "Count"),
    ("output_tokens", "Count"),
    ("vpr_generated", "Count"),
    ("vpr_cost_usd", "None"),
)
"""The service's own metrics by their ids in the catalogue, and the unit of their values."""


_BESIDE = (
    ("generation_ms", "GenerationTimeMs", "Milliseconds"),
    ("status_query", "StatusQuery", "Count"),
    ("status_completed", "StatusCompleted", "Count"),
    ("status_failed", "StatusFailed", "Count"),
)
"""Additional metrics of a service, which no question is about."""


def targets(params: Params, api_id: str = "") -> tuple[Target, ...]:
    """Every published metric, with AWS's dimension sets (without the API's set that lacks the stage).

    Args:
        api_id: id of the HTTP API, whose metrics have no name in their dimensions; unused for a REST API.
    """
    known = ("sync", "submit", "worker", *(("status",) if params.named("status") else ()))
    functions = [(one, one) for one in known]
    queues = [("queue", "queue"), ("dlq", "dlq")]
    for post in params.service.crew[1:]:  # each job goes through every worker
        functions.append(("worker", post.worker))
        queues += [("queue", post.queue), ("dlq", post.dlq)]
    return (
        *_api_targets(params, api_id or (params.name("api_id") if params.named("api_id") else "")),
        *(
            Target(f"{signal}_{key}", "AWS/Lambda", name, unit, (("FunctionName", params.name(function)),))
            for signal, function in functions
            for key, name, unit in _FUNCTION
        ),
        *(
            Target(f"{signal}_{key}", "AWS/SQS", name, unit, (("QueueName", params.name(queue)),))
            for signal, queue in queues
            for key, name, unit in _QUEUE
            if f"{signal}_{key}" in ID
        ),
        *(
            Target(f"{signal}_log_bytes", "AWS/Logs", "IncomingBytes", "Bytes", (("LogGroupName", group),))
            for signal, function in functions
            for group in (f"/aws/lambda/{params.name(function)}",)
        ),
        *_table_targets(params),
        *_kpi_targets(params),
    )


def _kpi_targets(params: Params) -> Iterator[Target]:
    """The business metrics at the addresses of the catalogue and `contract.kpi`."""
    for key, unit in _KPI:
        found = address(params.metric(key), params)
        dimensions = tuple((one["Name"], one["Value"]) for one in found["Dimensions"])
        yield Target(key, found["Namespace"], found["MetricName"], unit, dimensions)
    known = {"env": params.env}
    place, service = (filled(text, known) for text in (params.service.kpi_namespace, params.service.kpi_service))
    for key, name, unit in _BESIDE:
        yield Target(key, place, name, unit, (("service", service),))


def _api_targets(params: Params, api_id: str) -> Iterator[Target]:
    api = params.service.api
    routes = {
        "sync": (params.service.contract.sync.method, api.routes.sync),
        "submit": (params.service.contract.submit.method, api.routes.submit),
        "status": (params.service.contract.status.method, api.routes.status),
    }
    for route, (method, path) in routes.items():
        if not path:
            continue
        if api.kind == "rest":
            stage: Dimensions = (("ApiName", params.name("api")), ("Stage", api.stage))
            sets = (stage, (*stage, ("Resource", path), ("Method", method)))
        else:
            stage = (("ApiId", api_id), ("Stage", api.stage))
            sets = (stage, (*stage, ("Route", f"{method} {path}")))
        for key, name, unit in _ROUTE:
            shown = name if api.kind == "rest" else _HTTP_NAMES.get(name, name)
            for dimensions in sets:
                yield Target(f"{route}_{key}", "AWS/ApiGateway", shown, unit, dimensions)
            # A missing path has no metrics of its own.
            if route == "sync" and f"nowhere_{key}" in ID:
                yield Target(f"nowhere_{key}", "AWS/ApiGateway", shown, unit, stage)


def _table_targets(params: Params) -> Iterator[Target]:
    table: Dimensions = (("TableName", params.name("table")),)
    index = (*table, ("GlobalSecondaryIndexName", params.name("gsi")))
    for prefix, dimensions in (("table", table), ("gsi", index)):
        yield Target(f"{prefix}_reads", "AWS/DynamoDB", "ConsumedReadCapacityUnits", "Count", dimensions)
        yield Target(f"{prefix}_writes", "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Count", dimensions)
        yield Target(f"{prefix}_write_throttles", "AWS/DynamoDB", "WriteThrottleEvents", "Count", dimensions)


Dimensions = tuple[tuple[str, str], ...]
