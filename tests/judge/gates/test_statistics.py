from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from runbook_lib.judge.gates import statistics as s

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_golden_sizes_of_a_proof() -> None:
    """Published: 'rule of three' and its followers."""
    assert [s.needed(k, 0.02, 0.05) for k in (0, 1, 2)] == [149, 236, 313]
    assert [s.needed(k, 0.01, 0.05) for k in range(4)] == [299, 473, 628, 773]
    assert [s.needed(k, 0.05, 0.05) for k in range(4)] == [59, 93, 124, 153]


def test_one_request_proves_what_is_hardly_a_claim() -> None:
    assert s.needed(0, 0.96, 0.05) == 1, "one success: the failure rate is at most 95 %"


def test_needed_is_the_first_that_proves() -> None:
    for k, limit, alpha in [(0, 0.02, 0.03), (5, 0.02, 0.01), (3, 0.1, 0.05)]:
        n = s.needed(k, limit, alpha)
        assert n is not None
        assert s.upper_bound(k, n, alpha) < limit <= s.upper_bound(k, n - 1, alpha)


@pytest.mark.parametrize("limit", [0.0, 1.0, 1.5])
def test_nothing_proves_the_impossible(limit: float) -> None:
    assert s.needed(0, limit, 0.05) is None


def test_too_many_is_none() -> None:
    assert s.needed(0, 1e-9, 0.05) is None


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=60)
def test_intervals_agree_with_statsmodels(count: tuple[int, int], confidence: float) -> None:
    k, n = count
    for mine, method in ((s.clopper_pearson, "beta"), (s.wilson, "wilson")):
        low, high = proportion_confint(k, n, alpha=1 - confidence, method=method)
        assert mine(k, n, confidence) == pytest.approx((low, high), abs=1e-9)


@given(st.integers(0, 500))
@settings(max_examples=30)
def test_poisson_agrees_with_chi_square(k: int) -> None:
    low, high = s.poisson_interval(k, 0.95)
    assert low == pytest.approx(stats.chi2.ppf(0.025, 2 * k) / 2 if k else 0.0)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * k + 2) / 2)


@given(counts, st.floats(0.01, 0.99))
@settings(max_examples=60)
def test_binomial_p_is_the_doubled_tail(count: tuple[int, int], p: float) -> None:
    k, n = count
    tails = (stats.binom.cdf(k, n, p), stats.binom.sf(k - 1, n, p))
    assert s.binomial_p(k, n, p) == pytest.approx(min(1, 2 * min(tails)), rel=1e-6, abs=1e-200)


def test_binomial_p_agrees_with_the_interval() -> None:
    k, n = 12, 300
    low, high = s.clopper_pearson(k, n, 0.95)
    assert s.binomial_p(k, n, low * 1.001) > 0.05 > s.binomial_p(k, n, low * 0.999)
    assert s.binomial_p(k, n, high * 0.999) > 0.05 > s.binomial_p(k, n, high * 1.001)


@given(counts)
@settings(max_examples=60)
def test_bounds_are_monotone_and_enclose(count: tuple[int, int]) -> None:
    k, n = count
    assert s.lower_bound(k, n, 0.05) <= k / n <= s.upper_bound(k, n, 0.05)
    if k < n:
        assert s.upper_bound(k, n, 0.05) < s.upper_bound(k + 1, n, 0.05)
        assert s.lower_bound(k, n, 0.05) < s.lower_bound(k + 1, n, 0.05)


@given(counts)
@settings(max_examples=30)
def test_counting_the_other_side_mirrors(count: tuple[int, int]) -> None:
    k, n = count
    assert s.lower_bound(n - k, n, 0.05) == pytest.approx(1 - s.upper_bound(k, n, 0.05), abs=1e-9)


def test_edges() -> None:
    assert s.upper_bound(0, 0, 0.05) == 1.0
    assert s.lower_bound(0, 0, 0.05) == 0.0
    assert s.wilson(0, 0, 0.95) == (0.0, 1.0)
    assert [s.wilson(0, n, 0.95)[0] for n in range(1, 40)] == [0.0] * 39, "no rounding error off it"
    assert [s.wilson(n, n, 0.95)[1] for n in range(1, 40)] == [1.0] * 39


@pytest.mark.parametrize("call", [s.wilson, s.clopper_pearson])
@pytest.mark.parametrize(("k", "n"), [(5, 4), (-1, 4)])
def test_more_than_there_are_is_refused(call: object, k: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"^{k} of {n} is no count$"):
        call(k, n, 0.95)  # type: ignore[operator]


