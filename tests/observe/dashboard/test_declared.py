"""The dashboard as data, its body in CloudWatch's terms, and the difference to what is deployed."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.window import Window
from runbook_lib.observe.dashboard.board import Axis, Board, Share
from runbook_lib.observe.dashboard.compared import diff, digest, parsed, read_dashboard, widget_diff
from runbook_lib.observe.dashboard.declared import (
    KIND,
    asks,
    board_name,
    body,
    declared,
    encode,
    series,
    silent,
    thresholds,
    to_cloudformation,
)
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.metrics.fetch import Answers, fetch
from runbook_lib.observe.resources.owner import owner
from runbook_lib.params.load import Params, read_yaml, validated
from runbook_lib.params.metrics import metric
from runbook_lib.params.policy import Policy
from runbook_lib.show import style

NAME = "VPR-Async-Monitoring-prod"
MINUTES = dt.timedelta(minutes=5)
WANTED = {
    "queue_depth": {("ApproximateNumberOfMessagesVisible", "careervp-vpr-jobs-queue-prod", "Maximum")},
    "dlq_messages": {("ApproximateNumberOfMessagesVisible", "careervp-vpr-jobs-dlq-prod", "Maximum")},
    "lambda_invocations": {
        ("Invocations", f"careervp-vpr-{name}-lambda-prod", "Sum") for name in ("submit", "worker", "status")
    },
    "lambda_errors": {("Errors", f"careervp-vpr-{name}-lambda-prod", "Sum") for name in ("submit", "worker", "status")},
    "worker_duration": {("Duration", "careervp-vpr-worker-lambda-prod", stat) for stat in ("p50", "p95", "p99")},
    "dynamodb_capacity": {
        (f"Consumed{what}CapacityUnits", "careervp-jobs-table-prod", "Sum") for what in ("Read", "Write")
    },
    "api_errors": {(f"{code}XXError", "/api/vpr-async", "Average") for code in (4, 5)},
    "api_latency": {("Latency", "/api/vpr-async", stat) for stat in ("p50", "p95", "p99")},
}
"""Section 3 of the requirement: metric, resource and statistic that a widget must show."""


@pytest.fixture
def board(params: Params) -> Board:
    return declared(params)


@pytest.fixture
def wanted(board: Board, params: Params) -> dict[str, Any]:
    return body(board, params)


def widget(wanted: dict[str, Any], board: Board, id: str) -> dict[str, Any]:
    place = [one.id for one in board.widgets].index(id)
    found: dict[str, Any] = wanted["widgets"][place]["properties"]
    return found


def test_eight_widgets(board: Board, params: Params) -> None:
    assert [one.id for one in board.widgets] == list(WANTED)
    assert board_name(board, params) == NAME


@pytest.mark.parametrize("id", WANTED)
def test_each_shows_what_the_requirement_names(wanted: dict[str, Any], board: Board, id: str) -> None:
    rows = [row for row in widget(wanted, board, id)["metrics"] if row[-1].get("visible", True)]
    drawn = {(row[1], value, row[-1]["stat"]) for row in rows if len(row) > 1 for value in row[3:-1:2]}
    assert WANTED[id] <= drawn


@pytest.mark.parametrize("id", ["api_errors", "api_latency"])
def test_the_api_widgets_never_add_the_baseline_to_the_async_routes(
    wanted: dict[str, Any], board: Board, id: str
) -> None:
    """Every line is of one route, and the failing one is on the other axis."""
    for row in widget(wanted, board, id)["metrics"]:
        route = row[row.index("Resource") + 1]
        assert row[-1]["yAxis"] == ("right" if route == "/api/vpr" else "left")


def test_an_http_api_has_its_own_names_and_dimensions(http_params: Params) -> None:
    made = body(declared(http_params), http_params)
    row = made["widgets"][6]["properties"]["metrics"][0]
    assert row[:-1] == ["AWS/ApiGateway", "5xx", "ApiId", "abc123", "Route", "POST /api/vpr-async", "Stage", "prod"]


def test_the_body_is_one_that_cloudwatch_takes(wanted: dict[str, Any]) -> None:
    cells: set[tuple[int, int]] = set()
    for one in wanted["widgets"]:
        assert one["type"] == "metric"
        assert one["x"] + one["width"] <= 24
        taken = set(
            itertools.product(range(one["x"], one["x"] + one["width"]), range(one["y"], one["y"] + one["height"]))
        )
        assert not cells & taken, "two widgets in one place"
        cells |= taken
        properties = one["properties"]
        assert (properties["view"], properties["region"], properties["period"]) == ("timeSeries", "us-east-1", 300)
        assert properties["title"]
        ids = [row[-1]["id"] for row in properties["metrics"] if "id" in row[-1]]
        assert len(ids) == len(set(ids))
        for row in properties["metrics"]:
            assert all(isinstance(part, str) for part in row[:-1]) and isinstance(row[-1], dict)
            assert "expression" in row[-1] if len(row) == 1 else len(row) % 2 == 1, "namespace, name, pairs, options"
        for mark in properties.get("annotations", {}).get("horizontal", []):
            assert set(mark) == {"label", "value", "color", "yAxis"}
    assert json.loads(encode(wanted)) == wanted


@pytest.mark.parametrize(
    ("id", "marks"),
    [
        ("queue_depth", [("target < 10", 10), ("alert > 50", 50)]),
        ("dlq_messages", [("target <= 0", 0), ("alert >= 1", 1)]),
        ("lambda_invocations", []),
        ("lambda_errors", [("target < 1 %", 1), ("alert > 5 %", 5)]),
        ("worker_duration", [("target < 90 s", 90_000), ("alert > 120 s", 120_000)]),
        ("dynamodb_capacity", []),
        ("api_errors", [("target < 1 %", 0.01), ("alert > 5 %", 0.05)]),
        ("api_latency", [("target < 3 s", 3000), ("alert > 5 s", 5000)]),
    ],
)
def test_thresholds_are_the_gates_in_the_unit_of_the_metric(
    wanted: dict[str, Any], board: Board, id: str, marks: list[tuple[str, float]]
) -> None:
    found = widget(wanted, board, id).get("annotations", {}).get("horizontal", [])
    assert [(mark["label"], mark["value"]) for mark in found] == marks
    assert {mark["color"] for mark in found} <= {style.TARGET, style.ALERT}, "the charts' colours"


def test_a_threshold_is_said_once(params: Params) -> None:
    """Move the gate, and the annotation moves with it."""
    raw = params.policy.model_dump(mode="json")
    next(gate for gate in raw["gates"] if gate["id"] == "queue_depth")["target"] = "< 7"
    moved = params.model_copy(update={"policy": Policy.model_validate(raw)})
    made = body(declared(moved), moved)
    assert made["widgets"][0]["properties"]["annotations"]["horizontal"][0]["value"] == 7


def test_the_error_rate_is_metric_math_over_all_three(wanted: dict[str, Any], board: Board, params: Params) -> None:
    rows = widget(wanted, board, "lambda_errors")["metrics"]
    (math,) = [row[0] for row in rows if len(row) == 1]
    assert math["expression"] == (
        "100 * (FILL(part1, 0) + FILL(part2, 0) + FILL(part3, 0)) / "
        "(FILL(whole1, 0) + FILL(whole2, 0) + FILL(whole3, 0))"
    )
    hidden = {row[-1]["id"]: row[:2] for row in rows if row[-1].get("visible") is False}
    assert set(hidden) == {f"{name}{place}" for name in ("part", "whole") for place in (1, 2, 3)}
    assert hidden["part1"] == ["AWS/Lambda", "Errors"]
    assert hidden["whole1"] == ["AWS/Lambda", "Invocations"]


@pytest.fixture(name="raw")
def _raw() -> dict[str, Any]:
    from runbook_lib.params.load import params_dir

    return read_yaml(params_dir() / "dashboard.yaml")


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(raw: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        here: Any = raw
        for step in steps:
            here = here[int(step)] if step.isdigit() else here[step]
        here[last] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_set("widgets.0.left.gate", "nope"), "gates.yaml has no gate 'nope'"),
        (
            _set("widgets.0.left.gate", "error_rate"),
            "gate 'error_rate' is in ratio, which cannot be drawn over Maximum",
        ),
        (_set("widgets.2.left.gate", "queue_depth"), "gate 'queue_depth' is in messages, .* over invocations"),
        (_set("widgets.0.left.lines", [{"label": "x", "metric": "nope", "stat": "Sum"}]), "catalogue has no 'nope'"),
        (_set("widgets.0.left.lines", []), "expects either `lines` or a `share`"),
        (_set("widgets.0.title", "DLQ messages"), "two widgets with the title 'DLQ messages'"),
        (_set("widgets.0.id", "dlq_messages"), "two widgets with the id 'dlq_messages'"),
        (_set("target_colour", "green"), "target_colour"),
        (_set("period_s", 90), "period_s"),
        (_set("colums", 2), "unknown key 'colums' .* did you mean 'columns'"),
    ],
)
def test_a_wrong_declaration_is_a_sentence(
    params: Params, raw: dict[str, Any], spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    spoil(raw)
    with pytest.raises(UsageError, match=says):
        body(validated(Board, raw, "params/dashboard.yaml"), params)


def _row(wanted: dict[str, Any], place: int = 0) -> list[Any]:
    found: list[Any] = wanted["widgets"][place]["properties"]["metrics"][0]
    return found


def _short(wanted: dict[str, Any]) -> None:
    """As the console writes it: "." repeats one part of the row before, "..." all of them."""
    rows = wanted["widgets"][2]["properties"]["metrics"]
    for row in rows[1:]:
        row[:3] = [".", ".", "."]
    duration = wanted["widgets"][4]["properties"]["metrics"]
    for row in duration[1:]:
        row[:-1] = ["..."]
    latency = wanted["widgets"][7]["properties"]["metrics"]
    latency[1][:-1] = ["...", latency[1][-2]]


@pytest.mark.parametrize(
    ("meddle", "lines"),
    [
        (lambda b: None, []),
        (lambda b: b["widgets"].reverse(), []),
        (_short, []),
        (lambda b: b["widgets"][0].update(x=12), ["SQS queue depth: ~ x: 12 -> 0"]),
        (lambda b: b["widgets"][0]["properties"].update(period=60.0), ["SQS queue depth: ~ period: 60 -> 300"]),
        (lambda b: b["widgets"][0]["properties"].update(period=300.0), []),
        (lambda b: b["widgets"][0]["properties"].pop("view"), ['SQS queue depth: + view = "timeSeries"']),
        (lambda b: b["widgets"][0]["properties"].update(liveData=True), ["SQS queue depth: - liveData = true"]),
        (
            lambda b: b["widgets"][0]["properties"]["annotations"]["horizontal"].pop(),
            [
                "SQS queue depth: + horizontal annotation 'alert > 50' = "
                '{"color": "#D55E00", "label": "alert > 50", "value": 50, "yAxis": "left"}'
            ],
        ),
        (lambda b: b["widgets"].pop(1), ["DLQ messages: + not deployed yet (1 metric)"]),
        (lambda b: b.update(start="-PT3H"), ['dashboard: ~ start: "-PT3H" -> "-PT24H"']),
        (
            lambda b: b["widgets"].append({"type": "text", "properties": {"markdown": "hello"}}),
            ["(a widget without a title): - not declared, would be removed"],
        ),
        (
            lambda b: b["widgets"].append(copy.deepcopy(b["widgets"][0])),
            ["SQS queue depth (2): - not declared, would be removed"],
        ),
        (lambda b: b["widgets"].append("nonsense"), ["(a widget without a title): - not declared, would be removed"]),
    ],
)
def test_the_difference_in_lines(
    wanted: dict[str, Any], meddle: Callable[[dict[str, Any]], None], lines: list[str]
) -> None:
    found = copy.deepcopy(wanted)
    meddle(found)
    assert diff(found, wanted) == lines


def test_another_metric_is_one_line_out_and_one_in(wanted: dict[str, Any]) -> None:
    found = copy.deepcopy(wanted)
    _row(found)[3] = "careervp-vpr-jobs-queue-dev"
    (first, second) = diff(found, wanted)
    assert "+ metric AWS/SQS ApproximateNumberOfMessagesVisible QueueName careervp-vpr-jobs-queue-prod" in first
    assert "- metric AWS/SQS ApproximateNumberOfMessagesVisible QueueName careervp-vpr-jobs-queue-dev" in second
    assert [title for title, lines in widget_diff(found, wanted).items() if lines] == ["SQS queue depth"]


@pytest.mark.parametrize("text", [None, "", "no json", "[1]", "{}"])
def test_whatever_is_there_everything_declared_is_missing(wanted: dict[str, Any], text: str | None) -> None:
    lines = diff(parsed(text), wanted)
    assert sum("not deployed yet" in line for line in lines) == 8


def test_the_digest_is_of_the_data_not_of_its_form(wanted: dict[str, Any]) -> None:
    assert digest(json.dumps(wanted, indent=3)) == digest(encode(dict(reversed(wanted.items()))))
    assert digest(encode({**wanted, "start": "-PT1H"})) != digest(encode(wanted))
    assert digest(None) == "" != digest("no json")


class Clients:
    """Hands out clients of one emulator."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.client = client


