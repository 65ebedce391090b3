"""One sentence at the end of papermill's own command line, for our errors only."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest
from papermill.exceptions import PapermillException, PapermillExecutionError

from runbook_lib.judge.told import Acted
from runbook_lib.record import uncaught


def _ended(name: str, value: str = "'attempt' is 'two': expects a whole number") -> PapermillExecutionError:
    return PapermillExecutionError(3, 2, "Run.open()", name, value, ["the way there"])


@pytest.mark.parametrize("name", ["UsageError", "Refused", "AwsError", "RedVerdict"])
def test_our_error_is_its_sentence(name: str) -> None:
    assert uncaught.sentence(_ended(name)) == "'attempt' is 'two': expects a whole number"


@pytest.mark.parametrize(
    ("name", "done", "end"),
    [
        ("UsageError", Acted(), "; nothing was changed"),
        ("AwsError", Acted(done=("dial 10 %",)), "; changed before that: dial 10 %"),
        ("RedVerdict", Acted(done=("dial 10 %",)), ""),
    ],
)
def test_it_says_what_was_changed_but_for_a_verdict(name: str, done: Acted, end: str) -> None:
    """A wrong confirm ended papermill without a word on whether anything was changed."""
    assert uncaught.sentence(_ended(name, "so it was"), lambda: done) == f"so it was{end}"
    again = "so it was; nothing was changed. Mend it, and run all cells."
    assert uncaught.sentence(_ended("UsageError", again), Acted) == again, "once is enough"


@pytest.mark.parametrize(
    "error", [_ended("ZeroDivisionError"), _ended("Exit"), _ended("NOTHING"), ValueError("ename"), KeyError("x")]
)
def test_another_error_keeps_its_way(error: Exception) -> None:
    assert uncaught.sentence(error) == ""


@pytest.mark.parametrize(("line", "asked", "said"), [(True, "", True), (False, "", False), (True, "1", False)])
def test_only_papermills_command_line_is_shortened_and_only_unless_asked(
    line: bool, asked: str, said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: others.append(error))
    monkeypatch.setenv(uncaught.TRACEBACK, asked)
    if line:
        with click.Context(click.Command("papermill")):
            uncaught.shorten()
            uncaught.shorten()
    else:
        uncaught.shorten()
    error = _ended("UsageError")
    sys.excepthook(type(error), error, None)
    sys.excepthook(ValueError, ValueError("papermill's own"), None)
    assert len(others) == (1 if said else 2)
    assert capsys.readouterr().err == ("Error: 'attempt' is 'two': expects a whole number\n" if said else "")


OURS = ["python", "/x/bin/papermill", "--engine", "runbook", "06.ipynb", "out.ipynb"]
UNREAD = [
    FileNotFoundError(2, "No such file or directory", "06.ipynb"),
    IsADirectoryError(21, "Is a directory", "a\nb"),
    ValueError("No kernel name found in notebook and no override provided."),
    ValueError("dictionary update sequence element #0 has length 1; 2 is required"),
    UnicodeDecodeError("utf-8", b"\xff\xfe", 0, 1, "invalid start byte"),
    RecursionError("maximum recursion depth exceeded\nwhile calling"),
    PapermillException("No parameter translator functions specified for language 'nope'"),
]


@pytest.mark.parametrize("error", UNREAD)
def test_a_file_that_papermill_cannot_read_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(uncaught.TRACEBACK, raising=False)
    others: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: others.append(error))
    uncaught.begin(OURS)
    sys.excepthook(type(error), error, None)
    said = capsys.readouterr().err
    assert said.startswith("Error: ") and said.count("\n") == 1 and "nothing was run" in said and not others
    with click.Context(click.Command("papermill")):
        uncaught.shorten()  # a run has begun: what fails now is not told so
    sys.excepthook(type(error), error, None)
    assert len(others) == 1


@pytest.mark.parametrize(
    "words",
    [["python", "/x/bin/papermill", "06.ipynb"], ["python", "-m", "pytest", "--engine", "runbook"], ["python"], []],
)
def test_a_process_that_is_not_papermill_with_our_engine_keeps_its_hook(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(uncaught.TRACEBACK, raising=False)
    before = sys.excepthook
    uncaught.begin(words)
    assert sys.excepthook is before


def test_whoever_ends_papermill_before_a_run_gets_no_sentence() -> None:
    assert uncaught.unread(KeyboardInterrupt()) == ""
