from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import validate_parameters

from runbook_lib.observe.alarms.declared import guard_findings, realise, threshold, to_cloudformation
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.load import Params, load_file, read_yaml
from tests import own_gates


def declared(params: Params, id: str) -> Alarm:
    return next(alarm for alarm in params.policy.alarms if alarm.id == id)


def test_one_metric(params: Params) -> None:
    assert realise(declared(params, "dlq"), params) == {
        "AlarmName": "careervp-vpr-dlq-alarm-prod",
        "AlarmDescription": "Task 7.1: a message in the DLQ is a job lost.",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:aws:sns:us-east-1:000000000103:careervp-vpr-alarms-topic-prod"],
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": "careervp-vpr-jobs-dlq-prod"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }


def test_metric_math(params: Params) -> None:
    found = realise(declared(params, "worker_errors"), params)
    assert "Period" not in found and "MetricName" not in found and "Statistic" not in found
    errors, invocations, result = found["Metrics"]
    assert (errors["Id"], invocations["Id"]) == ("errors", "invocations")
    assert errors["MetricStat"] == {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "careervp-vpr-worker-lambda-prod"}],
        },
        "Period": 300,
        "Stat": "Sum",
    }
    assert not errors["ReturnData"] and not invocations["ReturnData"]
    assert result["Expression"] == "100 * errors / invocations" and result["ReturnData"]
    assert found["Threshold"] == 5 and found["ComparisonOperator"] == "GreaterThanThreshold"


def test_every_alarm_is_what_cloudwatch_takes(params: Params, http_params: Params) -> None:
    shape = get_session().get_service_model("cloudwatch").operation_model("PutMetricAlarm").input_shape
    for known in (params, http_params):
        for alarm in known.policy.alarms:
            validate_parameters(realise(alarm, known), shape)


def test_the_template_says_the_same_and_notifies_its_own_topic(params: Params) -> None:
    for alarm in params.policy.alarms:
        resource = to_cloudformation(alarm, params)
        assert resource["Type"] == "AWS::CloudWatch::Alarm"
        assert resource["Properties"] == {**realise(alarm, params), "AlarmActions": [{"Ref": "AlarmTopic"}]}


def test_a_threshold_is_said_once(params: Params) -> None:
    gates = tuple(
        gate.model_copy(update={"alert": gate.alert.model_copy(update={"limit": 77})})
        if gate.id == "queue_depth" and gate.alert
        else gate
        for gate in params.policy.gates
    )
    changed = params.model_copy(update={"policy": params.policy.model_copy(update={"gates": gates})})
    assert realise(declared(changed, "guard_queue_depth"), changed)["Threshold"] == 77


def test_a_gate_in_seconds_watches_milliseconds(params: Params) -> None:
    alarm = Alarm(
        id="slow",
        name="slow-{env}",
        metric="async_latency",
        stat="p95",
        period_s=300,
        gate="submit_latency",
        op=">",
        why="x",
    )
    assert threshold(alarm, params) == 5000
    assert realise(alarm, params)["ExtendedStatistic"] == "p95"


def test_a_description_fits(params: Params) -> None:
    alarm = declared(params, "dlq").model_copy(update={"why": "x" * 2000})
    assert len(realise(alarm, params)["AlarmDescription"]) == 1024


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_partitions(params: Params, region: str, partition: str) -> None:
    moved = params.model_copy(update={"flat": params.flat.model_copy(update={"region": region})})
    assert realise(declared(moved, "dlq"), moved)["AlarmActions"][0].startswith(f"arn:{partition}:sns:{region}:")


class CloudWatch:
    def __init__(self, alarms: list[dict[str, Any]]) -> None:
        self.alarms = alarms

    def get_paginator(self, name: str) -> CloudWatch:
        assert name == "describe_alarms"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        for alarm in self.alarms:
            if alarm["AlarmName"] in request["AlarmNames"]:
                yield {"MetricAlarms": [alarm]}


def arn(name: str) -> str:
    return f"arn:aws:cloudwatch:us-east-1:000000000103:alarm:{name}"