@pytest.fixture(params=["embedded", "moto"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """A maker of clients, for each emulator."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded").client
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def test_what_is_put_reads_back_without_a_difference(client: Any, wanted: dict[str, Any]) -> None:
    cloudwatch = client("cloudwatch")
    assert read_dashboard(cloudwatch, "round-trip") is None
    cloudwatch.put_dashboard(DashboardName="round-trip", DashboardBody=encode(wanted))
    assert diff(parsed(read_dashboard(cloudwatch, "round-trip")), wanted) == []
    cloudwatch.delete_dashboards(DashboardNames=["round-trip"])


@pytest.mark.slow
def test_the_exported_template_makes_the_same_dashboard(client: Any, wanted: dict[str, Any]) -> None:
    cloudformation = client("cloudformation")
    template = to_cloudformation("exported", wanted)
    cloudformation.create_stack(StackName="exported-stack", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="exported-stack", WaiterConfig={"Delay": 0})
    assert diff(parsed(read_dashboard(client("cloudwatch"), "exported")), wanted) == []
    assert str(owner(Clients(client), "exported", KIND)) == "AsyncDashboard of stack exported-stack"
    cloudformation.delete_stack(StackName="exported-stack")


def test_a_refusal_is_a_sentence_and_not_no_dashboard() -> None:
    cloudwatch = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(cloudwatch) as stub:
        stub.add_client_error("get_dashboard", "AccessDenied", "not for you")
        with pytest.raises(AwsError, match=f"reading dashboard {NAME} .* AWS answered AccessDenied"):
            read_dashboard(cloudwatch, NAME)


def test_silent_metrics_are_named_and_the_others_drawn(embedded: Any, params: Params, board: Board) -> None:
    """Real points of some metrics: the rest of each widget is named."""
    cloudwatch, now = embedded.client("cloudwatch"), embedded.now()
    queue = params.service.model_copy(update={"names": {**params.service.names, "queue": "drawn-queue"}})
    params = params.model_copy(update={"service": queue})
    where = address(metric("queue_visible"), params)
    at = now.replace(second=0, microsecond=0) - dt.timedelta(hours=1)
    data = {"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], "Timestamp": at, "Value": 3.0}
    cloudwatch.put_metric_data(Namespace=where["Namespace"], MetricData=[data])
    answers = fetch(cloudwatch, params, asks(board, Window(now - dt.timedelta(hours=2), now)), now)
    assert silent(board.widgets[0], answers, params) == []
    assert [value for _, value in series(board.widgets[0].left, answers)["waiting"]] == [3.0]
    assert silent(board.widgets[4], answers, params) == ["Worker Lambda: duration"]
    assert len(answers.series) == sum(1 for _ in {one for each in board.widgets for one in each.asked})


def test_moto_has_no_percentiles(params: Params, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the gap: what needs percentiles is proven on the embedded AWS alone."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    now = dt.datetime.now(dt.UTC)
    window = Window(now - dt.timedelta(hours=1), now)
    with mock_aws():
        cloudwatch = boto3.client("cloudwatch", region_name="us-east-1")
        for name in ("queue_visible", "worker_duration"):
            where = address(metric(name), params)
            cloudwatch.put_metric_data(
                Namespace=where["Namespace"],
                MetricData=[
                    {
                        "MetricName": where["MetricName"],
                        "Dimensions": where["Dimensions"],
                        "Timestamp": now - 2 * MINUTES,
                        "Value": 4.0,
                    }
                ],
            )
        answers = fetch(cloudwatch, params, [ask for ask in asks(board, window) if ask.stat == "Maximum"], now)
        assert silent(board.widgets[0], answers, params) == []
        assert silent(board.widgets[1], answers, params) == ["DLQ: messages"]
        with pytest.raises(AwsError, match="float"):
            fetch(cloudwatch, params, asks(board, window), now)


def test_a_share_is_drawn_in_percent_where_there_is_a_whole() -> None:
    axis = Axis(
        unit="%", share=Share(label="rate", part=("submit_errors", "worker_errors"), whole=("submit_invocations",))
    )
    at = [dt.datetime(2026, 1, 1, 0, place, tzinfo=dt.UTC) for place in range(0, 20, 5)]

    class Asked:
        """As `Answers`: part has no point at the second time, whole none at the third and 0 at the fourth."""

        def points(self, label: str) -> list[tuple[dt.datetime, float]]:
            return {
                "submit_errors:Sum": [(at[0], 1.0), (at[2], 5.0), (at[3], 0.0)],
                "worker_errors:Sum": [(at[0], 1.0)],
                "submit_invocations:Sum": [(at[0], 8.0), (at[1], 4.0), (at[3], 0.0)],
            }[label]

    answers: Answers = Asked()  # type: ignore[assignment]
    assert series(axis, answers) == {"rate": [(at[0], 25.0), (at[1], 0.0)]}


def test_a_widget_in_seconds_is_drawn_against_its_gate_in_seconds(board: Board, params: Params) -> None:
    """The body has milliseconds, the notebook's chart the gate's own unit: both are the same height."""
    gates = {gate.id: gate for gate in params.policy.gates}
    for one in board.widgets:
        for _, axis in one.axes:
            for kind, _, value in thresholds(axis, params):
                gate = gates[axis.gate or ""]
                limit = gate.target.limit if kind == "target" else gate.alert.limit  # type: ignore[union-attr]
                per = 100 if gate.unit == "ratio" else 1
                assert value * axis.drawn.scale == pytest.approx(limit * per), one.id
