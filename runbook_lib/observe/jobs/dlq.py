"""Lists the dead-letter queue without consuming it.

SQS has no way to look into a queue: a message has to be received, which hides it for its visibility timeout. So each
message is hidden for a short while, so that none is listed twice, and made visible again when the list is complete. If
this process ends before that, SQS makes them visible again. Nothing is deleted. While messages are hidden, the queue's
depth reads 0, and another look does not get them: so SQS is asked how many there are, and what a look did not get is
told (`Rest`). A receive has no effect on a DLQ without a redrive policy of its own but to raise its count.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from pydantic import Field, field_serializer

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import code_of
from runbook_lib.base.json_body import id_at
from runbook_lib.base.tagged import plain
from runbook_lib.judge import words
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.jobs.logs import redact
from runbook_lib.params.item import own, projected
from runbook_lib.params.load import Params

HIDDEN_S = 60
"""At most this many seconds a message stays hidden."""
MOST = 1000
"""A look takes at most this many messages of a queue: nobody reads more, and an incident does not wait for them."""
ALL = 10_000
"""An export takes at most this many of a queue: of more, the first ones would be visible again before the last ones."""
_BATCH = 10
_EMPTY = 2
"""This many empty answers in a row count as an empty queue, because SQS asks only a sample of its servers."""
_LENGTH = 500
_KEY = 2048
"""Most bytes of a partition key (DynamoDB developer guide, "Quotas")."""
TRACE = "AWSTraceHeader"


class Letter(Frozen):
    """One message of the dead-letter queue."""

    message_id: str
    dlq: str = ""
    """Name of its dead-letter queue."""
    job_id: str | None
    """Id of the job that the message is about; None: it is no message of this service."""
    sent_at: dt.datetime | None
    """When it was first sent."""
    receives: int
    """How often the message was received from the dead-letter queue."""
    bytes: int
    sha256: str
    """SHA-256 of the body as it is in the queue."""
    body: str
    """The body, redacted; in a list cut to 500 characters."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """Message attributes, redacted; bytes as Base64."""
    trace: str | None = None
    """X-Ray's header (`AWSTraceHeader`)."""
    group: str | None = None
    """Message group."""
    status: str | None = None
    """Present status of its job in the table; None: there is no such job (any more)."""
    error: str | None = None
    """Error of the job, redacted."""

    @property
    def what(self) -> tuple[str, str]:
        """Its name for people, and what became of its job."""
        if self.job_id is None:
            return self.message_id, "no message of this service"
        return self.job_id, self.status or "no such job"

    @field_serializer("job_id", "trace", "group", "status")
    def _without_secrets(self, text: str | None) -> str | None:
        """Whoever can send a message writes these; here they stay as they are, to look for the job."""
        return None if text is None else redact(text)


@dataclass(frozen=True)
class Rest:
    """How many messages of the queue a look did not get. SQS counts them approximately."""

    hidden: int = 0
    """Another look or another consumer has received them, or they are delayed."""
    not_looked_at: int = 0
    """The look ended at its limit."""

    def __bool__(self) -> bool:
        return self.number > 0

    def __add__(self, other: Rest) -> Rest:
        return Rest(self.hidden + other.hidden, self.not_looked_at + other.not_looked_at)

    @property
    def number(self) -> int:
        """Of both kinds."""
        return self.hidden + self.not_looked_at

    @classmethod
    def of(cls, there: int, seen: int, limit: int) -> Rest:
        """The rest of a queue with `there` messages, of which a look for at most `limit` has seen `seen`."""
        rest = max(0, there - seen)
        return cls(not_looked_at=rest) if seen >= limit else cls(hidden=rest)

    def told(self) -> str:
        """A phrase with both numbers; empty: there is no rest."""
        hidden = (
            f"{words.count(self.hidden, 'message')} hidden, by another look for {HIDDEN_S} s at most, or by what else "
            "receives from the queue: run it again"
        )
        beyond = f"{words.count(self.not_looked_at, 'message')} not looked at"
        return "; ".join(said for said, some in ((hidden, self.hidden), (beyond, self.not_looked_at)) if some)


