"""The interface for writing an archive: a folder (`folder.py`) or a bucket (`bucket.py`). Reading uses local files.

Paths are relative to the archive's root, with `/` between names, the same in a folder and in a bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.kept_at import home_address


class Lost(ArchiveError):
    """Another writer was first; read what it wrote before trying again."""


class Unanswered(ArchiveError):
    """The bucket refuses or does not answer: a fault of this machine's disk is another thing."""


class RolledBack(ArchiveError):
    """The log in the bucket does not continue the one that the local copy has."""


class Home(Protocol):
    """Where one archive is kept. `write`, `append`, `add`, `remove` and `unmoved` are called inside `writing`."""

    def writing(self, release: str = "") -> AbstractContextManager[None]:
        """Lets one writer in at a time; the log and the records of `release` are up to date inside.

        Raises:
            ArchiveError: another writer holds the lock for over a minute, or the archive cannot be written.
            AwsError: the bucket cannot be asked.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Writes a small file, replacing an existing one; a reader sees the old or the new content.

        Raises:
            ArchiveError: the file cannot be written.
        """
        ...

    def append(self, path: str, line: bytes, at: int) -> None:
        """Sets `line` behind the first `at` bytes of a file; remains of a crash behind them are dropped.

        Raises:
            ArchiveError: the file cannot be written.
        """
        ...

    def add(self, path: str, files: Mapping[str, bytes], copies: Mapping[str, Path] | None = None) -> None:
        """Makes a folder with `files` (name to content) and `copies` (name to source).

        Raises:
            ArchiveError: the folder exists already, or cannot be written.
        """
        ...

    def remove(self, path: str) -> None:
        """Removes a file or a folder, if it exists.

        Raises:
            ArchiveError: it cannot be removed.
        """
        ...

    def unmoved(self, path: str) -> None:
        """Checks inside `writing` that a file is the one in the local files, before what follows it is written.

        Raises:
            Lost: another writer wrote it.
            ArchiveError: the bucket cannot be asked.
        """
        ...

    def refresh(self, release: str = "", *, whole: bool = False, anew: bool = False) -> int:
        """Brings the local files up to date; returns how many were copied. Not inside `writing`.

        Args:
            release: its records are part of the copy from now on.
            whole: all records are part of the copy from now on.
            anew: compares every file, whatever the copy knows.

        Raises:
            ArchiveError: the bucket cannot be asked.
        """
        ...

    def again(self, places: Collection[str]) -> int:
        """Copies what lies at these paths anew, whatever the copy knows of it; returns how many files were other here.

        Raises:
            ArchiveError: the bucket cannot be asked.
        """
        ...

    def holds(self) -> Callable[[str], bool]:
        """A function that says whether the part of the archive with this path is in the local files."""
        ...


def home_of(root: Path) -> Home:
    """The home of the archive whose local files are in the folder `root`."""
    from runbook_lib.record.home.folder import Folder

    if not (uri := home_address(root)):
        return Folder(root)
    from runbook_lib.record.home.bucket import Bucket

    return Bucket(root, uri)
