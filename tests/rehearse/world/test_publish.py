"""What is put is what was simulated, under AWS's own addresses."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.params.metrics import METRICS
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.world import publish
from runbook_lib.rehearse.world.jobs import Failure, Job, Settings
from runbook_lib.rehearse.world.publish import COARSE, Items, Metrics, item, put_failures
from runbook_lib.rehearse.world.rows import SIGNALS, Rows
from runbook_lib.rehearse.world.scenario import load
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.targets import Target, targets

START = 1_750_032_000.0
PARAMS = load_file(params_dir() / "prod.yaml")
OTHER = SimpleNamespace(
    service_model=SimpleNamespace(resolved_protocol="query"), events=SimpleNamespace(register=lambda *_: None)
)
Address = tuple[str, str, tuple[tuple[str, str], ...]]


def http(params: Params) -> Params:
    api = params.service.api.model_copy(update={"kind": "http"})
    names = {**params.service.names, "api_id": "a1"}
    return params.model_copy(update={"service": params.service.model_copy(update={"api": api, "names": names})})


def recorder(calls: list[tuple[str, list[dict[str, Any]]]]) -> Any:
    """A client that botocore would have made for another protocol than JSON."""
    return SimpleNamespace(
        meta=OTHER, put_metric_data=lambda Namespace, MetricData: calls.append((Namespace, MetricData))
    )


def day(share: float = 0.3, per_day: float = 3000) -> Rows:
    scenario = load("healthy").model_copy(update={"requests_per_day": per_day})
    service = Service(scenario, Settings(), 3, START, 100)
    service.set_weight(share)
    return service.run(START + 12 * 3600).rows


def put(rows: Rows, params: Params = PARAMS) -> list[tuple[str, list[dict[str, Any]]]]:
    calls: list[tuple[str, list[dict[str, Any]]]] = []
    n = Metrics(recorder(calls), targets(params)).put(rows)
    assert n == sum(len(data) for _, data in calls)
    return calls


def sums(calls: list[tuple[str, list[dict[str, Any]]]]) -> dict[Address, float]:
    found: dict[Address, float] = defaultdict(float)
    for namespace, data in calls:
        for datum in data:
            dimensions = tuple((d["Name"], d["Value"]) for d in datum["Dimensions"])
            pairs = zip(datum["Values"], datum["Counts"], strict=True)
            found[namespace, datum["MetricName"], dimensions] += sum(value * count for value, count in pairs)
    return found


def test_published_totals_equal_the_simulated_ones() -> None:
    rows = day()
    expected: dict[Address, float] = defaultdict(float)
    for target in targets(PARAMS):
        if len(rows.only(target.signal)):
            expected[target.namespace, target.name, target.dimensions] += rows.total(target.signal)
    assert sums(put(rows)) == pytest.approx(expected)


def test_the_calls_keep_cloudwatchs_limits_even_in_a_crowd() -> None:
    crowd = Rows.of("sync_latency", START + np.arange(400_000) / 1000, np.arange(400_000.0) % 397)
    calls = put(crowd)
    assert max(len(data) for _, data in calls) <= 1000
    data = [datum for _, part in calls for datum in part]
    assert max(len(datum["Values"]) for datum in data) == 150
    assert all(len(datum["Values"]) == len(datum["Counts"]) for datum in data)
    assert sum(sum(datum["Counts"]) for datum in data) == 2 * 400_000


def test_points_are_filed_under_their_full_minute() -> None:
    rows = Rows.of("jobs_failed", np.array([START + 61.0]), 1.0, np.array([START + 59.9]))
    ((_, (datum,)),) = put(rows)
    assert datum["Timestamp"] == START
    assert (datum["Values"], datum["Counts"]) == ([1.0], [1.0])


def test_levels_and_times_are_filed_by_five_minutes_and_counts_by_their_own() -> None:
    at = np.array([START + 61.0, START + 122.0])
    ((_, coarse),) = put(Rows.of("worker_duration", at, np.array([1.0, 2.0])))
    assert [(datum["Timestamp"], datum["Values"]) for datum in coarse] == [(START, [1.0, 2.0])]
    ((_, fine),) = put(Rows.of("worker_errors", at, 1.0))
    assert [datum["Timestamp"] for datum in fine] == [START + 60, START + 120]
    watched = {alarm.metric for alarm in PARAMS.policy.alarms if alarm.guard and alarm.period_s < 300}
    assert not any(COARSE.search(name) for name in watched if name)


def test_a_request_to_a_path_that_is_gone_shows_on_the_stage_alone() -> None:
    found = sums(put(Rows.of("nowhere_4xx", np.array([START]), 1.0)))
    assert found == {("AWS/ApiGateway", "4XXError", (("ApiName", PARAMS.name("api")), ("Stage", "prod"))): 1}


def test_equal_values_of_a_minute_are_counted() -> None:
    ((_, (datum,)),) = put(Rows.of("jobs_failed", START + np.arange(30.0), np.tile([1.0, 1.0, 0.0], 10)))
    assert (datum["Values"], datum["Counts"]) == ([0.0, 1.0], [10.0, 20.0])


def test_the_average_of_the_error_metric_is_the_rate_on_the_route_and_the_stage_is_poisoned() -> None:
    rows = day()
    calls = put(rows)
    api, stage = ("ApiName", "careervp-core-api-prod"), ("Stage", "prod")
    found = sums(calls)
    submit = (api, stage, ("Resource", "/api/vpr-async"), ("Method", "POST"))
    assert found["AWS/ApiGateway", "5XXError", submit] == 0
    assert found["AWS/ApiGateway", "5XXError", (api, stage)] == rows.total("sync_5xx") > 0
    assert found["AWS/ApiGateway", "Count", (api, stage)] == sum(
        rows.total(f"{r}_count") for r in ("sync", "submit", "status")
    )


def test_every_public_signal_is_published_and_every_target_has_a_signal() -> None:
    assert {target.signal for target in targets(PARAMS)} == {name for name in SIGNALS if not name.startswith("d_")}


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_the_catalogue_asks_for_what_is_published(kind: str) -> None:
    """Two independent declarations: whoever is wrong about a dimension is found out here."""
    params = PARAMS if kind == "rest" else http(PARAMS)
    published = {(t.namespace, t.name, frozenset(t.dimensions)) for t in targets(params, api_id="a1")}
    asked = {}
    for id in METRICS:
        if "throttles" in id or id.startswith("system_errors"):
            continue  # published only when they happen
        found = address(params.metric(id), params)
        dimensions = frozenset((d["Name"], d["Value"]) for d in found["Dimensions"])
        asked[id] = (found["Namespace"], found["MetricName"], dimensions)
    assert {id: a for id, a in asked.items() if a not in published} == {}


def test_http_apis_have_other_names_and_dimensions() -> None:
    found = {(t.name, t.dimensions) for t in targets(http(PARAMS), "a1") if t.signal == "submit_5xx"}
    stage = (("ApiId", "a1"), ("Stage", "prod"))
    assert found == {("5xx", stage), ("5xx", (*stage, ("Route", "POST /api/vpr-async")))}


def job(**values: Any) -> Job:
    times = {"created": START + 0.25, "enqueued": START + 0.3, "started": START + 1, "finished": START + 45.5}
    fixed = {"llm_s": 45, "u_failed": 0.5, "u_crash": 0.5, "u_poll": 0.5, "input_tokens": 7000, "output_tokens": 2000}
    return Job(**{"job_id": "j-1", "idempotency_key": "k-1", **times, **fixed, **values})


def test_the_item_says_what_the_service_would_have_written() -> None:
    pending = item(job(written="PENDING"), PARAMS)
    assert pending == {
        "job_id": {"S": "j-1"},
        "status": {"S": "PENDING"},
        "created_at": {"S": "2025-06-16T00:00:00.250Z"},
        "idempotency_key": {"S": "k-1"},
        "ttl": {"N": str(int(START) + 86400)},
        "source": {"S": "client"},
    }
    processing = item(job(written="PROCESSING"), PARAMS)
    assert processing.keys() - pending.keys() == {"started_at"}
    completed = item(job(written="COMPLETED"), PARAMS)
    assert completed["completed_at"] == {"S": "2025-06-16T00:00:45.500Z"}
    assert completed["result_key"] == {"S": "results/j-1.json"}
    assert completed["token_usage"] == {"M": {"input": {"N": "7000"}, "output": {"N": "2000"}}}
    failed = item(job(written="FAILED", error="quota"), PARAMS)
    assert failed["error"] == {"S": "quota"}
    assert "result_key" not in failed


class Table:
    """A table that takes only `takes` items of each call."""

    meta = OTHER

    def __init__(self, takes: int) -> None:
        self.takes, self.items, self.calls = takes, [], 0

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:
        ((name, requests),) = RequestItems.items()
        assert len(requests) <= 25
        self.calls += 1
        self.items += requests[: self.takes]
        left = requests[self.takes :]
        return {"UnprocessedItems": {name: left} if left else {}}


def test_jobs_the_table_did_not_take_are_put_again() -> None:
    table = Table(takes=10)
    assert Items(table, PARAMS).put([job(job_id=str(i), written="PENDING") for i in range(60)]) == 60
    assert {one["PutRequest"]["Item"]["job_id"]["S"] for one in table.items} == {str(i) for i in range(60)}


def test_a_table_that_takes_nothing_is_an_error_not_a_loop() -> None:
    with pytest.raises(AwsError, match="keeps refusing 1 job items"):
        Items(Table(takes=0), PARAMS).put([job(written="PENDING")])


def test_what_is_packed_here_is_what_botocore_would_have_packed(embedded: EmbeddedAws) -> None:
    cloudwatch = embedded.client("cloudwatch")
    minute = embedded.now().timestamp() // 60 * 60 - 3600
    rows = Rows.of("status_query", minute + np.array([1.0, 2.0, 3.0, 65.0]), np.array([29000.0, 29000.0, 120.0, 7.0]))
    for namespace, itself in (("packed", True), ("botocore", False)):
        metrics = Metrics(cloudwatch, [Target("status_query", namespace, "Latency", "Milliseconds", (("R", "/x"),))])
        assert metrics._packed._packs_itself, "botocore no longer speaks JSON here: the fast way is not taken"
        metrics._packed._packs_itself = itself
        assert metrics.put(rows) == 2
    answers = [
        cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName="Latency",
            Dimensions=[{"Name": "R", "Value": "/x"}],
            StartTime=dt.datetime.fromtimestamp(minute, dt.UTC),
            EndTime=dt.datetime.fromtimestamp(minute + 120, dt.UTC),
            Period=60,
            Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
        )["Datapoints"]
        for namespace in ("packed", "botocore")
    ]
    assert answers[0] == answers[1]
    assert sorted(point["Sum"] for point in answers[0]) == [7.0, 58120.0]


def test_log_lines_are_found_by_the_metric_filters_pattern_and_look_like_the_workers(embedded: EmbeddedAws) -> None:
    logs = embedded.client("logs")
    at = embedded.now().timestamp() - 60
    failures = [Failure(at + 1, "j-2", "quota"), Failure(at, "j-1", "quota")]
    for _ in range(2):  # group and stream are there the second time
        assert put_failures(logs, PARAMS, failures) == 2
    found = logs.filter_log_events(
        logGroupName="/aws/lambda/careervp-vpr-worker-lambda-prod",
        logStreamNames=[publish.STREAM],
        filterPattern='{ $.message = "VPRJobFailed" }',
    )["events"]
    assert len(found) == 4
    said = json.loads(found[0]["message"])
    assert said == {
        "level": "ERROR",
        "message": "VPRJobFailed",
        "service": "careervp",
        "job_id": "j-1",
        "error": "quota",
    }


def test_no_failures_make_no_call() -> None:
    assert put_failures(None, PARAMS, []) == 0


def test_by_the_file_the_same_is_stored_as_by_the_call(embedded: EmbeddedAws) -> None:
    rows, cloudwatch, end = day(per_day=1000), embedded.client("cloudwatch"), embedded.now()
    shift = end.timestamp() - 13 * 3600 - START
    rows = Rows(rows.signal, rows.emit + shift, rows.stamp + shift, rows.value)
    found = []
    for namespace, inbox in (("ByCall", None), ("ByFile", embedded.inbox)):
        where = [target._replace(namespace=f"Test/{namespace}") for target in targets(PARAMS)]
        assert Metrics(cloudwatch, where, inbox=inbox).put(rows)
        asked = sorted({target[1:] for target in where})
        queries = [
            {
                "Id": f"m{number}_{place}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": space,
                        "MetricName": name,
                        "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions],
                    },
                    "Period": 300,
                    "Stat": stat,
                },
            }
            for number, (space, name, _, dimensions) in enumerate(asked)
            for place, stat in enumerate(("Sum", "SampleCount", "Maximum", "p95"))
        ]
        answers = []
        for low in range(0, len(queries), 500):
            got = cloudwatch.get_metric_data(
                MetricDataQueries=queries[low : low + 500], StartTime=end - dt.timedelta(hours=14), EndTime=end
            )
            answers += [(one["Id"], one["Timestamps"], one["Values"]) for one in got["MetricDataResults"]]
        found.append(answers)
    by_call, by_file = found
    assert by_call == by_file
    assert sum(len(values) for *_, values in by_file) > 1000
    assert not list(embedded.inbox.glob("metrics-*")), "a file that was taken is gone"
