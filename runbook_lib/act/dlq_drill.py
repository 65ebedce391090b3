"""A drill with one message through the dead-letter queue and back: seen, alarmed, redriven, done, cleaned up.

It proves before any incident that somebody notices a dead letter, and that it is not lost.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.base.json_body import filled_body
from runbook_lib.base.tagged import plain, tagged
from runbook_lib.base.waiting import steady, until
from runbook_lib.base.window import iso
from runbook_lib.judge import words
from runbook_lib.observe.jobs.dlq import job_of
from runbook_lib.params import item
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params

_VISIBLE = "ApproximateNumberOfMessages"
_EVERY_S, _EVERY_LONG_S, _LONG_S = 0.05, 5.0, 60.0
"""Seconds between two looks: if a step may take more than a minute, AWS is asked less often."""


@dataclass(frozen=True)
class Trip:
    """The steps that the message completed."""

    seen: bool
    alarmed: bool | None
    """Whether the alarm went to ALARM; None: the alarm does not exist."""
    before: str
    """State of the alarm before the message was sent."""
    redriven: bool
    completed: bool
    cleaned: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all steps succeeded."""
        return self.seen and bool(self.alarmed) and self.redriven and self.completed and self.cleaned

    @property
    def sentence(self) -> str:
        """The step that failed, or that all succeeded, as a sentence."""
        told = (
            (self.seen, "the message never showed in the dead-letter queue"),
            (self.alarmed is not None, "the dead-letter queue has no alarm"),
            (bool(self.alarmed), "its alarm did not go to ALARM"),
            (self.redriven, "it could not be redriven"),
            (self.completed, "the redriven job did not complete"),
            (self.cleaned, "the traces of the probe could not be removed"),
        )
        wrong = next((text for ok, text in told if not ok), None)
        if wrong:
            return wrong
        late = " (in ALARM already, from a message before)" if self.before == "ALARM" else ""
        return f"sent, seen by its alarm{late}, redriven, completed and cleaned up in {self.seconds:.1f} s"


def round_trip(
    aws: Aws, guard: Guard, params: Params, *, wait_s: float, out: Callable[[str], None] = lambda _: None
) -> Trip:
    """Sends a probe job straight to the DLQ, and follows it until it is done.

    Whatever goes wrong, the probe's message and job item are removed at the end.

    Args:
        wait_s: real seconds that each step may take: metric and alarm on AWS take some minutes.
        out: called with what it is waiting for.

    Raises:
        Refused: the change is not authorised, or the DLQ is not empty: its messages are other people's jobs.
        AwsError: AWS refused or did not answer.
    """
    with aws_errors("sending a message through the dead-letter queue and back (sqs, dynamodb, cloudwatch)"):
        return _Probe(aws, guard, params, wait_s, out).travel()


