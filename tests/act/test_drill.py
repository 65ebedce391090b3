"""Alarms written, drilled and put back on the embedded AWS; the drill refused while a weight bakes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runbook_lib.act import alarms as act
from runbook_lib.act.drill import drill
from runbook_lib.act.guard import Guard
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.observe.alarms.compared import Known, Planned, data_finding, plan
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox.deploy import deploy

pytestmark = pytest.mark.emulator
QUIET = TrafficState(dial_percent=0, switch_on=True, weight=0)


class Journal:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def append(self, event: str, **data: Any) -> None:
        self.events.append((event, data))

    append_or_stderr = append


@pytest.fixture(scope="module")
def params() -> Params:
    found = params_of("prod", "drill")
    return found.model_copy(update={"flat": found.flat.model_copy(update={"mode": "apply", "confirm": "prod"})})


@pytest.fixture(scope="module")
def aws(params: Params) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)) as made:
        deploy(made, params)
        yield made


def guard(aws: EmbeddedAws, params: Params, journal: Journal | None = None) -> Guard:
    identity = SimpleNamespace(account=params.account_id, arn="arn:aws:iam::000000000000:user/x", now=aws.now())
    return Guard(params, identity, journal or Journal())


def planned(aws: EmbeddedAws, params: Params, id: str) -> Planned:
    return next(one for one in plan(aws, params) if one.alarm.id == id)


def states(aws: EmbeddedAws, params: Params) -> dict[str, str]:
    return {one.name: one.state for one in plan(aws, params) if one.exists}


def test_what_is_missing_is_written_once_and_what_a_stack_owns_is_left_alone(aws: EmbeddedAws, params: Params) -> None:
    before = {one.alarm.id: one for one in plan(aws, params)}
    assert before["dlq"].same
    assert before["dlq"].owner is not None
    assert before["high_queue_depth"].writes
    wrote = act.apply(aws, guard(aws, params), params, list(before.values()))
    assert set(wrote) == {one.name for one in before.values() if one.alarm.owner == "runbook"}
    after = plan(aws, params)
    assert all(one.same for one in after)
    assert act.apply(aws, guard(aws, params), params, after) == []


def test_a_changed_alarm_is_told_field_by_field(aws: EmbeddedAws, params: Params) -> None:
    alarm = planned(aws, params, "worker_throttles").alarm
    aws.client("cloudwatch").put_metric_alarm(**{**realise(alarm, params), "Threshold": 7.0, "AlarmActions": []})
    found = planned(aws, params, "worker_throttles")
    assert any("Threshold is 7.0" in said for said in found.differences)
    assert any("AlarmActions are none" in said for said in found.differences)
    act.apply(aws, guard(aws, params), params, [found])
    assert planned(aws, params, "worker_throttles").same


def test_a_stacks_alarm_is_never_written_even_if_it_differs(aws: EmbeddedAws, params: Params) -> None:
    alarm = planned(aws, params, "guard_worker_errors").alarm
    wanted = realise(alarm, params)
    aws.client("cloudwatch").put_metric_alarm(**{**wanted, "Threshold": 99.0})
    found = planned(aws, params, "guard_worker_errors")
    assert found.differences
    assert not found.writes
    aws.client("cloudwatch").put_metric_alarm(**wanted)


def test_every_alarm_is_heard_and_put_back(aws: EmbeddedAws, params: Params) -> None:
    act.apply(aws, guard(aws, params), params, plan(aws, params))
    before, journal = states(aws, params), Journal()
    queues = aws.client("sqs").list_queues().get("QueueUrls", [])
    done = drill(aws, guard(aws, params, journal), params, list(before), QUIET, wait_s=10)
    assert set(done.heard) == set(before)
    assert done.silent == ()
    assert done.restored
    assert states(aws, params) == before
    assert aws.client("sqs").list_queues().get("QueueUrls", []) == queues, "the drill's inbox is gone"
    assert [event for event, _ in journal.events][:2] == ["intent", "outcome"]


def test_an_alarm_without_actions_is_silent_and_named(aws: EmbeddedAws, params: Params) -> None:
    alarm = planned(aws, params, "high_queue_depth").alarm
    aws.client("cloudwatch").put_metric_alarm(**{**realise(alarm, params), "AlarmActions": []})
    name = planned(aws, params, "high_queue_depth").name
    done = drill(aws, guard(aws, params), params, [name], QUIET, wait_s=1)
    assert done.silent == (name,)
    aws.client("cloudwatch").put_metric_alarm(**realise(alarm, params))


def test_an_alarm_that_is_in_alarm_is_drilled_too(aws: EmbeddedAws, params: Params) -> None:
    name = planned(aws, params, "worker_throttles").name
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="before the drill")
    done = drill(aws, guard(aws, params), params, [name], QUIET, wait_s=10)
    assert done.heard == (name,)
    assert states(aws, params)[name] == "ALARM"
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="after the drill")


def test_the_drill_is_refused_while_a_weight_bakes(aws: EmbeddedAws, params: Params) -> None:
    baking = Deployment(number=3, state="BAKING", percent=10)
    state = QUIET.model_copy(update={"dial_deployment": baking})
    before = states(aws, params)
    with pytest.raises(Refused, match="deployment 3 of the dial is BAKING"):
        drill(aws, guard(aws, params), params, list(before), state, wait_s=1)
    assert states(aws, params) == before


def test_without_permission_nothing_is_set_off(aws: EmbeddedAws) -> None:
    plain = params_of("prod", "drill")
    name = planned(aws, plain, "dlq").name
    with pytest.raises(Refused, match="mode is 'plan'"):
        drill(aws, guard(aws, plain), plain, [name], QUIET, wait_s=1)
    with pytest.raises(Refused, match="mode is 'plan'"):
        act.apply(
            aws,
            guard(aws, plain),
            plain,
            [one.model_copy(update={"state": "", "owner": None}) for one in plan(aws, plain)],
        )


def test_an_alarm_on_dimensions_that_never_have_data_is_found(aws: EmbeddedAws, params: Params) -> None:
    cloudwatch, one = aws.client("cloudwatch"), planned(aws, params, "table_system_errors")

    def finding() -> tuple[bool | None, str]:
        return data_finding(Known(cloudwatch), one, aws.now(), insufficient_h=6)

    assert finding()[0] is None
    table = [{"Name": "TableName", "Value": params.name("table")}]
    datum = {"MetricName": "SystemErrors", "Dimensions": table, "Value": 1.0, "Timestamp": aws.now()}
    cloudwatch.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])
    ok, said = finding()
    assert ok is False
    assert "never under Operation=PutItem" in said
    for operation in ("PutItem", "GetItem", "UpdateItem", "Query"):
        right = {**datum, "Dimensions": [{"Name": "Operation", "Value": operation}, *table]}
        cloudwatch.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[right])
    assert finding()[0] is True


def test_an_alarm_that_waits_too_long_for_data_does_not_work(aws: EmbeddedAws, params: Params) -> None:
    one = planned(aws, params, "worker_errors")
    since = aws.now() - dt.timedelta(hours=7)
    waiting = one.model_copy(update={"state": "INSUFFICIENT_DATA", "since": since})
    known = Known(aws.client("cloudwatch"))
    ok, said = data_finding(known, waiting, aws.now(), insufficient_h=6)
    assert ok is False
    assert f"INSUFFICIENT_DATA since {since:%Y-%m-%d %H:%M} UTC" in said
    assert data_finding(known, waiting, aws.now(), insufficient_h=8)[0] is not False


def test_the_inbox_of_a_killed_drill_is_tidied_up_by_the_next(aws: EmbeddedAws, params: Params) -> None:
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url = sqs.create_queue(QueueName=f"{params.name('drill_queue')}-killed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn(params), Protocol="sqs", Endpoint=arn)

    def subscribed() -> bool:
        found = sns.list_subscriptions_by_topic(TopicArn=topic_arn(params))["Subscriptions"]
        return arn in {one["Endpoint"] for one in found}

    name = planned(aws, params, "dlq").name
    drill(aws, guard(aws, params), params, [name], QUIET, wait_s=10)
    assert subscribed(), "a drill under way is left alone"
    aws.move_to(aws.now() + dt.timedelta(hours=1))
    drill(aws, guard(aws, params), params, [name], QUIET, wait_s=10)
    assert not subscribed()
    assert url not in sqs.list_queues().get("QueueUrls", [])


class Failing:
    """An AWS whose CloudWatch refuses to put one alarm back."""

    def __init__(self, aws: EmbeddedAws, name: str) -> None:
        self._aws, self._name = aws, name

    def client(self, service: str) -> Any:
        real = self._aws.client(service)
        if service != "cloudwatch":
            return real

        def set_alarm_state(**given: Any) -> Any:
            if given["AlarmName"] == self._name and given["StateValue"] == "OK":
                raise ClientError({"Error": {"Code": "Throttling", "Message": "slowly"}}, "SetAlarmState")
            return real.set_alarm_state(**given)

        return SimpleNamespace(
            describe_alarms=real.describe_alarms, get_paginator=real.get_paginator, set_alarm_state=set_alarm_state
        )


def test_one_alarm_that_cannot_be_put_back_is_named_and_the_others_are_put_back(
    aws: EmbeddedAws, params: Params
) -> None:
    stuck, other = planned(aws, params, "guard_submit_5xx").name, planned(aws, params, "guard_worker_errors").name
    for name in (stuck, other):
        aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="before")
    with pytest.raises(AwsError, match=f"could not put back: {stuck} to OK"):
        drill(Failing(aws, stuck), guard(aws, params), params, [stuck, other], QUIET, wait_s=5)  # type: ignore[arg-type]
    found = states(aws, params)
    assert (found[stuck], found[other]) == ("ALARM", "OK")
    aws.client("cloudwatch").set_alarm_state(AlarmName=stuck, StateValue="OK", StateReason="after")


def test_an_alarm_that_is_not_there_is_silent(aws: EmbeddedAws, params: Params) -> None:
    name = planned(aws, params, "dlq").name
    done = drill(aws, guard(aws, params), params, [name, "no-such-alarm"], QUIET, wait_s=10)
    assert (done.heard, done.silent) == ((name,), ("no-such-alarm",))
