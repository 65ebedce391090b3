"""Standard output and error that outlive their reader: a closed pipe or a full disk never ends a command half-way.

What cannot be written any more is dropped, and how the command ends says so. Light: the kill switch prints by it too.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import Any

NARROWEST = 20
"""Columns: in less no help and no table can be shown."""
lost: dict[str, OSError] = {}
"""By stream (`stdout`, `stderr`), why it is not written to any more."""


class _Lasting(io.TextIOWrapper):
    """A stream that is written to as long as that is possible, and takes everything after that.

    The layers below are Python's own: a signal cannot come between what they write and what they know of it, by which
    a line would be printed twice.
    """

    called = "stdout"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As opened; where that is ASCII, one that holds it: click takes a stream of ASCII for a mistake, and writes
        past this one, as UTF-8. What is written here is escaped all the same.
        """
        return "latin-1" if codecs.lookup(super().encoding).name == "ascii" else super().encoding

    def write(self, text: str, /) -> int:
        """Writes, or drops."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Writes what is held back, or drops it."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """From now on the descriptor leads nowhere, what is held back included."""
        lost.setdefault(self.called, error)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        with contextlib.suppress(OSError):
            super().flush()


def lasting() -> None:
    """Makes this process's standard output and error lasting, and able to write every letter (LC_ALL=C: as escapes).

    A descriptor that was closed by the caller is opened on nothing: the next file that is opened must not become it.
    """
    usual_width()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream: Any = getattr(sys, name)
        if stream is None or (stream is getattr(sys, f"__{name}__") and type(stream) is io.TextIOWrapper):
            made = _made(number, name, stream)
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def usual_width() -> None:
    """A terminal of no width (COLUMNS=0, as some CI says it) is taken for one of the usual width."""
    if (said := os.environ.get("COLUMNS", "")).isdecimal() and int(said) < NARROWEST:
        del os.environ["COLUMNS"]


def _made(number: int, name: str, stream: io.TextIOWrapper | None) -> _Lasting:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        os.set_blocking(number, True)  # a reader that is slow is waited for
    made = _Lasting(
        io.BufferedWriter(io.FileIO(number, "wb", closefd=False)),
        encoding=stream.encoding if stream else "utf-8",
        errors="backslashreplace",
        line_buffering=stream is None or stream.line_buffering or name == "stderr",
        write_through=stream is not None and stream.write_through,
    )
    made.called = name
    return made


def closed(name: str = "stdout") -> bool:
    """Whether nobody reads it any more."""
    flush()
    return name in lost


def flush() -> None:
    """Writes what is held back, as far as that is possible."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def trouble() -> str:
    """Why not all of standard output could be written; empty where it was, or where its reader had read enough."""
    flush()
    error = lost.get("stdout")
    if error is None or error.errno == errno.EPIPE:
        return ""
    return f"not everything could be printed ({error.strerror or error})"
