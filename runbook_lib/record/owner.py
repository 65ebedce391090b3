"""Who is writing a staged journal, and whether that process still lives."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook_lib.record.journal import FILE, utc_now

_FOREIGN_AFTER = dt.timedelta(days=7)
"""A journal of another host is closed as died when nothing was written for this long: its process cannot be asked."""


def owner() -> dict[str, Any]:
    """This process: pid, start (epoch seconds; pids are used again, the pair is not) and host."""
    return {"pid": os.getpid(), "start": _start(os.getpid()), "host": platform.node()}


def alive(who: Mapping[str, Any], staging: Path) -> bool:
    """Whether the owner noted in `owner.json` may still be writing to `staging`."""
    if who.get("host") != platform.node():
        return utc_now() - _touched(staging) < _FOREIGN_AFTER
    pid, start = who.get("pid"), who.get("start")
    if not isinstance(pid, int) or not isinstance(start, (int, float)):
        return False
    now = _start(pid)
    # The start time is derived from the boot time, which is adjusted with the clock: two seconds are no difference.
    return now is not None and abs(now - start) < 2.0


def _touched(staging: Path) -> dt.datetime:
    path = staging / FILE
    stat = (path if path.exists() else staging).stat()
    return dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)


def _start(pid: int) -> float | None:
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
