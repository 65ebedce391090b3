"""The end of a run on papermill's own command line: our error is one sentence there, as after every other command.

papermill leaves a cell's error to Python, which prints the whole way to it, and so whatever it cannot use before a run.
The error of a cell that is not ours still ends so: its way is what a person needs then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runbook_lib.base import errors, foreign

if TYPE_CHECKING:
    from runbook_lib.judge.told import Acted

TRACEBACK = "RUNBOOK_TRACEBACK"
"""Environment variable that leaves every error's way in place."""
_READS = {"yaml": "what -f, -y or -b gives", "nbformat": "the notebook"}
"""Module of an error to what it is about."""


def begin(words: list[str]) -> None:
    """From now on, until a run begins, what papermill's command line cannot use is one sentence.

    Args:
        words: the command line of this process; nothing happens unless it is papermill's with our engine.
    """
    program = any(Path(word).stem == "papermill" for word in words[:4])
    ours = "--engine=runbook" in words or ("--engine", "runbook") in pairwise(words)
    if program and ours and not os.environ.get(TRACEBACK):
        sys.excepthook = _Hook(sys.excepthook, unread)


def unread(error: BaseException) -> str:
    """The sentence of what papermill could not use before the run; empty: the person ended it."""
    if not isinstance(error, Exception):
        return ""
    kind = type(error).__module__.partition(".")[0]
    if isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: {error.strerror}"
    elif "No kernel name found" in str(error):
        said = "the notebook names no kernel (metadata.kernelspec.name); give one, such as -k python3"
    elif kind in _READS:
        said = f"{_READS[kind]} cannot be read: {error}"
    elif any(frame.f_code.co_name == "execute_notebook" for frame, _ in walk_tb(error.__traceback__)):
        said = f"the run could not begin: {error}"
    else:  # papermill takes any YAML for a mapping
        said = f"what -f, -y or -b gives is no mapping of names to values ({type(error).__name__}: {error})"
    return f"{foreign.short(foreign.field(said))}; nothing was run, and there is no record of it"


def shorten(acted: Callable[[], Acted] | None = None) -> None:
    """From now on an uncaught error of papermill's is one sentence, if a cell ended with one of our errors.

    Args:
        acted: gives what the run changed before that; None: its record is not sealed.
    """
    import click

    if click.get_current_context(silent=True) is None or os.environ.get(TRACEBACK):
        return
    before = sys.excepthook.before if isinstance(sys.excepthook, _Hook) else sys.excepthook
    sys.excepthook = _Hook(before, lambda error: sentence(error, acted))


class _Hook:
    """Replaces `sys.excepthook`; every other error goes to the one that was there."""

    def __init__(self, before: Any, told: Callable[[BaseException], str]) -> None:
        """`told` gives an error's sentence; empty: the hook before tells it."""
        self.before, self.told = before, told

    def __call__(self, kind: type[BaseException], error: BaseException, way: TracebackType | None) -> None:
        said = self.told(error)
        if said:
            print(f"Error: {said}", file=sys.stderr, flush=True)
        else:
            self.before(kind, error, way)


def sentence(error: BaseException, acted: Callable[[], Acted] | None = None) -> str:
    """The sentence of our error that ended a cell, and what was changed before that; empty: it is another one."""
    kind = getattr(errors, str(getattr(error, "ename", "")), None)
    if type(error).__name__ != "PapermillExecutionError" or not isinstance(kind, type):
        return ""
    if not issubclass(kind, errors.RunbookError):
        return ""
    said = str(getattr(error, "evalue", ""))
    if acted is not None and kind is not errors.RedVerdict:
        from runbook_lib.judge.told import failed  # light until here: papermill imports this before it reads a file

        with suppress(errors.ArchiveError):
            said = failed(said, acted())
    return foreign.line(said)
