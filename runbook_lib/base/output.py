"""What a process prints, to its end and no longer: a daemon that it began may hold its output open for ever."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

LINGER_S = 2.0
"""Seconds for which more lines are waited for, once the process has ended."""
_MOST_S = 30.0
"""Seconds for which lines that go on coming are read then."""
_EACH_S = 0.1
_PIECE = 65_536
GOES_ON = "(a process that it began goes on and holds its output open; that is not waited for)"
"""The last line in that case."""


def pieces(process: subprocess.Popen[bytes], linger_s: float, most_s: float) -> Iterator[tuple[Any, bytes]]:
    """What the process prints, as it comes: the pipe and some bytes. No bytes: the pipe has ended. No pipe: nothing
    came for a moment, so that whoever asks can look at the time.

    Args:
        linger_s: seconds without output after which a pipe that is still open is left, once the process has ended.
        most_s: seconds after its end when that is done in any case.
    """
    heard: queue.SimpleQueue[tuple[Any, bytes]] = queue.SimpleQueue()
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    left, enough = threading.Event(), threading.Event()

    def read(pipe: Any) -> None:
        piece = b"-"
        while piece and not enough.is_set():
            piece = b""
            with contextlib.suppress(OSError, ValueError):
                piece = os.read(pipe.fileno(), _PIECE)
            if not left.is_set():  # else it is read all the same: a full pipe would stop whoever writes into it
                heard.put((pipe, piece))
        if enough.is_set():
            with contextlib.suppress(OSError, ValueError):
                pipe.close()

    try:
        for pipe in pipes:
            threading.Thread(target=read, args=(pipe,), name="runbook-output", daemon=True).start()
        ended, last, opened = 0.0, 0.0, len(pipes)
        while opened:
            came: tuple[Any, bytes] = (None, b"")
            with contextlib.suppress(queue.Empty):
                came = heard.get(timeout=_EACH_S)
                last = time.monotonic()
                opened -= not came[1]
            yield came
            if not ended and process.poll() is not None:
                ended = last = time.monotonic()
            now = time.monotonic()
            if ended and (now - last > linger_s or now - ended > most_s):
                return
    except GeneratorExit:  # who asks has had too much: whoever goes on printing is to hear that nobody reads
        enough.set()
        raise
    finally:
        left.set()


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Each line on the standard output of the process, as it comes, without its end; what is no UTF-8 is replaced."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest, whole = "", False
    for pipe, piece in pieces(process, LINGER_S, _MOST_S):
        whole = pipe is not None and not piece
        *lines, rest = (rest + decoder.decode(piece, final=whole)).split("\n")
        yield from lines
    if rest:
        yield rest
    if not whole:
        yield GOES_ON
