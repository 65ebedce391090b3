"""A process of ours: its port, the end of its parent, and what its imports need. Light: the embedded AWS loads it."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


def unusable(port: int) -> str:
    """Why no server can listen at this port of the loopback address; empty: one can."""
    with socket.socket() as probe:
        if os.name == "posix":  # as servers do: one that has just ended does not hold its port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return str(error.strerror or error)
    return ""


def free_port() -> int:
    """A port of the loopback address that is free now; another process may take it before its use."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


_LOOK_S = 1.0


def ends_with(parent: int, end: Callable[[], None]) -> None:
    """Calls `end` in a thread once `parent` is no longer this process's parent: after `kill -9` nobody else ends it.

    Not by `PR_SET_PDEATHSIG`: it fires when the *thread* that started the child ends, and exists on Linux only. Not by
    the end of a pipe either: the child's standard input is its own.

    Args:
        parent: process id of the parent when the child was started: it may have ended before this call.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        end()

    threading.Thread(target=watch, name="parent", daemon=True).start()


INLINE = "module://matplotlib_inline.backend_inline"
"""Where matplotlib shows figures in a notebook (`MPLBACKEND`)."""
GRAMMARS = "rfc3987_syntax"
"""jsonschema, which comes with papermill and JupyterLab, compiles 39 grammars of internationalised addresses for a
format that no notebook's schema has: more than a second of processor time in each process."""


@contextmanager
def without(module: str) -> Iterator[None]:
    """Imports inside the block do not find `module`."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(module, None)  # another thread may have removed it


def usual_time() -> None:
    """Takes a SOURCE_DATE_EPOCH away that is no time: numpy and IPython end at it when they are loaded, and a kernel
    does not answer.
    """
    if not re.fullmatch("[0-9]{1,11}", os.environ.get("SOURCE_DATE_EPOCH", "")):
        os.environ.pop("SOURCE_DATE_EPOCH", None)


def homeless() -> None:
    """Lets IPython and Jupyter be silent of a home that cannot be written, in a container for instance: nothing of ours
    goes there.
    """
    warnings.filterwarnings("ignore", "IPython (parent|dir)", UserWarning)
