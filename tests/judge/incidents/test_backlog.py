"""Drain forecasts: by hand, and as properties of the fluid."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.backlog import (
    Load,
    Option,
    capacity_per_s,
    curve,
    forecast,
    most_arrivals_per_s,
    options,
    turn,
)

loads = st.builds(
    Load,
    waiting=st.floats(1, 5000),
    arrivals_per_s=st.floats(0, 0.5),
    service_s=st.floats(1, 300),
    workers=st.integers(0, 50),
)


def _at(load: Load, workers: int, **more: float) -> float:
    return forecast(load, Option(id="x", title="x", workers=workers, **more)).drain_s


def test_five_workers_at_45_s_finish_9600_a_day() -> None:
    assert capacity_per_s(5, 45) * 86400 == pytest.approx(9600)


@pytest.mark.parametrize(("arrived", "most"), [(0, 2.9957), (1, 4.7439), (10, 16.9622)])
def test_the_most_that_may_arrive_is_the_published_poisson_bound(arrived: int, most: float) -> None:
    assert most_arrivals_per_s(arrived, 600, 0.95) * 600 == pytest.approx(most, abs=1e-4)


def test_by_hand() -> None:
    """120 jobs, 6 a minute arrive, 5 workers at 45 s finish 6.67 a minute: 180 min; 10 finish 13.3: 16.4 min."""
    load = Load(waiting=120, arrivals_per_s=0.1, service_s=45, workers=5)
    assert _at(load, 5) / 60 == pytest.approx(180)
    assert _at(load, 10) / 60 == pytest.approx(120 / (10 / 45 - 0.1) / 60)
    assert _at(load, 5, arrivals=0.0) / 60 == pytest.approx(18)


def test_nothing_waits_nothing_drains() -> None:
    found = forecast(Load(waiting=0, arrivals_per_s=9, service_s=45, workers=5), Option(id="x", title="x", workers=5))
    assert (found.drain_s, found.turns) == (0.0, True)


def test_a_service_time_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="service_s is 0"):
        capacity_per_s(5, 0)


@given(loads, st.integers(0, 50), st.integers(0, 50))
def test_more_workers_never_take_longer(load: Load, a: int, b: int) -> None:
    few, many = sorted((a, b))
    assert _at(load, many) <= _at(load, few)


@given(loads)
def test_it_never_drains_while_as_many_arrive_as_leave(load: Load) -> None:
    assume(load.arrivals_per_s >= capacity_per_s(load.workers, load.service_s))
    found = forecast(load, Option(id="x", title="x", workers=load.workers))
    assert math.isinf(found.drain_s)
    assert not found.turns
    assert found.level(3600) >= load.waiting


@given(loads, st.floats(0.1, 10))
def test_twice_the_backlog_takes_twice_as_long(load: Load, factor: float) -> None:
    assume(load.waiting * factor >= 1)
    bigger = load.model_copy(update={"waiting": load.waiting * factor})
    once, more = _at(load, load.workers), _at(bigger, load.workers)
    assert more == pytest.approx(once * factor) or math.isinf(once)


@given(loads, st.floats(0.5, 50), st.integers(1, 50))
def test_workers_beyond_the_llms_limit_add_nothing(load: Load, slots: float, more: int) -> None:
    first = math.ceil(slots)
    assert _at(load, first + more, llm_slots=slots) == _at(load, first, llm_slots=slots)


@given(loads)
def test_the_forecast_curve_ends_where_the_drain_does(load: Load) -> None:
    found = forecast(load, Option(id="x", title="x", workers=load.workers))
    assume(0 < found.drain_s < 1e6)
    points = curve(found, found.drain_s * 2, step_s=found.drain_s / 7)
    assert points[0] == (0.0, load.waiting)
    assert found.level(found.drain_s) == pytest.approx(0, abs=1e-6)
    assert all(a[1] >= b[1] for a, b in itertools.pairwise(points))
    assert points[-1][1] == 0


@given(loads, st.integers(1, 50))
def test_every_option_is_at_least_as_quick_as_none_and_step_functions_bring_nothing_of_their_own(
    load: Load, raised: int
) -> None:
    by_id = {one.id: forecast(load, one).drain_s for one in options(load, raised)}
    assert max(by_id.values()) == by_id["nothing"]
    assert by_id["step_functions"] == by_id["workers"]


def _points(*levels: float) -> list[tuple[float, float]]:
    return [(60.0 * i, level) for i, level in enumerate(levels)]


def test_a_curve_that_goes_down_has_turned_where_it_first_did() -> None:
    found = turn(_points(100, 110, 130, 120, 100, 80))
    assert found is not None
    assert (found.peak, found.turned_s, found.drained) == (130, 180, False)


@pytest.mark.parametrize("levels", [(100, 110, 120), (100, 100, 100, 100), (100, 90, 110), (120, 110, 100, 120)])
def test_a_curve_that_goes_on_up_or_comes_back_has_not(levels: tuple[float, ...]) -> None:
    found = turn(_points(*levels))
    assert found is not None
    assert found.turned_s is None


def test_an_empty_queue_is_drained_and_no_points_say_nothing() -> None:
    found = turn(_points(3, 1, 0, 0))
    assert found is not None
    assert found.drained
    flat = turn(_points(0, 0, 0))
    assert flat is not None
    assert (flat.turned_s, flat.drained) == (0, True)
    assert turn([]) is None


@given(st.lists(st.floats(2, 1000), min_size=3, max_size=40), st.floats(1, 100))
def test_where_a_curve_stands_does_not_change_whether_it_turned(levels: list[float], lift: float) -> None:
    rounded = [round(level) for level in levels]
    once, lifted = turn(_points(*rounded)), turn(_points(*(level + round(lift) for level in rounded)))
    assert once is not None
    assert lifted is not None
    assert once.turned_s == lifted.turned_s


def test_noise_near_nothing_is_no_new_peak() -> None:
    found = turn(_points(2, 1, 0, 2, 1, 0, 0), few=9)
    assert found is not None
    assert (found.turned_s, found.drained) == (0, True)


def test_the_options_as_they_are_named() -> None:
    load = Load(waiting=120, arrivals_per_s=0.1, service_s=45, workers=5)
    said = [(one.id, one.title, one.workers, one.arrivals, one.llm_slots) for one in options(load, 10, llm_slots=7)]
    assert said == [
        ("nothing", "nothing: 5 workers", 5, 1.0, 7),
        ("workers", "10 workers", 10, 1.0, 7),
        ("step_functions", "Step Functions map over 10 jobs", 10, 1.0, 7),
        ("switch_off", "async off, 5 workers", 5, 0.0, None),
    ]
    assert [one.workers for one in options(load, 3)] == [5, 5, 5, 5], "nobody takes workers away from a backlog"
    assert {one.llm_slots for one in options(load, 3)} == {None}


def test_a_forecast_tells_what_it_rests_on() -> None:
    found = forecast(
        Load(waiting=120, arrivals_per_s=0.1, service_s=45, workers=5),
        Option(id="x", title="x", workers=9, arrivals=0.5, llm_slots=6.5),
    )
    assert (found.option.id, found.waiting) == ("x", 120)
    assert found.capacity_per_s == pytest.approx(6.5 / 45)
    assert found.arrivals_per_s == pytest.approx(0.05)
    assert found.level(-60) == 120, "before now it is what it is now"
    one = forecast(Load(waiting=1, arrivals_per_s=0, service_s=45, workers=1), Option(id="x", title="x", workers=1))
    assert one.drain_s == 45, "one job waits"
    with pytest.raises(ValueError, match=r"^service_s is -1, expects more than 0 s$"):
        capacity_per_s(5, -1)
    assert capacity_per_s(5, 0.5) == 10


def test_the_points_of_a_curve() -> None:
    falling = forecast(Load(waiting=30, arrivals_per_s=0, service_s=1, workers=1), Option(id="x", title="x", workers=1))
    assert curve(falling, 70, 20) == [(0, 30), (20, 10), (30, 0), (40, 0), (60, 0), (70, 0)]
    assert curve(falling, 20, 20) == [(0, 30), (20, 10)], "it is empty after the horizon"
    quick = forecast(Load(waiting=30, arrivals_per_s=0, service_s=1, workers=60), Option(id="x", title="x", workers=60))
    assert curve(quick, 1, 1) == [(0, 30), (0.5, 0), (1, 0)]
    assert curve(falling, 30, 20) == [(0, 30), (20, 10), (30, 0)]
    assert [at for at, _ in curve(falling, 130)] == [0, 30, 60, 120, 130], "a point a minute unless said otherwise"
    rising = forecast(Load(waiting=30, arrivals_per_s=2, service_s=1, workers=1), Option(id="x", title="x", workers=1))
    assert curve(rising, 40, 20) == [(0, 30), (20, 50), (40, 70)]
    empty = forecast(Load(waiting=0, arrivals_per_s=0, service_s=1, workers=1), Option(id="x", title="x", workers=1))
    assert curve(empty, 40, 20) == [(0, 0), (20, 0), (40, 0)]


@pytest.mark.parametrize(
    ("levels", "more", "wanted"),
    [
        ((5, 9, 7, 6, 5), {}, (9, 60, 5, 240, 120, False)),
        ((5, 9, 7, 6), {}, (9, 60, 6, 180, None, False)),
        ((5, 9, 7, 6), {"steady": 2}, (9, 60, 6, 180, 120, False)),
        ((9, 5, 9, 7, 6, 5), {}, (9, 120, 5, 300, 180, False)),
        ((9, 1, 1, 1), {}, (9, 0, 1, 180, 60, True)),
        ((9, 1, 1, 2), {}, (9, 0, 2, 180, 60, False)),
        ((9, 3, 1, 2), {"few": 3}, (9, 0, 2, 180, 60, True)),
        ((1, 1), {}, (1, 60, 1, 60, None, False)),
        ((1, 1, 1), {}, (1, 120, 1, 120, 0, True)),
        ((0, 1, 0), {}, (1, 60, 0, 120, 0, True)),
    ],
)
def test_what_is_told_of_a_measured_curve(
    levels: tuple[float, ...], more: dict[str, float], wanted: tuple[object, ...]
) -> None:
    found = turn(_points(*levels), **more)  # type: ignore[arg-type]
    assert found is not None
    told = (found.peak, found.peak_s, found.last, found.last_s, found.turned_s, found.drained)
    assert told == wanted


@pytest.mark.parametrize("slots", [0.0, -1.0, math.nan, math.inf])
def test_slots_of_an_llm_that_cannot_be_are_refused(slots: float) -> None:
    with pytest.raises(ValueError, match=r"^llm_slots "):
        capacity_per_s(5, 45, slots)
