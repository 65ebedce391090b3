"""The guards' three figures against days simulated minute by minute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.planning.guard_math import Demands, Figures, Proposal, figures, least_that_bears, propose
from tests.benchmarks.bench_guards import simulated

DAY = (
    0.25,
    0.2,
    0.2,
    0.2,
    0.25,
    0.4,
    0.7,
    1.0,
    1.4,
    1.6,
    1.7,
    1.7,
    1.6,
    1.7,
    1.7,
    1.6,
    1.5,
    1.4,
    1.2,
    1.1,
    0.9,
    0.7,
    0.5,
)
DAY = (*DAY, 0.4)
DEMANDS = Demands(0.01, 0.02, 0.20, 0.01, 0.10, 30, (7, 20), 300)


def rates(requests: float) -> list[float]:
    return [one / sum(DAY) * requests / 3600 for one in DAY]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    requests=st.floats(200, 6000),
    least=st.integers(2, 9),
    minutes=st.sampled_from([10, 20, 45, 90]),
    seed=st.integers(0, 99),
)
def test_the_arithmetic_is_what_simulated_days_show(requests: float, least: int, minutes: int, seed: int) -> None:
    found = figures(least, minutes * 60, rates(requests), DEMANDS)
    seen = simulated(least, minutes, rates(requests), DEMANDS, days=1600, seed=seed)
    for reckoned, share in ((found.at_target, seen.at_target), (found.at_limit, seen.at_limit)):
        error = 4.5 * np.sqrt(max(reckoned * (1 - reckoned), 1 / 1600) / 1600)
        assert abs(reckoned - share) <= error + 0.12 * reckoned
    assert found.minutes == pytest.approx(seen.minutes, rel=0.25, abs=6)


@settings(max_examples=30, deadline=None)
@given(requests=st.floats(50, 30_000), minutes=st.sampled_from([10, 30, 120]))
def test_a_higher_count_never_fires_more_and_the_least_that_bears_is_the_least(requests: float, minutes: int) -> None:
    least = least_that_bears(minutes * 60, rates(requests), DEMANDS)
    here, below = (figures(one, minutes * 60, rates(requests), DEMANDS) for one in (least, least - 1))
    assert here.at_target <= 0.01
    assert here.at_limit <= 0.10
    assert least == 2 or below.at_target > 0.01 or below.at_limit > 0.10
    assert below.at_limit >= here.at_limit
    assert below.minutes <= here.minutes + 1e-9


@pytest.mark.slow
def test_an_evening_that_grows_quiet_is_reckoned_through_the_hour() -> None:
    evening = Demands(0.01, 0.02, 0.20, 0.01, 0.10, 30, (18, 19), 300)
    seen = simulated(9, 10, rates(3514.0), evening, days=4000, seed=1)
    assert figures(9, 600, rates(3514.0), evening).minutes == pytest.approx(seen.minutes, rel=0.2)


def test_what_gives_is_said() -> None:
    slow = propose(rates(300), DEMANDS)
    assert slow is not None
    assert slow.figures.gives == (
        f"notices a service of 80% after {slow.figures.minutes:.0f} min of daytime, the most allowed is 30",
    )
    loud = figures(2, 3600, rates(30_000), DEMANDS)
    assert len(loud.gives) == 2


@pytest.mark.parametrize("bad", [[], [1.0] * 23, [float("nan")], [-1.0]])
def test_rates_that_are_none_are_errors(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="per_s expects"):
        figures(3, 600, bad, DEMANDS)


DAWN = Demands(0.01, 0.02, 0.20, 0.01, 0.10, 30, (3, 4), 300)


def noticed(per_s: float, demands: Demands, least: int = 1) -> tuple[float, float]:
    found = figures(least, 600, [per_s], demands)
    return found.minutes, found.within


def test_the_first_failure_is_noticed_as_the_exponential_distribution_says() -> None:
    """At one failure in 10 minutes: minutes are counted from their beginning, then come the delay and an evaluation."""
    still = np.exp(-60 / 600 * np.arange(1440))
    minutes, within = noticed(1 / 600 / 0.2, DAWN)
    assert minutes == pytest.approx(still.sum() + 5 + 1)
    assert within == pytest.approx(1 - np.exp(-(30 - 6) / 10))
    assert noticed(0.0, DAWN) == (1440 + 6, 0)


@pytest.mark.parametrize(
    ("within_min", "minutes"), [(6.0, None), (6.5, 0), (7.0, 1), (7.9, 1), (30.0, 24), (1446.0, 1439), (5000.0, 1439)]
)
def test_what_is_noticed_in_time_is_counted_in_whole_minutes(within_min: float, minutes: int | None) -> None:
    demands = Demands(0.01, 0.02, 0.20, 0.01, 0.10, within_min, (3, 4), 300)
    _, within = noticed(1e-6 / 0.2, demands)
    assert within == pytest.approx(0 if minutes is None else 1 - np.exp(-1e-6 * 60 * minutes), abs=1e-12)


def test_a_fault_begins_at_each_quarter_of_the_daytime_and_goes_on_into_the_next_hour() -> None:
    """One failure a second in the hour 4 alone: it is noticed in its first minute, wherever in the hour 3 it begins."""
    alone = [5.0 if hour == 4 else 0.0 for hour in range(24)]
    assert figures(1, 600, alone, DAWN).minutes == pytest.approx((46 + 16) / 2 + 6, abs=1e-9)
    longer = Demands(0.01, 0.02, 0.20, 0.01, 0.10, 30, (2, 4), 300)
    assert figures(1, 600, alone, longer).minutes == pytest.approx((106 + 76 + 46 + 16) / 4 + 6, abs=1e-9)


@pytest.mark.parametrize(
    ("least", "window_s", "requests", "told"),
    [
        (1, 600, 500, (0.993262, 0.999955, 16.513444, 0.908332)),
        (3, 600, 900, (0.029931, 0.192931, 32.588167, 0.651821)),
        (5, 1200, 3000, (0.077638, 0.696781, 14.854663, 0.993796)),
        (4, 5400, 1500, (0.686657, 0.997196, 19.829692, 0.918069)),
        (2, 60, 3000, (0.548496, 0.952632, 11.969211, 0.985202)),
        (5, 100_000, 3000, (1.0, 1.0, 14.829575, 0.99586)),
    ],
)
def test_the_figures_as_they_were(least: int, window_s: float, requests: float, told: tuple[float, ...]) -> None:
    found = figures(least, window_s, rates(requests), DEMANDS)
    assert (found.at_target, found.at_limit, found.minutes, found.within) == pytest.approx(told, abs=1e-6)


@pytest.mark.parametrize(
    ("requests", "words", "least", "meets"),
    [
        (50, "3 in 360 min", [2, 2, 3], False),
        (300, "4 in 100 min", [3, 4, 5], False),
        (1500, "4 in 10 min", [4, 7, 11], True),
        (3000, "6 in 10 min", [6, 10, 18], True),
        (30_000, "19 in 10 min", [19, 50, 110], True),
    ],
)
def test_what_is_proposed_as_it_was(requests: float, words: str, least: list[int], meets: bool) -> None:
    found = propose(rates(requests), DEMANDS)
    assert found is not None and (found.words, found.figures.gives == ()) == (words, meets)
    assert [least_that_bears(minutes * 60, rates(requests), DEMANDS) for minutes in (10, 45, 120)] == least


def test_without_traffic_nothing_is_proposed() -> None:
    assert propose([0.0], DEMANDS) is None is propose([0.0] * 24, DEMANDS)


def test_what_a_guard_does_not_meet_is_said_to_the_letter() -> None:
    made = Figures(at_target=0.0123, at_limit=0.25, minutes=31.4, within=0.5, demands=DEMANDS)
    assert made.gives == (
        "fires on 1.2% of days of a service at its target, at most 1% is allowed",
        "fires on 25.0% of days of a service at the alert limit, at most 10% is allowed",
        "notices a service of 80% after 31 min of daytime, the most allowed is 30",
    )
    assert Figures(at_target=0.01, at_limit=0.1, minutes=30, within=0.5, demands=DEMANDS).gives == ()
    assert Proposal(4, 5430, made).words == "4 in 90.5 min"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"target": 1.1}, "target 1.1"),
        ({"limit": -0.1}, "limit -0.1"),
        ({"bad": 1.1}, "bad 1.1"),
        ({"target_per_day": 1.1}, "target_per_day 1.1"),
        ({"limit_per_day": 1.1}, "limit_per_day 1.1"),
        ({"within_min": -1.0}, "within_min -1"),
        ({"delay_s": -1.0}, "delay_s -1"),
        ({"daytime": (-1, 5)}, "daytime -1 to 5 is no stretch of hours of one day"),
        ({"daytime": (5, 5)}, "daytime 5 to 5 is no stretch of hours of one day"),
        ({"daytime": (5, 25)}, "daytime 5 to 25 is no stretch of hours of one day"),
    ],
)
def test_demands_that_cannot_be_are_refused(changed: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = dict.fromkeys(("target", "limit", "bad", "target_per_day", "limit_per_day"), 1.0)
    given = {**given, "within_min": 0.0, "daytime": (0, 24), "delay_s": 0.0}
    assert Demands(**given).daytime == (0, 24)
    with pytest.raises(ValueError, match=why):
        Demands(**{**given, **changed})
