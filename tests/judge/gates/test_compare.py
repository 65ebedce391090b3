from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from runbook_lib.judge.gates.compare import difference, shift

arm = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_newcombe_published() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 is 0.2 with 0.0524 to 0.3339."""
    found = difference(56, 70, 48, 80)
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@given(arm, arm)
@settings(max_examples=60)
def test_agrees_with_statsmodels_and_swaps(a: tuple[int, int], b: tuple[int, int]) -> None:
    found = difference(*a, *b)
    low, high = confint_proportions_2indep(*a, *b, method="newcomb", compare="diff", alpha=0.05)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    back = difference(*b, *a)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low), abs=1e-12)


def test_an_empty_arm_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an arm without requests cannot be compared$"):
        difference(0, 0, 1, 2)


values = st.lists(st.integers(0, 30), min_size=2, max_size=40)


@given(values, values)
@settings(max_examples=80)
def test_shift_agrees_with_scipy_and_swaps(a: list[int], b: list[int]) -> None:
    found, back = shift(a, b), shift(b, a)
    assert back.superiority == pytest.approx(1 - found.superiority)
    assert back.p == pytest.approx(found.p)
    assert found.low <= found.superiority <= found.high
    if found.low < found.superiority:
        expected = stats.brunnermunzel(a, b)
        assert found.p == pytest.approx(float(expected.pvalue), abs=1e-9)
        assert (expected.statistic < 0) == (found.superiority > 0.5) or found.superiority == pytest.approx(0.5)


def test_shift_without_overlap() -> None:
    assert shift([10, 11, 12], [1, 2, 3]) == (1.0, 1.0, 1.0, 0.0)
    assert shift([1, 2, 3], [10, 11, 12]).superiority == 0.0
    assert shift([5, 5], [5, 5]) == (0.5, 0.5, 0.5, 1.0)


def test_the_interval_of_a_shift_is_of_95_percent_and_stays_within_0_and_1() -> None:
    a, b = [3, 4, 5, 9, 7], [1, 2, 4, 2, 1]
    assert shift(a, b) == shift(a, b, 0.95) != shift(a, b, 0.9)
    assert shift(a, b, 0.999).high == 1.0
    assert shift(b, a, 0.999).low == 0.0


@pytest.mark.parametrize("bad", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_shift_wants_data(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^expects two or more finite values in each arm$"):
        shift(bad, [1.0, 2.0])
