"""The end of a run on papermill's own command line: our error is one sentence there, as after every other command.

papermill leaves a cell's error to Python, which prints the whole way to it. What is not ours still ends so: its way is
what a person needs then.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from runbook_lib.base import errors, foreign

TRACEBACK = "RUNBOOK_TRACEBACK"
"""Environment variable that leaves every error's way in place."""


def shorten() -> None:
    """From now on an uncaught error of papermill's is one sentence, if a cell ended with one of our errors."""
    import click

    if click.get_current_context(silent=True) is None or os.environ.get(TRACEBACK):
        return
    if not isinstance(sys.excepthook, _Hook):
        sys.excepthook = _Hook(sys.excepthook)


class _Hook:
    """Replaces `sys.excepthook`; every other error goes to the one that was there."""

    def __init__(self, before: Any) -> None:
        self.before = before

    def __call__(self, kind: type[BaseException], error: BaseException, way: TracebackType | None) -> None:
        said = sentence(error)
        if said:
            print(f"Error: {said}", file=sys.stderr, flush=True)
        else:
            self.before(kind, error, way)


def sentence(error: BaseException) -> str:
    """The sentence of our error that ended a cell; empty: it is another one."""
    kind = getattr(errors, str(getattr(error, "ename", "")), None)
    if type(error).__name__ != "PapermillExecutionError" or not isinstance(kind, type):
        return ""
    return foreign.line(str(getattr(error, "evalue", ""))) if issubclass(kind, errors.RunbookError) else ""
