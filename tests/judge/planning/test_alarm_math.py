"""How often alarms cry wolf and how soon they bark: hand-computed numbers, simulation, and what must be monotone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from runbook_lib.judge.planning.alarm_math import (
    DAY_S,
    EVALUATION_S,
    _beyond,
    _first_window,
    _quiet,
    count_odds,
    least_count,
    least_likely,
    rate_odds,
)

FEW = [300 / DAY_S]
MANY = [3000 / DAY_S]
EVALUATION_H = EVALUATION_S / 3600


def simulated(least: int, window_s: float, per_s: float, runs: int = 8000, length: int = 400) -> np.ndarray:
    """Seconds to the first alarm, run by run: the first failure with `least` - 1 others in the window before it."""
    at = np.random.default_rng(7).exponential(1 / per_s, (runs, length)).cumsum(axis=1)
    hit = at[:, least - 1 :] - at[:, : length - least + 1] <= window_s
    first = at[np.arange(runs), hit.argmax(axis=1) + least - 1]
    return np.where(hit.any(axis=1), first, np.inf)


def naus(k: int, mean: float) -> tuple[float, float]:
    """Naus' Q(2) and Q(3) term by term, as printed."""

    def cdf(n: int) -> float:
        return float(stats.poisson.cdf(n, mean))

    def pmf(n: int) -> float:
        return float(stats.poisson.pmf(n, mean))

    one, at = cdf(k - 1), pmf(k)
    two = one**2 - (k - 1) * at * pmf(k - 2) - (k - 1 - mean) * at * cdf(k - 3)
    a1 = 2 * at * one * ((k - 1) * cdf(k - 2) - mean * cdf(k - 3))
    inner = (k - 1) * (k - 2) * cdf(k - 3) - 2 * (k - 2) * mean * cdf(k - 4) + mean**2 * cdf(k - 5)
    a3 = sum(pmf(2 * k - r) * cdf(r - 1) ** 2 for r in range(1, k))
    a4 = sum(pmf(2 * k - r) * pmf(r) * ((r - 1) * cdf(r - 2) - mean * cdf(r - 3)) for r in range(2, k))
    return two, one**3 - a1 + 0.5 * at**2 * inner + a3 - a4


@given(st.integers(2, 60), st.floats(0, 80))
def test_the_chances_of_quiet_are_those_of_the_printed_formulas(k: int, mean: float) -> None:
    two, three = _quiet(k, np.array([mean, 1.0]))
    assert (two[0], three[0]) == pytest.approx(naus(k, mean), abs=1e-12)


@given(st.floats(0, 1e4), st.floats(1e-12, 1 - 1e-12), st.floats(0, 1), st.floats(0, 1))
def test_what_is_reckoned_without_scipys_distributions_is_theirs(
    mean: float, chance: float, limit: float, share: float
) -> None:
    assert least_likely(chance, mean) == stats.poisson.ppf(chance, mean)
    of = np.arange(60)
    needed = np.floor(limit * (of + 1))
    assert _beyond(needed, of, share) == pytest.approx(stats.binom.sf(needed - 1, of, share), rel=1e-9, abs=1e-200)


@pytest.mark.parametrize(("least", "mean"), [(1, 0.3), (3, 1e-6), (5, 4.0), (20, 31.0), (2, 0.0)])
def test_the_time_to_an_alarm_within_the_first_window_is_its_integral(least: int, mean: float) -> None:
    """Where nearly every window alarms, or none ever does."""
    window = 300.0
    alone = integrate.quad(lambda t: stats.poisson.cdf(least - 1, mean * t / window), 0, window)[0]
    assert _first_window(least, window, mean / window) == pytest.approx(alone, rel=1e-9)


def test_a_rate_alarm_at_low_traffic_fires_on_45_percent_of_healthy_days() -> None:
    """300 requests a day, 99.8 % well, "error rate > 5 % over 5 minutes": every single failure. 1 - exp(-300 0.002)."""
    odds = rate_odds(limit=0.05, window_s=300, per_s=FEW, healthy=0.002, bad=0.1)
    assert odds.per_day == pytest.approx(0.451, abs=0.0005)


