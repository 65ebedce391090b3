"""Comparisons: written as any number, the same when written again, never true of what is no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runbook_lib.judge.threshold import Comparison, Threshold

READ = TypeAdapter[Threshold](Comparison)


@pytest.mark.parametrize("text", ["<= 0.001", "<=1e-3", " <= 1E-3 ", "<= +0.1e-2"])
def test_a_limit_is_written_as_any_number(text: str) -> None:
    assert READ.validate_python(text) == Threshold(op="<=", limit=0.001)


@given(st.sampled_from(["<", "<=", ">", ">="]), st.floats(allow_nan=False, allow_infinity=False))
def test_it_is_the_same_when_written_again(op: str, limit: float) -> None:
    one = Threshold.model_validate({"op": op, "limit": limit})
    assert READ.validate_python(str(one)) == one


@pytest.mark.parametrize("text", ["0.99", "= 1", "> 99 %", "> nan", "<> 1", "", None, 3])
def test_what_is_no_comparison_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(text)


def test_nothing_holds_for_nan() -> None:
    for op in ("<", "<=", ">", ">="):
        assert not Threshold.model_validate({"op": op, "limit": 1}).holds(math.nan)


@pytest.mark.parametrize(("op", "holds"), [("<", (1, 0, 0)), ("<=", (1, 1, 0)), (">", (0, 0, 1)), (">=", (0, 1, 1))])
def test_it_holds_on_its_side_and_counts_what_it_holds_for(op: str, holds: tuple[int, ...]) -> None:
    one = Threshold.model_validate({"op": op, "limit": 2})
    assert tuple(one.holds(value) for value in (1.9, 2.0, 2.1)) == holds
    assert one.count(iter([1.9, 2.0, 2.1, 1.9, math.nan])) == 2 * holds[0] + holds[1] + holds[2]
    assert one.count([]) == 0


@pytest.mark.parametrize(
    ("limit", "text"), [(2, "> 2"), (0.99, "> 0.99"), (1e-07, "> 1e-07"), (0.1234567, "> 0.1234567"), (1e6, "> 1e+06")]
)
def test_it_is_written_short_where_that_is_the_same_number(limit: float, text: str) -> None:
    assert str(Threshold(op=">", limit=limit)) == text


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("> 99 %", "Value error, expects <, <=, > or >= and a number without unit or %, such as '> 0.99'"),
        (0.99, "Value error, expects a comparison in quotes, such as '> 0.99'"),
        (None, "Value error, expects a comparison in quotes, such as '> 0.99'"),
    ],
)
def test_what_is_expected_is_said(raw: object, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        READ.validate_python(raw)
    assert [one["msg"] for one in refused.value.errors()] == [why]


def test_what_was_read_already_is_taken() -> None:
    one = Threshold(op="<", limit=3)
    assert READ.validate_python(one) == one == READ.validate_python({"op": "<", "limit": 3})
