"""Signs that a reader does not see do not hide a secret, nor its name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from tests.base.test_foreign import UNSEEN

TORN = {
    "a name": ("pass", "word = zebra-lamp", "zebra"),
    "a value": ("password = zebra", "-lamp", "lamp"),
    "a token": ("gh" + "p_abcdEFGH1234", "ijklMNOP5678qrstUVWX9012", "UVWX9012"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", TORN)
def test_each_of_them_is_known(what: str) -> None:
    one, two, secret = TORN[what]
    for sign in UNSEEN:
        assert secret not in redact_text(f"{one}{sign}{two}"), hex(ord(sign))


@pytest.mark.parametrize("what", TORN)
@given(st.lists(st.sampled_from(UNSEEN), min_size=1, max_size=5).map("".join))
def test_a_row_of_them_is_none_either_nor_in_json(what: str, hidden: str) -> None:
    one, two, secret = TORN[what]
    text = f"{one}{hidden}{two}"
    for written in (text, json.dumps(text), json.dumps({"x": text}, ensure_ascii=False), repr(text)):
        shown = redact_text(written)
        assert secret not in shown and MASK in shown
        assert redact_text(shown) == shown


@given(st.lists(st.sampled_from([*UNSEEN, "a", " ", "\U0001f469"]), max_size=9).map("".join))
def test_a_text_without_secrets_keeps_them(text: str) -> None:
    assert redact_text(text) == text and redact_text(json.dumps(text)) == json.dumps(text)
