"""Ends a process when its parent ends, in any way: after `kill -9` nobody else could end it.

Not by `PR_SET_PDEATHSIG`: it fires when the *thread* that started the child ends, and exists on Linux only. Not by
the end of a pipe either: the child's standard input is its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_LOOK_S = 1.0


def ends_with(parent: int, end: Callable[[], None]) -> None:
    """Calls `end` in a thread once `parent` is no longer this process's parent.

    Args:
        parent: process id of the parent when the child was started: it may have ended before this call.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        end()

    threading.Thread(target=watch, name="parent", daemon=True).start()
