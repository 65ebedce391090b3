"""Words of the command line: whatever bytes a shell hands on, text that can be written down comes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.base.typed import readable


@given(st.binary(max_size=20).filter(lambda raw: b"\0" not in raw))
@example(b"a\xffb")
@example("größer".encode())
@example("größer".encode("latin-1"))
@example(b"reason=\xed\xb0\x80")
def test_every_word_can_be_written_down_and_utf_8_comes_back_as_it_is(raw: bytes) -> None:
    text = readable(raw.decode("utf-8", "surrogateescape"))
    assert text.encode() == (raw if raw.decode("utf-8", "ignore").encode() == raw else text.encode())
    assert readable(text) == text


@given(st.text("größe日本\u0301 =x", max_size=20))
def test_what_is_text_reads_the_same_where_python_takes_words_for_ascii(text: str) -> None:
    assert readable(text.encode().decode("ascii", "surrogateescape")) == text


@pytest.mark.parametrize("before", ["", "--out=", "archive="])
def test_the_path_of_what_is_there_stays_what_it_is(tmp_path: Path, before: str) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/a\xffb")
    assert readable(before + path) != before + path
    Path(path).touch()
    assert readable(before + path) == before + path
