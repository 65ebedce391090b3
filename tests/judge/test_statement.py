"""A bill as it is shown adds up: rows to subtotals, subtotals to the total, in every column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.statement import SCOPES, Row, grouped, statement

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
    for column in ("usd", "per_vpr", "per_request"):
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


@given(lines, st.integers(1, 500))
def test_the_parts_of_a_chart_are_all_of_the_bill(bill: list[dict[str, Any]], successes: int) -> None:
    parts = grouped(bill, successes)
    assert sum(parts.values()) == pytest.approx(sum(line["usd"] for line in bill) / successes)


def test_no_success_has_no_parts() -> None:
    with pytest.raises(ValueError, match="no success"):
        grouped([], 0)
