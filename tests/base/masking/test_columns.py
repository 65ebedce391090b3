"""Columns as pandas shows them by themselves, and its indexes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.linear import grows

WORDS = st.from_regex(r"[a-z]{4,9}-[a-z]{4,9}(?: [a-z]{4,9})?", fullmatch=True)
NAMES = st.sampled_from(["password", "db_password", "api_token"])
SHOWN = {
    "a column": lambda frame, name: frame[name],
    "of days": lambda frame, name: frame.set_index(pd.date_range("2026-11-01", periods=len(frame)))[name],
    "of an index with a name": lambda frame, name: frame.set_index("user")[name],
    "of two indexes": lambda frame, name: frame.set_index(["user", "n"])[name],
    "of categories": lambda frame, name: frame[name].astype("category"),
    "of many": lambda frame, name: pd.concat([frame] * 40)[name],
    "an index": lambda frame, name: frame.set_index(name),
    "an index of many": lambda frame, name: pd.concat([frame] * 40).set_index(name),
    "an index of one column": lambda frame, name: frame.set_index(name)["user"],
    "how often": lambda frame, name: frame[name].value_counts(),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", SHOWN)
@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4, unique_by=(lambda one: one[0], lambda one: one[1])), NAMES
)
def test_its_values_go_and_the_rest_stays(form: str, rows: Any, name: str) -> None:
    users, secrets = [f"u{row[0]}" for row in rows], [f"v{row[1]}" for row in rows]
    text = str(SHOWN[form](pd.DataFrame({"user": users, name: secrets, "n": 1}), name))
    shown = redact_text(text)
    assert not [one for one in secrets if one in shown] and MASK in shown
    assert [user for user in users if user in text and user not in shown] == []
    assert redact_text(shown) == shown and shown.count("\n") == text.count("\n")


@pytest.mark.parametrize("text", ["Series: '{}' [str]\n[\n\t\"{}\"\n]\n", "$ user <str> 'ada'\n$ {} <str> '{}'\n"])
@given(WORDS)
def test_a_column_of_polars_is_masked(text: str, word: str) -> None:
    assert word not in redact_text(text.format("password", f"v{word}"))
    assert redact_text(text.format("n", f"v{word}")) == text.format("n", f"v{word}")


@pytest.mark.parametrize(
    "shown",
    [
        pd.Series([120, 7], name="tokens_used"),
        pd.Series([12345678, 7], name="token"),
        pd.Series(["amber-falcon", "b"], name="user"),
        pd.Series(["amber-falcon", "b"], name="token_kind"),
        pd.DataFrame({"tokens": ["ada", "bob"], "n": [1, 2]}).set_index("tokens"),
        "password\nrules  are below\n",
        "the fields are    listed\nName: password, dtype: none of these\n".replace("dtype: ", "type: "),
    ],
    ids=str,
)
def test_what_has_another_name_stays(shown: object) -> None:
    assert redact_text(str(shown)) == str(shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", ["password\n", "a    b\n", "a    b\nName: password, dtype: str\n", "      n\npassword\na  b\n"]
)
def test_it_takes_time_in_proportion_to_the_text(part: str) -> None:
    assert grows(redact_text, part, 800 * len(part), 10, 0.02) < 40
