"""Keys are told as the models have them: type, default, limits, meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.judge.threshold import Comparison
from runbook_lib.params.explain import docs, keys


class Inner(Frozen):
    """What is inside. And more of it."""

    size_s: float = Field(default=1.5, gt=0, le=10)
    """Seconds
    of it."""
    again: Inner | None = None


class Outer(Frozen):
    """What is outside."""

    name: str = Field(min_length=1)
    """Its name."""
    limit: Comparison | None = None
    word: Literal["a", "b"] = "a"
    on: bool = True
    many: tuple[Inner, ...] = ()
    """Several."""
    by_name: dict[str, Inner] = Field(default_factory=dict)
    pair: tuple[int, float] = (1, 2.0)
    either: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    count: Annotated[int, Field(ge=2, multiple_of=2)] = 4


class Lower(Outer):
    """One that takes over what is above it."""

    name: str = "x"
    more: str = Field(default="y", description="said on the spot")


def test_each_key_has_its_type_default_limits_and_words() -> None:
    found = {key.path: key for key in keys(Outer)}
    assert found["name"][1:] == ("text", True, "", "not empty", "Its name.")
    assert found["limit"].type == "comparison" and not found["limit"].required
    assert (found["word"].type, found["word"].default) == ("one of a, b", "a")
    assert (found["on"].type, found["on"].default) == ("true or false", "true")
    assert found["many"].type == "list of keys" and found["many"].told == "Several."
    assert found["many[].size_s"][1:] == ("number", False, "1.5", "> 0, <= 10", "Seconds\nof it.")
    assert found["by_name"].told == "What is inside. And more of it."
    assert found["by_name.NAME.size_s"].default == "1.5"
    assert (found["pair"].type, found["pair"].default) == ("list of 2: whole number, number", "[1, 2]")
    assert found["either"].type == "name to (text or name to text)"
    assert found["count"].limits == ">= 2, a multiple of 2"


def test_a_model_in_itself_ends() -> None:
    assert [key.path for key in keys(Inner)] == ["size_s", "again"]


def test_a_key_that_is_taken_over_keeps_its_words() -> None:
    assert docs(Lower)["name"] == "Its name."
    assert {key.path: key.told for key in keys(Lower)}["more"] == "said on the spot"