def test_more_needed() -> None:
    assert s.more_needed(0, 100, 0.02, 0.05) == 49
    assert s.more_needed(0, 149, 0.02, 0.05) == s.more_needed(0, 200, 0.02, 0.05) == 0, "never less than none"
    assert s.more_needed(2, 100, 0.02, 0.05) is None, "the rate is the limit"
    assert s.more_needed(0, 0, 0.02, 0.05) is None
    for limit in (0.0, 1.0, 1.5):
        assert s.more_needed(0, 10, limit, 0.05) is None, "no rate lies beyond it"
    assert s.more_needed(3, 10, 0.0, 0.05) is None
    worse = s.more_needed(4, 100, 0.02, 0.05)
    assert worse is not None and worse > 0
    assert s.lower_bound(0.04 * (100 + worse), 100 + worse, 0.05) > 0.02


def test_close_to_the_limit_takes_for_ever() -> None:
    assert s.more_needed(200_001, 10_000_000, 0.02, 0.05) is None


def test_quantile_rank_golden() -> None:
    assert s.quantile_rank(300, 0.95, 0.05) == 292
    assert s.percentile(292, 300) == 97.33
    assert s.quantile_rank(58, 0.95, 0.05) is None
    assert s.quantile_rank(59, 0.95, 0.05) == 59
    assert [s.quantile_rank(n, 0.95, 0.05) for n in (93, 124, 153)] == [92, 122, 150]
    assert s.quantile_rank(0, 0.95, 0.05) is None
    assert s.quantile_rank(2, 0.01, 0.05) == 1, "the smaller of two is above the first percentile: 0.99^2 = 0.98"
    assert s.quantile_rank(3, 0.5, 0.5) == 2, "at even odds, exactly: the middle one of three"
    assert s.percentile(59, 59) == 100.0


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.01, 0.05]))
@settings(max_examples=60)
def test_quantile_rank_is_the_first_that_covers(n: int, q: float, alpha: float) -> None:
    rank = s.quantile_rank(n, q, alpha)
    if rank is None:
        assert stats.binom.cdf(n - 1, n, q) < 1 - alpha
        return
    assert stats.binom.cdf(rank - 1, n, q) >= 1 - alpha
    assert rank == 1 or stats.binom.cdf(rank - 2, n, q) < 1 - alpha


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.95]))
@settings(max_examples=30)
def test_low_rank_covers(n: int, q: float) -> None:
    rank = s.quantile_low_rank(n, q, 0.05)
    if rank is None:
        assert stats.binom.sf(0, n, q) < 0.95, "not even the smallest is a bound"
        return
    assert stats.binom.sf(rank - 1, n, q) >= 0.95
    assert stats.binom.sf(rank, n, q) < 0.95


def test_low_rank_golden() -> None:
    """By the table of the binomial: P(Bin(300, 0.95) >= 279) = 0.957, P(... >= 280) = 0.926."""
    assert s.quantile_low_rank(300, 0.95, 0.05) == 279
    assert [s.quantile_low_rank(n, 0.95, 0.05) for n in (1, 59, 100)] == [1, 53, 91]
    assert s.quantile_low_rank(4, 0.5, 0.05) is None
    assert s.quantile_low_rank(5, 0.5, 0.05) == 1
    assert s.quantile_rank(1, 0.5, 0.5) == 1, "one sample is an upper bound of the median, at even odds"


@given(st.integers(1, 9_999).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_percentile_names_its_rank(pair: tuple[int, int]) -> None:
    """The smallest value with at least p % at or below it is the one of that rank."""
    rank, n = pair
    assert math.ceil(round(s.percentile(rank, n) / 100 * n, 9)) == rank


@given(st.integers(10_001, 400_000).flatmap(lambda n: st.tuples(st.integers(2, n), st.just(n))))
def test_beyond_ten_thousand_a_bound_is_named_on_its_safe_side(pair: tuple[int, int]) -> None:
    """A hundredth of a percent is more than one rank there: an upper bound may lie higher, a lower one lower."""
    rank, n = pair
    up, down = (math.ceil(round(s.percentile(rank, n, up=up) / 100 * n, 9)) for up in (True, False))
    assert down <= rank <= up
    assert up - down <= n / 10_000 + 1
    for named in (s.percentile(rank, n, up=True), s.percentile(rank, n, up=False)):
        assert named == round(named, 2), "CloudWatch takes hundredths"


def test_where_the_sides_part() -> None:
    assert s.percentile(9_501, 10_001, up=True) == 95.01
    assert s.percentile(9_501, 10_001) == s.percentile(9_501, 10_001, up=False) == 95.0
    assert s.percentile(9_501, 10_000, up=True) == s.percentile(9_501, 10_000) == 95.01


def test_rank_covers_in_simulation() -> None:
    """The bound of p95 lies above the true p95 in at least 95 % of samples, whatever the distribution."""
    rng = np.random.default_rng(1)
    samples = np.sort(rng.lognormal(1, 2, (4000, 200)), axis=1)
    rank = s.quantile_rank(200, 0.95, 0.05)
    assert rank is not None
    assert (samples[:, rank - 1] >= stats.lognorm(2, scale=math.e).ppf(0.95)).mean() >= 0.945
