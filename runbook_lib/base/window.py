"""Windows of time: half open, UTC, settled, and aligned with CloudWatch's periods."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from runbook_lib.base.errors import UsageError

# docs/domain.md, trap 7: how long CloudWatch keeps points of a period, finest first.
_RETENTION = ((60, dt.timedelta(days=15)), (300, dt.timedelta(days=63)), (3600, dt.timedelta(days=455)))

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d)")
_SECONDS = {"min": 60, "h": 3600, "d": 86400}


def utc(when: dt.datetime) -> dt.datetime:
    """`when` in UTC.

    Raises:
        UsageError: `when` has no time zone.
    """
    if when.tzinfo is None:
        raise UsageError(f"{when:%Y-%m-%d %H:%M} has no time zone; write it in UTC")
    return when if when.tzinfo is dt.UTC else when.astimezone(dt.UTC)


def iso(when: dt.datetime) -> str:
    """ISO 8601 in UTC, with milliseconds if there are any: `2026-11-23T03:00:00Z`."""
    when = utc(when)
    return when.isoformat(timespec="milliseconds" if when.microsecond else "seconds").replace("+00:00", "Z")


def when(at: dt.datetime | str | None, *, seconds: bool = False) -> str:
    """A time in the form for people: `2026-11-23 03:05 UTC`.

    Nothing gives an empty text; a text that is no time stays as it is. For machines use `iso`.

    >>> when("2026-11-23T04:05:59.5+01:00"), when("2026-11-23T03:05:59Z", seconds=True)
    ('2026-11-23 03:05 UTC', '2026-11-23 03:05:59 UTC')
    """
    if not at:
        return ""
    try:
        moment = parse(at) if isinstance(at, str) else utc(at)
    except ValueError:
        return str(at)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if seconds else f"{moment:%Y-%m-%d %H:%M} UTC"


def parse(text: str) -> dt.datetime:
    """A time from ISO 8601; without a zone it is UTC, as AWS and the service write it.

    Raises:
        ValueError: the text is not a time.
    """
    when = dt.datetime.fromisoformat(text)
    try:
        return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else utc(when)
    except OverflowError:
        raise ValueError("is beyond the years that can be calculated with") from None


def moment(text: str, now: dt.datetime, option: str, late: str = "lies in the future; it is") -> dt.datetime:
    """The value of a time option: a time, or a span before `now`.

    Args:
        late: what is said of a time after `now`, which follows.

    Raises:
        UsageError: the text is neither, or the time is after `now`.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - dt.timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
        found = parse(text)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r}: neither a time such as 2026-11-23T03:00:00Z nor a span such as 24h, 7d or 90min"
        ) from None
    if found > now:
        raise UsageError(f"{option} {text}: {late} {when(now)}")
    return found


def minute(at: dt.datetime) -> dt.datetime:
    """The time rounded up to minutes, as texts have the times to come back and those of a change."""
    return (at + dt.timedelta(seconds=59, microseconds=999_999)).replace(second=0, microsecond=0)


def due(first: dt.datetime, now: dt.datetime, every: dt.timedelta) -> dt.datetime:
    """When to look again: at `first`, also for whoever asks before it, and from then on after each `every`."""
    return first if now < first else now + every


@dataclass(frozen=True)
class Window:
    """From `start` (inclusive) to `end` (exclusive), both UTC; empty if they are equal.

    Raises:
        UsageError: a time has no zone, or the window ends before it starts.
    """

    start: dt.datetime
    end: dt.datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end < self.start:
            raise UsageError(f"the window ends ({when(self.end)}) before it starts ({when(self.start)})")

    @property
    def empty(self) -> bool:
        """Whether the window contains no instant."""
        return self.start >= self.end

    @property
    def seconds(self) -> float:
        """Length of the window in seconds."""
        return (self.end - self.start).total_seconds()

    def settled(self, now: dt.datetime, delay_s: float) -> Window:
        """The part that ended at least `delay_s` before `now`; empty if there is none."""
        return Window(self.start, max(self.start, min(self.end, utc(now) - dt.timedelta(seconds=delay_s))))

    def since(self, start: dt.datetime) -> Window:
        """The part from `start` on; empty if there is none."""
        return Window(min(max(self.start, utc(start)), self.end), self.end)

    def inward(self, period_s: int) -> Window:
        """The window with its start rounded up and its end rounded down to multiples of `period_s`: whole periods only.

        CloudWatch rounds a start time *down*, which would include points before the window.
        """
        start = -(-self.start.timestamp() // period_s) * period_s
        end = self.end.timestamp() // period_s * period_s
        at = dt.datetime.fromtimestamp(start, dt.UTC)
        return Window(at, max(at, dt.datetime.fromtimestamp(end, dt.UTC)))


def period_for(window: Window, now: dt.datetime) -> int:
    """The shortest period, in seconds, at which CloudWatch still has the window's oldest points.

    Raises:
        UsageError: the window is older than 455 days; CloudWatch has nothing left.
    """
    age = utc(now) - window.start
    for period, kept in _RETENTION:
        if age < kept:
            return period
    raise UsageError(
        f"the window starts {age.days} days ago; CloudWatch keeps metrics for {_RETENTION[-1][1].days} days"
    )


def one_bucket(window: Window, grid_s: int = 60) -> int:
    """The shortest period, in seconds, that puts the whole window into one bucket.

    Percentiles of two buckets cannot be merged (trap 8). CloudWatch starts its buckets at StartTime, so any period
    as long as the window would do; the embedded AWS cuts buckets at multiples of the period since the epoch, and a
    window of 24 h from 10:00 falls into two. So the period is the smallest multiple of `grid_s` that is at least as
    long as the window and has no multiple inside it: both then answer with one bucket, whose data StartTime and
    EndTime still limit. It is a few percent longer than the window, which matters only if points after EndTime should
    be included: hardly, as most windows end near now.
    """
    start, end = int(window.start.timestamp()), int(-(-window.end.timestamp() // 1))
    period = max(grid_s, -(-(end - start) // grid_s) * grid_s)
    while start // period != (end - 1) // period:
        period += grid_s
    return period
