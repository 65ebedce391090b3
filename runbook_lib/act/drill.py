"""The fire drill: sets off each alarm, waits for its notification, and puts its state back.

It is refused while a deployment of the dial is in progress: a guard in ALARM would roll it back (docs/domain.md,
"AppConfig: what bites").
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors, dated
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.judge import words
from runbook_lib.observe.alarms.compared import described
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params

REASON = "fire drill of the rollout runbook: nothing is wrong"
STALE_S = 900.0
"""Age in seconds of an inbox that a killed drill left behind."""
_BATCH = 10


@dataclass(frozen=True)
class Drilled:
    """The result of the drill."""

    heard: tuple[str, ...]
    """Names of the alarms whose notification arrived."""
    silent: tuple[str, ...]
    restored: bool
    """Whether every alarm is back in its state, or in one that its own metric has caused since."""
    seconds: float


def refusal(state: TrafficState) -> str | None:
    """Why no drill may run now; None: it may."""
    if not state.busy or state.dial_deployment is None:
        return None
    return (
        f"deployment {state.dial_deployment.number} of the dial is {state.dial_deployment.state}: a fire drill would "
        "roll it back; wait until it is COMPLETE"
    )


def drill(
    aws: Any, guard: Guard, params: Params, names: Sequence[str], state: TrafficState, *, wait_s: float
) -> Drilled:
    """Sets all alarms off together, listens, and puts their states back.

    Args:
        names: names of the alarms; one that does not exist counts as silent.
        state: the traffic as it is now; a deployment under way forbids the drill.
        wait_s: real seconds to listen at most. Alarms not heard after half of them are set off once more: a
            subscription takes a moment to work.

    Raises:
        Refused: a deployment of the dial is in progress, or the change is not authorised.
        AwsError: AWS refused or did not answer. All alarms are put back except those that the sentence names.
    """
    if why := refusal(state):
        raise Refused(why)
    cloudwatch, sqs, begun = aws.client("cloudwatch"), aws.client("sqs"), time.monotonic()
    before = {name: str(one["StateValue"]) for name, one in described(cloudwatch, names).items()}
    now = dict(before)
    heard: set[str] = set()
    listened = False

    def act() -> None:
        nonlocal listened
        with inbox(aws, params) as box, aws_errors("the fire drill (cloudwatch:SetAlarmState, sqs:ReceiveMessage)"):
            try:
                for _ in range(2):
                    missing = set(before) - heard
                    _set_off(cloudwatch, sorted(missing), now)
                    heard.update(listen(sqs, box, missing, wait_s / 2))
                    if heard >= set(before):
                        break
                listened = True
            finally:
                _put_back(cloudwatch, before, now)

    def read_back() -> dict[str, Any]:
        found = described(cloudwatch, names)
        left = sorted(name for name in before if found[name]["StateValue"] == "ALARM" != before[name])
        return {"left in ALARM": left, "all set off": listened}

    change = guard.change(
        f"fire drill of {words.count(len(before), 'alarm')}",
        before={"states": before},
        after={"left in ALARM": [], "all set off": True},
        undo="the states as `before` says",
        by_hand="; ".join(
            f"aws cloudwatch set-alarm-state --alarm-name {name} --state-value {was} --state-reason drill"
            for name, was in before.items()
        ),
        do=act,
        read_back=read_back,
        raises=True,
    )
    silent = tuple(name for name in names if name not in heard)
    return Drilled(tuple(sorted(heard)), silent, change.ok, time.monotonic() - begun)


def _set_off(cloudwatch: Any, names: Iterable[str], now: dict[str, str]) -> None:
    """Sets alarms to ALARM (only a change of state sends a notification); `now` keeps the state that each was given."""
    for name in names:
        for state in ("OK", "ALARM") if now[name] == "ALARM" else ("ALARM",):
            now[name] = state  # before the call: a failed call may have changed the state
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=REASON)


def _put_back(cloudwatch: Any, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Puts back every alarm with another state than before; one failure does not stop the others.

    An alarm on a metric without data might never leave ALARM by itself.
    """
    failed = []
    for name, was in before.items():
        if now[name] == was:
            continue
        try:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=was, StateReason=REASON)
        except Exception as error:  # on any error the next one must still be put back
            failed.append(f"{name} to {was} ({type(error).__name__})")
    if failed:
        raise AwsError(f"the drill could not put back: {', '.join(failed)}; do it with aws cloudwatch set-alarm-state")


@contextlib.contextmanager
def inbox(aws: Any, params: Params) -> Iterator[str]:
    """The URL of a queue that the alarms' topic may send to; it exists inside the block.

    Its name is new each time: SQS does not reuse a deleted queue's name for a minute. The queue is created with its
    policy: a policy set later takes up to a minute to work.
    """
    sqs, sns, topic = aws.client("sqs"), aws.client("sns"), topic_arn(params)
    prefix = params.name("drill_queue")
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    arn = topic.replace(":sns:", ":sqs:", 1).rsplit(":", 1)[0] + f":{name}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    with aws_errors("making the drill's inbox (sqs:CreateQueue, sns:Subscribe)"):
        _tidy(sqs, sns, prefix, topic)
        url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
        try:
            subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        except BaseException:
            sqs.delete_queue(QueueUrl=url)
            raise
    try:
        yield url
    finally:
        with contextlib.suppress(Exception):  # the next drill tidies up
            sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
        with contextlib.suppress(Exception):
            sqs.delete_queue(QueueUrl=url)


def _tidy(sqs: Any, sns: Any, prefix: str, topic: str) -> None:
    """Removes the inboxes of drills that were killed."""
    stale = set()
    for url in sqs.list_queues(QueueNamePrefix=f"{prefix}-").get("QueueUrls", []):
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp", "QueueArn"])
        if _age_s(answer) > STALE_S:
            stale.add(answer["Attributes"]["QueueArn"])
            sqs.delete_queue(QueueUrl=url)
    if not stale:
        return
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    for one in [one for page in pages for one in page["Subscriptions"]]:
        if one["Endpoint"] in stale:
            sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])


def _age_s(answer: Mapping[str, Any]) -> float:
    """Seconds since a queue was created, by AWS's clock; 0 if the answer does not say when."""
    try:
        return dated(answer).timestamp() - float(answer["Attributes"]["CreatedTimestamp"])
    except AwsError:
        return 0.0


def listen(sqs: Any, url: str, wanted: set[str], wait_s: float) -> set[str]:
    """Names of the alarms whose ALARM notification came within `wait_s` seconds."""
    heard: set[str] = set()
    end = time.monotonic() + wait_s
    while not heard >= wanted and (left := end - time.monotonic()) > 0:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=max(0, min(20, round(left)))
        )
        found = answer.get("Messages", [])
        for message in found:
            told = _told(message["Body"])
            if told.get("NewStateValue") == "ALARM":
                heard.add(str(told.get("AlarmName")))
        if found:
            handles = [{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in enumerate(found)]
            sqs.delete_message_batch(QueueUrl=url, Entries=handles)
    return heard & wanted


def _told(body: str) -> dict[str, Any]:
    """The alarm's message, taken out of SNS's envelope if it has one."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["Message"]) if "Message" in outer else outer
    except (ValueError, TypeError):
        return {}
    return inner if isinstance(inner, dict) else {}
