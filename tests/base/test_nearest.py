"""The nearest name is another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.nearest import beyond, close, hint, latin


@given(st.text(min_size=1, max_size=8), st.lists(st.text(min_size=1, max_size=8)))
def test_no_name_is_the_answer_to_itself(name: str, others: list[str]) -> None:
    assert close(name, [name, *others]) != f"did you mean '{name}'?"


def test_the_nearest_or_all_that_there_are() -> None:
    assert hint("evn", ["env", "stage"]) == "did you mean 'env'?"
    assert hint("x", ["env", "stage"]) == "there are env, stage"


@pytest.mark.parametrize("word", ["рrоd", "ргоԁ", "ｐｒｏｄ", "prοd"])
def test_a_word_of_look_alike_letters_is_told(word: str) -> None:
    said = beyond(f"params/{word}.yaml: no such file")
    assert f"'{word}' looks like 'prod', and has letters beyond ASCII: " in said
    odd = next(letter for letter in word if not letter.isascii())
    assert f"{odd} (U+{ord(odd):04X}, " in said
    assert close(word, ["dev", "prod"]) == "did you mean 'prod'?"


@pytest.mark.parametrize("text", ["no such file", "/home/пользователь/x", "Jürgen", "日本語", "größe"])
def test_a_word_of_another_language_is_not(text: str) -> None:
    assert beyond(text) == "" and latin(text) == text


@pytest.mark.parametrize("kind", [UsageError, Refused])
def test_a_refusal_says_so_once(kind: type[UsageError] | type[Refused]) -> None:
    first = kind("'рrоd' is not an environment", nothing_changed=True)
    assert str(kind(f"x.yaml: {first}")).count("U+0440") == 1 == str(first).count("U+0440")
