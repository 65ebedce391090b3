"""A count's missing period is 0, a level's is a gap, and the open period is no fall."""

from __future__ import annotations

import datetime as dt
import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.show.points import Grid, gapped, lone, ready, whole

T0 = dt.datetime(2026, 11, 9, 4, 0, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
GRID = Grid(900, T0, T0 + 20 * QUARTER)


def at(places: list[int]) -> list[tuple[dt.datetime, float]]:
    return [(T0 + place * QUARTER, 1.0) for place in places]


def test_three_failures_in_five_hours_are_three_periods_of_twenty() -> None:
    found = whole(at([2, 9, 15]), GRID)
    assert [value for _, value in found] == [1.0 if place in (2, 9, 15) else 0.0 for place in range(20)]
    assert whole([], GRID) == [], "that is no data"


@given(st.sets(st.integers(0, 19), min_size=1))
def test_a_count_keeps_its_sum_and_has_every_period(places: set[int]) -> None:
    found = whole(at(sorted(places)), GRID)
    assert sum(value for _, value in found) == len(places)
    assert [moment for moment, _ in found] == [T0 + place * QUARTER for place in range(20)]


@given(st.sets(st.integers(0, 19)))
def test_no_line_bridges_a_missing_period_of_a_level(places: set[int]) -> None:
    found = gapped(at(sorted(places)), GRID)
    assert [point for point in found if math.isfinite(point[1])] == at(sorted(places))
    for (before, first), (after, second) in itertools.pairwise(found):
        assert after - before <= QUARTER or math.isnan(first) or math.isnan(second)


def test_points_beside_gaps_alone_are_found() -> None:
    assert lone(gapped(at([0, 1, 5, 9, 10]), GRID)) == at([5])
    assert lone(at([3])) == at([3])


def test_the_period_that_is_not_over_is_open() -> None:
    grid = Grid(900, T0, T0 + dt.timedelta(minutes=40))
    assert [grid.is_open(T0 + place * QUARTER) for place in range(3)] == [False, False, True]


def test_each_series_by_its_kind() -> None:
    points = at([0, 3])
    found = ready({"count": points, "level": points, "looks": points}, GRID, ["count"], ["looks"])
    assert (len(found["count"]), len(found["level"]), found["looks"]) == (20, 3, points)
    assert ready({"level": points}, None) == {"level": points}
