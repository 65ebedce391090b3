"""A canary that becomes worse inside a soak: how soon it is found, when it is said to have begun, and false alarms.

The worlds are those of `test_two_arms`, drawn at random: the truth is what the counts are drawn from.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from runbook_lib.judge.gates import change, two_arms_change
from runbook_lib.judge.gates.two_arms import Row, worse_log_e
from runbook_lib.judge.gates.two_arms_change import EVEN, log_e, moment
from tests.judge.gates.test_two_arms import ALPHA, ENOUGH, HOURS, MARGIN, SHARE, World, any_world, drawn, hours

NEVER = 10**9
Places = NDArray[np.float64]


def columns(rows: Sequence[Row]) -> tuple[Places, Places, Places, Places]:
    k, n, j, m = np.array(rows, dtype=float).T
    return k, n, j, m


def late(rng: np.random.Generator, good: int, excess: float, per_day: float, soaks: int = 100) -> World:
    """As good as the other arm for `good` hours, then worse; both arms drift together all the time."""
    how = {"share": SHARE, "per_day": per_day, "base": 0.002, "drift": 1.0, "soaks": soaks}
    first, then = drawn(rng, 0.0, **how), drawn(rng, excess, **how)
    return World(*(np.where(np.arange(HOURS) < good, *pair) for pair in zip(first, then, strict=True)))


def since_the_change(world: World, good: int, value: NDArray[np.float64]) -> float:
    """Requests of the canary since the change until half of the soaks are failed."""
    failed = (value >= ENOUGH) & (np.arange(HOURS) >= good)
    n = np.where(np.arange(HOURS) < good, 0, world.n).cumsum(axis=1)
    until = np.append(n, np.full((len(n), 1), NEVER), axis=1)
    first = np.where(failed.any(axis=1), failed.argmax(axis=1), HOURS)
    return float(np.median(until[np.arange(len(n)), first]))


@pytest.mark.parametrize(
    ("good", "excess", "per_day", "most", "before"),
    [(24, 0.2, 3000, 50, 75), (24, 0.5, 3000, 25, 35), (24, 0.1, 30_000, 150, 500), (30, 0.05, 30_000, 500, NEVER)],
)
def test_what_comes_late_is_found_in_tens_of_requests(
    good: int, excess: float, per_day: float, most: float, before: float
) -> None:
    """`before`: what the bet on the whole soak takes at least, which the good hours dilute."""
    world = late(np.random.default_rng(18), good, excess, per_day)
    assert since_the_change(world, good, np.logaddexp(*log_e(*world, MARGIN, SHARE))) <= most
    assert since_the_change(world, good, worse_log_e(*world, MARGIN, SHARE)) >= before


@pytest.mark.slow
def test_at_the_margin_at_most_alpha_of_soaks_are_ever_failed_however_both_arms_drift() -> None:
    rng = np.random.default_rng(19)
    failed = 0
    for _ in range(60):
        world, share = any_world(rng, MARGIN, 200)
        failed += int((np.logaddexp(*log_e(*world, MARGIN, share)) >= ENOUGH).any(axis=1).sum())
    assert failed <= stats.binom.ppf(0.999, 12_000, ALPHA)


@pytest.mark.mutants
@pytest.mark.slow
def test_nor_of_soaks_that_are_good_first_and_then_at_the_margin() -> None:
    rng = np.random.default_rng(20)
    worlds = [late(rng, int(rng.integers(1, HOURS)), MARGIN, 10 ** rng.uniform(2.5, 5), 200) for _ in range(20)]
    failed = sum(int((np.logaddexp(*log_e(*one, MARGIN, SHARE)) >= ENOUGH).any(axis=1).sum()) for one in worlds)
    assert failed <= stats.binom.ppf(0.999, 4000, ALPHA)


@pytest.mark.mutants
@pytest.mark.slow
def test_its_mean_is_at_most_one_over_all_that_can_happen() -> None:
    """Exactly: two hours, two requests of the canary and three of the other arm in each, at the margin in both."""
    for rates in itertools.product((0.0, 0.2, 0.6), repeat=2):
        mean = 0.0
        for k, j in itertools.product(itertools.product(range(3), repeat=2), itertools.product(range(4), repeat=2)):
            chance = math.prod(
                stats.binom.pmf(k[at], 2, rate + 0.1) * stats.binom.pmf(j[at], 3, rate) for at, rate in enumerate(rates)
            )
            mean += chance * math.exp(float(np.logaddexp(*log_e(k, [2, 2], j, [3, 3], 0.1, 0.4))[-1]))
        assert mean <= 1 + 1e-9


@given(hours, st.floats(0.01, 0.3), st.floats(0.05, 0.9))
def test_it_is_the_sum_over_all_starts_by_the_book(rows: list[Row], margin: float, share: float) -> None:
    """Each start's bet is `worse_log_e` of what came from it on; starts are the hours with both arms."""
    cells = columns(rows)
    starts = [at for at, row in enumerate(rows) if row[1] and row[3]]
    weights = [math.log(change.START_SHARE), *change.weights(max(0, len(starts) - 1), EVEN)]
    for end in range(1, len(rows) + 1):
        own = [
            weight + worse_log_e(*columns(rows[at:end]), margin, share)[-1]
            for weight, at in zip(weights, [0, *starts[1:]], strict=False)
            if at < end
        ]
        start, later = (one[end - 1] for one in log_e(*cells, margin, share))
        assert start == pytest.approx(own[0], abs=1e-9)
        expected = np.logaddexp.reduce(own[1:]) if len(own) > 1 else -math.inf
        assert later == pytest.approx(expected, abs=1e-7)
    assert math.fsum(math.exp(one) for one in change.weights(100_000, EVEN)) == pytest.approx(0.5, abs=1e-3)


