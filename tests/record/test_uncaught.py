"""One sentence at the end of papermill's own command line, for our errors only."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest
from papermill.exceptions import PapermillExecutionError

from runbook_lib.record import uncaught


def _ended(name: str, value: str = "'attempt' is 'two': expects a whole number") -> PapermillExecutionError:
    return PapermillExecutionError(3, 2, "Run.open()", name, value, ["the way there"])


@pytest.mark.parametrize("name", ["UsageError", "Refused", "AwsError", "RedVerdict"])
def test_our_error_is_its_sentence(name: str) -> None:
    assert uncaught.sentence(_ended(name)) == "'attempt' is 'two': expects a whole number"


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
