"""Temporary folders that name their owner, so that the next command of any kind removes those whose owner was
killed.
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
    """This process: pid, start (epoch seconds, and `since`: pids are reused, the pair is not), host, whose pids."""
    me = os.getpid()
    return {"pid": me, "start": started(me), "since": _since(me), "host": platform.node(), "pids": _pids()}


def _since(pid: int) -> str:
    """Start of a process in ticks of the boot that it is of: that stays as it is when the clock is set. Empty: it does
    not exist, or this is not Linux.
    """
    with contextlib.suppress(OSError, IndexError):
        ticks = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
        return f"{ticks} of {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return ""


def _pids() -> str:
    """The namespace of this process's pids: containers of one host name have one each. Empty: not Linux."""
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def is_here(who: Mapping[str, Any]) -> bool:
    """Whether that process can be looked for from here: it is of this host, and not of another container's."""
    return who.get("host") == platform.node() and who.get("pids", _pids()) == _pids()


def started(pid: int) -> float | None:
    """Start of a process in epoch seconds; None: it does not exist."""
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def lives(who: Mapping[str, Any]) -> bool:
    """Whether that process of this host is still running."""
    pid, start = who.get("pid"), who.get("start")
    if not isinstance(pid, int) or pid <= 0 or not isinstance(start, (int, float)):
        return False
    now = started(pid)
    if now is None or (who.get("since") and (since := _since(pid))):
        return now is not None and who["since"] == since
    # The start time derives from the boot time, which is adjusted with the clock: two seconds are no difference.
    return abs(now - start) < 2.0


def made(kind: str, archive: Path | None = None) -> Path:
    """A new temporary folder of this process, for `kind`.

    Args:
        archive: an archive whose sweep may need the contents: the folder is removed only after that sweep.
    """
    who = json.dumps({**owner(), "archive": str(archive.absolute()) if archive else None})  # before: it takes a while
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
    try:
        (folder / OWNER).write_text(who)
    except BaseException:  # without its owner nobody would remove it
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@contextlib.contextmanager
def folder(kind: str, archive: Path | None = None) -> Iterator[Path]:
    """`made` for the length of a block."""
    here = made(kind, archive)
    try:
        yield here
    finally:
        shutil.rmtree(here, ignore_errors=True)


def sweep(archive: Path | None = None, release: Callable[[Path, Path], bool] | None = None) -> None:
    """Removes the folders of ended processes of this host; never raises. A folder without owner stays.

    Args:
        archive: the archive that was swept just now.
        release: saves the contents that another archive may need, and returns whether the folder may go.
    """
    try:
        found = [*Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{OWNER}")]
    except OSError:  # nothing can be written anywhere
        return
    for left in found:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            who = json.loads(read_plain(left))
            if not is_here(who) or lives(who):
                continue
            wanted = who.get("archive") not in (None, str(archive.absolute()) if archive else None)
            if not wanted or (release is not None and release(left.parent, Path(str(who["archive"])))):
                shutil.rmtree(left.parent, ignore_errors=True)
