"""The traffic of a week: its mean, its quietest stretch, and the quietest hours in which to shift. Times are UTC."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from runbook_lib.judge import numbers
from runbook_lib.judge.terms import Frozen

Hourly = Sequence[tuple[dt.datetime, float]]
"""(start of the hour, aware UTC; requests in it), in order of time. An impossible number of requests is left out."""

HOURS = 168
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Quiet(Frozen):
    """A window that comes every week."""

    start: int
    """Hour of the week: 0 is Monday, 00:00 UTC."""
    hours: int
    per_hour: float
    """Requests per hour in it."""
    share: float
    """Requests per hour as a share of those of the mean hour."""

    @property
    def words(self) -> str:
        """The window in words: `Tuesday 03:00-05:00 UTC`."""
        end = (self.start + self.hours) % HOURS
        return f"{DAYS[self.start // 24]} {self.start % 24:02d}:00-{end % 24:02d}:00 UTC"

    def next(self, now: dt.datetime) -> dt.datetime:
        """The next beginning of the window, at `now` or after it (UTC)."""
        at = now.astimezone(dt.UTC)
        monday = dt.datetime(at.year, at.month, at.day, tzinfo=dt.UTC) - dt.timedelta(days=at.weekday())
        begins = monday + dt.timedelta(hours=self.start)
        return begins if begins >= at else begins + dt.timedelta(hours=HOURS)


def _seen(points: Hourly) -> Hourly:
    return [(at, value) for at, value in points if 0 <= value <= numbers.LARGEST]


def mean(points: Hourly) -> float:
    """Mean requests per hour over all seen hours; 0 without any."""
    points = _seen(points)
    return sum(value for _, value in points) / len(points) if points else 0.0


def least(points: Hourly, hours: int) -> float | None:
    """Requests in the quietest interval of this many hours in a row; None: no interval is that long.

    Raises:
        ValueError: an interval of less than an hour.
    """
    numbers.count(1, hours=hours)
    points, hours = _seen(points), int(hours)
    found: list[float] = []
    for first in range(len(points) - hours + 1):
        stretch = points[first : first + hours]
        if stretch[-1][0] - stretch[0][0] == dt.timedelta(hours=hours - 1):
            found.append(sum(value for _, value in stretch))
    return min(found, default=None)


def by_hour(points: Hourly) -> dict[int, float]:
    """Mean requests for each seen hour of the week."""
    seen: dict[int, list[float]] = defaultdict(list)
    for start, value in _seen(points):
        at = start.astimezone(dt.UTC)
        seen[at.weekday() * 24 + at.hour].append(value)
    return {hour: sum(values) / len(values) for hour, values in sorted(seen.items())}


def quietest(points: Hourly, hours: int, day: int | None = None) -> Quiet | None:
    """The window of the week with the least traffic, the earliest of equals; it may include Sunday's midnight.

    None: no interval of this many hours was seen; an unseen hour is not quiet.

    Args:
        day: only windows that begin on this day (0 is Monday).

    Raises:
        ValueError: a window of less than an hour.
    """
    numbers.count(1, hours=hours)
    week, average = by_hour(points), mean(points)
    found: list[tuple[float, int]] = []
    for start in range(HOURS) if day is None else range(day * 24, day * 24 + 24):
        window = [(start + step) % HOURS for step in range(hours)]
        if all(hour in week for hour in window):
            found.append((sum(week[hour] for hour in window) / hours, start))
    if not found:
        return None
    rate, start = min(found)
    return Quiet(start=start, hours=hours, per_hour=rate, share=rate / average if average else 0.0)
