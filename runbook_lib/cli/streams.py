"""Standard output and error that survive their reader: a closed pipe or a full disk never ends a command half-way.

Text that cannot be written is dropped, and the end of the command says so. Light: the kill switch prints through it.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import re
import sys
from typing import Any

from runbook_lib.base.process import usual_time

NARROWEST = 20
"""Fewest columns: `less` shows no help and no table."""
WIDEST = 10_000
"""Most columns and lines: a table is filled up to them."""
lost: dict[str, OSError] = {}
"""Stream (`stdout`, `stderr`) to the reason why it is not written to any more."""


class _Lasting(io.TextIOWrapper):
    """A stream that writes as long as it can, and drops everything after that.

    The layers below are Python's own: a signal cannot come between their writing and their bookkeeping, which would
    print a line twice.
    """

    called = "stdout"
    shut = False
    """Whether the caller had closed its descriptor."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding as opened; for ASCII one that contains it: click takes an ASCII stream for a mistake, and would
        bypass this stream, in UTF-8. Text for it is escaped all the same.
        """
        return "latin-1" if codecs.lookup(super().encoding).name == "ascii" else super().encoding

    def write(self, text: str, /) -> int:
        """Writes the text, or drops it."""
        if self.shut and text:
            lost.setdefault(self.called, OSError(errno.EBADF, "it is closed"))
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Writes the buffer, or drops it."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """From now on the descriptor leads nowhere, also for the buffer."""
        lost.setdefault(self.called, error)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        with contextlib.suppress(OSError):
            super().flush()


def lasting() -> None:
    """Makes this process's standard output and error lasting, and able to write every letter (LC_ALL=C: as escapes).

    A descriptor that the caller closed is opened on nothing: the next opened file must not take its number. What is
    written there is lost.
    """
    usual_width()
    usual_time()
    shut = set[int]()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            shut.add(os.open(os.devnull, os.O_RDWR))
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream: Any = getattr(sys, name)
        if stream is None or (stream is getattr(sys, f"__{name}__") and type(stream) is io.TextIOWrapper):
            made = _made(number, name, stream)
            made.shut = number in shut
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def usual_width() -> None:
    """Gives a terminal without a size (COLUMNS=0, as in some CI), or with one that no terminal has, the usual size."""
    for name, least in (("COLUMNS", NARROWEST), ("LINES", 1)):
        said = os.environ.get(name, "")
        if not (re.fullmatch("[0-9]{1,5}", said) and least <= int(said) <= WIDEST):
            os.environ.pop(name, None)


def _made(number: int, name: str, stream: io.TextIOWrapper | None) -> _Lasting:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        os.set_blocking(number, True)  # wait for a slow reader
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
    """Whether nobody reads the stream any more."""
    flush()
    return name in lost


def flush() -> None:
    """Writes the buffers, as far as possible."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def trouble() -> str:
    """Why standard output is incomplete; empty if it is complete, or if its reader had read enough."""
    flush()
    error = lost.get("stdout")
    if error is None or error.errno == errno.EPIPE:
        return ""
    return f"not everything could be printed ({error.strerror or error})"
