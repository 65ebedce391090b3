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
