"""Two arms hour by hour: how seldom a canary that is no worse is called worse, how soon one that is, and the bounds.

The worlds are drawn at random: traffic, weight, how much both arms fail and how that drifts over the day. The truth is
known, for it is what the counts are drawn from.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from runbook_lib.judge.gates import compare, two_arms
from runbook_lib.judge.gates.two_arms import Row, difference, worse_log_e

ALPHA, MARGIN, HOURS = 0.01, 0.01, 36
ENOUGH = -math.log(ALPHA)
SHARE = 0.1
counts = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda two: (min(two), max(two)))
hours = st.lists(st.tuples(counts, counts).map(lambda arms: (*arms[0], *arms[1])), min_size=1, max_size=30)
margins = st.floats(0.002, 0.3)
shares = st.floats(0.02, 0.98)


class World(NamedTuple):
    """Counts of many soaks, (soaks, hours) each."""

    bad: NDArray[np.int64]
    n: NDArray[np.int64]
    other_bad: NDArray[np.int64]
    other_n: NDArray[np.int64]


def drawn(
    rng: np.random.Generator, excess: float, *, share: float, per_day: float, base: float, drift: float, soaks: int
) -> World:
    """Both arms fail more and less together, from hour to hour; the canary by `excess` more in each of them."""
    at = np.arange(HOURS)
    curve = 1 + 0.8 * np.sin(2 * np.pi * at / 24 + rng.uniform(0, 6))
    other = np.minimum(base * np.exp(rng.normal(0, drift, HOURS) - drift**2 / 2), 0.6)
    shape, per_hour = (soaks, HOURS), per_day / 24 * curve
    n, other_n = rng.poisson(per_hour * share, shape), rng.poisson(per_hour * (1 - share), shape)
    return World(rng.binomial(n, np.minimum(1, other + excess)), n, rng.binomial(other_n, other), other_n)


def any_world(rng: np.random.Generator, excess: float, soaks: int) -> tuple[World, float]:
    share = float(rng.choice([0.05, 0.1, 0.25, 0.5]))
    world = drawn(
        rng,
        excess,
        share=share,
        per_day=10 ** rng.uniform(2.5, 5.5),
        base=10 ** rng.uniform(-3, -0.7),
        drift=rng.uniform(0, 1.5),
        soaks=soaks,
    )
    return world, share


def failed_at(world: World, share: float, margin: float = MARGIN) -> NDArray[np.int64]:
    """The hour after which each soak is failed; `HOURS` where none is."""
    found = worse_log_e(*world, margin, share) >= ENOUGH
    return np.where(found.any(axis=1), found.argmax(axis=1), HOURS)


@pytest.mark.slow
def test_a_canary_at_the_margin_is_failed_in_at_most_alpha_of_soaks_all_looks_together() -> None:
    rng = np.random.default_rng(18)
    failed = [bool(x) for _ in range(60) for x in failed_at(*any_world(rng, MARGIN, 200)) < HOURS]
    assert len(failed) == 12_000 and sum(failed) <= stats.binom.ppf(0.999, len(failed), ALPHA)


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0.01, 0.5, 0.9])
def test_whatever_share_is_said_the_promise_holds(wrong: float) -> None:
    """The stakes are made for a share of the canary; another one costs power, not safety."""
    rng = np.random.default_rng(4)
    failed = np.concatenate([failed_at(any_world(rng, MARGIN, 200)[0], wrong) < HOURS for _ in range(10)])
    assert failed.sum() <= stats.binom.ppf(0.999, len(failed), ALPHA)


@pytest.mark.mutants
@pytest.mark.slow
def test_an_outage_of_both_arms_is_no_difference() -> None:
    """For an hour nine of ten requests fail in both arms, while the canary's share of the traffic jumps."""
    rng = np.random.default_rng(5)
    rate = np.where(np.arange(HOURS) == 20, 0.9, 0.002)
    share = np.where(np.arange(HOURS) == 20, 0.6, 0.1)
    n, other_n = (rng.poisson(125 * part, (2000, HOURS)) for part in (share, 1 - share))
    world = World(rng.binomial(n, rate), n, rng.binomial(other_n, rate), other_n)
    assert (failed_at(world, SHARE) < HOURS).mean() <= ALPHA
    crude = world.bad.sum(axis=1) / n.sum(axis=1) - world.other_bad.sum(axis=1) / other_n.sum(axis=1)
    assert (crude > MARGIN).mean() > 0.99, "who adds the hours up sees a canary that is worse"


