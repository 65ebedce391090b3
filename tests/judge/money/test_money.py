"""What is shown adds up to what is shown."""

from __future__ import annotations

import math
from decimal import ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.money.money import PLACES, exact, parts

amounts = st.lists(st.floats(0, 1e6), max_size=20)


@given(amounts, st.integers(0, 8))
def test_the_parts_add_up_to_the_rounded_sum_and_none_is_off_by_a_unit(values: list[float], places: int) -> None:
    unit = Decimal(1).scaleb(-places)
    shown = parts(values, places=places)
    assert sum(shown, Decimal(0)) == sum((Decimal(repr(v)) for v in values), Decimal(0)).quantize(unit)
    assert all(abs(one - Decimal(repr(value))) < unit for one, value in zip(shown, values, strict=True))
    assert all(one.as_tuple().exponent == -places for one in shown)


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), min_size=1, max_size=4))
def test_groups_and_their_members_add_up_all_the_way_down(groups: list[list[int]]) -> None:
    """Members to their group as it is shown, groups to the total: as a table with subtotals needs it."""
    values = [[value / 1024 for value in group] for group in groups]
    shown = parts([math.fsum(group) for group in values])
    total = exact(math.fsum(value for group in values for value in group))
    assert sum(shown, Decimal(0)) == total.quantize(Decimal(1).scaleb(-PLACES))
    for group, total in zip(values, shown, strict=True):
        assert sum(parts(group, total), Decimal(0)) == total


def test_thirds() -> None:
    assert parts([1 / 3] * 3, places=2) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


def test_halves_go_to_the_even_digit_whatever_the_callers_decimals_do() -> None:
    with localcontext() as context:
        context.rounding = ROUND_UP
        assert [parts([usd], places=2) for usd in (0.125, 0.135)] == [[Decimal("0.12")], [Decimal("0.14")]]
        assert parts([0.0625, 0.0625], places=2) == [Decimal("0.06"), Decimal("0.06")], "0.125 is 0.12"


def test_a_decimal_keeps_the_digits_that_a_float_has_not() -> None:
    share = Decimal("0.12345678901234567890123")
    assert exact(share) is share


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        parts([1.0, value])
    with pytest.raises(ValueError, match="no amount"):
        exact(value)


def test_a_total_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        parts([1.0, 1.0], Decimal(3))


@pytest.mark.parametrize("usd", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_amount_is_said(usd: float | Decimal) -> None:
    with pytest.raises(ValueError, match="amount") as said:
        exact(usd)
    assert str(said.value) == f"{usd} is no amount of money"