def test_a_rate_alarm_fires_on_a_bad_day_with_the_first_failure() -> None:
    """30 failures a day: 0.8 h to the first."""
    odds = rate_odds(limit=0.05, window_s=300, per_s=FEW, healthy=0.002, bad=0.1)
    assert odds.hours == pytest.approx(0.8 + 1 / 60, rel=1e-9)


def test_at_high_traffic_the_same_alarm_is_quiet() -> None:
    assert rate_odds(limit=0.05, window_s=300, per_s=[10.0], healthy=0.002, bad=0.2).per_day < 1e-6


@pytest.mark.parametrize("mean", [3.0, 12.0, 40.0])
def test_the_chance_of_a_rate_alarm_by_simulation(mean: float) -> None:
    """Windows seen at the moment of a failure: how many are beyond 5 %."""
    dice = np.random.default_rng(3)
    others = dice.poisson(mean, 200_000)
    beyond = (1 + dice.binomial(others, 0.002)) / (1 + others) > 0.05
    per_day = mean * 288 * 0.002 * beyond.mean()
    odds = rate_odds(limit=0.05, window_s=300, per_s=[mean / 300], healthy=0.002, bad=0.2)
    assert odds.per_day == pytest.approx(1 - math.exp(-per_day), rel=0.02, abs=1e-4)


def test_one_failure_is_enough_for_a_count_of_one() -> None:
    odds = count_odds(least=1, window_s=300, per_s=FEW, healthy=0.002, bad=0.2, delay_s=300)
    assert odds.per_day == pytest.approx(1 - math.exp(-0.6))
    # 60 failures a day: one in 24 min; five minutes until its point is there, a minute until it is looked at.
    assert odds.hours == pytest.approx(0.5, rel=1e-9)
    prompt = count_odds(least=1, window_s=300, per_s=FEW, healthy=0.002, bad=0.2)
    assert prompt.hours == pytest.approx(25 / 60, rel=1e-9)


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize(
    ("least", "window_h", "a_day"), [(5, 1, 60), (5, 1, 30), (3, 1, 12), (2, 1, 7), (6, 3, 30), (8, 6, 30), (5, 1, 600)]
)
def test_chance_and_time_agree_with_a_simulation(least: int, window_h: float, a_day: float) -> None:
    """Naus's approximation against brute force; 8,000 runs know a chance to 0.02 and a mean to 4 %."""
    per_s, window = a_day / DAY_S, window_h * 3600
    waits = simulated(least, window, per_s)
    # From a full window on, so a run's day begins after the first window.
    odds = count_odds(least=least, window_s=window, per_s=[per_s], healthy=1.0, bad=1.0)
    assert odds.per_day == pytest.approx((waits <= DAY_S).mean(), abs=0.03)
    assert odds.hours - EVALUATION_H == pytest.approx(waits.mean() / 3600, rel=0.05)


@pytest.mark.parametrize("mean", [0.1, 0.7, 2.0])
def test_no_two_in_a_window_is_known_exactly(mean: float) -> None:
    """n points of a Poisson process on L windows, no two of them within one: e^-Lm m^n (L - n + 1)^n / n!, summed."""
    two, three = _quiet(2, np.array([mean]))
    assert two[0] == pytest.approx(math.exp(-2 * mean) * (1 + 2 * mean + mean**2 / 2))
    assert three[0] == pytest.approx(math.exp(-3 * mean) * (1 + 3 * mean + 2 * mean**2 + mean**3 / 6))


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize(("least", "mean", "runs", "within"), [(3, 1.5, 400_000, 0.002), (9, 9.0, 60_000, 0.0025)])
def test_the_chances_of_quiet_agree_with_a_simulation(least: int, mean: float, runs: int, within: float) -> None:
    """Two and three windows of brute force, at so many failures that every term of the formula tells."""
    dice = np.random.default_rng(11)
    chances = [float(chance[0]) for chance in _quiet(least, np.array([mean]))]
    for windows, chance in zip((2, 3), chances, strict=True):
        count = dice.poisson(mean * windows, runs)
        at = dice.random((runs, count.max())) * windows
        at[np.arange(count.max()) >= count[:, None]] = 1e9 * windows
        at = np.sort(at, axis=1)
        close = (at[:, least - 1 :] < 1e9) & (at[:, least - 1 :] - at[:, : 1 - least] <= 1)
        assert chance == pytest.approx(1 - close.any(axis=1).mean(), abs=within)