@dataclass(frozen=True)
class Found:
    """The letters of a look, oldest first, and what it did not get."""

    letters: list[Letter]
    rest: Rest

    @property
    def number(self) -> int:
        """Messages in the queues, with the rest."""
        return len(self.letters) + self.rest.number

    def told(self, what: str) -> str:
        """How many the look got, and of how many if not all: `2 dead letters`, `none of 5 dead letters`."""
        got = len(self.letters)
        if not self.rest:
            return words.count(got, what) if got else f"no {what}s"
        return f"{f'{got:,}' if got else 'none'} of {words.count(self.number, what)}"


def there(sqs: Any, url: str) -> int:
    """How many messages a queue has, seen and hidden, as SQS counts them. Ask before a look: it hides and deletes.

    Raises:
        ClientError, BotoCoreError: botocore's own.
    """
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found.get(name, 0)) for name in names)


def waiting(sqs: Any, url: str, wait_s: int = 1, limit: int = MOST) -> Iterator[list[dict[str, Any]]]:
    """Receives messages in batches, each hidden for `HIDDEN_S`; ends when the queue seems empty, or at `limit`.

    Raises:
        ClientError, BotoCoreError: botocore's own.
    """
    empty, seen = 0, set[str]()
    while empty < _EMPTY and len(seen) < limit:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=wait_s if not seen else 0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        fresh = [one for one in answer.get("Messages", []) if one["MessageId"] not in seen]
        empty = 0 if fresh else empty + 1
        seen.update(one["MessageId"] for one in fresh)
        if fresh:
            yield fresh


def show_again(sqs: Any, url: str, messages: Sequence[dict[str, Any]]) -> None:
    """Makes received messages visible at once.

    Raises:
        ClientError, BotoCoreError: botocore's own; SQS makes the messages visible again later.
    """
    for start in range(0, len(messages), _BATCH):
        part = messages[start : start + _BATCH]
        entries = [
            {"Id": str(place), "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0}
            for place, one in enumerate(part)
        ]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def again(message: dict[str, Any]) -> dict[str, Any]:
    """A received message as `SendMessage` takes it: body, attributes, X-Ray header and group as they were."""
    system = message.get("Attributes", {})
    sent: dict[str, Any] = {"MessageBody": message["Body"]}
    attributes = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if value.get(key) is not None}
        for name, value in message.get("MessageAttributes", {}).items()
    }
    if attributes:
        sent["MessageAttributes"] = attributes
    if system.get(TRACE):
        sent["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": system[TRACE]}}
    if system.get("MessageGroupId"):
        sent["MessageGroupId"] = system["MessageGroupId"]
    return sent


def letters(aws: Any, params: Params, *, most: int | None = _LENGTH, limit: int = MOST) -> Found:
    """The messages of every worker's dead-letter queue with the state of their jobs, oldest first; all stay there.

    Args:
        most: characters of a body that are kept; None: all.
        limit: the most messages of each queue.

    Raises:
        AwsError: SQS or DynamoDB refused or did not answer.
    """
    names, rest = [params.name(post.dlq) for post in params.service.crew], Rest()
    held = dict[str, list[dict[str, Any]]]()
    for name in names:
        held[name], left = _held(aws.client("sqs"), name, limit)
        rest += left
    path = params.service.contract.message.job_id
    ids = [id for messages in held.values() for one in messages if (id := job_of(one["Body"], path))]
    jobs = _jobs(aws.client("dynamodb"), params, ids)
    found = [_letter(one, name, path, jobs, most) for name, messages in held.items() for one in messages]
    return Found(sorted(found, key=lambda one: (one.sent_at is None, one.sent_at, one.message_id)), rest)


