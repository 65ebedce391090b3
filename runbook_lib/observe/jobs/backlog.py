"""The queue as a forecast needs it: waiting messages, arrivals, the time of a job; and the queue's curve."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import Window, when
from runbook_lib.judge.incidents.backlog import Load
from runbook_lib.observe.metrics.fetch import Answers, Ask, fetch
from runbook_lib.params.load import Params
from runbook_lib.params.posts import Post

_VISIBLE = "ApproximateNumberOfMessages"


@dataclass(frozen=True)
class Queue:
    """What was seen of the queue up to `at`."""

    at: dt.datetime
    levels: tuple[tuple[dt.datetime, float], ...]
    """Messages waiting, in order of time, from before `at` and, where it lies in the past, until after it."""
    live: float | None
    """Messages waiting now, by SQS itself; None: `at` is not now."""
    oldest_s: float | None
    """Age of the oldest message in seconds, as it was published last, at or before `at`."""
    sent: float | None
    """Messages sent in the measured window; None: no data."""
    invocations: float | None
    duration_ms: float | None
    """Sum over the measured window."""
    window: Window
    answers: Answers

    @property
    def waiting(self) -> float | None:
        """Messages waiting at `at`: the newest published level, or SQS's own newer count if that is more."""
        known = [level for when, level in self.levels if when <= self.at][-1:]
        known += [self.live] if self.live is not None else []
        return max(known, default=None)

    def load(self, workers: int) -> Load | None:
        """The load for a forecast; None where the level or the time of a job is not known."""
        if self.waiting is None or not self.invocations or not self.duration_ms or self.window.empty:
            return None
        return Load(
            waiting=self.waiting,
            arrivals_per_s=(self.sent or 0.0) / self.window.seconds,
            service_s=self.duration_ms / 1000 / self.invocations,
            workers=workers,
        )

    def since(self, start: dt.datetime, until: dt.datetime | None = None) -> list[tuple[float, float]]:
        """The levels from `start` on (to `until`, exclusive), as seconds after it and messages."""
        return [
            ((when - start).total_seconds(), level)
            for when, level in self.levels
            if when >= start and (until is None or when < until)
        ]


def read(
    aws: Any, params: Params, at: dt.datetime, now: dt.datetime, *, minutes: float, live: bool, post: Post | None = None
) -> Queue:
    """A worker's queue at `at`, measured over `minutes` up to the metrics' delay before it, with its curve up to `now`.

    Args:
        live: whether to ask SQS itself too (`at` is now).
        post: the worker; None: the first one.

    Raises:
        AwsError: CloudWatch or SQS refused or did not answer.
    """
    post = post or params.service.crew[0]
    end = at - dt.timedelta(seconds=params.policy.metric_delay_s)
    window = Window(end - dt.timedelta(minutes=minutes), end).inward(300)
    drawn = Window(at - dt.timedelta(minutes=4 * minutes), now)
    asks = [
        Ask(f"{post.queue}_visible", drawn, "Maximum"),
        Ask(f"{post.queue}_oldest_age", drawn, "Maximum"),
        Ask(f"{post.queue}_sent", window, "Sum", label="sent"),
        Ask(f"{post.worker}_invocations", window, "Sum", label="invocations"),
        Ask(f"{post.worker}_duration", window, "Sum", label="duration"),
    ]
    answers = fetch(aws.client("cloudwatch"), params, asks, now)
    levels = tuple(answers.points(asks[0].label))
    ages = [value for when, value in answers.points(asks[1].label) if when <= at]
    return Queue(
        at=at,
        levels=levels,
        live=_live(aws.client("sqs"), params, post) if live else None,
        oldest_s=ages[-1] if ages else None,
        sent=answers.total("sent"),
        invocations=answers.total("invocations"),
        duration_ms=answers.total("duration"),
        window=window,
        answers=answers,
    )


def deepest(sqs: Any, params: Params) -> tuple[Post, float]:
    """The worker with the deepest queue, by SQS itself, and its depth; of equals the first.

    Raises:
        AwsError: SQS refused or did not answer.
    """
    depths = {post: _live(sqs, params, post) for post in params.service.crew}
    found = max(depths, key=lambda post: depths[post])
    return found, depths[found]


def _live(sqs: Any, params: Params, post: Post) -> float:
    with aws_errors("reading the queue's depth (sqs:GetQueueAttributes)"):
        url = sqs.get_queue_url(QueueName=params.name(post.queue))["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_VISIBLE])
    return float(answer["Attributes"][_VISIBLE])


def measured(queue: Queue) -> str:
    """The numbers of the forecast and their window, in words."""
    window = f"{when(queue.window.start).removesuffix(' UTC')} to {when(queue.window.end)}"
    if not queue.invocations or not queue.duration_ms:
        return f"{window}: no job ended, so the time of a job is not known"
    mean = queue.duration_ms / 1000 / queue.invocations
    return f"{window}: {queue.sent or 0:g} jobs arrived, {queue.invocations:g} ended, {mean:.1f} s each on average"
