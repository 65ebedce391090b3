"""The fire drill: each alarm is set off, its notification is seen to arrive, and it is put back.

Never while a deployment of the dial is in progress: a guard in ALARM would roll it back (docs/domain.md,
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
from runbook_lib.observe.names import topic_arn
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params

REASON = "fire drill of the rollout runbook: nothing is wrong"
STALE_S = 900.0
"""An inbox this old was left behind by a drill that was killed."""
_BATCH = 10


@dataclass(frozen=True)
class Drilled:
    """What the drill showed."""

    heard: tuple[str, ...]
    """Alarms whose notification arrived."""
    silent: tuple[str, ...]
    restored: bool
    """Every alarm is in the state it was in, or in one that it has come to since by its own metric."""
    seconds: float


def refusal(state: TrafficState) -> str | None:
    """Why no drill may be held now; None: it may."""
    if not state.busy or state.dial_deployment is None:
        return None
    return (
        f"deployment {state.dial_deployment.number} of the dial is {state.dial_deployment.state}: a fire drill would "
        "roll it back; wait until it is COMPLETE"
    )


def drill(
    aws: Any, guard: Guard, params: Params, names: Sequence[str], state: TrafficState, *, wait_s: float
) -> Drilled:
    """Sets all alarms off together, listens, and puts them back.

    Args:
        names: the alarms; those that do not exist are silent.
        state: of the traffic, as it is now; a deployment under way forbids the drill.
        wait_s: real seconds to listen at most. Those not heard by half of them are set off once more: a subscription
            takes a moment to be in effect.

    Raises:
        Refused: a deployment of the dial is in progress, or the change is not authorised.
        AwsError: AWS refused or did not answer. The alarms were put back, but for those that the sentence names.
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
    """Sets alarms to ALARM; only a change of state is notified. Keeps in `now` what each was set to."""
    for name in names:
        for state in ("OK", "ALARM") if now[name] == "ALARM" else ("ALARM",):
            now[name] = state  # before the call: one that fails may have been made all the same
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=REASON)


def _put_back(cloudwatch: Any, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Every alarm that is not as it was; each is tried, whatever becomes of the others.

    An alarm on a metric without data might never leave ALARM by itself.
    """
    failed = []
    for name, was in before.items():
        if now[name] == was:
            continue
        try:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=was, StateReason=REASON)
        except Exception as error:  # whatever it is, the next one must be put back
            failed.append(f"{name} to {was} ({type(error).__name__})")
    if failed:
        raise AwsError(f"the drill could not put back: {', '.join(failed)}; do it with aws cloudwatch set-alarm-state")


@contextlib.contextmanager
def inbox(aws: Any, params: Params) -> Iterator[str]:
    """A queue that the alarms' topic may send to, for the time of the drill: its URL.

    Its name is new each time: SQS does not give a deleted queue's name again for a minute. The policy comes with its
    making: one that is set later takes up to a minute to be in effect.
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
    """Seconds since a queue was made, by AWS's own clock; 0 where the answer does not tell the time."""
    try:
        return dated(answer).timestamp() - float(answer["Attributes"]["CreatedTimestamp"])
    except AwsError:
        return 0.0


def listen(sqs: Any, url: str, wanted: set[str], wait_s: float) -> set[str]:
    """Names of the alarms whose notification of ALARM came within `wait_s` seconds."""
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
    """The alarm's own words, out of SNS's envelope if it has one."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["Message"]) if "Message" in outer else outer
    except (ValueError, TypeError):
        return {}
    return inner if isinstance(inner, dict) else {}
