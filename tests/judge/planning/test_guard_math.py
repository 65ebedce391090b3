"""The guards' three figures against days simulated minute by minute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.planning.guard_math import Demands, figures, least_that_bears, propose
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
