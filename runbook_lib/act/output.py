"""The lines of a process, to its end and no longer: a daemon that it began may hold its output open for ever."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Iterator

LINGER_S = 2.0
"""Seconds for which more output is waited for, once the process has ended."""
_MOST_S = 30.0
"""Seconds for which output that goes on coming is read then."""
_EACH_S = 0.1
GOES_ON = "(a process that it began goes on and holds its output open; that is not waited for)"
"""The last line in that case."""


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """Each line that the process prints, as it comes, without its end."""
    heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            for text in process.stdout or ():
                heard.put(text)
        heard.put(None)

    threading.Thread(target=read, name="runbook-output", daemon=True).start()
    ended = last = 0.0
    while True:
        with contextlib.suppress(queue.Empty):
            text = heard.get(timeout=_EACH_S)
            if text is None:
                return
            last = time.monotonic()
            yield text.rstrip("\n")
        if not ended and process.poll() is not None:
            ended = last = time.monotonic()
        now = time.monotonic()
        if ended and (now - last > LINGER_S or now - ended > _MOST_S):
            yield GOES_ON
            return