@pytest.mark.parametrize(
    ("excess", "per_day", "most"),
    [(0.05, 3000, 24), (0.1, 3000, 8), (0.2, 3000, 4), (0.5, 3000, 2), (0.02, 30_000, 20), (0.05, 30_000, 3)],
)
def test_a_worse_canary_at_10_percent_is_failed_soon(excess: float, per_day: float, most: int) -> None:
    """Half of the soaks within so many hours; both arms drift, 0.2 % fail at the mean."""
    rng = np.random.default_rng(6)
    worlds = [
        drawn(rng, excess + MARGIN, share=SHARE, per_day=per_day, base=0.002, drift=1, soaks=50) for _ in range(8)
    ]
    assert np.median(np.concatenate([failed_at(world, SHARE) + 1 for world in worlds])) <= most


@pytest.mark.mutants
@pytest.mark.slow
def test_a_canary_that_is_as_good_is_never_failed() -> None:
    rng = np.random.default_rng(7)
    assert all((failed_at(*any_world(rng, 0.0, 200)) == HOURS).all() for _ in range(20))


@given(st.integers(1, 6), st.integers(1, 6), margins, shares, st.floats(0, 1), st.floats(0, 1))
def test_the_mean_of_a_bet_is_at_most_one(n: int, m: int, margin: float, share: float, low: float, far: float) -> None:
    """Exactly, over all that one hour can bring, for every p and q within the margin."""
    q = low * (1 - margin)
    p = far * (q + margin)
    pairs = list(itertools.product(range(n + 1), range(m + 1)))
    k, j = (np.array(one)[:, None] for one in zip(*pairs, strict=True))
    pays = np.exp(worse_log_e(k, np.full_like(k, n), j, np.full_like(j, m), margin, share)[:, -1])
    chance = [_binomial(a, n, p) * _binomial(b, m, q) for a, b in pairs]
    assert math.fsum(one * of for one, of in zip(pays, chance, strict=True)) <= 1 + 1e-9


def _binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@given(hours, margins, shares)
def test_a_failure_more_of_the_canary_is_worse_and_one_of_the_other_arm_better(
    rows: list[Row], margin: float, share: float
) -> None:
    k, n, j, m = (np.array(one) for one in zip(*rows, strict=True))
    value = worse_log_e(k, n, j, m, margin, share)[-1]
    for at in np.flatnonzero((k < n) & (m > 0)):
        assert worse_log_e(k + (np.arange(len(k)) == at), n, j, m, margin, share)[-1] >= value - 1e-9
    for at in np.flatnonzero((j < m) & (n > 0)):
        assert worse_log_e(k, n, j + (np.arange(len(k)) == at), m, margin, share)[-1] <= value + 1e-9


@given(hours, margins, shares, st.integers(0, 2**31))
def test_only_what_is_in_one_hour_is_held_against_each_other(
    rows: list[Row], margin: float, share: float, seed: int
) -> None:
    """The order of hours says nothing of the end; an hour with one arm alone says nothing at all."""
    k, n, j, m = (np.array(one) for one in zip(*rows, strict=True))
    value = worse_log_e(k, n, j, m, margin, share)[-1]
    order = np.random.default_rng(seed).permutation(len(k))
    assert worse_log_e(k[order], n[order], j[order], m[order], margin, share)[-1] == pytest.approx(value, abs=1e-9)
    alone = [np.append(one, more) for one, more in zip((k, n, j, m), (7, 7, 0, 0), strict=True)]
    assert worse_log_e(*alone, margin, share)[-1] == pytest.approx(value, abs=1e-9)
    found, same = difference(rows, 0.05), difference([*rows, (7, 7, 0, 0), (0, 0, 3, 9)], 0.05)
    assert found == same


def _paid(excess: float, base: float, k: int, n: int, j: int, m: int) -> float:
    """What one bet pays by the book: the likelihood of an alternative over that of its projection on the margin."""
    worse = base + MARGIN + (1 - base - MARGIN) * excess

    def apart(q: float) -> float:
        return n * _kl(worse, q + MARGIN) + m * _kl(base, q)

    q = optimize.minimize_scalar(apart, bounds=(base, worse - MARGIN), method="bounded", options={"xatol": 1e-12}).x
    mine = (worse / (q + MARGIN)) ** k * ((1 - worse) / (1 - q - MARGIN)) ** (n - k)
    return float(mine * (base / q) ** j * ((1 - base) / (1 - q)) ** (m - j))


