"""The traffic before the rollout: submissions hour by hour, from CloudWatch."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.judge import words
from runbook_lib.observe.metrics.fetch import Answers, Ask, Point, fetch
from runbook_lib.params.load import Params

PERIOD_S = 3600
"""An hour in seconds: CloudWatch keeps such points for 455 days (docs/domain.md, trap 7)."""
ROUTES = ("sync_requests", "async_requests")
"""The two routes; after the shift, total submissions are their sum."""


@dataclass(frozen=True)
class BaselineTraffic:
    """Submissions per hour as (start of the hour in UTC, count), in order and without a gap."""

    points: tuple[Point, ...]
    asked: Window
    notes: tuple[str, ...]
    answers: Answers

    @property
    def hours_asked(self) -> int:
        """Number of hours that were asked for."""
        return int(self.asked.seconds // PERIOD_S)


def window(params: Params, now: dt.datetime) -> Window:
    """The last `baseline.days` in whole hours, up to the last hour whose points have arrived."""
    end = now - dt.timedelta(seconds=params.policy.metric_delay_s)
    return Window(end - dt.timedelta(days=params.policy.baseline.days, hours=1), end).inward(PERIOD_S)


def read(cloudwatch: Any, params: Params, now: dt.datetime) -> BaselineTraffic:
    """Reads the submissions of both routes before the rollout.

    API Gateway publishes nothing for an hour without a request. So a missing hour between the first point and the end
    of the window counts as zero; before the first point nothing is known. Where CloudWatch did not answer in full, a
    missing hour is unknown too, and only the hours since the last gap are kept.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    asked = window(params, now)
    answers = fetch(cloudwatch, params, [Ask(route, asked, "Sum", PERIOD_S) for route in ROUTES], now)
    labels = [f"{route}:Sum" for route in ROUTES]
    counted: dict[dt.datetime, float] = {}
    for label in labels:
        for start, value in answers.points(label):
            counted[start] = counted.get(start, 0.0) + value
    notes = list(answers.notes(*labels))
    partial = any(answers.partial(label) for label in labels)
    points: list[Point] = []
    silent = 0
    at = min(counted, default=asked.end)
    while at < asked.end:
        if at in counted:
            points.append((at, counted[at]))
        elif partial:
            points = []
        else:
            silent += 1
            points.append((at, 0.0))
        at += dt.timedelta(seconds=PERIOD_S)
    if silent:
        zero = f"{words.count(silent, 'hour')} without a point {words.verb(silent, 'count')} as zero"
        notes.append(f"{zero}: nothing is published where nothing is asked")
    if partial:
        notes.append("CloudWatch did not answer in full; only the hours since the last gap are counted")
    return BaselineTraffic(tuple(points), asked, tuple(notes), answers)
