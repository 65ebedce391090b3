"""What an error says of this machine, its files, memory or installation: no fault of the runbook. Light."""

from __future__ import annotations

import errno
import os

from runbook_lib.base.errors import RunbookError
from runbook_lib.base.foreign import line, one_line, short

_NAMES = "EACCES EDQUOT EFBIG EIO EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENOSPC ENOTDIR EPERM EROFS"
_OF_A_FILE = {getattr(errno, name) for name in _NAMES.split()}
"""What this machine says of a file that a person named, or of its disk: no fault of the runbook."""


def of_this_machine(error: BaseException) -> str:
    """What is wrong with a file, the memory or the installation; empty: the error is another one."""
    if isinstance(error, MemoryError) or (isinstance(error, SystemError) and "without exception set" in str(error)):
        return "this machine has no memory left for it"
    if isinstance(error, EOFError) and "marshal" in str(error):  # Python keeps what a full disk cuts off
        return "a compiled module of this installation is cut off: remove its __pycache__ folders"
    if not isinstance(error, ImportError):
        return _of_a_file(error)
    first: ImportError = error
    while isinstance(before := first.__cause__ or first.__context__, ImportError):
        first = before
    own = (first.name or "").partition(".")[0] == __name__.partition(".")[0]
    return "" if own else f"a library of this installation cannot be loaded: {one_line(first)}"


def _of_a_file(error: BaseException) -> str:
    """The file, and what this machine says of it; empty: the error is another one."""
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # `Path.resolve` before Python 3.13
        return f"{line(error)}: {os.strerror(errno.ELOOP)}"
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in str(error):
        return (
            "no temporary folder of this machine (TMPDIR, /tmp) can be written: its disk is full or read-only, or "
            "this process may write no file (`ulimit -f`)"
        )
    if not isinstance(error, OSError) or error.errno not in _OF_A_FILE or not error.strerror:
        return ""
    named = [short(line(one)) for one in (error.filename, error.filename2) if isinstance(one, str)]
    return f"{' and '.join(named)}: {error.strerror}" if named else error.strerror


def words(error: BaseException) -> str:
    """Any error as part of a sentence, without a traceback: its own, what it says of this machine, or its text."""
    if isinstance(error, RunbookError):
        return str(error)
    return of_this_machine(error) or one_line(error) or "an error without a message"
