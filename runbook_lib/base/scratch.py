"""Temporary folders that outlive no process for long: each names its owner, and the next command of any kind takes away
those whose owner was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.plain_file import read_plain

OWNER = ".owner.json"
_PREFIX = "runbook-"


def owner() -> dict[str, Any]:
    """This process: pid, start (epoch seconds; pids are used again, the pair is not) and host."""
    return {"pid": os.getpid(), "start": started(os.getpid()), "host": platform.node()}


def started(pid: int) -> float | None:
    """When the process began, in epoch seconds; None: there is none."""
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def lives(who: Mapping[str, Any]) -> bool:
    """Whether that process of this host is at work yet."""
    pid, start = who.get("pid"), who.get("start")
    if not isinstance(pid, int) or not isinstance(start, (int, float)):
        return False
    now = started(pid)
    # The start time is derived from the boot time, which is adjusted with the clock: two seconds are no difference.
    return now is not None and abs(now - start) < 2.0


def made(kind: str, archive: Path | None = None) -> Path:
    """A new temporary folder of this process, for `kind`.

    Args:
        archive: whose sweep may still want what lies in it: only who has swept that takes it away.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
    (folder / OWNER).write_text(json.dumps({**owner(), "archive": str(archive.absolute()) if archive else None}))
    return folder


@contextlib.contextmanager
def folder(kind: str, archive: Path | None = None) -> Iterator[Path]:
    """As `made`, for the length of a block."""
    here = made(kind, archive)
    try:
        yield here
    finally:
        shutil.rmtree(here, ignore_errors=True)


def sweep(archive: Path | None = None, release: Callable[[Path, Path], bool] | None = None) -> None:
    """Takes away what processes of this host left that live no more; never raises. A folder without owner stays.

    Args:
        archive: it was swept just now.
        release: saves what another archive may still want of a folder, and says whether it may go then.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{OWNER}"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            who = json.loads(read_plain(left))
            if who.get("host") != platform.node() or lives(who):
                continue
            wanted = who.get("archive") not in (None, str(archive.absolute()) if archive else None)
            if not wanted or (release is not None and release(left.parent, Path(str(who["archive"])))):
                shutil.rmtree(left.parent, ignore_errors=True)