def guarded(params: Params) -> dict[str, dict[str, Any]]:
    return {
        realised["AlarmName"]: {**realised, "StateValue": "OK"}
        for realised in (realise(alarm, params) for alarm in params.policy.alarms if alarm.guard)
    }


def found(
    params: Params, AppConfig: Any, alarms: dict[str, dict[str, Any]], monitors: list[str] | None = None
) -> dict[str, str]:
    """Sentences of what is wrong, by alarm."""
    watched = [arn(name) for name in (list(guarded(params)) if monitors is None else monitors)]
    findings = guard_findings(
        {"cloudwatch": CloudWatch(list(alarms.values())), "appconfig": AppConfig([], [], watched)}.__getitem__, params
    )
    return {one.alarm: one.sentence for one in findings if not one.ok}


def test_guards_in_order(params: Params, AppConfig: Any) -> None:
    assert found(params, AppConfig, guarded(params)) == {}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("StateValue", "ALARM", "state is ALARM"),
        ("StateValue", "INSUFFICIENT_DATA", "state is INSUFFICIENT_DATA"),
        ("ActionsEnabled", False, "actions are disabled"),
        ("TreatMissingData", "missing", "missing data is 'missing'"),
        ("Threshold", 99.0, "Threshold is 99.0, declared 1.0"),
        ("Dimensions", [{"Name": "QueueName", "Value": "another"}], "Dimensions are"),
    ],
)
def test_a_guard_that_cannot_protect(params: Params, AppConfig: Any, field: str, value: Any, sentence: str) -> None:
    name = "careervp-vpr-dlq-alarm-prod"
    alarms = guarded(params)
    alarms[name][field] = value
    wrong = found(params, AppConfig, alarms)
    assert list(wrong) == [name] and sentence in wrong[name]


def test_a_guard_that_is_missing_or_not_watched(params: Params, AppConfig: Any) -> None:
    name = "careervp-vpr-dlq-alarm-prod"
    alarms = guarded(params)
    others = [other for other in alarms if other != name]
    assert "is not a monitor" in found(params, AppConfig, alarms, others)[name]
    del alarms[name]
    assert "does not exist" in found(params, AppConfig, alarms)[name]


def test_no_monitors_and_too_many(params: Params, AppConfig: Any) -> None:
    assert "0 alarms watch" in found(params, AppConfig, guarded(params), [])["monitors"]
    extra = {**next(iter(guarded(params).values())), "AlarmName": "stranger"}
    wrong = found(params, AppConfig, {**guarded(params), "stranger": extra}, [*guarded(params), "stranger"])
    assert list(wrong) == ["monitors"] and "6 alarms" in wrong["monitors"]


def test_a_monitor_nobody_declared_is_judged_too(params: Params, AppConfig: Any) -> None:
    names = list(guarded(params))[:4]
    stranger = {**next(iter(guarded(params).values())), "AlarmName": "stranger", "StateValue": "ALARM"}
    wrong = found(params, AppConfig, {**guarded(params), "stranger": stranger}, [*names, "stranger"])
    assert "state is ALARM" in wrong["stranger"]


def test_an_alarm_on_a_metric_of_ones_own_has_its_gates_limit_in_the_metrics_unit(tmp_path: Path) -> None:
    file = own_gates.project(tmp_path)
    raw = read_yaml(file.with_name("gates.yaml"))
    mine = {"id": "slow_search", "name": "slow-search-{env}", "period_s": 300, "owner": "runbook", "why": "Ours."}
    raw["alarms"].append({**mine, "metric": "search_time.value", "stat": "p95", "gate": "search_time", "op": ">"})
    own_gates.written(file.with_name("gates.yaml"), raw)
    params = load_file(file)
    made = realise(next(one for one in params.policy.alarms if one.id == "slow_search"), params)
    assert (made["Threshold"], made["ExtendedStatistic"]) == (2000.0, "p95")
    assert (made["Namespace"], made["MetricName"]) == ("Shop/Checkout", "SearchTime")
    assert made["Dimensions"] == [{"Name": "Service", "Value": "shop-prod"}]
