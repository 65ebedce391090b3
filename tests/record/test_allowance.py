"""What is kept of a cell that prints without end, and that what follows it is kept all the same."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.record.allowance import CUT, Allowance

HUGE = "x" * 60_000


def small() -> Allowance:
    kept = Allowance(most=20_000, each=5_000)
    kept.begin(1)
    return kept


def test_a_stream_is_cut_once_and_its_rest_is_left_out() -> None:
    kept, whole, rest = small(), {"text": HUGE}, {"text": HUGE}
    assert kept.take(whole) and whole["text"].endswith(f"\n{CUT}\n") and 15_000 < len(whole["text"]) < 20_100
    assert not kept.take(rest)
    left = 2 * len(HUGE) - (len(whole["text"]) - len(CUT) - 2)
    assert kept.sentence.endswith(f": {left:,} characters of code cell 1 are left out")


def test_what_comes_after_it_is_kept() -> None:
    kept = small()
    kept.take({"text": HUGE})
    for number in range(2, 9):
        kept.begin(number)
        verdict = {"data": {"text/html": "<p>PROMOTE</p>" * 10, "application/vnd.runbook+json": {"a": 1}}}
        assert kept.take(verdict) and verdict["data"]["text/html"].startswith("<p>PROMOTE")
    assert "code cell 1 are" in kept.sentence


@pytest.mark.parametrize(
    "data",
    [
        {"data": {"image/png": HUGE}},
        {"data": {"application/json": {"a": [HUGE, None, 5]}}},
        {"data": {"a": 1, HUGE: ""}},
    ],
)
def test_a_display_that_is_too_large_says_so(data: dict[str, Any]) -> None:
    kept, output = small(), {"data": data}
    assert kept.take(output) and output == {"data": {"text/plain": CUT}, "metadata": {}}
    assert kept.sentence


def test_many_small_outputs_are_counted() -> None:
    kept = small()
    assert sum(kept.take({"data": {"text/plain": ""}}) for _ in range(1_000)) < 50


def test_an_error_is_kept_whatever_was_printed() -> None:
    kept = small()
    kept.take({"text": HUGE})
    error: dict[str, Any] = {
        "ename": "ValueError",
        "evalue": f"no table {HUGE}",
        "traceback": [HUGE, f"{HUGE} at the end"],
    }
    assert kept.take(error)
    assert error["evalue"].startswith("no table") and error["traceback"][0].endswith("at the end")
    assert len(str(error)) < 5_000


def test_what_takes_the_place_of_something_is_no_more() -> None:
    kept = small()
    for _ in range(100):
        assert kept.take({"data": {"text/html": "z" * 2_000}}, "progress")
        kept.cleared()
        assert kept.take({"text": "z" * 2_000})
        kept.cleared()
    assert not kept.sentence


def test_ordinary_outputs_are_as_they_were() -> None:
    kept, output = small(), {"text": "one\n"}
    assert kept.take(output) and output == {"text": "one\n"} and not kept.sentence
