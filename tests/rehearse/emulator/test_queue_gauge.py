"""What SQS would tell CloudWatch: a real dead letter is seen, an empty queue is left to the simulated world."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.emulator.queue_gauge import METRIC, NAMESPACE, depths, told
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy

NOW = 1000.0


def _queue(*visible_at: float) -> dict[str, Any]:
    return {"messages": [{"visible_at": instant} for instant in visible_at]}


def test_depth_is_what_could_be_received_now() -> None:
    """Of dead-letter queues, whatever they are called: another queue's redrive policy names them."""
    dead = [("dev-orders-dead", _queue(NOW - 1, NOW, NOW + 30)), ("prod-jobs-dlq", _queue())]
    work = [
        (f"{name}-work", {**_queue(NOW), "attributes": {"RedrivePolicy": f'{{"deadLetterTargetArn": "a:b:{name}"}}'}})
        for name, _ in dead
    ]
    assert depths([*dead, *work, ("a-dlq-of-nobody", _queue(NOW))], NOW) == {"dev-orders-dead": 2, "prod-jobs-dlq": 0}


@pytest.mark.parametrize(
    ("before", "now", "points"),
    [
        ({}, {"a": 0}, {}),
        ({"a": 0}, {"a": 0}, {}),
        ({"a": 0}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": 0}, {"a": 0}),
        ({"a": 2}, {}, {}),
    ],
)
def test_a_point_for_what_holds_messages_or_was_just_emptied(
    before: dict[str, int], now: dict[str, int], points: dict[str, int]
) -> None:
    assert told(before, now) == points


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as one:
        yield one


@pytest.fixture(scope="module")
def dev(aws: EmbeddedAws) -> Sandbox:
    return deploy(aws, params_of("dev", "x"))


def _points(aws: EmbeddedAws, queue: str) -> list[float]:
    end = aws.now() + dt.timedelta(minutes=2)
    answer = aws.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=METRIC,
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=end - dt.timedelta(hours=1),
        EndTime=end,
        Period=60,
        Statistics=["Maximum"],
    )
    return [one["Maximum"] for one in answer["Datapoints"]]


def _state(aws: EmbeddedAws, wanted: str, seconds: float = 5) -> str:
    until = time.monotonic() + seconds
    while True:
        (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["careervp-vpr-dlq-alarm-dev"])["MetricAlarms"]
        if alarm["StateValue"] == wanted or time.monotonic() > until:
            return str(alarm["StateValue"])
        time.sleep(0.05)


@pytest.mark.emulator
def test_gap_the_emulator_publishes_no_queue_metrics(aws: EmbeddedAws, dev: Sandbox) -> None:
    """ministack 1.5.33. When this fails, the gauge can go: a message in another queue leaves no metric."""
    aws.client("sqs").send_message(QueueUrl=dev.outputs["InboxUrl"], MessageBody="x")
    time.sleep(0.6)
    assert _points(aws, dev.outputs["InboxUrl"].rsplit("/", 1)[-1]) == []
    assert _points(aws, dev.params.name("dlq")) == [], "nothing is said of an empty queue: that is the world's"


@pytest.mark.emulator
def test_a_dead_letter_raises_its_alarm_and_the_alarm_ends(aws: EmbeddedAws, dev: Sandbox) -> None:
    sqs, url = aws.client("sqs"), dev.outputs["DlqUrl"]
    assert _state(aws, "OK") == "OK"
    sqs.send_message(QueueUrl=url, MessageBody="dead")
    assert _state(aws, "ALARM") == "ALARM"
    assert max(_points(aws, dev.params.name("dlq"))) == 1
    sqs.purge_queue(QueueUrl=url)
    time.sleep(0.5)
    aws.move_to(aws.now() + dt.timedelta(minutes=10))
    assert _state(aws, "OK") == "OK"
