"""The heaviest minute, hour and day of the traffic before the rollout, from CloudWatch."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.judge.planning.door import Peak
from runbook_lib.observe.metrics.fetch import Answers, Ask, Point, fetch
from runbook_lib.observe.traffic.before import ROUTES, window
from runbook_lib.params.load import Params

FINEST_DAYS = 7
"""Up to this many days minutes are asked for; CloudWatch keeps them for 15 (docs/domain.md, trap 7)."""
_GRIDS_S = (3600, 300)
_ENOUGH = 12
"""At least this many points must lie on a coarser grid to count as points of that length."""


@dataclass(frozen=True)
class PeakTraffic:
    """The peak of both routes together; `peak` is None where no submission was seen."""

    peak: Peak | None
    notes: tuple[str, ...]
    answers: Answers


def read(cloudwatch: Any, params: Params, now: dt.datetime) -> PeakTraffic:
    """Reads the peak of both routes over `baseline.days`: by the minute up to 7 days, else by 5 minutes.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    asked = window(params, now)
    period = 60 if params.policy.baseline.days <= FINEST_DAYS else 300
    answers = fetch(cloudwatch, params, [Ask(route, asked, "Sum", period, f"{route}:peak") for route in ROUTES], now)
    labels = [f"{route}:peak" for route in ROUTES]
    counted: dict[dt.datetime, float] = defaultdict(float)
    for label in labels:
        for start, value in answers.points(label):
            counted[start] += value
    points = sorted(counted.items())
    length = max([grid(points, period), *(answers.series[one].period_s for one in labels if one in answers.series)])
    notes = list(answers.notes(*labels))
    if length > 60:
        notes.append(f"the peak minute is a mean over {length // 60} minutes: no finer points were read")
    if any(answers.partial(label) for label in labels):
        notes.append("CloudWatch did not answer in full: the peak may have been higher")
    return PeakTraffic(peak_of(points, length), tuple(notes), answers)


def grid(points: Sequence[Point], period_s: int) -> int:
    """Real length of the points in seconds: longer than asked for where all of them begin on a coarser grid.

    A metric that is published by the hour has the hour's sum in one minute, which would be sixty times the peak.
    """
    starts = [start.timestamp() for start, value in points if value > 0]
    coarse = (one for one in _GRIDS_S if len(starts) >= _ENOUGH and all(at % one == 0 for at in starts))
    return max(period_s, next(coarse, 0))


def peak_of(points: Sequence[Point], length_s: int) -> Peak | None:
    """The peak of points of this length; None where nothing was submitted."""
    most = max((value for _, value in points), default=0.0)
    if most <= 0:
        return None
    return Peak(
        per_minute=most / (length_s / 60),
        per_hour=_heaviest(points, dt.timedelta(hours=1)),
        per_day=_heaviest(points, dt.timedelta(days=1)),
        period_s=length_s,
    )


def _heaviest(points: Sequence[Point], span: dt.timedelta) -> float:
    """The largest sum of points in any span of this length."""
    first, total, most = 0, 0.0, 0.0
    for start, value in points:
        total += value
        while start - points[first][0] >= span:
            total -= points[first][1]
            first += 1
        most = max(most, total)
    return most
