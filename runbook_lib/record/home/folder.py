"""An archive in a folder, on this machine or on a shared disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.foreign import word
from runbook_lib.base.telling import busy
from runbook_lib.record.seal import how_to_share, replace_file, sync, write_folder

LOCK_TIMEOUT_S = 60.0


def locked(file: Path, other: str, most_s: float) -> Any:
    """The lock of `file`, taken. Whoever waits is told for whom (`other`).

    Raises:
        Timeout: somebody else holds it for `most_s` seconds.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with busy(f"waiting for {other}, {most_s:.0f} s at most"):
            lock.acquire(timeout=most_s)
    return lock


class Folder:
    """The archive in the folder `root`, which the first write creates."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def writing(self, release: str = "") -> Iterator[None]:  # noqa: ARG002 - a folder is always up to date
        """Lets one writer in at a time, across processes and threads."""
        from filelock import Timeout

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = locked(self.root / ".lock", f"the process that writes {self.root}", LOCK_TIMEOUT_S)
        except Timeout:
            raise ArchiveError(f"{self.root} is being written by another process for over a minute") from None
        except OSError as error:
            then = self._sticky() or how_to_share(self.root / ".lock", error)
            raise ArchiveError(f"{self.root} cannot be written ({error.strerror}){then}") from None
        try:
            yield
        finally:
            lock.release()

    def _sticky(self) -> str:
        """What to do where one person's lock shuts the others out, as a lock in a folder with a sticky bit does."""
        with contextlib.suppress(OSError):
            here, whose = self.root.stat(), (self.root / ".lock").stat().st_uid
            if here.st_mode & stat.S_ISVTX and whose not in (os.geteuid(), here.st_uid):
                return f"; its sticky bit lets one person's lock shut the others out: chmod -t {word(self.root)}"
        return ""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file with `content`, replacing an existing one."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.root / path, content)

    def append(self, path: str, line: bytes, at: int) -> None:
        """Sets `line` behind the first `at` bytes of a file."""
        file = self.root / path
        try:
            if not file.exists():
                file.touch()
                sync(file.parent)
            elif file.stat().st_size > at:
                os.truncate(file, at)
            if line:
                with file.open("ab") as opened:
                    opened.write(line)
                    opened.flush()
                    os.fsync(opened.fileno())
        except OSError as error:
            raise ArchiveError(f"{file} cannot be written ({error.strerror})") from None

    def add(self, path: str, files: Mapping[str, bytes], copies: Mapping[str, Path] | None = None) -> None:
        """Makes a folder, whole or not at all."""
        write_folder(self.root / path, files, copies)

    def remove(self, path: str) -> None:
        """Removes a file or folder at once or not at all: a name that begins with `.part-` is no record."""
        there = self.root / path
        try:
            if not there.is_dir():
                there.unlink(missing_ok=True)
                return
            part = Path(tempfile.mkdtemp(prefix=".part-", dir=there.parent)) / there.name
            there.replace(part)
            shutil.rmtree(part.parent, ignore_errors=True)
        except OSError as error:
            raise ArchiveError(f"{there} cannot be removed ({error.strerror})") from None

    def unmoved(self, path: str) -> None:
        """Does nothing: the folder is the archive itself."""

    def refresh(self, release: str = "", *, whole: bool = False, anew: bool = False) -> int:  # noqa: ARG002 - it is here
        """Does nothing: the folder is the archive itself."""
        return 0

    def again(self, places: Collection[str]) -> int:  # noqa: ARG002 - it is here
        """Does nothing: the folder is the archive itself."""
        return 0

    def holds(self) -> Callable[[str], bool]:
        """A function that says yes: a folder holds every part."""
        return lambda _: True
