"""Standard output and error that outlive their reader: a closed pipe or a full disk never ends a command half-way.

What cannot be written any more is dropped, and how the command ends says so. Light: the kill switch prints by it too.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

lost: dict[str, OSError] = {}
"""By stream (`stdout`, `stderr`), why it is not written to any more."""


class _Lasting(io.FileIO):
    """A descriptor that is written to as long as that is possible, and takes everything after that."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self._name = name

    def write(self, data: Any, /) -> int:
        """Writes, or drops."""
        size = memoryview(data).nbytes
        if self._name in lost:
            return size
        try:
            while (written := super().write(data)) is None:  # the descriptor does not block, and its reader is slow
                select.select([], [self.fileno()], [])
        except OSError as error:
            lost[self._name] = error
            return size
        return int(written)


def lasting() -> None:
    """Makes this process's standard output and error lasting, and able to write every letter (LC_ALL=C: as escapes).

    A descriptor that was closed by the caller is opened on nothing: the next file that is opened must not become it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.TextIOWrapper(_Lasting(name, number), encoding="utf-8", write_through=True))
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            _replace(name, number, stream)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _replace(name: str, number: int, stream: io.TextIOWrapper) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
        made = io.TextIOWrapper(
            io.BufferedWriter(_Lasting(name, number)), encoding=stream.encoding, errors="backslashreplace",
            line_buffering=stream.line_buffering or name == "stderr",
        )  # fmt: skip
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


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