class _Probe:
    """One message on its way."""

    def __init__(self, aws: Aws, guard: Guard, params: Params, wait_s: float, out: Callable[[str], None]) -> None:
        self.aws, self.guard, self.params, self.wait_s, self.out = aws, guard, params, wait_s, out
        self.sqs, self.contract = aws.client("sqs"), params.service.contract
        of_id = self.contract.probe.arrives_in == self.contract.table.job_id
        self.job = (self.contract.probe.prefix if of_id else "") + str(uuid.uuid4())
        urls = (self.sqs.get_queue_url(QueueName=params.name(name))["QueueUrl"] for name in ("dlq", "queue"))
        self.dlq, self.queue = urls
        said = {"job_id": self.job, "uuid": str(uuid.uuid4()), "now": iso(guard.now), "probe": self.job}
        self.body = json.dumps(filled_body(self.contract.message.body, said))
        self.key = {self.contract.table.job_id: {"S": self.job}}

    def travel(self) -> Trip:
        waiting, name = self._depth(), self.params.name("dlq")
        if waiting:
            raise Refused(f"{name} holds {words.count(waiting, 'message')}: look at them before a probe joins them")
        self.guard.authorise(raises=True)  # before there is anything to clean up
        begun, before = time.monotonic(), self._alarm_state()
        seen = redriven = completed = False
        alarmed: bool | None = None
        try:
            seen = self._send()
            alarmed = None if before is None else self._until(lambda: self._alarm_state() == "ALARM", "its alarm")
            redriven = self._redrive()
            completed = redriven and self._until(lambda: self._status() == "COMPLETED", "the redriven job")
        finally:
            cleaned = self._clean(redriven, completed)
        return Trip(seen, alarmed, before or "", redriven, completed, cleaned, time.monotonic() - begun)

    def _send(self) -> bool:
        def send() -> None:
            self._remember()
            self.sqs.send_message(QueueUrl=self.dlq, MessageBody=self.body)

        change = self.guard.change(
            f"send a probe job to {self.params.name('dlq')}",
            before={"waiting": False},
            after={"waiting": True},
            undo="receive and delete it",
            do=send,
            read_back=lambda: {
                "waiting": self._until(lambda: self._depth() > 0, "the message")
            },  # SQS counts approximately, and late
            raises=True,
        )
        return change.ok

    def _redrive(self) -> bool:
        """Redrives only our own message: sends it to the work queue, then deletes it, so a crash loses nothing."""

        def move(message: dict[str, Any]) -> None:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=message["Body"])
            self.sqs.delete_message(QueueUrl=self.dlq, ReceiptHandle=message["ReceiptHandle"])

        return self._taken(f"redrive the probe job to {self.params.name('queue')}", move)

    def _clean(self, redriven: bool, completed: bool) -> bool:
        """Removes message and item of the probe; its report expires like all others, in a bucket that only the service
        writes to.

        The item of a job that may still run stays, marked as a probe's: the worker would create another one without
        the mark.
        """
        if redriven and not completed:
            return False
        gone = redriven or self._taken(
            f"delete the probe job from {self.params.name('dlq')}",
            lambda message: self.sqs.delete_message(QueueUrl=self.dlq, ReceiptHandle=message["ReceiptHandle"]),
        )
        table = self.params.name("table")
        change = self.guard.change(
            f"delete the probe job's item from {table}",
            before={"item": True},
            after={"item": False},
            undo="none is needed: it was a probe's",
            do=lambda: self.aws.client("dynamodb").delete_item(TableName=table, Key=self.key),
            read_back=lambda: {"item": bool(self._item())},
            raises=False,
        )
        return gone and change.ok

    def _taken(self, what: str, act: Callable[[dict[str, Any]], Any]) -> bool:
        """Receives our own message and calls `act` with it; messages of others are released again."""
        done: list[str] = []

        def look() -> bool:
            answer = self.sqs.receive_message(QueueUrl=self.dlq, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                if job_of(message["Body"], self.contract.message.job_id) == self.job:
                    act(message)
                    done.append(self.job)
                else:
                    handle = message["ReceiptHandle"]
                    self.sqs.change_message_visibility(QueueUrl=self.dlq, ReceiptHandle=handle, VisibilityTimeout=0)
            return bool(done)

        change = self.guard.change(
            what,
            before={"taken": False},
            after={"taken": True},
            undo="none is needed: it is a probe's",
            do=lambda: self._until(look, "the message to be received"),
            read_back=lambda: {"taken": bool(done)},
            raises=False,
        )
        return change.ok

    def _remember(self) -> None:
        """Writes the job's item as the submit Lambda would, marked as a probe."""
        now = self.guard.now
        job = {
            "job_id": self.job,
            "status": "PENDING",
            "created_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "idempotency_key": f"probe-{self.job}",
            "source": f"{item.PROBE}dlq",
            "ttl": int(now.timestamp()) + self.params.service.job_ttl_s,
        }
        stored = item.marked(item.stored(job, self.contract), "dlq", self.contract)
        self.aws.client("dynamodb").put_item(TableName=self.params.name("table"), Item=tagged(stored))

    def _item(self) -> dict[str, Any]:
        table = self.params.name("table")
        answer = self.aws.client("dynamodb").get_item(TableName=table, Key=self.key, ConsistentRead=True)
        return item.own(plain(answer.get("Item", {})), self.contract)

    def _depth(self) -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.dlq, AttributeNames=[_VISIBLE])
        return int(answer["Attributes"][_VISIBLE])

    def _alarm_state(self) -> str | None:
        """State of the alarm on the DLQ's depth; None if the alarm does not exist."""
        alarm = next((one for one in self.params.policy.alarms if one.metric == "dlq_visible"), None)
        if alarm is None:
            return None
        name = alarm_name(alarm, self.params)
        found = self.aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(found[0]["StateValue"]) if found else None

    def _status(self) -> str:
        return str(self._item().get("status", ""))

    def _until(self, holds: Callable[[], bool], what: str) -> bool:
        return until(
            holds,
            bool,
            limit_s=self.wait_s,
            pause=steady(_EVERY_S if self.wait_s < _LONG_S else _EVERY_LONG_S),
            told=lambda _, waited: self.out(f"waiting for {what}: {waited:.0f} s of at most {self.wait_s:.0f} s"),
        )
