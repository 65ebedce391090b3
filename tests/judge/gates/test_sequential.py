from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from runbook_lib.judge.gates import sequential as q

PRIOR = (1.0, 9.0)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (0, 10), (1, 10), (3, 20), (12, 300)])
def test_e_value_is_the_integral_it_claims(k: int, n: int) -> None:
    beta, limit = stats.beta(*PRIOR), 0.02

    def weighed(p: float) -> float:
        return float(p**k * (1 - p) ** (n - k) * beta.pdf(p))

    mixture = integrate.quad(weighed, limit, 1, epsabs=0, points=[0.05, 0.2])[0] / beta.sf(limit)
    expected = math.log(mixture) - k * math.log(limit) - (n - k) * math.log(1 - limit)
    assert q.early_fail_log_e(k, n, limit, PRIOR) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
@settings(max_examples=50)
def test_rises_with_failures_and_falls_with_successes(count: tuple[int, int]) -> None:
    k, n = count
    here = q.early_fail_log_e(k, n, 0.02, PRIOR)
    assert q.early_fail_log_e(k + 1, n, 0.02, PRIOR) > here
    assert q.early_fail_log_e(k, n + 1, 0.02, PRIOR) < here


@pytest.mark.parametrize("p", [0.0, 0.01, 0.02])
def test_mean_of_the_e_value_is_at_most_one(p: float) -> None:
    """The promise itself: exactly 1 at the limit, below it for everything better."""
    k = np.arange(51)
    mean = float((stats.binom.pmf(k, 50, p) * np.exp(q.log_e(k, np.full(51, 50), 0.02, PRIOR))).sum())
    assert mean == pytest.approx(1.0) if p == 0.02 else mean < 1


def test_edges_of_the_limit() -> None:
    assert q.early_fail_log_e(1, 10, 0.0, PRIOR) == math.inf
    assert q.early_fail_log_e(0, 10, 0.0, PRIOR) == -math.inf
    assert q.early_fail_log_e(10, 10, 1.0, PRIOR) == -math.inf
    assert q.early_fail_log_e(0, 10_000_000, 0.02, PRIOR) == -math.inf, "underflow speaks for the null"
    for k in (11, -1):
        with pytest.raises(ValueError, match=r"^more failures than samples, or fewer than none$"):
            q.early_fail_log_e(k, 10, 0.02, PRIOR)


def test_edges_of_the_limit_hold_for_each_count() -> None:
    k, n = [0, 1, 5], [5, 5, 5]
    assert q.log_e(k, n, 0.0, PRIOR).tolist() == [-math.inf, math.inf, math.inf]
    assert q.log_e(k, n, 1.0, PRIOR).tolist() == [-math.inf] * 3


def test_an_underflow_is_no_warning_and_no_error() -> None:
    """A caller that has numpy raise on any of them gets the answer all the same."""
    with np.errstate(all="raise"):
        assert q.early_fail_log_e(0, 10_000_000, 0.02, PRIOR) == -math.inf
        assert q.early_fail_log_e(3, 40_000, 0.02, PRIOR) < -700


def test_boundary_is_the_first_that_fails() -> None:
    sizes = np.array([1, 10, 60, 300, 3000])
    k = q.boundary(sizes, 0.02, 0.01, PRIOR)
    assert k[0] == 2, "one request can prove nothing: n + 1"
    for n, first in zip(sizes[1:], k[1:], strict=True):
        assert q.early_fail_log_e(int(first), int(n), 0.02, PRIOR) >= math.log(100)
        assert q.early_fail_log_e(int(first) - 1, int(n), 0.02, PRIOR) < math.log(100)


def test_where_one_failure_is_enough_the_boundary_says_one() -> None:
    assert q.boundary([1, 5], 1e-4, 0.01, PRIOR).tolist() == [1, 1]
    assert q.boundary([0, 3], 0.0, 0.01, PRIOR).tolist() == [1, 1], "no request proves nothing: n + 1"


def test_a_boundary_is_a_whole_number_of_failures() -> None:
    found = q.boundary([60.0, 300.0], 0.02, 0.01, PRIOR)
    assert found.dtype == np.int64
    assert found.tolist() == q.boundary([60, 300], 0.02, 0.01, PRIOR).tolist()


