"""The quietest hours of a week, and what was not seen is not quiet."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from runbook_lib.judge.planning.weekly import by_hour, least, mean, quietest

MONDAY = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)


def hours(*values: float, start: dt.datetime = MONDAY) -> list[tuple[dt.datetime, float]]:
    return [(start + dt.timedelta(hours=place), value) for place, value in enumerate(values)]


def test_the_quietest_window_of_two_weeks() -> None:
    points = hours(*[100.0] * 336)
    for week in (0, 168):
        for hour, value in ((51, 10.0), (52, 20.0), (60, 5.0)):
            points[week + hour] = (points[week + hour][0], value)
    found = quietest(points, 2)
    assert found is not None
    assert (found.start, found.per_hour, found.words) == (51, 15.0, "Wednesday 03:00-05:00 UTC")
    assert found.share == pytest.approx(15 / mean(points))
    single = quietest(points, 1)
    assert single is not None and single.start == 60


def test_it_may_reach_over_the_end_of_the_week() -> None:
    values = [100.0] * 168
    values[0] = values[167] = 1.0
    found = quietest(hours(*values), 2)
    assert found is not None and found.words == "Sunday 23:00-01:00 UTC"


def test_what_was_not_seen_is_not_quiet() -> None:
    found = quietest(hours(50, 40, 30), 2)
    assert found is not None and (found.start, found.per_hour) == (1, 35.0)
    assert quietest(hours(50), 2) is None
    assert quietest([], 2) is None


def test_hours_of_a_week_are_utc_and_averaged() -> None:
    east = dt.timezone(dt.timedelta(hours=2))
    points = [(MONDAY.astimezone(east), 10.0), (MONDAY + dt.timedelta(weeks=1), 20.0)]
    assert by_hour(points) == {0: 15.0}


def test_the_quietest_stretch_has_no_gap() -> None:
    assert least(hours(3, 1, 2, 9), 2) == 3
    gap = [*hours(1, 1), *hours(5, 5, start=MONDAY + dt.timedelta(hours=9))]
    assert least(gap, 2) == 2
    assert least(gap, 3) is None
    assert mean([]) == 0


def test_when_it_begins_next() -> None:
    found = quietest(hours(*[9.0] * 27, 1.0, 1.0, *[9.0] * 139), 2)
    assert found is not None and found.words == "Tuesday 03:00-05:00 UTC"
    tuesday = MONDAY + dt.timedelta(days=1, hours=3)
    assert found.next(MONDAY) == found.next(tuesday) == tuesday
    assert found.next(tuesday + dt.timedelta(minutes=1)) == tuesday + dt.timedelta(weeks=1)


def test_the_quietest_of_a_day() -> None:
    points = hours(*range(168))
    found = quietest(points, 2, 6)
    assert found is not None and found.words == "Sunday 23:00-01:00 UTC", "half of it is Monday's quiet first hour"
    assert quietest(hours(*range(30)), 2, 3) is None


def test_a_quiet_hour_at_the_start_of_a_day_is_of_that_day() -> None:
    values = [100.0] * 168
    values[6 * 24 + 1] = values[6 * 24 + 2] = 1.0
    found = quietest(hours(*values), 2, 6)
    assert found is not None and found.words == "Sunday 01:00-03:00 UTC"


def test_stretches_of_one_and_of_three_hours() -> None:
    assert least(hours(4, 2, 3), 1) == 2
    assert least(hours(3, 1, 2, 9), 3) == 6
    assert mean(hours(3, 5, 10)) == 6


def test_a_week_without_a_request_is_quiet_everywhere() -> None:
    found = quietest(hours(*[0.0] * 168), 2)
    assert found is not None and (found.start, found.per_hour, found.share) == (0, 0.0, 0.0)


def test_the_hours_are_utc_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert by_hour(hours(1, 2)) == {0: 1.0, 1: 2.0}
        found = quietest(hours(2, 1), 1)
        assert found is not None and found.next(MONDAY) == MONDAY + dt.timedelta(hours=1)
        late = quietest(hours(*[9.0] * 166, 1.0, 9.0), 1)
        sunday = MONDAY + dt.timedelta(days=6, hours=20)
        assert late is not None and late.next(sunday) == sunday + dt.timedelta(hours=2)
    finally:
        monkeypatch.undo()
        time.tzset()
