"""What the stand-ins hand out faster than they were told it: nothing is lost, moved or made up."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import Window
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.params.metrics import STATISTICS
from runbook_lib.rehearse.quick.local_aws import _Column, statistics

START = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
STAMPS = st.lists(st.integers(0, 20).map(float), max_size=8)


@given(st.lists(STAMPS, max_size=40), st.sets(st.integers(0, 39)))
def test_points_are_in_order_however_late_and_whenever_somebody_asks(parts: list[list[float]], asks: set[int]) -> None:
    column, told = _Column(), 0
    stamps, values = list[float](), list[float]()
    for place, part in enumerate(parts):
        mine = [float(told + k) for k in range(len(part))]
        told += len(part)
        column.add(np.array(part), np.array(mine))
        stamps, values = stamps + part, values + mine
        if place in asks:
            column.parts  # noqa: B018 (asked in between)
    stamp, value = column.parts
    order = np.argsort(np.array(stamps), kind="stable")
    assert stamp.tolist() == np.array(stamps)[order].tolist()
    assert value.tolist() == np.array(values)[order].tolist()


@given(st.sets(st.integers(0, 300)), st.integers(0, 300), st.integers(0, 300))
def test_the_points_within_a_window_are_those_between_its_ends(minutes: set[int], one: int, other: int) -> None:
    points = tuple((START + dt.timedelta(minutes=at), float(at)) for at in sorted(minutes))
    series = Series("m:Sum", "m", "Sum", 60, whole=False, points=points, partial=False, notes=())
    window = Window(*(START + dt.timedelta(minutes=at) for at in sorted((one, other))))
    found = Answers(raw=[], series={"m:Sum": series})
    assert found.within("m:Sum", window) == [value for at, value in points if window.start <= at < window.end]
    assert found.within("other:Sum", window) == []


@given(st.lists(st.lists(st.floats(0, 1e6), min_size=1, max_size=9), min_size=1, max_size=9))
def test_every_statistic_that_a_policy_may_ask_for_is_answered(runs: list[list[float]]) -> None:
    values, first = np.concatenate(runs), np.cumsum([0, *map(len, runs[:-1])])
    by_hand = {"Sum": np.sum, "Average": np.mean, "Maximum": np.max, "Minimum": np.min, "SampleCount": len}
    assert by_hand.keys() == set(STATISTICS)
    for stat, of in by_hand.items():
        np.testing.assert_allclose(statistics(values, first, stat), [of(run) for run in runs])  # type: ignore[operator]
    for share in (0, 50, 99.9, 100):
        of = [np.percentile(run, share) for run in runs]
        np.testing.assert_allclose(statistics(values, first, f"p{share}"), of, atol=1e-300)
