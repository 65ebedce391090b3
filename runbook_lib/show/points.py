"""Completes the points of a chart: a period without a point is 0 for a count and a gap for a level."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Points = Sequence[tuple[dt.datetime, float]]


@dataclass(frozen=True)
class Grid:
    """The periods of a query: from `start` to `end`, `period_s` seconds each."""

    period_s: float
    start: dt.datetime
    end: dt.datetime
    """Time of the query, or until which points had settled: a period that ends later is still open."""

    @property
    def period(self) -> dt.timedelta:
        """The length of a period."""
        return dt.timedelta(seconds=self.period_s)

    def is_open(self, at: dt.datetime) -> bool:
        """Whether the period that begins at `at` is still open."""
        return at + self.period > self.end


def whole(points: Points, grid: Grid) -> list[tuple[dt.datetime, float]]:
    """The points of a count for every period of the grid, 0 where nothing was published; empty without points.

    The periods start from the points, as CloudWatch's own do.
    """
    if not points:
        return []
    known = dict(points)
    first, last = min(known), max(known)
    while first - grid.period >= grid.start:
        first -= grid.period
    while last + grid.period < grid.end:
        last += grid.period
    found, at = dict(known), first
    while at <= last:
        found.setdefault(at, 0.0)
        at += grid.period
    return sorted(found.items())


def gapped(points: Points, grid: Grid) -> list[tuple[dt.datetime, float]]:
    """The points of a level or percentile, with a NaN where periods are missing, so that no line bridges them."""
    found: list[tuple[dt.datetime, float]] = []
    for at, value in sorted(points):
        if found and at - found[-1][0] > 1.5 * grid.period:
            found.append((found[-1][0] + grid.period, math.nan))
        found.append((at, value))
    return found


def ready(
    series: Mapping[str, Points], grid: Grid | None, counts: Iterable[str] = (), irregular: Iterable[str] = ()
) -> dict[str, Points]:
    """Every series, completed for drawing.

    Args:
        grid: the periods; None: they are unknown, and the points stay the same.
        counts: names of the series whose missing periods are 0.
        irregular: names of the series without periods.
    """
    if grid is None:
        return dict(series)
    plain, zero = set(irregular), set(counts)
    return {
        name: points if name in plain else whole(points, grid) if name in zero else gapped(points, grid)
        for name, points in series.items()
    }


def lone(points: Points) -> list[tuple[dt.datetime, float]]:
    """The points with a gap, or nothing, on both sides: a line through them has no length."""
    values = [math.nan, *(value for _, value in points), math.nan]
    return [
        point
        for place, point in enumerate(points)
        if math.isfinite(point[1]) and math.isnan(values[place]) and math.isnan(values[place + 2])
    ]
