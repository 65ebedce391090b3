"""A name that looks like another one is told with its letters, wherever it was given."""

from __future__ import annotations

import pytest

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.look_alike import beyond, latin
from runbook_lib.base.nearest import close


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
