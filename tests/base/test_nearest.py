"""The nearest name is another one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.nearest import close, hint


@given(st.text(min_size=1, max_size=8), st.lists(st.text(min_size=1, max_size=8)))
def test_no_name_is_the_answer_to_itself(name: str, others: list[str]) -> None:
    assert close(name, [name, *others]) != f"did you mean '{name}'?"


def test_the_nearest_or_all_that_there_are() -> None:
    assert hint("evn", ["env", "stage"]) == "did you mean 'env'?"
    assert hint("x", ["env", "stage"]) == "there are env, stage"
