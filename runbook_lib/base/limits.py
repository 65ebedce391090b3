"""The limits that this process was started with (`ulimit`): each ends in a sentence, not in a silence or a kill."""

from __future__ import annotations

import os
import resource
import signal
from typing import NoReturn

from runbook_lib.base.errors import UsageError

LEAST_MB = 768
"""Address space in MB for a command that loads numpy, pandas and matplotlib with one thread, and some room."""
AFTER_MB = 112
"""The same for what follows the effect of a rollback. With less, libraries end the process, or stand for ever."""
KERNEL_FILES = 96
"""Files that a process has open that runs a notebook, and some room."""
FILES = 1024
"""Files that a command may have open at a time, where the hard limit allows so many."""
_SPARE_S = 2
"""Seconds of processor time kept back to seal what was begun, and to say why it ends."""


class Spent(KeyboardInterrupt):
    """The processor time that this process may use is nearly over; it ends as if a person had interrupted it."""


def eased() -> None:
    """Prepares for the limits, before anything heavy is loaded.

    OpenBLAS takes memory for each of its threads, and if it gets none, it tries for ever. Nothing here multiplies
    matrices, and starting its threads takes a tenth of a second. Where the soft limit of processor time
    is the hard one, Linux kills without asking.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY and soft in (hard, resource.RLIM_INFINITY) and hard > 2 * _SPARE_S:
        resource.setrlimit(resource.RLIMIT_CPU, (hard - _SPARE_S, hard))
    signal.signal(signal.SIGXCPU, _spent)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard)
        )


def too_tight(what: str = "a command", least_mb: int = LEAST_MB) -> str:
    """Why `what` cannot be carried out within these limits; empty: they are wide enough."""
    most = _address_space()
    if most is None or most >= least_mb << 20:
        return ""
    return (
        f"this process may use {most >> 20} MB of address space (`ulimit -v`), and {what} needs {least_mb} MB: "
        "raise the limit, or end it by `ulimit -v unlimited`"
    )


def enough_files() -> None:
    """Checks that a kernel can be started: with too few files a library ends the whole process.

    Raises:
        UsageError: it cannot.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < KERNEL_FILES:
        told = f"this process may have {most} files open (`ulimit -n`), and a notebook's kernel needs {KERNEL_FILES}"
        raise UsageError(f"{told}: raise the limit")


def _address_space() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _spent(*_: object) -> NoReturn:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    raise Spent("its processor time is used up (`ulimit -t`)")
