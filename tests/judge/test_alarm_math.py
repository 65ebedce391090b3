"""How often alarms cry wolf and how soon they bark: hand-computed numbers, simulation, and what must be monotone."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.alarm_math import DAY_S, count_odds, least_count, rate_odds

A_DAY = 300 / DAY_S


def test_a_rate_alarm_at_low_traffic_fires_on_45_percent_of_healthy_days() -> None:
    """300 requests a day, 99.8 % well, "error rate > 5 % over 5 minutes": every single failure. 1 - exp(-0.6)."""
    odds = rate_odds(limit=0.05, window_s=300, requests_per_s=A_DAY, healthy=0.002, bad=0.2)
    assert odds.per_day == pytest.approx(1 - math.exp(-0.6), abs=0.001)


def test_at_high_traffic_the_same_alarm_is_quiet() -> None:
    assert rate_odds(limit=0.05, window_s=300, requests_per_s=10.0, healthy=0.002, bad=0.2).per_day < 1e-6


def test_one_failure_is_enough_for_a_count_of_one() -> None:
    odds = count_odds(least=1, window_s=300, healthy_per_s=0.6 / DAY_S, bad_per_s=60 / DAY_S)
    assert odds.per_day == pytest.approx(1 - math.exp(-0.6))
    assert odds.hours == pytest.approx(24 / 60 + 60 / 3600)


def test_five_in_an_hour_by_hand() -> None:
    """3,000 a day of a 99.8 % service: 6 failures a day, 0.25 an hour; P(N >= 4) = 0.000133."""
    odds = count_odds(least=5, window_s=3600, healthy_per_s=6 / DAY_S, bad_per_s=600 / DAY_S)
    assert odds.per_day == pytest.approx(6 * 0.000133, rel=0.02)
    assert odds.hours == pytest.approx(5 / 25 + 60 / 3600)


def test_the_bound_holds_in_a_simulation() -> None:
    dice, fired, days = random.Random(7), 0, 3000
    per_s, window, least = 12 / DAY_S, 3600.0, 3
    for _ in range(days):
        at, seen = 0.0, []
        while (at := at + dice.expovariate(per_s)) < DAY_S:
            seen = [one for one in seen if one > at - window] + [at]
            if len(seen) >= least:
                fired += 1
                break
    bound = count_odds(least=least, window_s=window, healthy_per_s=per_s, bad_per_s=1.0).per_day
    assert fired / days <= bound + 0.03
    assert fired / days >= bound / 2


@given(st.floats(1e-6, 1e-2), st.floats(1.1, 5), st.integers(1, 20))
def test_more_failures_never_make_an_alarm_quieter_or_slower(per_s: float, factor: float, least: int) -> None:
    less = count_odds(least=least, window_s=3600, healthy_per_s=per_s, bad_per_s=per_s)
    more = count_odds(least=least, window_s=3600, healthy_per_s=per_s * factor, bad_per_s=per_s * factor)
    assert more.per_day >= less.per_day
    assert more.hours <= less.hours or math.isinf(less.hours)


def test_without_failures_it_never_fires() -> None:
    odds = count_odds(least=1, window_s=300, healthy_per_s=0.0, bad_per_s=0.0)
    assert odds.per_day == 0.0
    assert math.isinf(odds.hours)


@pytest.mark.parametrize(
    ("op", "threshold", "least"), [(">", 0, 1), (">", 5, 6), (">=", 5, 5), (">=", 0.5, 1), (">", 0.5, 1)]
)
def test_the_least_count(op: str, threshold: float, least: int) -> None:
    assert least_count(op, threshold) == least
