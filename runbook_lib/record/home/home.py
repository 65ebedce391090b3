"""What an archive is written through: a folder (`folder.py`) or a bucket (`bucket.py`). Who reads, reads files here.

Paths are from the archive's root, with `/` between the names, the same in a folder and in a bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.kept_at import home_address


class Lost(ArchiveError):
    """Another writer was first; what it wrote has to be read before it is tried again."""


class RolledBack(ArchiveError):
    """What is kept there is not the continuation of what was there."""


class Home(Protocol):
    """Where one archive is kept. Everything but `writing` is called within it."""

    def writing(self, release: str = "") -> AbstractContextManager[None]:
        """One writer at a time; the log and the records of `release` are as they are there.

        Raises:
            ArchiveError: another one is writing for over a minute, or the archive cannot be written.
            AwsError: it cannot be asked.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Writes a small file, over the one that is there; a reader sees the old or the new content.

        Raises:
            ArchiveError: it is not taken.
        """
        ...

    def append(self, path: str, line: bytes, at: int) -> None:
        """Has a file go on with `line` behind its first `at` bytes; what a crash left behind those goes.

        Raises:
            ArchiveError: it is not taken.
        """
        ...

    def add(self, path: str, files: Mapping[str, bytes], copies: Mapping[str, Path] | None = None) -> None:
        """Makes a folder with `files` (name to content) and `copies` (name to source).

        Raises:
            ArchiveError: it is there already, or is not taken.
        """
        ...

    def remove(self, path: str) -> None:
        """Takes a file or a folder away, if it is there.

        Raises:
            ArchiveError: it cannot be removed.
        """
        ...

    def refresh(self, release: str = "", *, whole: bool = False, anew: bool = False) -> int:
        """Brings the files here up to date; returns how many came. Not within `writing`.

        Args:
            release: its records are here from now on.
            whole: all records are.
            anew: nothing is taken to be what it was.

        Raises:
            ArchiveError: where it is kept cannot be asked.
        """
        ...

    def holds(self) -> Callable[[str], bool]:
        """Whether the part that a record is in, by its path, is here."""
        ...


def home_of(root: Path) -> Home:
    """Where the archive whose files are in the folder `root` is kept."""
    from runbook_lib.record.home.folder import Folder

    if not (uri := home_address(root)):
        return Folder(root)
    from runbook_lib.record.home.bucket import Bucket

    return Bucket(root, uri)