def _held(sqs: Any, name: str, limit: int) -> tuple[list[dict[str, Any]], Rest]:
    """The messages of one dead-letter queue, which are visible again at once, and its rest."""
    held: list[dict[str, Any]] = []
    with aws_errors(f"listing {name} (sqs:GetQueueAttributes, ReceiveMessage, ChangeMessageVisibility)"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        before = there(sqs, url)
        try:
            for batch in waiting(sqs, url, limit=limit):
                held += batch
        finally:
            try:
                show_again(sqs, url, held)
            except ClientError as error:
                # A reader may lack the right to do that: SQS makes them visible again after `HIDDEN_S`.
                if not code_of(error).startswith("AccessDenied"):
                    raise
    return held, Rest.of(before, len(held), limit)


def job_of(body: str, path: str) -> str | None:
    """Id of a message's job, at `path` (`contract.message.job_id`) of its body; None: no message of this service.

    What cannot be a key of the table is no id: DynamoDB refuses to look for any job of a request with such a key.
    """
    try:
        id = id_at(json.loads(body), path)
        return id if 0 < len(id.encode()) <= _KEY else None
    except (ValueError, RecursionError):
        return None


def statuses(dynamodb: Any, params: Params, ids: Sequence[str]) -> dict[str, str]:
    """Status of the jobs by id; a job that is not in the table (any more) is not in the answer.

    Raises:
        AwsError: DynamoDB refused or did not answer.
    """
    return {id: str(one.get("status", "")) for id, one in _jobs(dynamodb, params, ids).items()}


def _letter(message: dict[str, Any], dlq: str, path: str, jobs: dict[str, dict[str, Any]], most: int | None) -> Letter:
    body, attributes = message["Body"], message.get("Attributes", {})
    job = job_of(body, path)
    sent = attributes.get("SentTimestamp")
    item = jobs.get(job or "", {})
    error = item.get("error")
    return Letter(
        message_id=message["MessageId"],
        dlq=dlq,
        job_id=job,
        sent_at=dt.datetime.fromtimestamp(int(sent) / 1000, dt.UTC) if sent else None,
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        bytes=len(body.encode()),
        sha256=hashlib.sha256(body.encode()).hexdigest(),
        body=redact(body)[:most],
        attributes={name: _shown(name, value) for name, value in message.get("MessageAttributes", {}).items()},
        trace=attributes.get(TRACE),
        group=attributes.get("MessageGroupId"),
        status=None if item.get("status") is None else str(item["status"]),
        error=None if error is None else redact(str(error))[:_LENGTH],
    )


def _shown(name: str, attribute: dict[str, Any]) -> str:
    """An attribute's value without secrets; its name may mark it as one, as in a body."""
    raw = attribute.get("BinaryValue")
    value = base64.b64encode(raw).decode() if isinstance(raw, bytes) else str(attribute.get("StringValue", ""))
    with contextlib.suppress(ValueError, KeyError):
        return str(json.loads(redact(json.dumps({name: value})))[name])
    return redact(value)


def _jobs(dynamodb: Any, params: Params, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Status and error of the jobs in the runbook's own words, by id (BatchGetItem takes a hundred keys)."""
    contract = params.service.contract
    names = projected(("job_id", "status", "error"), contract)
    table, found = params.name("table"), dict[str, dict[str, Any]]()
    unique = sorted(set(ids))
    with aws_errors(f"reading jobs of {table} (dynamodb:BatchGetItem)"):
        for start in range(0, len(unique), 100):
            keys = [{contract.table.job_id: {"S": id}} for id in unique[start : start + 100]]
            asked: dict[str, Any] = {
                table: {
                    "Keys": keys,
                    "ProjectionExpression": ", ".join(names),
                    "ExpressionAttributeNames": names,
                }
            }
            while asked:
                answer = dynamodb.batch_get_item(RequestItems=asked)
                jobs = (own(plain(one), contract) for one in answer["Responses"].get(table, []))
                found |= {str(one["job_id"]): one for one in jobs}
                asked = answer.get("UnprocessedKeys") or {}
    return found
