"""Reads files that others may have put there, if they are plain files. A pipe without a writer never ends, and
reading a device such as `/dev/zero` takes all memory. Light: a rollback loads it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.telling import busy

MOST_BYTES = 256_000_000
"""Most bytes of a file that is read whole; our largest, the answers of a look, has some megabytes."""


def open_plain(path: Path) -> BufferedReader:
    """The file, opened for reading; links are followed.

    Raises:
        OSError: the file cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_plain(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file.

    Raises:
        OSError: see `open_plain`, or the file has more than `most` bytes.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            text = f"it has {size / 1e6:,.1f} MB, and may have {most / 1e6:g} MB at most"
            raise OSError(errno.EFBIG, text, str(path))
        return file.read()


def read_some(path: Path, most: int) -> bytes:
    """The content of whatever a person named (a file, a pipe of their shell), if it has at most `most` bytes.

    Raises:
        OSError: it cannot be read, or is longer: a device may have no end.
    """
    with busy(f"waiting for the end of {path}", again=False), path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return found


class NoNotebook(ValueError):
    """The file holds no notebook; the text says why."""


def cells(notebook: Path) -> list[Any]:
    """The cells of a notebook's file; there is at least one.

    Raises:
        NoNotebook: it cannot be read, is not a notebook's JSON, or has no cells.
    """
    try:
        found = json.loads(read_plain(notebook))["cells"]
    except OSError as error:
        raise NoNotebook(error.strerror or str(error)) from None
    except (ValueError, TypeError, LookupError, RecursionError):
        raise NoNotebook("it is not a notebook's JSON") from None
    if not found or not isinstance(found, list):
        raise NoNotebook("it has no cells")
    return found


def read_input(what: str, most: int = -1) -> bytes:
    """All of standard input, or its first bytes.

    Args:
        what: the expected content, in words.
        most: most bytes to read; negative: all.

    Raises:
        UsageError: standard input is closed, or cannot be read.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(f"-: expects {what} on standard input, which is closed")
    with busy(f"waiting for {what} on standard input; Ctrl-D ends it", again=False):
        try:
            return sys.stdin.buffer.read(most)
        except OSError as error:
            raise UsageError(f"-: standard input cannot be read ({error.strerror or error})") from None
