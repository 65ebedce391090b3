"""The tests' temporary folders in memory, where the system has room for them there: nothing of them is kept for
long, and the next run removes what a run has left, one that was killed too.

A run of all tests writes some hundred thousand small files. On a disk the system takes a fifth more processor time for
what the tests of `record` do, and they wait for it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runbook_lib.base import scratch

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that have to be free: several times what a run of all tests leaves."""


def install() -> None:
    """From here on, in this process and those that it starts; whoever says where they are (`TMPDIR`) is heard."""
    if "TMPDIR" not in os.environ and fits(MEMORY):
        tempfile.tempdir = str(MEMORY)
        scratch.sweep()  # of runs that are over: who looks into a failed test's folder does so before the next run
        own = scratch.made("tests")
        own.chmod(0o1777)  # as /tmp: some tests act as another person
        os.environ["TMPDIR"] = tempfile.tempdir = str(own)


def fits(folder: Path) -> bool:
    """Whether temporary folders can be there: with room, and with programs that may be run, for some tests write some.

    A container's memory usually has 64 megabytes, and no program in it may be run.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC
