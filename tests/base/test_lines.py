"""What is next stands wrapped in a terminal, with each command whole on a line of its own."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base import lines

OFF, AGAIN = "runbook rollback 1 --env prod --apply --confirm prod", "runbook run 06 --env prod"


@given(st.lists(st.text("ab.,-", min_size=1, max_size=15), min_size=1, max_size=30), st.integers(20, 200))
def test_a_sentence_is_wrapped_between_words_and_its_commands_stand_alone(words: list[str], columns: int) -> None:
    said = " ".join(words)
    found = lines.advice("next:   ", f"{said} The rollback: `{OFF}` To look again: `{AGAIN}`", columns)
    assert OFF in found and found[-1] == AGAIN
    sentences = [line for line in found if line not in (OFF, AGAIN)]
    assert all(len(line) <= columns or len(line.split()) <= 2 for line in sentences)
    assert " ".join(" ".join(sentences).split()) == f"next: {said} The rollback: To look again:"


def test_a_pipe_gets_one_line_and_a_word_in_backticks_is_no_command() -> None:
    told = f"Go on with `mode=apply`. The command: `{AGAIN}`"
    assert lines.advice("next:   ", told, None) == [f"next:   {told}"]
    assert lines.advice("next:   ", told, 80) == ["next:   Go on with `mode=apply`. The command:", AGAIN]
    assert lines.advice("next:   ", OFF, 20) == [f"next:   {OFF}"]
    assert lines.wrapped("async is off\nASYNC IS OFF: read back", 40) == ["async is off", "ASYNC IS OFF: read back"]
    assert lines.wrapped("", 40) == [""] and lines.width() is None


@given(st.integers(24, 60))
def test_a_number_is_on_the_line_of_its_unit_and_nothing_is_lost(columns: int) -> None:
    told = "success rate 10.0 % (95 % 1.2-31.7 %, n = 20) since 2026-11-02 04:03 UTC is below < 90 % for 33 min or more"
    found = lines.wrap(told, columns, "  ")
    assert " ".join(line.strip() for line in found) == told
    for kept in ("10.0 %", "1.2-31.7 %", "n = 20", "2026-11-02 04:03 UTC", "< 90 %", "33 min"):
        assert any(kept in line for line in found), kept
    assert all(len(line) <= columns for line in found)


TEXT = "< 90 % since 2026-11-02 04:03 UTC, 1.2-31.7 % (n = 20), with --confirm prod; >= 10, $0.01-$0.05 (us-east-1)"
KEPT = ["< 90 %", "2026-11-02 04:03 UTC", "1.2-31.7 %", "n = 20", "--confirm", ">= 10", "$0.01-$0.05", "us-east-1"]


@pytest.mark.parametrize(("signs", "form"), [("[<>]", str), ("&[lg]t;", html.escape)])
def test_the_same_parts_are_found_in_text_and_in_markup(signs: str, form: type[str]) -> None:
    assert lines.pattern(signs).findall(form(TEXT)) == [form(one) for one in KEPT]