def _kl(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@pytest.mark.parametrize("seen", [(3, 10, 1, 90), (0, 10, 1, 90), (5, 10, 30, 90), (1, 10, 0, 90)])
def test_it_is_the_mean_of_the_likelihood_ratios_of_turner_and_gruenwald(
    seen: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the arms are as unequal as was said, and no stake is cut."""
    monkeypatch.setattr(two_arms, "_MOST", 1.0)
    pays = [_paid(excess, base, *seen) for base, excess in itertools.product(two_arms._BASES, two_arms._WORSE)]
    found = float(worse_log_e(*([one] for one in seen), MARGIN, SHARE)[-1])
    assert found == pytest.approx(math.log(math.fsum(pays) / len(pays)), rel=1e-4, abs=1e-4)


def test_golden() -> None:
    """3 of 10 beside 1 of 90, a margin of a point; after the same hour again it is a FAIL at 99 %."""
    hour = ([3] * 3, [10] * 3, [1] * 3, [90] * 3)
    assert worse_log_e(*hour, MARGIN, SHARE) == pytest.approx([3.0985, 7.0977, 11.3055], abs=1e-4)


@given(counts, counts, st.floats(0.005, 0.2))
def test_swapped_arms_turn_the_difference_round(mine: tuple[int, int], theirs: tuple[int, int], alpha: float) -> None:
    found, swapped = difference([(*mine, *theirs)], alpha), difference([(*theirs, *mine)], alpha)
    if found is None or swapped is None:
        assert found is swapped is None
        return
    assert found.value == pytest.approx(-swapped.value)
    assert (found.low, found.high) == pytest.approx((-swapped.high, -swapped.low))
    assert found.low <= found.value <= found.high


@given(hours)
def test_the_difference_is_that_of_what_the_canary_would_have_had_at_the_other_arm(rows: list[Row]) -> None:
    used = [row for row in rows if row[1] and row[3]]
    found = difference(rows, 0.05)
    if not used:
        assert found is None
        return
    expected = sum(n * j / m for _, n, j, m in used)
    assert found is not None
    assert found.value * sum(n for _, n, _, _ in used) == pytest.approx(sum(k for k, *_ in used) - expected, abs=1e-6)


def test_in_one_hour_it_is_wider_than_newcombe_s_interval_and_near_it() -> None:
    found, narrow = difference([(12, 300, 40, 2700)], 0.025), compare.difference(288, 300, 2660, 2700, 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-narrow.high, -narrow.low), abs=0.004)
    assert found.low < -narrow.high and found.high > -narrow.low


@pytest.mark.slow
def test_a_canary_at_the_margin_passes_a_look_in_at_most_its_alpha() -> None:
    rng = np.random.default_rng(8)
    passed = []
    for _ in range(60):
        world, _share = any_world(rng, MARGIN, 100)
        for k, n, j, m in zip(*world, strict=True):
            found = difference(list(zip(*(one[:24].tolist() for one in (k, n, j, m)), strict=True)), 0.03)
            passed.append(found is not None and found.high < MARGIN)
    assert sum(passed) <= stats.binom.ppf(0.999, len(passed), 0.03)


@pytest.mark.parametrize(
    ("rows", "told"),
    [([(3, 2, 0, 5)], "no counts of two arms"), ([(0, 2, -1, 5)], "no counts of two arms")],
)
def test_counts_that_cannot_be_are_refused(rows: list[Row], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        difference(rows, 0.05)
    with pytest.raises(ValueError, match="from 0 to its requests"):
        worse_log_e(*([row[at] for row in rows] for at in range(4)), 0.01, 0.1)
    with pytest.raises(ValueError, match="the same hours"):
        worse_log_e([1, 2], [3, 3], [1], [3], 0.01, 0.1)


@pytest.mark.parametrize("margin", [0.71, 0.9, 0.9995, 0.999999, 1 - 1e-8, 1 - 1e-12, math.nextafter(1, 0)])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.9])
def test_at_a_margin_near_1_it_holds(margin: float, share: float) -> None:
    """Few base rates, or none, leave room for such a margin: bets are as many, numbers, and no alarm at the margin."""
    point, stake = two_arms._stakes(margin, share)
    assert len(point) == len(stake) == len(two_arms._BASES) * len(two_arms._WORSE)
    assert np.isfinite(point).all() and (stake >= 0).all() and np.isfinite(stake).all()
    value = worse_log_e([10] * 36, [10] * 36, [0] * 36, [90] * 36, margin, share)
    assert np.isfinite(value).all()
    rate = (1 - margin) / 2
    for p, q in ((rate + margin, rate), (margin, 0.0), (1.0, 1 - margin)):
        means = [
            math.exp(worse_log_e([k], [2], [j], [2], margin, share)[-1]) * _binomial(k, 2, p) * _binomial(j, 2, q)
            for k, j in itertools.product(range(3), repeat=2)
        ]
        assert math.fsum(means) <= 1 + 1e-9


def test_each_base_rate_meets_each_excess_at_a_wide_margin() -> None:
    """At a margin of 0.75 a base rate of three tenths has no room; the others keep every excess."""
    point, _ = two_arms._stakes(0.75, 0.5)
    assert len({round(float(one), 9) for one in point}) == len(two_arms._BASES) * len(two_arms._WORSE)