@given(hours, st.floats(0.01, 0.3))
def test_an_hour_with_one_arm_alone_changes_nothing(rows: list[Row], margin: float) -> None:
    value = np.logaddexp(*log_e(*columns(rows), margin, SHARE))[-1]
    more = [one for row in rows for one in (row, (2, 7, 0, 0), (0, 0, 3, 9))]
    assert np.logaddexp(*log_e(*columns(more), margin, SHARE))[-1] == pytest.approx(value, abs=1e-9)


def said(rows: Sequence[Row]) -> change.Tested:
    return two_arms_change.tested(*columns(rows), MARGIN, SHARE, alpha=ALPHA)


def test_what_was_said_once_is_said_at_every_later_look_and_that_it_is_over() -> None:
    good, bad = [(0.0, 30.0, 2.0, 270.0)], [(9.0, 30.0, 2.0, 270.0)]
    lasts = said([*good * 12, *bad * 3])
    assert lasts.log_e >= ENOUGH and lasts.later and lasts.over is None
    over = said([*good * 12, *bad * 3, *good * 20])
    assert over.log_e == pytest.approx(lasts.log_e) and over.later and over.over == 14
    at_once = said(bad * 15)
    assert at_once.log_e >= ENOUGH and not at_once.later


def test_the_interval_has_the_hour_of_the_change_in_nearly_all_soaks() -> None:
    """Drawn as the prior says: every request of the canary is as likely to be the first."""
    rng, held = np.random.default_rng(21), []
    for _ in range(150):
        good = int(rng.integers(2, 30))
        world = late(rng, good, 0.15, 10 ** rng.uniform(3.5, 5), 1)
        k, n, j, m = (one[0] for one in world)
        found = two_arms_change.tested(k, n, j, m, MARGIN, SHARE, alpha=ALPHA)
        if found.log_e >= ENOUGH and found.later and found.over is None:
            when = moment(k, n, j, m, MARGIN, SHARE)
            assert when.earliest <= when.first <= when.latest
            held.append(when.earliest <= good <= when.latest)
    assert len(held) > 60 and np.mean(held) >= 0.9


def test_a_look_takes_work_that_is_linear_in_the_hours() -> None:
    """Ten times as many hours take at most some fifteen times as long; a square would take a hundred."""

    def seconds(count: int) -> float:
        rows = columns([(1.0, 30.0, 2.0, 270.0)] * count)
        began = time.process_time()
        log_e(*rows, MARGIN, SHARE)
        return time.process_time() - began

    few, many = (min(seconds(count) for _ in range(5)) for count in (1000, 10_000))
    assert many <= 30 * few


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="one or more hours"):
        two_arms_change.tested([], [], [], [], MARGIN, SHARE, alpha=ALPHA)
    with pytest.raises(ValueError, match="no hour has requests of both arms"):
        moment([1, 0], [3, 0], [0, 0], [0, 5], MARGIN, SHARE)
    with pytest.raises(ValueError, match="alpha"):
        two_arms_change.tested([1], [3], [0], [5], MARGIN, SHARE, alpha=0)


GOOD, BAD, OTHER, ALONE, MIXED = (0, 100, 0, 900), (20, 100, 0, 900), (0, 0, 0, 900), (5, 10, 0, 0), (8, 40, 2, 300)


@pytest.mark.parametrize(
    ("rows", "alpha", "log_e", "later", "over", "when"),
    [
        ([GOOD] * 5 + [BAD] * 4, 0.01, 50.529464, True, None, (5, 4, 5)),
        # An hour without requests of both arms is none in which a change may begin.
        ([GOOD] * 5 + [OTHER] * 2 + [BAD] * 4, 0.01, 50.529464, True, None, (7, 4, 7)),
        ([GOOD] * 5 + [ALONE] + [BAD] * 4, 0.01, 50.529464, True, None, (6, 4, 6)),
        # Good hours after it: it is over only for an alpha that the evidence no longer reaches.
        ([GOOD] * 5 + [BAD] * 3 + [GOOD] * 5, 0.01, 36.319306, True, None, (5, 3, 5)),
        ([GOOD] * 5 + [BAD] * 3 + [GOOD] * 5, 1e-15, 36.319306, True, 7, (5, 3, 5)),
        ([GOOD] * 6 + [MIXED] * 2, 0.01, 4.960515, True, None, (6, 3, 6)),
        ([BAD] * 3, 0.01, 39.767483, False, None, (0, 0, 0)),
        ([(3, 10, 1, 10)], 0.01, -0.689008, False, None, (0, 0, 0)),
        ([ALONE, OTHER], 0.01, -0.693147, False, None, None),
    ],
)
def test_what_is_found_and_when_it_began_as_it_was(
    rows: list[Row], alpha: float, log_e: float, later: bool, over: int | None, when: tuple[int, int, int] | None
) -> None:
    found = two_arms_change.tested(*columns(rows), 0.01, 0.5, alpha=alpha)
    assert (found.log_e, found.later, found.over) == (pytest.approx(log_e, abs=1e-6), later, over)
    if when is not None:
        assert moment(*columns(rows), 0.01, 0.5) == change.Moment(*when)


def test_each_hours_part_from_the_start_and_of_later_starts_as_it_was() -> None:
    start, later = log_e(*columns([OTHER, GOOD, GOOD, ALONE, BAD, MIXED]), 0.01, 0.5)
    expected = [-0.693147, -1.621079, -2.003799, -2.003799, 8.260418, 13.19948]
    assert start.tolist() == pytest.approx(expected, abs=1e-6)
    expected = [-math.inf, -math.inf, -4.839955, -4.839955, 8.492001, 13.685963]
    assert later.tolist() == pytest.approx(expected, abs=1e-6)
