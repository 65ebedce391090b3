"""What is kept of a cell that prints without end, and that what follows it is kept all the same."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.record.allowance import CUT, Allowance, without_unfinished

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


TOKEN = "ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"


@pytest.mark.parametrize("part", range(5, 40, 5))
def test_a_secret_that_the_cut_parts_leaves_no_half(part: int) -> None:
    kept = Allowance(most=500 + 6 + part, each=1)
    kept.begin(1)
    stream = {"output_type": "stream", "name": "stdout", "text": f"first\n{TOKEN}\n" + HUGE}
    kept.take(stream)
    assert TOKEN[:part] in stream["text"]
    kept.dropped(without_unfinished([stream]))
    assert stream["text"] == f"first\n\n{CUT}\n"
    assert kept.sentence.endswith(f": {len(TOKEN) + 1 + len(HUGE):,} characters of code cell 1 are left out")


def test_neither_does_one_in_several_outputs_nor_in_one_long_line() -> None:
    begun, shown = {"name": "stdout", "text": f"first\n{TOKEN[:20]}"}, {"data": {"text/plain": CUT}}
    assert without_unfinished([begun, shown]) == 20 and begun["text"] == "first\n"
    only_cut = {"name": "stderr", "text": f"\n{CUT}\n"}
    begun["text"] = TOKEN[:20]
    assert without_unfinished([begun, only_cut]) == 20 and (begun["text"], only_cut["text"]) == ("", f"\n{CUT}\n")
    long = {"name": "stdout", "text": f"{HUGE}{TOKEN[:20]}\n{CUT}\n"}
    assert without_unfinished([long]) == 5_000 and long["text"].startswith(HUGE[:50_000]) and "ghp" not in long["text"]
    whole = {"name": "stdout", "text": "no newline"}
    assert without_unfinished([whole]) == 0 and whole["text"] == "no newline"


@pytest.mark.slow
@pytest.mark.parametrize("at", range(960, 1_060, 10))
def test_nor_does_one_in_a_long_error(at: int) -> None:
    kept, text = small(), "-" * (at - 9) + f" {TOKEN} " + "x " * 20_000 + f" {TOKEN} " + "-" * (at - 9)
    kept.take({"text": HUGE})
    error: dict[str, Any] = {"ename": "E", "evalue": text, "traceback": text.split(" ")}
    assert kept.take(error)
    assert "ghp_" not in str(error) and "aB3dE6" not in str(error)
