"""What a kernel's process writes to stderr, and the programs that its cells start: both ends of it are kept.

A program in a cell may write without end. A file would fill the disk on which the journal lies.
"""

from __future__ import annotations

import os
import threading
from collections import deque

END = 64_000
"""Bytes of each end that are kept."""
_WAIT_S = 1.0
"""Seconds for the end of it: a program that outlives the kernel holds it open."""


class Stderr:
    """A pipe to give to a process as its stderr. It is read for as long as somebody may write into it."""

    def __init__(self) -> None:
        self._from, self.to = os.pipe()
        self._head, self._tail = bytearray(), deque[bytes]()
        self._size = self._dropped = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="kernel-stderr", daemon=True)
        self._reader.start()

    def given(self) -> None:
        """The process has its end: this process's own is closed, or there would be no end of it."""
        os.close(self.to)

    def told(self) -> str:
        """What was written so far."""
        self._reader.join(_WAIT_S)
        with self._lock:
            tail, dropped = b"".join(self._tail), self._dropped + max(0, self._size - END)
            head = bytes(self._head)
        if not dropped:
            return (head + tail).decode("utf-8", "replace")
        begin, end = head.decode("utf-8", "replace"), tail[-END:].decode("utf-8", "replace")
        # Half a line may be half a secret, which nobody recognises.
        first, last = begin.rpartition("\n")[0], end.partition("\n")[2]
        return f"{first}\n[{dropped:,} bytes of what programs wrote to stderr are left out here]\n{last}"

    def _read(self) -> None:
        try:
            while piece := os.read(self._from, 65_536):
                with self._lock:
                    self._keep(piece)
        finally:
            os.close(self._from)

    def _keep(self, piece: bytes) -> None:
        room = END - len(self._head)
        self._head += piece[:room]
        if rest := piece[room:] if room > 0 else piece:
            self._tail.append(rest)
            self._size += len(rest)
        while self._tail and self._size - len(self._tail[0]) >= END:
            gone = self._tail.popleft()
            self._size -= len(gone)
            self._dropped += len(gone)
