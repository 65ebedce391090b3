"""A failure of our own through the whole way on the embedded AWS: it arrives, or the step where it is lost is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.drill_way import Way, failing_guard, send
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import Refused
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.inventory.failure_filter import DRILL_STREAM, newest_like
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox.deploy import deploy

pytestmark = pytest.mark.emulator
QUIET = TrafficState(dial_percent=0, switch_on=True, weight=0)


def applying(env: str) -> Params:
    found = params_of(env, "way")
    return found.model_copy(update={"flat": found.flat.model_copy(update={"mode": "apply", "confirm": env})})


@pytest.fixture(scope="module")
def params() -> Params:
    return applying("staging")


@pytest.fixture
def aws(params: Params) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)) as made:
        deploy(made, params)
        made.move_to(made.now() + dt.timedelta(minutes=20))
        yield made


def guard(aws: EmbeddedAws, params: Params, told: list[Any]) -> Guard:
    def append(event: str, **data: Any) -> None:
        told.append((event, data))

    identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::000000000000:user/x", now=aws.now())
    return Guard(params, identity, SimpleNamespace(append=append, append_or_stderr=append))  # type: ignore[arg-type]


def lines(aws: EmbeddedAws, params: Params) -> list[str]:
    group = f"/aws/lambda/{params.name('worker')}"
    found = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [one["message"] for one in found if one["logStreamName"].startswith(DRILL_STREAM)]


def reached(way: Way) -> list[str]:
    return [id for id, ok, _ in way.steps if ok]


def test_it_arrives_and_then_the_guard_comes_back_by_itself(aws: EmbeddedAws, params: Params) -> None:
    told: list[Any] = []
    way = send(aws, guard(aws, params, told), params, QUIET, wait_s=10)
    assert reached(way) == ["drill.failure_line", "drill.metric", "drill.alarm", "drill.notified"]
    assert [event for event, _ in told] == ["intent", "outcome"]
    assert way.sent == way.counted == 7, "the count of 05"
    assert all('"drill": true' in line and DRILL_STREAM in line for line in lines(aws, params)), "marked as our own"
    group = f"/aws/lambda/{params.name('worker')}"
    assert newest_like(aws.client("logs"), group, params.service.failure_line) is None, "ours is not the worker's"
    with pytest.raises(Refused, match="is ALARM"):
        send(aws, guard(aws, params, []), params, QUIET, wait_s=1)
    aws.move_to(aws.now() + dt.timedelta(minutes=way.quiet_min + 3))
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[way.alarm])["MetricAlarms"][0]
    assert found["StateValue"] == "OK"


@pytest.mark.parametrize(
    "dead", [{"filterPattern": '{ $.msg = "VPRJobFailed" }'}, {"dimensions": {"service": "$.job_id"}}]
)
def test_a_dead_filter_is_where_it_ends(aws: EmbeddedAws, params: Params, dead: dict[str, Any]) -> None:
    logs, group = aws.client("logs"), f"/aws/lambda/{params.name('worker')}"
    (made,) = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    transformation = {**made["metricTransformations"][0], **{k: v for k, v in dead.items() if k == "dimensions"}}
    logs.put_metric_filter(
        logGroupName=group,
        filterName=made["filterName"],
        metricTransformations=[transformation],
        filterPattern=dead.get("filterPattern", made["filterPattern"]),
    )
    way = send(aws, guard(aws, params, []), params, QUIET, wait_s=0.5)
    assert reached(way) == ["drill.failure_line"]
    assert "the guard is blind" in way.steps[1][2]


def test_an_alarm_without_actions_fires_and_nobody_is_told(aws: EmbeddedAws, params: Params) -> None:
    alarm = failing_guard(params)
    assert alarm is not None
    aws.client("cloudwatch").put_metric_alarm(**{**realise(alarm, params), "AlarmActions": []})
    way = send(aws, guard(aws, params, []), params, QUIET, wait_s=2)
    assert reached(way)[-1] == "drill.alarm"
    assert alarm_name(alarm, params) in way.steps[3][2]


def test_never_in_prod_and_never_while_a_weight_bakes(aws: EmbeddedAws, params: Params) -> None:
    prod, told = applying("prod"), list[Any]()
    with pytest.raises(Refused, match="in prod no failure is ever sent"):
        send(aws, guard(aws, prod, told), prod, QUIET, wait_s=1)
    baking = QUIET.model_copy(
        update={"dial_deployment": Deployment(number=2, state="BAKING", percent=100, started_at="2025-06-16T02:00:00Z")}
    )
    with pytest.raises(Refused, match="BAKING"):
        send(aws, guard(aws, params, told), params, baking, wait_s=1)
    assert told == []
    assert lines(aws, params) == []
