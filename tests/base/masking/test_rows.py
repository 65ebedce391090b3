"""Tables as lists: the names once, then the rows."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.linear import grows

WORDS = st.from_regex(r"[a-z]{4,9}-[a-z]{4,9}", fullmatch=True)
FORMS = {
    "split": lambda frame: frame.to_json(orient="split"),
    "split, in lines": lambda frame: json.dumps(frame.to_dict("split"), indent=2),
    "tight": lambda frame: repr(frame.to_dict("tight")),
    "lists": lambda frame: json.dumps([list(frame.columns), *frame.to_numpy().tolist()]),
    "header and values": lambda frame: json.dumps({"header": list(frame.columns), "values": frame.to_numpy().tolist()}),
    "tuples": lambda frame: repr([tuple(frame.columns), *map(tuple, frame.to_numpy().tolist())]),
    "records of numpy": lambda frame: repr(frame.astype({"n": int}).to_records(index=False)),
    "records of text": lambda frame: repr(
        frame.to_records(index=False, column_dtypes=dict.fromkeys(frame.columns[:2], "<U20"))
    ),
    "an index of several": lambda frame: repr(pd.MultiIndex.from_frame(frame)),
}
SINGLE = {
    "an index": repr,
    "an index of categories": lambda index: repr(pd.CategoricalIndex(index)),
    "a long index": lambda index: repr(index.repeat(60)),
}


@pytest.mark.parametrize("form", SINGLE)
@given(st.lists(WORDS, min_size=1, max_size=4))
def test_an_index_that_is_named_so_is_masked_and_another_stays(form: str, words: list[str]) -> None:
    shown = redact_text(SINGLE[form](pd.Index(words, name="password")))
    assert not [one for one in words if one in shown] and MASK in shown and "name='password'" in shown
    assert redact_text(shown) == shown
    plain = SINGLE[form](pd.Index(words, name="user"))
    assert redact_text(plain) == plain


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.sampled_from(["password", "token", "db_password"]))
def test_below_its_name_a_secret_goes_and_the_rest_stays(form: str, rows: Any, name: str) -> None:
    frame = pd.DataFrame({"user": [row[0] for row in rows], name: [f"{row[1]}7" for row in rows], "n": 1})
    shown = redact_text(FORMS[form](frame))
    assert not [one for one in frame[name] if one in shown.replace(" ", "")] and MASK in shown
    assert all(one in shown for one in frame["user"])


@pytest.mark.parametrize(
    "text",
    [
        '["user", "name"], ["ada", "swordfish-77"]',
        '["password", "token"], ["left", "right"]',
        '{"args": ["deploy", "token"], "next": [1, 2, 3]}',
        '["user", "token"] then a sentence ["ada", "swordfish"]',
        '{"columns": ["user", "tokens"], "data": [["ada", 7]]}',
    ],
)
def test_what_is_no_row_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize("part", ['["a", "token", ', '["a", "password"], ', "[['token', 'b'],", '["token" , "b"'])
def test_it_takes_time_in_proportion_to_the_text(part: str) -> None:
    assert grows(redact_text, part, 800 * len(part), 10, 0.02) < 40
