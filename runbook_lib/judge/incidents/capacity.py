"""How many units a throttled table needs, and whether its throttling has ended.

A read unit is one strongly consistent read of up to 4 KB a second, a write unit one write of up to 1 KB a second
(Amazon DynamoDB developer guide, "Provisioned capacity mode"). The consumed units of a minute, divided by 60, are the
mean units a second of that minute; within it the load is uneven, hence the factor of two. A throttled request consumed
nothing, but was wanted too: it counts as one unit at least.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from runbook_lib.judge import numbers
from runbook_lib.judge.terms import Frozen

MINUTE_S = 60.0
Points = Sequence[tuple[float, float]]
"""(epoch seconds, units or events of that minute)."""


class Units(Frozen):
    """Provisioned units a second of a table or an index."""

    read: int = Field(ge=0)
    write: int = Field(ge=0)

    def most(self, other: Units) -> Units:
        """The larger value of each side."""
        return Units(read=max(self.read, other.read), write=max(self.write, other.write))

    def __str__(self) -> str:
        return f"{self.read} read / {self.write} write"


class Demand(Frozen):
    """The demand on one side (reads or writes) of a table or index in its busiest minute."""

    per_s: float
    """Units a second, the minute's mean; throttled requests at one unit each."""
    consumed_per_s: float
    throttled: float
    """Throttle events in that minute."""
    at: float | None
    """Epoch seconds of the minute; None: there are no data."""


def peak(consumed: Points, throttled: Points) -> Demand:
    """The busiest minute, by consumed and throttled requests together.

    Raises:
        ValueError: a point that is no number of units or events.
    """
    for points in (consumed, throttled):
        for at, value in points:
            numbers.finite(minute=at)
            numbers.finite(0.0, units=value)
    events, used = dict(throttled), dict(consumed)
    if not events and not used:
        return Demand(per_s=0.0, consumed_per_s=0.0, throttled=0.0, at=None)
    at = max(sorted({*events, *used}), key=lambda minute: used.get(minute, 0.0) + events.get(minute, 0.0))
    taken, turned_away = used.get(at, 0.0), events.get(at, 0.0)
    return Demand(per_s=(taken + turned_away) / MINUTE_S, consumed_per_s=taken / MINUTE_S, throttled=turned_away, at=at)


def wanted(read: Demand, write: Demand, *, at_least: int, times_peak: float, now: Units | None = None) -> Units:
    """The units to provision: max(`at_least`, `times_peak` x peak), never fewer than `now`.

    Raises:
        ValueError: a peak, a factor or a least number that is not finite, or negative.
    """
    numbers.count(at_least=at_least)
    numbers.finite(0.0, times_peak=times_peak, read_per_s=read.per_s, write_per_s=write.per_s)
    floor = now or Units(read=0, write=0)
    return Units(
        read=max(at_least, math.ceil(times_peak * read.per_s), floor.read),
        write=max(at_least, math.ceil(times_peak * write.per_s), floor.write),
    )


State = Literal["watching", "resolved", "throttled", "unseen"]


class Watch(Frozen):
    """What was seen of throttling since the capacity is in force."""

    state: State
    minutes: float
    """Minutes of the watch that metrics cover so far."""
    events: dict[str, float]
    """Throttle events by metric, since the capacity came into force; those of the first minutes are left out."""
    words: str


def watch(
    events: Mapping[str, Points],
    *,
    since: float,
    seen_until: float,
    minutes: float,
    settle_min: float,
    proven: bool,
) -> Watch:
    """Whether throttling ended when the capacity came into force. A point that is no number of events proves nothing.

    Args:
        events: throttle events by metric, (epoch seconds of the minute, events).
        since: when table and index were ACTIVE with the new units, epoch seconds.
        seen_until: time until which metrics are complete, epoch seconds.
        minutes: length of the watch.
        settle_min: minutes after `since` that are not judged: earlier throttled requests are retried in them.
        proven: other metrics of the table show that it was used, so that no throttle event means none (trap 5).

    Raises:
        ValueError: a time that is not finite, or a length that is negative.
    """
    numbers.finite(since=since, seen_until=seen_until)
    numbers.finite(0.0, minutes=minutes, settle_min=settle_min)
    begin, end = since + settle_min * MINUTE_S, since + minutes * MINUTE_S
    counted = {
        name: sum(value for at, value in points if begin <= at < min(end, seen_until) and 0 <= value <= numbers.LARGEST)
        for name, points in events.items()
    }
    odd = [name for name, points in events.items() if not all(0 <= value <= numbers.LARGEST for _, value in points)]
    covered = max(0.0, (min(seen_until, end) - since) / MINUTE_S)
    hit = {name: count for name, count in counted.items() if count > 0}
    if hit:
        words = ", ".join(f"{count:g} of {name}" for name, count in hit.items())
        said = f"still throttled with the new capacity: {words}"
        state: State = "throttled"
    elif covered < minutes:
        state, said = "watching", f"no throttle event in {covered:.0f} of {minutes:g} min"
    elif odd:
        state, said = "unseen", f"points of {', '.join(odd)} are no number of events: nothing is proven"
    elif not proven:
        state, said = "unseen", "no throttle event, and no sign that the table was used either: nothing is proven"
    else:
        state, said = "resolved", f"no throttle event in {minutes:g} min under traffic"
    return Watch(state=state, minutes=covered, events=counted, words=said)
