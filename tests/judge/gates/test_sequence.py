"""Intervals at every look: all hold at once in 95 % of soaks, and the last is not much wider than one look's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from runbook_lib.judge.gates import sequence, statistics
from runbook_lib.params.policy import Policy

PRIOR, CONFIDENCE = (1.0, 9.0), 0.95
RATES = st.floats(0.0, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.002, 0.01, 0.02, 0.1, 0.5, 0.97])
def test_all_intervals_of_a_soak_hold_at_once_in_95_of_100(rate: float) -> None:
    """400 soaks of 3,000 requests, looked at after every tenth request, and at three declared looks."""
    rng = np.random.default_rng(3)
    n = np.arange(10, 3001, 10)
    declared = np.isin(n, (2000, 2500, 3000))
    missed = 0
    for _ in range(400):
        bad = np.cumsum(rng.binomial(10, rate, len(n)))
        ends = np.array(
            sequence.band(bad.tolist(), n.tolist(), declared.tolist(), looks=3, confidence=CONFIDENCE, prior=PRIOR)
        )
        missed += bool(np.any((rate < ends[:, 0]) | (rate > ends[:, 1])))
    assert missed / 400 <= 0.05


QUARTERS = np.arange(4 * 36)
"""Of an hour, in a soak of 36 h with declared looks after 24, 30 and 36."""
DECLARED = (95, 119, 143)


def drifting(rng: np.random.Generator, soaks: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Failures and requests so far, and their mean rate so far, at the end of each quarter of an hour of many soaks.

    Traffic, its daily curve, and how the rate of failures drifts are drawn for each soak: slowly, from quarter to
    quarter, and in one step up or down. All requests of a quarter come at once, with a rate of their own.
    """
    shape = (soaks, len(QUARTERS))
    per_quarter = 10 ** rng.uniform(2.4, 4.5, (soaks, 1)) / 96
    curve = 1 + 0.8 * np.sin(2 * np.pi * (QUARTERS / 96 + rng.random((soaks, 1))))
    n = rng.poisson(per_quarter * curve, shape)
    base = rng.uniform(-6, 1, (soaks, 1)) + rng.choice([0.0, 1.0, 3.0], (soaks, 1)) * np.sin(
        2 * np.pi * (QUARTERS / rng.uniform(8, 200, (soaks, 1)) + rng.random((soaks, 1)))
    )
    base = base + rng.normal(0, 1, shape) * rng.choice([0.0, 0.5, 2.0], (soaks, 1))
    step = rng.integers(1, len(QUARTERS), (soaks, 1)) <= QUARTERS
    rate = special.expit(base + step * rng.choice([0.0, -3.0, 3.0, 6.0], (soaks, 1)))
    total = n.cumsum(axis=1)
    truth = (n * rate).cumsum(axis=1) / np.maximum(total, 1)
    return rng.binomial(n, rate).cumsum(axis=1), total, truth


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize("looks", [0, 3])
def test_all_intervals_hold_at_once_whatever_the_traffic_and_however_the_rate_drifts(looks: int) -> None:
    """What is held is the mean rate of the requests so far; and the last interval is at most 1.4 times a single one."""
    bad, n, truth = drifting(np.random.default_rng(4), 1000)
    low, high = sequence.so_far(bad, n, (1 - CONFIDENCE) * (sequence.ANYTIME if looks else 1.0), PRIOR)
    for at in DECLARED if looks else ():
        ends = [
            sequence.at_declared(int(k), int(of), CONFIDENCE, looks) for k, of in zip(bad[:, at], n[:, at], strict=True)
        ]
        low[:, at], high[:, at] = np.array(ends).T
    missed = np.any((n > 0) & ((truth < low) | (truth > high)), axis=1)
    assert missed.mean() <= 1 - CONFIDENCE
    if looks:
        once = [
            statistics.clopper_pearson(int(k), int(of), CONFIDENCE) for k, of in zip(bad[:, -1], n[:, -1], strict=True)
        ]
        wide = np.array([above - below for below, above in once])
        assert np.all(high[:, -1] - low[:, -1] <= 1.4 * wide)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 300_000), RATES, st.integers(1, 3))
def test_the_last_interval_is_at_most_1_4_times_as_wide_as_one_that_was_looked_at_once(
    n: int, share: float, looks: int
) -> None:
    bad = round(share * n)
    low, high = sequence.at_declared(bad, n, CONFIDENCE, looks)
    once = statistics.clopper_pearson(bad, n, CONFIDENCE)
    assert high - low <= 1.4 * (once[1] - once[0])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 5000), RATES, st.floats(0.001, 0.2), st.tuples(st.floats(0.5, 20), st.floats(0.5, 200)))
def test_the_interval_holds_what_was_seen_and_its_ends_are_where_the_test_turns(
    n: int, share: float, alpha: float, prior: tuple[float, float]
) -> None:
    bad = round(share * n)
    low, high = (float(one[0]) for one in sequence.so_far([bad], [n], alpha, prior))
    if n == 0:
        assert (low, high) == (0, 1)
        return
    assert 0 <= low <= bad / n <= high <= 1

    def log_e(rate: float) -> float:
        mixture = special.betaln(prior[0] + bad, prior[1] + n - bad) - special.betaln(*prior)
        return float(mixture - special.xlogy(bad, rate) - special.xlog1py(n - bad, -rate))

    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9 and abs(end - bad / n) > 1e-6:
            assert log_e(end) == pytest.approx(-math.log(alpha), abs=1e-3 * max(1, n / 100))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2000), RATES, st.floats(0.002, 0.1))
