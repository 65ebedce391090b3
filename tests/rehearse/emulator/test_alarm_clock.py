"""How alarms are evaluated, and the emulator's own way that is replaced."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.rehearse.emulator.alarm_clock import Expression, Recent, slots, state
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def _alarm(**changes: Any) -> dict[str, Any]:
    return {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "Threshold": 5.0, **changes}


def _points(*times: float) -> list[dict[str, Any]]:
    return [{"Timestamp": at, "Value": 1.0} for at in times]


@pytest.mark.parametrize(
    ("values", "missing", "expected"),
    [
        ([5.0], "notBreaching", "ALARM"),
        ([4.9], "notBreaching", "OK"),
        ([None], "notBreaching", "OK"),
        ([None], "missing", "INSUFFICIENT_DATA"),
        ([None], "ignore", None),
        ([None], "breaching", "ALARM"),
        ([6.0, None, 6.0], "notBreaching", "OK"),
        ([6.0, None, 6.0], "breaching", "ALARM"),
        ([6.0, 6.0, 6.0], "missing", "ALARM"),
        ([6.0, 6.0, 1.0], "missing", "OK"),
    ],
)
def test_state(values: list[float | None], missing: str, expected: str | None) -> None:
    assert state(_alarm(TreatMissingData=missing), values) == expected


def test_datapoints_to_alarm_out_of_the_periods() -> None:
    assert state(_alarm(DatapointsToAlarm=2), [6.0, 1.0, 6.0]) == "ALARM"
    assert state(_alarm(DatapointsToAlarm=2), [6.0, 1.0, 1.0]) == "OK"


def test_the_window_slides_by_the_minute() -> None:
    """At 12:30:20 the last hour is 11:30 to 12:30, not 12:00 to 13:00; nothing of the running minute yet."""
    now = 1_700_000_000 // 3600 * 3600 + 1820.0
    first, last = now - 20 - 3600, now - 20 - 60
    assert slots(_points(first - 60, first, last), 3600, 1, now) == [_points(first, last)]


def test_a_point_of_the_running_minute_counts_at_once() -> None:
    assert slots(_points(630.0), 300, 1, 640.0) == [_points(630.0)]


def test_what_lies_ahead_of_the_clock_is_not_known() -> None:
    assert slots(_points(700.0), 300, 1, 640.0) == [[]]


def test_each_period_is_judged_by_itself() -> None:
    assert [len(one) for one in slots(_points(310, 590, 600, 890), 300, 3, 900.0)] == [2, 2, 0]


@given(st.lists(st.lists(st.floats(0, 5000), max_size=5), max_size=6), st.floats(60, 3600))
def test_recent_forgets_only_what_no_later_window_needs(batches: list[list[float]], span: float) -> None:
    """However late a point is put, the window sees what reading everything again would see."""
    memory, everything, now = Recent(span), [], 0.0
    for batch in batches:
        everything.extend(_points(*batch))
        now += 600
        assert slots(memory.of(everything, now), span, 1, now) == slots(everything, span, 1, now)


def test_recent_starts_again_when_the_list_was_replaced() -> None:
    memory = Recent(300)
    memory.of(_points(10), 20)
    assert memory.of(_points(10, 15), 20) == _points(10, 15)


def test_the_emulators_own_evaluation_pools_all_dimensions() -> None:
    """The gap that `alarm_clock` fills (ministack 1.5.33). When this fails, MiniStack has closed it: look again."""
    from ministack.services import cloudwatch as cw

    assert cw._evaluate_alarm.__module__ == cw.__name__, "this process has the stock evaluation"
    namespace, now = f"gap/{uuid.uuid4()}", time.time()
    cw._store_datum(namespace, "Depth", {"QueueName": "another"}, now, "Count", 9.0, None, None, None)
    watched: dict[str, Any] = _alarm(
        AlarmName="gap", Namespace=namespace, MetricName="Depth", Statistic="Maximum", StateValue="INSUFFICIENT_DATA"
    )
    watched["Dimensions"] = [{"Name": "QueueName", "Value": "mine"}]
    cw._evaluate_alarm(watched)
    assert watched["StateValue"] == "ALARM"


class Watch:
    """One alarm on a metric of its own: five events in an hour."""

    def __init__(self, aws: EmbeddedAws, **changes: Any) -> None:
        self.aws, self.name = aws, f"alarm-{uuid.uuid4()}"
        self.cloudwatch = aws.client("cloudwatch")
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.name,
            Namespace=self.name,
            MetricName="Events",
            Dimensions=[{"Name": "Of", "Value": "mine"}],
            **{
                "Statistic": "Sum",
                "Period": 3600,
                "EvaluationPeriods": 1,
                "Threshold": 5,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "TreatMissingData": "notBreaching",
                **changes,
            },
        )

    def put(self, *times: dt.datetime, of: str = "mine") -> None:
        data = [
            {"MetricName": "Events", "Timestamp": at, "Value": 1, "Dimensions": [{"Name": "Of", "Value": of}]}
            for at in times
        ]
        self.cloudwatch.put_metric_data(Namespace=self.name, MetricData=data)

    @property
    def state(self) -> str:
        return str(self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"][0]["StateValue"])


@pytest.fixture
def watch(embedded: EmbeddedAws) -> Iterator[Watch]:
    one = Watch(embedded)
    yield one
    one.cloudwatch.delete_alarms(AlarmNames=[one.name])


def test_a_fresh_alarm_is_ok_where_missing_data_is_no_breach(watch: Watch) -> None:
    assert watch.state == "OK"


def test_other_dimensions_are_other_metrics(watch: Watch) -> None:
    watch.put(*[watch.aws.now()] * 9, of="another")
    assert watch.state == "OK"


def test_one_call_with_the_last_hours_data_is_summed_over_the_sliding_hour(watch: Watch) -> None:
    """As the world publishes: move the clock, then put what has happened meanwhile. Across a full hour, too."""
    start = watch.aws.now().replace(minute=30, second=0, microsecond=0) + HOUR
    watch.aws.move_to(start + HOUR)
    watch.put(*(start + i * 12 * MINUTE for i in range(5)))
    assert watch.state == "ALARM"


def test_five_in_more_than_an_hour_are_not_five_in_an_hour(watch: Watch) -> None:
    start = watch.aws.now().replace(second=0, microsecond=0) + HOUR
    watch.aws.move_to(start + 2 * HOUR)
    watch.put(*(start + i * 20 * MINUTE for i in range(5)))
    assert watch.state == "OK"


def test_the_state_follows_the_clock_without_new_points(watch: Watch) -> None:
    watch.put(*[watch.aws.now()] * 5)
    assert watch.state == "ALARM"
    watch.aws.move_to(watch.aws.now() + HOUR + 2 * MINUTE)
    assert watch.state == "OK"


def test_the_alarms_own_periods_are_judged_one_by_one(embedded: EmbeddedAws) -> None:
    """Two of the three five-minute periods breach: the emulator itself would pool them and fire."""
    watch = Watch(embedded, Period=300, EvaluationPeriods=3, Threshold=2)
    embedded.move_to(embedded.now() + HOUR)
    now = embedded.now().replace(second=0, microsecond=0)
    watch.put(*[now - 2 * MINUTE] * 9, *[now - 7 * MINUTE] * 9)
    assert watch.state == "OK"
    watch.put(*[now - 12 * MINUTE] * 2)
    assert watch.state == "ALARM"


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("100 * errors / requests", {"errors": 1.0, "requests": 4.0}, 25.0),
        ("100 * errors / requests", {"errors": 0.0, "requests": 0.0}, None),
        ("100 * errors / requests", {"errors": None, "requests": 4.0}, None),
        ("(a - b) * 2", {"a": 3.0, "b": 1.0}, 4.0),
        ("a + b", {"a": None, "b": 2.0}, None),
        ("FILL(a, 0) + FILL(b, 0)", {"a": None, "b": 2.0}, 2.0),
        ("FILL(a, 0) + FILL(b, 0)", {"a": None, "b": None}, 0.0),
    ],
)
def test_metric_math(text: str, values: dict[str, float | None], expected: float | None) -> None:
    assert Expression(text)(values) == expected


@pytest.mark.parametrize("text", ["SEARCH('x', 'Sum')", "a if b else c", "a ** 2", "FILL(a, REPEAT)", "'a'", "1 +"])
def test_metric_math_that_the_rehearsal_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match="metric math"):
        Expression(text)


@pytest.mark.parametrize("text", ["a\0", "1+" * 50_000 + "1"], ids=["a null byte", "a deep one"])
def test_metric_math_that_python_cannot_read(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Expression(text)


def test_the_emulator_itself_takes_metric_math_and_forgets_it() -> None:
    """The second gap (ministack 1.5.33): no expression is kept, so none is evaluated or described."""
    from ministack.services import cloudwatch as cw

    assert cw._put_metric_alarm.__module__ == cw.__name__, "this process has the stock PutMetricAlarm"
    name = f"gap-{uuid.uuid4()}"
    query = {"Id": "e", "Expression": "1 + 1", "ReturnData": True}
    cw._put_metric_alarm({}, {"AlarmName": name, "Metrics": [query], "Threshold": 1}, False, True)
    alarm = cw._alarms[name]
    assert "Metrics" not in alarm
    cw._evaluate_alarm(alarm)
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"


class Rate:
    """An alarm on errors / requests of a namespace of its own."""

    def __init__(self, aws: EmbeddedAws, expression: str = "100 * errors / requests", threshold: float = 5) -> None:
        self.aws, self.name, self.cloudwatch = aws, f"rate-{uuid.uuid4()}", aws.client("cloudwatch")
        stats = [
            {
                "Id": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": self.name,
                        "MetricName": name,
                        "Dimensions": [{"Name": "Of", "Value": "mine"}],
                    },
                    "Period": 300,
                    "Stat": "Sum",
                },
                "ReturnData": False,
            }
            for name in ("errors", "requests")
        ]
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.name,
            Metrics=[*stats, {"Id": "result", "Expression": expression, "ReturnData": True}],
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )

    def put(self, of: str = "mine", **values: float) -> None:
        data = [
            {
                "MetricName": name,
                "Timestamp": self.aws.now(),
                "Value": value,
                "Dimensions": [{"Name": "Of", "Value": of}],
            }
            for name, value in values.items()
        ]
        self.cloudwatch.put_metric_data(Namespace=self.name, MetricData=data)

    @property
    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"][0]
        return found


@pytest.fixture
def rate(embedded: EmbeddedAws) -> Iterator[Rate]:
    one = Rate(embedded)
    yield one
    one.cloudwatch.delete_alarms(AlarmNames=[one.name])


def test_metric_math_follows_its_metrics_and_the_clock(rate: Rate) -> None:
    assert rate.described["StateValue"] == "OK", "nothing has come, and missing data are no breach"
    rate.put(errors=1, requests=100)
    assert rate.described["StateValue"] == "OK"
    rate.put(errors=9, requests=1, of="another")
    assert rate.described["StateValue"] == "OK"
    rate.put(errors=9, requests=9)
    assert rate.described["StateValue"] == "ALARM"
    rate.aws.move_to(rate.aws.now() + 7 * MINUTE)
    assert rate.described["StateValue"] == "OK"


def test_metric_math_is_described_as_it_was_put(rate: Rate) -> None:
    found = rate.described
    assert [one["Id"] for one in found["Metrics"]] == ["errors", "requests", "result"]
    assert found["Metrics"][2]["Expression"] == "100 * errors / requests"
    assert found["Metrics"][0]["MetricStat"]["Period"] == 300
    assert "MetricName" not in found and "Period" not in found


def test_an_alarm_put_again_on_one_metric_forgets_its_expression(rate: Rate) -> None:
    rate.cloudwatch.put_metric_alarm(
        AlarmName=rate.name,
        Namespace=rate.name,
        MetricName="errors",
        Dimensions=[{"Name": "Of", "Value": "mine"}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    assert "Metrics" not in rate.described
    rate.put(errors=2)
    assert rate.described["StateValue"] == "ALARM", "a count of two; the rate has no requests to divide by"


def test_an_alarm_on_dynamodb_keeps_its_state_where_data_are_missing(embedded: EmbeddedAws) -> None:
    """CloudWatch's own exemption: neither OK before the first event, nor OK again after it."""
    cloudwatch, name = embedded.client("cloudwatch"), f"table-{uuid.uuid4()}"
    dimensions = [{"Name": "TableName", "Value": name}]
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/DynamoDB",
        MetricName="WriteThrottleEvents",
        Dimensions=dimensions,
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def seen() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])

    assert seen() == "INSUFFICIENT_DATA"
    point = {"MetricName": "WriteThrottleEvents", "Dimensions": dimensions, "Value": 1, "Timestamp": embedded.now()}
    cloudwatch.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[point])
    assert seen() == "ALARM"
    embedded.move_to(embedded.now() + HOUR)
    assert seen() == "ALARM"
    cloudwatch.delete_alarms(AlarmNames=[name])
