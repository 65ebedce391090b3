"""DynamoDB's types are put on and taken off again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.tagged import handed_back, plain, tagged

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4))
def test_an_item_comes_back_as_it_was(item: dict[str, Any]) -> None:
    assert plain(tagged(item)) == item


@given(st.dictionaries(st.text(min_size=1, max_size=4), VALUES | st.floats(allow_nan=False), max_size=4))
def test_as_it_comes_back_is_as_it_is_read(item: dict[str, Any]) -> None:
    found, read = handed_back(item), plain(tagged(item))
    assert repr(found) == repr(read), "a number is a float, and -0.0 is no 0.0"


def test_lists_are_read_too() -> None:
    assert plain({"a": {"L": [{"S": "x"}, {"N": "1"}]}}) == {"a": ["x", 1.0]}
