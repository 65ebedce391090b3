"""A process that does not outlive its parent, however that ends: `kill -9` leaves nobody who could take it down.

Not `PR_SET_PDEATHSIG`: that fires already when the *thread* that started the child ends, and exists on Linux only. Not
the end of a pipe either: what the child reads from its standard input is its own affair.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_LOOK_S = 1.0


def ends_with(parent: int, end: Callable[[], None]) -> None:
    """Calls `end` in a thread once the process `parent` is no longer this one's parent.

    Args:
        parent: as it was when the child was started: it may have ended before this is called.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        end()

    threading.Thread(target=watch, name="parent", daemon=True).start()
