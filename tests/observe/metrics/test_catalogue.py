from __future__ import annotations

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params
from runbook_lib.params.metrics import METRICS, metric
from tests.elsewhere import params_of

REST = {
    "async_requests": ("Count", "POST", "/api/vpr-async"),
    "async_5xx": ("5XXError", "POST", "/api/vpr-async"),
    "async_4xx": ("4XXError", "POST", "/api/vpr-async"),
    "async_latency": ("Latency", "POST", "/api/vpr-async"),
    "sync_5xx": ("5XXError", "POST", "/api/vpr"),
    "status_requests": ("Count", "GET", "/api/vpr/status/{job_id}"),
}


@pytest.mark.parametrize("id", REST)
def test_a_rest_api_is_known_by_name_and_its_routes_by_resource_and_method(params: Params, id: str) -> None:
    name, method, resource = REST[id]
    assert address(metric(id), params) == {
        "Namespace": "AWS/ApiGateway",
        "MetricName": name,
        "Dimensions": [
            {"Name": "ApiName", "Value": "careervp-core-api-prod"},
            {"Name": "Method", "Value": method},
            {"Name": "Resource", "Value": resource},
            {"Name": "Stage", "Value": "prod"},
        ],
    }


@pytest.mark.parametrize(
    ("id", "name", "route"),
    [
        ("async_5xx", "5xx", "POST /api/vpr-async"),
        ("async_4xx", "4xx", "POST /api/vpr-async"),
        ("sync_requests", "Count", "POST /api/vpr"),
        ("status_latency", "Latency", "GET /api/vpr/status/{job_id}"),
    ],
)
def test_an_http_api_is_known_by_id_and_its_routes_by_route(
    http_params: Params, id: str, name: str, route: str
) -> None:
    assert address(metric(id), http_params) == {
        "Namespace": "AWS/ApiGateway",
        "MetricName": name,
        "Dimensions": [
            {"Name": "ApiId", "Value": "abc123"},
            {"Name": "Route", "Value": route},
            {"Name": "Stage", "Value": "prod"},
        ],
    }


def test_the_whole_stage_of_both_kinds(params: Params, http_params: Params) -> None:
    assert address(metric("api_5xx"), params)["Dimensions"] == [
        {"Name": "ApiName", "Value": "careervp-core-api-prod"},
        {"Name": "Stage", "Value": "prod"},
    ]
    assert [pair["Name"] for pair in address(metric("api_5xx"), http_params)["Dimensions"]] == ["ApiId", "Stage"]


@pytest.mark.parametrize(
    ("id", "namespace", "name", "pairs"),
    [
        ("worker_errors", "AWS/Lambda", "Errors", {"FunctionName": "careervp-vpr-worker-lambda-prod"}),
        ("sync_fn_duration", "AWS/Lambda", "Duration", {"FunctionName": "careervp-vpr-generator-lambda-prod"}),
        ("status_fn_invocations", "AWS/Lambda", "Invocations", {"FunctionName": "careervp-vpr-status-lambda-prod"}),
        ("queue_sent", "AWS/SQS", "NumberOfMessagesSent", {"QueueName": "careervp-vpr-jobs-queue-prod"}),
        ("dlq_visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "careervp-vpr-jobs-dlq-prod"}),
        ("table_write_throttles", "AWS/DynamoDB", "WriteThrottleEvents", {"TableName": "careervp-jobs-table-prod"}),
        (
            "gsi_writes",
            "AWS/DynamoDB",
            "ConsumedWriteCapacityUnits",
            {"TableName": "careervp-jobs-table-prod", "GlobalSecondaryIndexName": "idempotency-key-index"},
        ),
        ("jobs_failed", "careervp_kpi", "VPRJobFailed", {"service": "careervp"}),
    ],
)
def test_the_other_services(params: Params, id: str, namespace: str, name: str, pairs: dict[str, str]) -> None:
    found = address(params.metric(id), params)
    assert (found["Namespace"], found["MetricName"]) == (namespace, name)
    assert {pair["Name"]: pair["Value"] for pair in found["Dimensions"]} == pairs


@pytest.mark.parametrize("kind", ["params", "http_params"])
def test_no_two_metrics_share_an_address(kind: str, request: pytest.FixtureRequest) -> None:
    known = request.getfixturevalue(kind)
    addresses = [str(address(one, known)) for one in METRICS.values()]
    assert len(set(addresses)) == len(addresses) == len(METRICS)


def test_every_alarm_watches_what_the_catalogue_knows(params: Params) -> None:
    for alarm in params.policy.alarms:
        for name in (alarm.metric, *alarm.metrics.values()):
            assert name is None or metric(name)


def test_unknown_names_are_one_sentence(params: Params) -> None:
    with pytest.raises(UsageError, match="no 'nothing'"):
        metric("nothing")
    api = params.service.api.model_copy(update={"kind": "http"})
    without_id = params.model_copy(update={"service": params.service.model_copy(update={"api": api})})
    with pytest.raises(UsageError, match="names has no 'api_id'"):
        address(metric("async_5xx"), without_id)


def test_of_a_canary_the_function_behind_it_stands_for_the_route(params: Params) -> None:
    """Its requests have the stage's own paths, so the submit route's metrics see none: delivered gates had NO DATA."""
    canary = params_of("rest-canary")
    for route, function in (
        ("async_requests", "submit_invocations"),
        ("async_5xx", "submit_errors"),
        ("async_latency", "submit_duration"),
    ):
        assert address(canary.metric(route), canary) == address(params.metric(function), params)
        assert canary.metrics[route] == canary.metric(route)
    assert address(canary.metric("sync_requests"), canary) == address(params.metric("sync_requests"), params)