def crossing(failing: float, limit: float, alpha: float, requests: int) -> float:
    """Chance that a service of that failure rate is ever failed, a look after each request: exact, no simulation."""
    edge = q.boundary(np.arange(requests + 1), limit, alpha, PRIOR)
    here, failed = np.zeros(int(edge.max()) + 2), 0.0  # chance of so many failures so far, not failed yet
    here[0] = 1.0
    for n in range(1, requests + 1):
        here[1:] = here[1:] * (1 - failing) + here[:-1] * failing
        here[0] *= 1 - failing
        failed += float(here[edge[n] :].sum())
        here[edge[n] :] = 0.0
    return failed


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize(("limit", "alpha"), [(0.02, 0.01), (0.05, 0.01), (0.02, 0.05)])
def test_looking_after_each_request_keeps_the_promise(limit: float, alpha: float) -> None:
    at_limit = crossing(limit, limit, alpha, 3000)
    assert 0.3 * alpha < at_limit <= alpha, "kept, and not by never failing anything"
    assert crossing(limit / 2, limit, alpha, 3000) < at_limit / 10
    assert crossing(5 * limit, limit, alpha, 3000) > 0.9999


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_looking_at_the_split_after_each_request_keeps_the_promise(weight: float) -> None:
    """The same for the split, exactly: p < 0.001 at any of 2,000 looks."""
    here, wrong = np.zeros(2002), 0.0
    here[0] = 1.0
    for n in range(1, 2001):
        here[1:] = here[1:] * (1 - weight) + here[:-1] * weight
        here[0] *= 1 - weight
        k = np.arange(n + 1)
        log_e = special.betaln(10 * weight + k, 10 * (1 - weight) + n - k)
        log_e += -special.betaln(10 * weight, 10 * (1 - weight)) - k * math.log(weight) - (n - k) * math.log1p(-weight)
        if n in (1, 40, 2000):
            assert log_e[n // 3] == pytest.approx(q.split_log_e(n // 3, n, weight))
        out = np.flatnonzero(log_e >= math.log(1000))
        wrong += float(here[out].sum())
        here[out] = 0.0
    assert 0.0003 < wrong <= 0.001


def test_early_rank() -> None:
    assert q.early_rank(0, 0.95, 0.01, PRIOR) is None
    assert q.early_rank(1, 0.95, 0.01, PRIOR) is None
    assert q.early_rank(1, 0.9999, 0.01, PRIOR) == 1, "one beyond what 1 of 10,000 may be is enough"
    rank = q.early_rank(300, 0.95, 0.01, PRIOR)
    assert rank is not None
    at_least = 300 - rank + 1
    assert q.early_fail_log_e(at_least, 300, 1 - 0.95, PRIOR) >= math.log(100)
    assert q.early_fail_log_e(at_least - 1, 300, 1 - 0.95, PRIOR) < math.log(100)


def test_split_agrees_with_the_dirichlet_multinomial() -> None:
    k, n, w = 14, 90, 0.1
    model = stats.dirichlet_multinomial([10 * w, 10 * (1 - w)], n)
    expected = model.logpmf([k, n - k]) - stats.binom.logpmf(k, n, w)
    assert q.split_log_e(k, n, w) == pytest.approx(float(expected))


def test_split_edges() -> None:
    assert q.split_log_e(0, 50, 0.0) == 0.0
    assert q.split_log_e(1, 50, 0.0) == math.inf
    assert q.split_log_e(50, 50, 1.0) == 0.0
    assert q.split_log_e(49, 50, 1.0) == math.inf
    assert q.split_log_e(0, 0, 0.3) == pytest.approx(0.0)
    with pytest.raises(ValueError, match=r"^3 of 2 is no count$"):
        q.split_log_e(3, 2, 0.5)
    with pytest.raises(ValueError, match=r"^n "):
        q.split_log_e(0, 1.5, 0.5)  # type: ignore[arg-type]


def test_swapping_the_arms_of_a_split_mirrors() -> None:
    assert q.split_log_e(20, 120, 0.1) == pytest.approx(q.split_log_e(100, 120, 0.9))


@pytest.mark.mutants
@pytest.mark.slow
def test_a_true_split_is_hardly_ever_called_wrong() -> None:
    """Looked at after every request of 2,000, at p < 0.001: at most 0.1 % of soaks; 0.3 % leaves room for chance."""
    rng = np.random.default_rng(3)
    n = np.arange(1, 2001)
    k = np.cumsum(rng.random((3000, 2000)) < 0.1, axis=1)
    a, b = 1.0, 9.0
    log_e = special.betaln(a + k, b + n - k) - special.betaln(a, b) - k * math.log(0.1) - (n - k) * math.log(0.9)
    assert log_e[5, 99] == pytest.approx(q.split_log_e(int(k[5, 99]), 100, 0.1))
    assert (log_e >= math.log(1000)).any(axis=1).mean() <= 0.003


def test_more_than_a_float_can_weigh_is_refused_and_no_nan() -> None:
    with pytest.raises(ValueError, match="more than a float can weigh"):
        q.log_e([1], [2**53], 0.5, (2.0**53, 20))