def test_less_risk_is_a_wider_interval(n: int, share: float, alpha: float) -> None:
    bad = round(share * n)
    wide, narrow = (sequence.so_far([bad], [n], one, PRIOR) for one in (alpha / 2, alpha))
    assert wide[0][0] <= narrow[0][0] and narrow[1][0] <= wide[1][0]


def test_without_declared_looks_all_is_for_any_look() -> None:
    low, high = sequence.so_far([3], [200], 0.05, PRIOR)
    assert sequence.band([3], [200], [True], looks=0, confidence=0.95, prior=PRIOR) == [(low[0], high[0])]


def test_the_policy_declares_no_more_looks_than_the_width_is_promised_for(policy: Policy) -> None:
    for phase in policy.phases.values():
        assert max(len(phase.looks), len(phase.after_migration or ())) <= 3


@pytest.mark.parametrize(
    ("bad", "n", "alpha", "prior"),
    [
        (2, 1, 0.05, PRIOR),
        (-1, 4, 0.05, PRIOR),
        (math.nan, 4, 0.05, PRIOR),
        (1, 4, 0.0, PRIOR),
        (1, 4, 0.05, (0.0, 1.0)),
        (1, math.inf, 0.05, PRIOR),
    ],
)
def test_what_cannot_be_is_refused(bad: float, n: float, alpha: float, prior: tuple[float, float]) -> None:
    with pytest.raises(ValueError):
        sequence.so_far([bad], [n], alpha, prior)
    with pytest.raises(ValueError):
        sequence.at_declared(1, 4, 0.95, 0)


@pytest.mark.mutants
@pytest.mark.slow
def test_all_intervals_of_a_quantile_hold_at_once_in_95_of_100() -> None:
    """400 soaks of 3,000 jobs, p95 of log-normal times, looked at after every 25th and at three declared looks."""
    rng, q = np.random.default_rng(9), 0.95
    truth = math.exp(4 + 0.4 * special.ndtri(q))
    n = np.arange(25, 3001, 25)
    declared = np.isin(n, (2000, 2500, 3000)).tolist()
    missed = 0
    for _ in range(400):
        samples = rng.lognormal(4, 0.4, 3000)
        found = sequence.quantile_band(
            samples.tolist(), n.tolist(), declared, q=q, looks=3, confidence=CONFIDENCE, prior=PRIOR
        )
        missed += any(not low <= truth <= high for _, low, high in found)
    assert missed / 400 <= 0.05


@settings(max_examples=100, deadline=None)
@given(st.integers(250, 100_000), st.sampled_from([0.5, 0.9, 0.95]), st.integers(1, 3))
def test_the_last_interval_of_a_quantile_is_at_most_1_4_times_as_wide_as_one_look_s(
    n: int, q: float, looks: int
) -> None:
    """In seconds, of times with an exponential tail: the expected order statistics, -log(1 - r / (n + 1))."""
    ordered = -np.log1p(-np.arange(1, n + 1) / (n + 1))
    _, low, high = sequence.quantile_band(
        ordered.tolist(), [n], [True], q=q, looks=looks, confidence=CONFIDENCE, prior=PRIOR
    )[0]
    tail = (1 - CONFIDENCE) / 2
    ranks = statistics.quantile_low_rank(n, q, tail), statistics.quantile_rank(n, q, tail)
    assert ranks[0] and ranks[1]
    assert high - low <= 1.4 * (ordered[ranks[1] - 1] - ordered[ranks[0] - 1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 500), min_size=1, max_size=400), st.floats(0.5, 0.99))
def test_the_quantile_lies_in_its_interval_and_few_samples_have_no_upper_end(samples: list[float], q: float) -> None:
    counts = sorted({1, max(1, len(samples) // 2), len(samples)})
    found = sequence.quantile_band(
        samples, counts, [False] * len(counts), q=q, looks=0, confidence=CONFIDENCE, prior=PRIOR
    )
    for n, (value, low, high) in zip(counts, found, strict=True):
        assert low <= value <= high
        assert value == sorted(samples[:n])[math.ceil(round(q * n, 9)) - 1]
    one = sequence.quantile_ranks([1], q, 0.05, PRIOR)
    assert one[1].tolist() == [2]


@given(st.integers(0, 300), st.floats(0.3, 0.99), st.floats(0.001, 0.2))
def test_the_ranks_are_those_that_the_mixture_does_not_exclude(n: int, q: float, alpha: float) -> None:
    """One by one, where the search halves the range."""

    def out(above: int) -> bool:
        mixture = special.betaln(PRIOR[0] + above, PRIOR[1] + n - above) - special.betaln(*PRIOR)
        return bool(mixture - above * math.log(1 - q) - (n - above) * math.log(q) >= -math.log(alpha))

    within = [above for above in range(n + 1) if not out(above)]
    low, high = (ends.tolist() for ends in sequence.quantile_ranks([n, n], q, alpha, PRIOR))
    assert (low, high) == ([n - max(within)] * 2, [n - min(within) + 1] * 2)


@pytest.mark.parametrize(("n", "q", "alpha"), [(-1, 0.95, 0.05), (2.5, 0.95, 0.05), (9, 1.0, 0.05), (9, 0.95, 0.0)])
def test_a_quantile_that_cannot_be_is_refused(n: float, q: float, alpha: float) -> None:
    with pytest.raises(ValueError):
        sequence.quantile_ranks([n], q, alpha, PRIOR)
