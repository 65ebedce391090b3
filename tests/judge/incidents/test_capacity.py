"""Units to provision, and whether throttling has ended."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.capacity import Demand, Units, Watch, peak, wanted, watch

minutes = st.lists(st.floats(0, 1e6), min_size=1, max_size=30).map(lambda v: [(60.0 * i, x) for i, x in enumerate(v)])


def test_twice_the_busiest_minute_by_hand() -> None:
    """9,000 units in a minute are 150 a second: twice that are 300."""
    busy = peak([(0, 600), (60, 9000)], [])
    assert busy.per_s == 150
    quiet = peak([(0, 60)], [])
    assert wanted(quiet, busy, at_least=100, times_peak=2) == Units(read=100, write=300)


def test_the_greater_of_each_side() -> None:
    assert Units(read=100, write=20).most(Units(read=30, write=200)) == Units(read=100, write=200)
    assert Units(read=30, write=200).most(Units(read=100, write=20)) == Units(read=100, write=200)


def test_what_was_turned_away_was_wanted_too() -> None:
    found = peak([(0, 6000), (60, 3000)], [(60, 6000)])
    assert (found.at, found.per_s, found.consumed_per_s, found.throttled) == (60, 150, 50, 6000)


def test_no_data_wants_the_least() -> None:
    nothing = peak([], [])
    assert nothing.at is None
    assert wanted(nothing, nothing, at_least=100, times_peak=2) == Units(read=100, write=100)


@given(minutes, minutes, st.integers(1, 500), st.floats(1, 5))
def test_never_less_than_the_least_the_peak_or_what_there_is(a: Any, b: Any, least: int, times: float) -> None:
    read, write = peak(a, []), peak(b, a)
    found = wanted(read, write, at_least=least, times_peak=times, now=Units(read=7, write=999))
    assert found.read >= max(least, read.per_s)
    assert found.write >= max(least, write.per_s, 999)


@given(minutes, minutes)
def test_more_throttling_never_wants_less(consumed: Any, throttled: Any) -> None:
    assert peak(consumed, throttled).per_s >= peak(consumed, []).per_s - 1e-9
    assert isinstance(peak(consumed, throttled), Demand)


def _watch(events: dict[str, Any], seen_until: float = 1860.0, *, proven: bool = True) -> Watch:
    return watch(events, since=0, seen_until=seen_until, minutes=30, settle_min=5, proven=proven)


@pytest.mark.parametrize(
    ("events", "seen_until", "proven", "state"),
    [
        ({"w": []}, 1860, True, "resolved"),
        ({"w": []}, 1860, False, "unseen"),
        ({"w": []}, 600, True, "watching"),
        ({"w": [(600.0, 3)]}, 900, True, "throttled"),
        ({"w": [(60.0, 30)]}, 1860, True, "resolved"),
        ({"w": [(-60.0, 30)]}, 1860, True, "resolved"),
        ({"w": [(1800.0, 30)]}, 4000, True, "resolved"),
        ({"w": [(600.0, 0)]}, 1860, True, "resolved"),
    ],
)
def test_what_a_watch_says(events: Any, seen_until: float, proven: bool, state: str) -> None:
    assert _watch(events, seen_until, proven=proven).state == state


def test_a_throttled_watch_names_the_metric_and_counts() -> None:
    found = _watch({"index writes": [(600.0, 3), (660.0, 4)], "table writes": []})
    assert found.words == "still throttled with the new capacity: 7 of index writes"
    assert found.events == {"index writes": 7, "table writes": 0}


def test_of_two_minutes_alike_the_first_is_told() -> None:
    assert peak([(60, 600), (0, 600)], [(120, 600)]) == Demand(per_s=10, consumed_per_s=10, throttled=0, at=0)
    assert peak([(0, 600), (60, 600)], [(60, 1)]).at == 60, "one request turned away is one more that was wanted"
    assert peak([], [(120, 30)]) == Demand(per_s=0.5, consumed_per_s=0, throttled=30, at=120)
    assert peak([], []) == Demand(per_s=0, consumed_per_s=0, throttled=0, at=None)


def test_units_are_rounded_up_and_written_with_their_names() -> None:
    busy = Demand(per_s=50.1, consumed_per_s=50.1, throttled=0, at=0)
    found = wanted(busy, busy, at_least=1, times_peak=2, now=Units(read=500, write=3))
    assert (found, str(found)) == (Units(read=500, write=101), "500 read / 101 write")
    assert wanted(busy, busy, at_least=1, times_peak=2) == Units(read=101, write=101)
    still = Demand(per_s=0, consumed_per_s=0, throttled=0, at=None)
    assert wanted(still, still, at_least=0, times_peak=2) == Units(read=0, write=0)


def _watched(at: float, seen_until: float = 5000.0, **more: bool) -> Watch:
    """Five events in the minute `at` of a watch of 30 min from second 600 on, its first 5 min left out."""
    given = {"since": 600.0, "seen_until": seen_until, "minutes": 30.0, "settle_min": 5.0, "proven": True, **more}
    return watch({"writes": [(at, 5.0)]}, **given)  # type: ignore[arg-type]


def test_a_watch_begins_when_it_has_settled_and_ends_with_its_minutes_or_with_what_is_seen() -> None:
    assert [_watched(at).events["writes"] for at in (840, 899, 900, 2340, 2399, 2400)] == [0, 0, 5, 5, 5, 0]
    assert [_watched(at, 1200).events["writes"] for at in (1140, 1200, 1260)] == [5, 0, 0]
    assert [_watched(0, until).minutes for until in (0, 600, 900, 2400, 5000)] == [0, 0, 5, 30, 30]


def test_what_a_watch_tells() -> None:
    assert _watched(0, 1500).words == "no throttle event in 15 of 30 min"
    assert _watched(0, 2400).words == "no throttle event in 30 min under traffic"
    assert _watched(0, proven=False).words == (
        "no throttle event, and no sign that the table was used either: nothing is proven"
    )
    assert _watched(900, 960).words == "still throttled with the new capacity: 5 of writes"
    both = watch({"a": [(0.0, 1.0)], "b": [(0.0, 2.5)]}, since=0, seen_until=60, minutes=30, settle_min=0, proven=True)
    assert both.words == "still throttled with the new capacity: 1 of a, 2.5 of b"


@pytest.mark.parametrize("wrong", [{"minutes": math.nan}, {"settle_min": math.inf}, {"minutes": -1.0}])
def test_a_length_of_a_watch_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    given = {"since": 0.0, "seen_until": 60.0, "minutes": 30.0, "settle_min": 5.0, **wrong}
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} "):
        watch({}, proven=True, **given)


def test_points_that_are_no_number_of_events_are_named() -> None:
    assert _watch({"a": [(600.0, -1.0)], "b": []}).words == "points of a are no number of events: nothing is proven"
