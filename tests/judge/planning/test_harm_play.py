"""One play by hand: a request in each part of ten seconds, none of which fails before the failure and all do then."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runbook_lib.judge.planning.harm_play import Played, _course, _fires, _iso, _judged, _looked, _watched, play
from runbook_lib.judge.planning.harm_terms import Traffic
from tests.judge.planning.test_harm import watch

QUIET = Traffic((0.1,), 1.0, failing=0.0)
PARTS = 13_000
"""A little more than 36 h, the last declared look, and the 300 s until its requests have settled: 12,990 parts."""
END_S = 36 * 3600 + 300


def played(begin_s: float, share: float = 1.0, came: int = 1, **given: Any) -> Played:
    n = np.full(PARTS, came, dtype=np.int64)
    return play(np.random.default_rng(1), n, 10.0, (begin_s, share), QUIET, watch(**given))


@pytest.mark.parametrize(
    ("begin_s", "given", "by", "seconds", "requests"),
    [
        # The 4th failure ends at 640 s, the alarm sees it 300 s later and is evaluated at 960 s.
        (600, {"guards": ((4, 90.0),)}, "guard", 360, (36 + 6, 60 + 6)),
        # Within less than 30 s lie 2 parts beside the first, so 4 failures never are in a window.
        (600, {"guards": ((4, 30.0),)}, "watch", 600, (60 + 6, 60 + 6)),
        # A look at 960 s that knows 6 failures comes at the time of the guard, which then counts.
        (600, {"guards": ((6, 1200.0),), "every_min": 1.0}, "guard", 360, (42, 42)),
        (600, {"guards": ((7, 1200.0),), "every_min": 1.0}, "watch", 360, (42, 42)),
        (600, {"every_min": 7.0}, "watch", 660, (72, 72)),
        (7200, {}, "watch", 600, (66, 66)),
        # Nobody watches: the first declared look that is due after it.
        (600, {"every_min": 0.0}, "look", 24 * 3600 + 300 - 600, (8616, 8616)),
        (90_000, {"every_min": 0.0}, "look", 30 * 3600 + 300 - 90_000, (1836, 1836)),
    ],
)
def test_what_stops_a_failure_and_when(
    begin_s: float, given: dict[str, Any], by: str, seconds: float, requests: tuple[int, int]
) -> None:
    """`requests`: those until the last client has left, and those without a guard."""
    here, by_looks = requests
    unseen = (END_S - begin_s) / 10
    assert played(begin_s, **given) == Played(by, seconds, here, here, by_looks, unseen, True)  # type: ignore[arg-type]


def test_what_fails_nowhere_is_promoted_and_where_nobody_comes_the_last_look_holds() -> None:
    assert played(600, share=0.0) == Played(None, math.inf, 12_930, 0, 0, 0, False)
    assert played(0, share=0.0, came=0) == Played("look", END_S, 0, 0, 0, 0, True)


def at(*seconds: float) -> tuple[Any, Any]:
    """Parts of ten seconds that begin at these, with one failure each."""
    return np.asarray(seconds, dtype=float), np.ones(len(seconds), dtype=np.int64)


DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("seconds", "guards", "begin_s", "fires"),
    [
        # A part at 0 ends at 10 s; it is seen 300 s later, and evaluated at the next full minute.
        ((0,), ((1, 60.0),), 0, 360),
        ((50,), ((1, 60.0),), 0, 360),
        ((51,), ((1, 60.0),), 0, 420),
        ((0,), ((2, 60.0),), 0, math.inf),
        ((0, 49), ((2, 60.0),), 0, 360),
        ((0, 50), ((2, 60.0),), 0, math.inf),
        ((0, 60, 109), ((2, 60.0),), 0, 420),
        # The guard that fires first counts.
        ((0, 100), ((2, 600.0), (1, 60.0)), 0, 360),
        ((0, 100), ((1, 60.0), (2, 600.0)), 0, 360),
        ((0, 100), ((3, 600.0), (2, 600.0)), 0, 420),
        # One that fires before the failure stops nothing.
        ((0, 1000), ((1, 60.0),), 360, 360),
        ((0, 1000), ((1, 60.0),), 361, 1320),
        # AppConfig watches it for a day, and again from the declared look on, until the last one.
        ((DAY_S - 370,), ((1, 60.0),), 0, DAY_S - 60),
        ((DAY_S - 369,), ((1, 60.0),), 0, math.inf),
        ((DAY_S - 71,), ((1, 60.0),), 0, math.inf),
        ((DAY_S - 70,), ((1, 60.0),), 0, math.inf),
        ((DAY_S - 69,), ((1, 60.0),), 0, DAY_S + 300),
        ((END_S - 370,), ((1, 60.0),), 0, END_S - 60),
        ((END_S - 369,), ((1, 60.0),), 0, math.inf),
    ],
)
def test_a_guard_fires_by_hand(
    seconds: tuple[float, ...], guards: tuple[tuple[int, float], ...], begin_s: float, fires: float
) -> None:
    times, bad = at(*seconds)
    assert _fires(times, 10.0, bad, begin_s, watch(guards=guards)) == fires


def test_several_failures_of_one_part_count_each() -> None:
    times, bad = at(0)
    assert _fires(times, 10.0, bad * 3, 0, watch(guards=((3, 60.0),))) == 360
    assert _fires(times, 10.0, bad * 3, 0, watch(guards=((4, 60.0),))) == math.inf


def looked(bad: Any, n: Any, begin_s: float = 0.0, every_min: float = 0.0) -> tuple[float, str]:
    times = np.arange(len(n)) * 3600.0
    return _looked((times, times + 10.0), np.asarray(bad), np.asarray(n), begin_s, watch(every_min))


@pytest.mark.parametrize(
    ("bad", "n", "begin_s", "ends"),
    [
        # 0 of 2,400 in the first 24 h pass; 20 % fail.
        ([0] * 36, [100] * 36, 0, (math.inf, "look")),
        ([20] * 36, [100] * 36, 0, (24 * 3600 + 300, "look")),
        # 1.5 % is between the limits: the last look holds it.
        ([1, 2] * 18, [100] * 36, 0, (36 * 3600 + 300, "look")),
        # Too few for the first look; what comes after it lets the second or the third pass.
        ([0] * 36, [1] * 24 + [1000] * 12, 0, (math.inf, "look")),
        ([0] * 36, [1] * 36, 0, (36 * 3600 + 300, "look")),
        # A failure after the first look is seen by the second.
        ([0] * 25 + [50] * 11, [100] * 36, 25 * 3600, (30 * 3600 + 300, "look")),
        # A look that is due when the failure begins sees nothing of it; the one a second later does.
        ([20] * 36, [100] * 36, 24 * 3600 + 300, (30 * 3600 + 300, "look")),
        ([20] * 36, [100] * 36, 24 * 3600 + 299, (24 * 3600 + 300, "look")),
    ],
)
def test_the_declared_look_that_ends_a_soak(
    bad: list[int], n: list[int], begin_s: float, ends: tuple[float, str]
) -> None:
    assert looked(bad, n, begin_s) == ends


def test_the_largest_e_value_is_told_of_a_course_from_the_start_alone() -> None:
    times, bad = at(0, 600, 1200)
    n = bad * 100
    spans, one = (times, times + 10.0), np.asarray([0, 1, 0])
    assert _watched(spans, one * 0, n, (0.0, 3600.0), 0.0, watch()) == (None, 0.0)
    found, ever = _watched(spans, one, n, (0.0, 3600.0), 0.0, watch())
    assert found is None and ever is not None and 0 < ever < 1
    assert _watched(spans, one, n, (600.0, 3600.0), 0.0, watch()) == (None, None)
    assert _watched(spans, bad * 100, n, (0.0, 3600.0), 0.0, watch(0)) == (None, None)
    # Its part ends at 10 s and has settled 300 s later: the look after 10 min is the first that knows it.
    assert _watched(spans, bad * 100, n, (0.0, 3600.0), 0.0, watch()) == (600.0, None)
    assert _watched(spans, bad * 100, n, (0.0, 601.0), 0.0, watch()) == (600.0, None)
    assert _watched(spans, bad * 100, n, (0.0, 600.0), 0.0, watch())[0] is None, "the declared look comes with it"
    assert _watched(spans, bad * 100, n, (0.0, 3600.0), 600.0, watch()) == (900.0, None)


def test_the_parts_between_failures_are_joined() -> None:
    times = np.arange(7) * 10.0
    bad, n = np.asarray([0, 0, 1, 2, 0, 0, 1]), np.asarray([1, 2, 3, 4, 5, 6, 7])
    found = [(at[17:19], bad, n) for at, bad, n in _course(times, bad, n)]
    assert found == [("00", 0, 3), ("20", 1, 3), ("30", 2, 4), ("40", 0, 11), ("00", 1, 7)]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (86_399.4, "1970-01-01T23:59:59+00:00"),
        (86_399.6, "1970-01-02T00:00:00+00:00"),
        (2 * 86_400 + 3 * 3600 + 4 * 60 + 5, "1970-01-03T03:04:05+00:00"),
    ],
)
def test_a_second_of_the_soak_as_a_time(seconds: float, told: str) -> None:
    assert _iso(seconds) == told


@pytest.mark.parametrize(("alpha", "verdict"), [(0.01, "FAIL"), (1e-12, "PASS")])
def test_a_change_before_a_declared_look_is_tested_with_the_watchs_own_alpha(alpha: float, verdict: str) -> None:
    """Of 24,000 requests 160 fail, all of them in the last four of 24 hours."""
    who = replace(watch(), alpha_early=alpha)
    course = tuple((_iso(hour * 3600), 40 if hour >= 20 else 0, 1000) for hour in range(24))
    assert _judged(who, who.looks[0], course, 160, 24_000) == verdict
