"""Whether a process that a test has the number of has ended."""

from __future__ import annotations

import os


def gone(pid: int) -> bool:
    """Whether no process has this number any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
