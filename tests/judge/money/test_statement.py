"""A bill as it is shown adds up: rows to subtotals, subtotals to the total, in every column."""

from __future__ import annotations

import math
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.money.statement import PLACES, SCOPES, Row, exact, grouped, parts, statement

SERVICES = ("API submit", "Lambda worker", "queue", "table", "KPI metrics", "data out", "LLM", "LLM, not reported")
lines = st.lists(
    st.fixed_dictionaries(
        {"service": st.sampled_from(SERVICES), "usd": st.floats(0, 1e4), "fixed": st.booleans(), "llm": st.booleans()}
    ),
    max_size=25,
)


def adds_up(rows: list[Row], column: str) -> None:
    total = next(getattr(row, column) for row in rows if row.scope == "both")
    if total is None:
        assert all(getattr(row, column) is None for row in rows)
        return
    subtotals = {row.scope: getattr(row, column) for row in rows if not row.service and row.scope != "both"}
    assert sum(subtotals.values(), Decimal(0)) == total
    for scope in SCOPES:
        members = [getattr(row, column) for row in rows if row.scope == scope and row.service]
        assert sum(members, Decimal(0)) == subtotals[scope]


@given(lines, st.integers(0, 500), st.integers(0, 5000))
def test_every_column_adds_up_to_the_last_digit(bill: list[dict[str, Any]], successes: int, requests: int) -> None:
    rows = statement(bill, successes, requests)
    for column in ("usd", "per_unit", "per_request"):
        adds_up(rows, column)
    assert rows[-1].usd == pytest.approx(Decimal(repr(sum(line["usd"] for line in bill))), abs=Decimal("0.000001"))


def test_rows_that_would_round_away_are_not_lost() -> None:
    """Each is less than half a unit; together they are three."""
    bill = [{"service": f"s{k}", "usd": 0.0000003, "fixed": False, "llm": False} for k in range(10)]
    rows = statement(bill, 1, 1)
    assert rows[-1].usd == Decimal("0.000003")
    assert sum(row.usd for row in rows if row.service) == Decimal("0.000003")


def test_fixed_and_by_use_are_rows_of_their_own() -> None:
    bill = [{"service": "queue", "usd": 1.0, "fixed": fixed, "llm": False} for fixed in (True, False, False)]
    found = {row.fixed: row.usd for row in statement(bill, 0, 0) if row.service}
    assert found == {True: Decimal(1), False: Decimal(2)}


BILL = [
    {"service": "LLM", "usd": 0.9, "fixed": False, "llm": True},
    {"service": "API submit", "usd": 0.004, "fixed": False, "llm": False},
    {"service": "KPI metrics", "usd": 0.3, "fixed": True, "llm": False},
    {"service": "API polls", "usd": 0.02, "fixed": False, "llm": False},
    {"service": "LLM, not reported", "usd": 0.1, "fixed": False, "llm": True},
    {"service": "API submit", "usd": 0.006, "fixed": False, "llm": False},
]


def test_a_bill_worked_out_by_hand() -> None:
    """Three reports of seven requests: infrastructure first, rows as they came, each column by itself."""
    rows = [(row.scope, row.service, row.fixed, *map(str, row[3:])) for row in statement(BILL, 3, 7)]
    assert rows == [
        # 0.33 / 3 is 0.110000, 1 / 3 is 0.333333; 0.33 / 7 is 0.047143, 1 / 7 is 0.142857: 0.19 either way.
        ("infrastructure", "API submit", False, "0.010000", "0.003333", "0.001429"),
        ("infrastructure", "KPI metrics", True, "0.300000", "0.100000", "0.042857"),
        ("infrastructure", "API polls", False, "0.020000", "0.006667", "0.002857"),
        ("infrastructure", "", False, "0.330000", "0.110000", "0.047143"),
        ("tokens", "LLM", False, "0.900000", "0.300000", "0.128571"),
        ("tokens", "LLM, not reported", False, "0.100000", "0.033333", "0.014286"),
        ("tokens", "", False, "1.000000", "0.333333", "0.142857"),
        ("both", "", False, "1.330000", "0.443333", "0.190000"),
    ]


def test_fewer_places_still_add_up() -> None:
    """In cents a report's 0.4433 is 0.44: 0.11 and 0.33, of which the metrics have 0.10 and the polls the last cent."""
    rows = {row.service or row.scope: str(row.per_unit) for row in statement(BILL, 3, 7, places=2)}
    assert rows == {
        "API submit": "0.00",
        "KPI metrics": "0.10",
        "API polls": "0.01",
        "infrastructure": "0.11",
        "LLM": "0.30",
        "LLM, not reported": "0.03",
        "tokens": "0.33",
        "both": "0.44",
    }


def test_the_parts_of_a_chart_by_hand() -> None:
    assert grouped([*BILL, {"service": "questions", "usd": 0.2, "fixed": True, "llm": False}], 2) == pytest.approx(
        {
            "tokens": 0.45,
            "API": 0.015,
            "logs and KPI metrics": 0.15,
            "tokens of cut-off runs": 0.05,
            "questions": 0.1,
        }
    )


@given(lines, st.integers(1, 500))
def test_the_parts_of_a_chart_are_all_of_the_bill(bill: list[dict[str, Any]], successes: int) -> None:
    parts = grouped(bill, successes)
    assert sum(parts.values()) == pytest.approx(sum(line["usd"] for line in bill) / successes)


def test_no_success_has_no_parts() -> None:
    with pytest.raises(ValueError, match=r"^no success to spread the bill over"):
        grouped([], 0)


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
