"""Asynchronous jobs: a delivery to a worker, and the client that polls for the end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.rows import LOG_BYTES, Rows, invocations, responses

WORKER_TIMEOUT_S = 300.0
REFUSED_S = 2.0
"""Seconds that a job takes if the LLM's rate limit refuses it."""
RATE_LIMITED = "LLMError: 429 rate_limit_error: too many requests at a time"
THROTTLED = "ThrottlingException: the jobs table turned the update away"
THROTTLED_TRIES = 10.0
"""Attempts of the SDK for one request to DynamoDB, each of which is a throttle event (botocore's own default)."""
GOLDEN = 0.6180339887498949
"""Golden ratio, whose multiples modulo 1 are spread evenly: more draws from one uniform number, without a state."""


@dataclass(frozen=True)
class Settings:
    """The service's own settings, from `service.yaml`, and the prices that its cost metric uses (USD a token)."""

    client_poll_s: float = 60.0
    poll_every_s: float = 5.0
    job_deadline_s: float = 300.0
    visibility_timeout_s: float = 660.0
    max_receives: int = 3
    input_tokens: int = 7500
    output_tokens: int = 2200
    usd_per_input_token: float = 3e-6
    usd_per_output_token: float = 15e-6

    @property
    def max_polls(self) -> int:
        """Polls after which the client gives up."""
        return int(self.job_deadline_s // self.poll_every_s)


@dataclass
class Job:
    """One asynchronous job; times are epoch seconds, infinite if not known yet."""

    job_id: str
    idempotency_key: str
    created: float
    enqueued: float
    llm_s: float
    """Seconds of the LLM, before the fault's factor."""
    u_failed: float
    u_crash: float
    u_poll: float
    input_tokens: int
    output_tokens: int
    number: int = 0
    """Number of the submission that made it, from 1 on."""
    u_quota: float = 1.0
    untold: bool = False
    """Whether its item lacks the number of tokens."""
    poison: bool = False
    """Whether its message crashes every worker."""
    started: float = math.inf
    finished: float = math.inf
    gone: float = math.inf
    """Time at which its message was deleted, or moved to the DLQ."""
    failed: bool = False
    error: str = ""
    receives: int = 0
    next_poll: int = 1
    written: str = ""
    """The status last handed out in a `Step`."""
    written_start: float = math.inf
    """The start handed out with it; a further delivery has a later one."""

    def copy(self) -> Job:
        """The job as it is now."""
        twin = object.__new__(Job)  # a tenth of what `copy.copy` takes
        twin.__dict__.update(self.__dict__)
        return twin

    def status(self, at: float) -> str:
        """The status in its item at `at`; a job that crashed its worker stays PROCESSING."""
        if self.finished <= at:
            return "FAILED" if self.failed else "COMPLETED"
        return "PROCESSING" if self.started <= at else "PENDING"


class Failure(NamedTuple):
    """A job that the worker marked FAILED: the facts in its log line."""

    at: float
    job_id: str
    reason: str


class Answer(NamedTuple):
    """A request in the gateway's access log."""

    at: float
    path: str
    """`submit` or `sync`."""
    status: int
    kind: str
    """`$context.error.responseType`: THROTTLED, WAF_FILTERED, DEFAULT_5XX; empty for a Lambda's own answer."""
    client: str = ""
    """`$context.identity.userAgent`."""


Row = tuple[str, float, float, float]
"""A signal, the time at which it becomes known, the time that it is about, and its number."""


class Attempt(NamedTuple):
    """The result of one delivery."""

    rows: list[Row]
    end: float
    """Time at which the worker is free again."""
    again: float | None
    """Time at which the message can be received again, if it failed and deliveries are left."""


def attempt(job: Job, at: float, now: Behaviour, reason: str, busy: int, settings: Settings) -> Attempt:
    """Delivers `job` to a worker at `at`; notes the result in the job.

    Args:
        now: the behaviour at that time.
        reason: error text of the job if it fails.
        busy: number of busy workers, including this one.
    """
    job.started = at
    limited = busy > now.llm_slots or job.u_quota < now.llm_quota
    took = round(REFUSED_S if limited else job.llm_s * now.llm_time + 0.6, 3)
    crash = job.poison or took > WORKER_TIMEOUT_S or (job.u_crash + GOLDEN * job.receives) % 1.0 < now.job_crash
    took = min(took, WORKER_TIMEOUT_S)
    end = at + took
    one = [
        *_received(job, at),
        ("table_writes", at, at, 1.0),
        ("gsi_writes", at, at, 1.0),
        ("worker_invocations", end, at, 1.0),
        ("worker_errors", end, at, float(crash)),
        ("worker_throttles", end, at, 0.0),
        ("worker_duration", end, at, round(took * 1000)),
        ("worker_concurrent", end, at, float(busy)),
        ("worker_log_bytes", end, at, LOG_BYTES),
    ]
    if not limited:  # the LLM was called: its tokens are paid for, whatever the result
        one += [
            ("d_paid_async_input", end, end, float(job.input_tokens)),
            ("d_paid_async_output", end, end, float(job.output_tokens)),
        ]
    # Its first and its last write, each throttled once by another part of the same number.
    retried = [when for when, u in ((at, 1 - job.u_crash), (end, 1 - job.u_failed)) if u < now.writes_retried]
    one += [("table_write_throttles", when, when, 1.0) for when in retried]
    again = None
    if crash:
        again = _returned(job, at, one, settings)
    else:
        job.finished = job.gone = round(end, 3)
        # The same number decides: its lowest part fails by itself, the next by the table, the next by the index.
        by_table = now.job_failed + (1 - now.job_failed) * now.table_throttled
        by_index = by_table + (1 - by_table) * now.index_throttled
        job.failed = limited or job.u_failed < by_index
        one += [("d_in_flight", end, end, -1.0), ("queue_deleted", end, end, 1.0)]
        one += [("table_writes", end, end, now.written_units), ("gsi_writes", end, end, now.written_units)]
        if job.failed:
            by_itself = job.u_failed < now.job_failed
            job.error = RATE_LIMITED if limited else reason if by_itself else THROTTLED
            if not limited and not by_itself:
                part = "table" if job.u_failed < by_table else "gsi"
                one.append((f"{part}_write_throttles", end, end, THROTTLED_TRIES))
            one.append(("jobs_failed", end, end, 1.0))
        else:
            one += [
                ("jobs_completed", end, end, 1.0),
                ("input_tokens", end, end, float(job.input_tokens)),
                ("output_tokens", end, end, float(job.output_tokens)),
            ]
    return Attempt(one, end, again)


def throttled(job: Job, at: float, settings: Settings) -> Attempt:
    """Receives `job`'s message at `at` without concurrency to run it: the receive counts, and the job is not begun.

    Lambda's own throttle is no invocation (AWS Lambda developer guide, "Types of metrics for Lambda functions").
    """
    one = [*_received(job, at), ("worker_throttles", at, at, 1.0)]
    again = _returned(job, at, one, settings)
    return Attempt(one, at, again)


def _received(job: Job, at: float) -> list[Row]:
    """The row of a receive of its message."""
    job.receives += 1
    return [("queue_received", at, at, 1.0), ("d_visible", at, at, -1.0), ("d_in_flight", at, at, 1.0)]


def _returned(job: Job, at: float, one: list[Row], settings: Settings) -> float | None:
    """Puts the message back after the visibility timeout (returns when), or into the DLQ (None)."""
    hidden_until = at + settings.visibility_timeout_s
    one.append(("d_in_flight", hidden_until, hidden_until, -1.0))
    if job.receives < settings.max_receives:
        one.append(("d_visible", hidden_until, hidden_until, 1.0))
        return hidden_until
    one.append(("d_dlq", hidden_until, hidden_until, 1.0))
    job.gone = hidden_until
    return None


def polls(jobs: Iterable[Job], until: float, settings: Settings) -> list[Rows]:
    """The clients' polls not counted yet: up to `until`, or up to the one that sees the end, if the end is known.

    Notes in each job how far its client got.
    """
    every, most = settings.poll_every_s, settings.max_polls
    spans: list[tuple[float, int, int, float, float, bool]] = []
    for job in jobs:
        done = job.finished < math.inf
        horizon = job.finished if done else until
        last = math.ceil((horizon - job.enqueued) / every) - (0 if done else 1)
        last = min(max(last, 1 if done else 0), most)
        if last >= job.next_poll:
            spans.append((job.enqueued, job.next_poll, last, job.u_poll, job.finished, job.failed))
            job.next_poll = most + 1 if done else last + 1
    if not spans:
        return []
    enqueued, first, last_, u, finished, failed = (np.array(column) for column in zip(*spans, strict=True))
    n = last_ - first + 1
    who = np.repeat(np.arange(len(n)), n)
    k = np.arange(len(who)) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    at = enqueued[who] + k * every
    waited = np.round(0.025 + 0.12 * ((u[who] + GOLDEN * k) % 1.0) ** 4, 3)
    ends = at + waited
    none, over = np.zeros(len(at), dtype=bool), finished[who] <= at
    return [
        *responses("status", ends, waited, none),
        *invocations("status", at, waited * 0.8, none, np.ones(len(at))),
        Rows.of("table_reads", at, 0.5),
        Rows.of("status_query", ends, 1.0),
        Rows.of("status_completed", ends[over & ~failed[who]], 1.0),
        Rows.of("status_failed", ends[over & failed[who]], 1.0),
    ]