def test_a_window_that_fills_at_once_fires_as_soon_as_it_is_full() -> None:
    """Twenty failures at ten a second: two seconds, and the minute until CloudWatch looks."""
    odds = count_odds(least=20, window_s=60, per_s=[10.0], healthy=1.0, bad=1.0)
    assert odds.per_day == 1.0
    assert odds.hours == pytest.approx(62 / 3600, rel=1e-6)


def test_whole_numbers_are_as_good_as_others() -> None:
    """One request a second, all of them failing, is 60 a minute."""
    whole = count_odds(least=90, window_s=60, per_s=[1], healthy=1, bad=1)
    assert whole == count_odds(least=90, window_s=60, per_s=[1.0], healthy=1.0, bad=1.0)
    assert rate_odds(limit=0, window_s=60, per_s=[1], healthy=1, bad=1).hours == pytest.approx(61 / 3600)


def test_five_in_an_hour_at_the_traffic_of_the_rollout() -> None:
    """3,000 a day of a 99.8 % service, day and night alike: 6 failures a day, 0.07 % of days."""
    assert count_odds(least=5, window_s=3600, per_s=MANY, healthy=0.002, bad=0.2).per_day == pytest.approx(
        0.00072, rel=0.03
    )


def test_busy_hours_make_alarms_likelier_than_the_mean_does() -> None:
    """The same requests in twelve hours of the day."""
    busy = [2 * MANY[0]] * 12 + [0.0] * 12
    mean, profile = (count_odds(least=5, window_s=3600, per_s=per_s, healthy=0.002, bad=0.2) for per_s in (MANY, busy))
    assert profile.per_day > 5 * mean.per_day
    assert profile.hours == pytest.approx(mean.hours)


@given(st.floats(1e-6, 1e-2), st.floats(1.1, 5), st.integers(1, 20))
def test_more_failures_never_make_an_alarm_quieter_or_slower(per_s: float, factor: float, least: int) -> None:
    less = count_odds(least=least, window_s=3600, per_s=[per_s], healthy=1.0, bad=1.0)
    more = count_odds(least=least, window_s=3600, per_s=[per_s * factor], healthy=1.0, bad=1.0)
    assert more.per_day >= less.per_day - 1e-9
    assert more.hours <= less.hours * (1 + 1e-6) or math.isinf(less.hours)


@given(st.floats(1e-6, 1e-1), st.integers(1, 20), st.floats(60, 6 * 3600))
def test_an_alarm_takes_no_less_than_its_failures_take(per_s: float, least: int, window_s: float) -> None:
    odds = count_odds(least=least, window_s=window_s, per_s=[per_s], healthy=1.0, bad=1.0)
    assert 0 <= odds.per_day <= 1
    assert odds.hours * 3600 >= least / per_s * 0.99


@pytest.mark.parametrize("share", [0.0, 1e-300])
def test_without_failures_it_never_fires(share: float) -> None:
    for odds in (
        count_odds(least=1, window_s=300, per_s=MANY, healthy=share, bad=0.0),
        rate_odds(limit=0.05, window_s=300, per_s=MANY, healthy=share, bad=0.0),
        count_odds(least=5, window_s=300, per_s=[0.0], healthy=0.1, bad=0.2),
        rate_odds(limit=0.05, window_s=300, per_s=[0.0], healthy=0.1, bad=0.2),
    ):
        assert odds.per_day == pytest.approx(0.0)
        assert math.isinf(odds.hours)


@pytest.mark.parametrize(
    ("op", "threshold", "least"), [(">", 0, 1), (">", 5, 6), (">=", 5, 5), (">=", 0.5, 1), (">", 0.5, 1)]
)
def test_the_least_count(op: str, threshold: float, least: int) -> None:
    assert least_count(op, threshold) == least
