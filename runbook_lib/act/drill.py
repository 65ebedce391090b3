"""The fire drill: each alarm is set off, its notification is seen to arrive, and it is put back.

Never while a deployment of the dial is in progress: a guard in ALARM would roll it back (DOMAIN.md, "AppConfig").
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.aws import aws_errors
from runbook_lib.errors import Refused
from runbook_lib.observe.alarm_plan import described
from runbook_lib.observe.alarms import topic_arn
from runbook_lib.observe.traffic import TrafficState
from runbook_lib.params import Params

REASON = "fire drill of the rollout runbook: nothing is wrong"
_BATCH = 10
_BACK = {"OK": "OK", "ALARM": "ALARM"}


@dataclass(frozen=True)
class Drilled:
    """What the drill showed."""

    heard: tuple[str, ...]
    """Alarms whose notification arrived."""
    silent: tuple[str, ...]
    restored: bool
    """Every alarm is in the state it was in, or in one that it has come to since by its own metric."""
    seconds: float


def drill(
    aws: Any, guard: Guard, params: Params, names: Sequence[str], state: TrafficState, *, wait_s: float
) -> Drilled:
    """Sets all alarms off together, listens, and puts them back.

    Args:
        names: the alarms.
        state: of the traffic; a deployment under way forbids the drill.
        wait_s: real seconds to listen.

    Raises:
        Refused: a deployment of the dial is in progress, or the change is not authorised.
        AwsError: AWS refused or did not answer; the alarms were put back.
    """
    if state.busy and state.dial_deployment is not None:
        raise Refused(
            f"deployment {state.dial_deployment.number} of the dial is {state.dial_deployment.state}: a fire drill "
            "would roll it back; wait until it is COMPLETE"
        )
    cloudwatch, begun = aws.client("cloudwatch"), time.monotonic()
    before = {name: one["StateValue"] for name, one in described(cloudwatch, list(names)).items()}
    heard: set[str] = set()

    def act() -> None:
        with _inbox(aws, params) as inbox, aws_errors("the fire drill (cloudwatch:SetAlarmState, sqs:ReceiveMessage)"):
            try:
                for name, was in before.items():
                    if was == "ALARM":
                        _set(cloudwatch, name, "OK")
                    _set(cloudwatch, name, "ALARM")
                heard.update(_listen(aws.client("sqs"), inbox, set(before), wait_s))
            finally:
                for name, was in before.items():
                    _set(cloudwatch, name, was)

    def read_back() -> dict[str, Any]:
        now = {name: one["StateValue"] for name, one in described(cloudwatch, list(names)).items()}
        return {"left in ALARM": sorted(name for name in before if now.get(name) == "ALARM" != before[name])}

    change = guard.change(
        f"fire drill of {len(before)} alarms",
        before={"states": before},
        after={"left in ALARM": []},
        undo="each alarm takes the state of its metric at its next evaluation",
        do=act,
        read_back=read_back,
        raises=True,
    )
    silent = tuple(name for name in names if name not in heard)
    return Drilled(tuple(sorted(heard)), silent, change.ok, time.monotonic() - begun)


def _set(cloudwatch: Any, name: str, state: str) -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=REASON)


@contextlib.contextmanager
def _inbox(aws: Any, params: Params) -> Iterator[str]:
    """A queue that the alarms' topic may send to, for the time of the drill: its URL."""
    sqs, sns, topic = aws.client("sqs"), aws.client("sns"), topic_arn(params)
    name = f"careervp-vpr-drill-{uuid.uuid4().hex[:8]}-queue-{params.env}"
    with aws_errors("making the drill's inbox (sqs:CreateQueue, sns:Subscribe)"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        try:
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            allow = {
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }  # fmt: skip
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        except BaseException:
            sqs.delete_queue(QueueUrl=url)
            raise
    try:
        yield url
    finally:
        with contextlib.suppress(Exception):
            sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
        with contextlib.suppress(Exception):
            sqs.delete_queue(QueueUrl=url)


def _listen(sqs: Any, url: str, wanted: set[str], wait_s: float) -> set[str]:
    """Names of the alarms whose notification of ALARM came."""
    heard: set[str] = set()
    end = time.monotonic() + wait_s
    while heard != wanted and time.monotonic() < end:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=1).get("Messages", [])
        for message in found:
            told = _told(message["Body"])
            if told.get("NewStateValue") == "ALARM":
                heard.add(str(told.get("AlarmName")))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return heard & wanted


def _told(body: str) -> dict[str, Any]:
    """The alarm's own words, out of SNS's envelope if it has one."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["Message"]) if "Message" in outer else outer
    except (ValueError, TypeError):
        return {}
    return inner if isinstance(inner, dict) else {}
