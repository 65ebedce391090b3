"""The one question that a command asks at a terminal: only a yes is a yes, and each other end says what it was."""

from __future__ import annotations

import contextlib
import sys

import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import terminal

_TRIES = 3
_MEANT = {"y": True, "yes": True, "n": False, "no": False, "": False}


def asks() -> bool:
    """Whether there is a person to ask: standard input and output are a terminal."""
    return all(one is not None and not one.closed and one.isatty() for one in (sys.stdin, sys.stdout))


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. No answer at all, or none that can be read, is no yes either.

    Raises:
        UsageError: standard input ended, or three answers were neither a yes nor a no.
        KeyboardInterrupt: Ctrl-C; the command was interrupted, and says so.
    """
    asked = f"{question} [y/N]: "
    for _ in range(_TRIES):
        typer.echo(terminal(asked), nl=False)
        said = _line()
        if said in _MEANT:
            return _MEANT[said]
        asked = "y or n? [y/N]: "
    raise UsageError("no answer was y or n", nothing_changed=True)


def _line() -> str:
    """A line that was typed, in small letters; bytes that are no text are none of an answer."""
    try:
        raw = sys.stdin.buffer.readline()
    except OSError:  # the terminal is gone
        raw = b""
    if not raw.endswith(b"\n"):
        with contextlib.suppress(OSError):
            typer.echo("\n", nl=False)
        raise UsageError("nobody answered", nothing_changed=True)
    return raw.decode(errors="replace").strip().lower()
