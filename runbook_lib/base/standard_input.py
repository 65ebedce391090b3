"""Reads all of standard input; says if it is closed, and what it waits for."""

from __future__ import annotations

import sys
import threading

from runbook_lib.base.errors import UsageError
from runbook_lib.base.patience import TELL_AFTER_S, tell


def read(what: str, most: int = -1) -> bytes:
    """All of standard input, or its first bytes.

    Args:
        what: the expected content, in words.
        most: most bytes to read; negative: all.

    Raises:
        UsageError: standard input is closed, or cannot be read.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(f"-: expects {what} on standard input, which is closed")
    waiting = threading.Timer(TELL_AFTER_S, tell, (f"waiting for {what} on standard input; Ctrl-D ends it ...",))
    waiting.daemon = True
    waiting.start()
    try:
        return sys.stdin.buffer.read(most)
    except OSError as error:
        raise UsageError(f"-: standard input cannot be read ({error.strerror or error})") from None
    finally:
        waiting.cancel()
