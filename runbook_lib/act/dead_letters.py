"""Redrives dead letters: sends each to the work queue, and deletes it from the dead-letter queue only then.

A crash in between leaves a message in both queues, and the job runs twice: that costs a report, while the other order
would lose the job. Messages of completed jobs, messages that the worker would skip, and messages of other services
stay in the queue. SQS's own StartMessageMoveTask would move all of them, and does not list them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.aws_errors import code_of
from runbook_lib.observe.jobs.dlq import HIDDEN_S, MOST, Rest, again, job_of, show_again, statuses, there, waiting
from runbook_lib.params import item
from runbook_lib.params.load import Params
from runbook_lib.params.posts import Post


@dataclass
class Redriven:
    """The fate of each message, by job id (or by its own id, if it is no message of this service)."""

    sent: list[str] = field(default_factory=list)
    """Sent back to the work queue."""
    completed: list[str] = field(default_factory=list)
    """Left in the queue: the job has completed."""
    skipped: list[str] = field(default_factory=list)
    """Left in the queue: the worker ignores jobs in this state (`worker_skips` in `service.yaml`)."""
    failed: list[str] = field(default_factory=list)
    """The jobs in `sent` that were FAILED."""
    foreign: list[str] = field(default_factory=list)
    """Left in the queue: not a message of this service."""
    others: list[str] = field(default_factory=list)
    """Left in the queue: not among the jobs asked for."""
    beyond: list[str] = field(default_factory=list)
    """Left in the queue: beyond the limit `most`."""
    rest: Rest = field(default_factory=Rest)
    """Left in the queue, and in none of these lists: the redrive did not get them."""

    @property
    def seen(self) -> set[str]:
        """All ids of the messages that the redrive got."""
        return {*self.sent, *self.completed, *self.skipped, *self.foreign, *self.others, *self.beyond}


def redrive(aws: Aws, guard: Guard, params: Params, jobs: Collection[str] = (), most: int = 1000) -> Redriven:
    """Sends dead letters back to the work queue, in batches of ten, each batch with its intent and outcome.

    Args:
        jobs: ids of the jobs to redrive; empty: all.
        most: the most messages to send.

    Raises:
        Refused, UsageError: not authorised; this counts as a raise, since the workers must bear the load.
        AwsError: SQS or DynamoDB refused or did not answer; the journal has what was sent before.
    """
    guard.authorise(raises=True)
    done = Redriven()
    for post in params.service.crew:
        _one(aws, guard, params, jobs, most, post, done)
    return done


def _one(aws: Aws, guard: Guard, params: Params, jobs: Collection[str], most: int, post: Post, done: Redriven) -> None:
    """Redrives the dead letters of one worker to its own queue."""
    sqs, held, dead = aws.client("sqs"), list[dict[str, Any]](), params.name(post.dlq)
    with aws_errors(f"driving {dead} again (sqs:GetQueueAttributes, ReceiveMessage, SendMessage, DeleteMessage)"):
        dlq, queue = (sqs.get_queue_url(QueueName=params.name(name))["QueueUrl"] for name in (post.dlq, post.queue))
        before, seen, limit = there(sqs, dlq), 0, max(MOST, most)
        try:
            for batch in waiting(sqs, dlq, limit=limit):
                held += batch
                seen += len(batch)
                chosen = _chosen(aws, params, batch, jobs, done)
                room = max(0, most - len(done.sent))
                wanted = [(job, one) for job, one, _ in chosen[:room]]
                done.beyond += [job for job, _, _ in chosen[room:]]
                if wanted:
                    _batch(sqs, guard, params.name(post.queue), dlq, queue, wanted, held, done)
                    done.failed += [job for job, _, status in chosen[:room] if status == "FAILED"]
            done.rest += Rest.of(before, seen, limit)
        finally:
            try:
                show_again(sqs, dlq, held)
            except (ClientError, BotoCoreError) as error:  # it must not hide the outcome or the first error
                guard.warn(f"what was left in {dead} shows again in {HIDDEN_S} s only: {error}")


def _chosen(
    aws: Aws, params: Params, batch: list[dict[str, Any]], jobs: Collection[str], done: Redriven
) -> list[tuple[str, dict[str, Any], str | None]]:
    """Job id, message and job status of the messages to send."""
    contract = params.service.contract
    skipped = {item.status(word, contract) for word in params.service.worker_skips}
    named = [(job_of(one["Body"], contract.message.job_id), one) for one in batch]
    known = statuses(aws.client("dynamodb"), params, [job for job, _ in named if job])
    chosen = []
    for job, one in named:
        if job is None:
            done.foreign.append(one["MessageId"])
        elif jobs and job not in jobs:
            done.others.append(job)
        elif known.get(job) == "COMPLETED":
            done.completed.append(job)
        elif known.get(job) in skipped:
            done.skipped.append(job)
        else:
            chosen.append((job, one, known.get(job)))
    return chosen


def _batch(
    sqs: Any,
    guard: Guard,
    name: str,
    dlq: str,
    queue: str,
    wanted: list[tuple[str, dict[str, Any]]],
    held: list[dict[str, Any]],
    done: Redriven,
) -> None:
    begun: list[str] = []
    gone: list[str] = []

    def move() -> None:
        for job, one in wanted:
            begun.append(job)
            sqs.send_message(QueueUrl=queue, **again(one))
            _delete(sqs, dlq, one["ReceiptHandle"])
            held.remove(one)
            gone.append(job)

    def read_back() -> dict[str, Any]:
        """The jobs whose message has moved, and those in doubt: SQS cannot be asked where a message is."""
        return {"sent": len(gone), "jobs": list(gone), "in_doubt": begun[len(gone) :]}

    try:
        guard.change(
            f"redrive {len(wanted)} dead letters to {name}",
            before={"jobs": [job for job, _ in wanted]},
            after={"sent": len(wanted)},
            undo="none: a job that fails again comes back by itself",
            do=move,
            read_back=read_back,
            raises=True,
        )
    except KeyboardInterrupt:  # no outcome is written then, and nobody else knows
        left = f"; in doubt: {', '.join(begun[len(gone) :])}" if begun[len(gone) :] else ""
        guard.note("note", text=f"interrupted; {len(gone)} of {len(wanted)} moved: {', '.join(gone) or 'none'}{left}")
        raise
    finally:
        done.sent += gone


def _delete(sqs: Any, dlq: str, handle: str) -> None:
    """Deletes a message; if it is gone already, that is fine (botocore repeats a request whose answer was lost)."""
    try:
        sqs.delete_message(QueueUrl=dlq, ReceiptHandle=handle)
    except ClientError as error:
        if code_of(error) != "ReceiptHandleIsInvalid":
            raise
