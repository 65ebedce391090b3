"""The state of a bucket's local copy: which parts of the archive it has, and the ETag of each file's object."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.home.s3 import Store
from runbook_lib.record.seal import replace_file

FILE = ".mirror.sqlite"
WHOLE = ""
"""The part that is the whole archive."""
RECORDS = "env="
"""Paths of all records begin so."""
REMOVED = ".removed"
"""Folder of the copy for files that the bucket does not have any more."""
_AT_ONCE = 8


class Mirror:
    """The file that keeps this state, beside the copy; without it the copy is compared with the bucket again."""

    def __init__(self, root: Path) -> None:
        self._file = root / FILE

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._file, timeout=60)) as base, base:
                base.execute("CREATE TABLE IF NOT EXISTS etags (path TEXT PRIMARY KEY, etag TEXT) WITHOUT ROWID")
                base.execute("CREATE TABLE IF NOT EXISTS held (part TEXT PRIMARY KEY)")
                yield base
        except sqlite3.Error as error:
            raise ArchiveError(f"{self._file} cannot be used ({error}); remove it, and run again") from None

    def etag(self, path: str) -> str:
        """ETag of one file; empty: unknown."""
        with self._open() as base:
            found = base.execute("SELECT etag FROM etags WHERE path = ?", [path]).fetchone()
        return str(found[0]) if found else ""

    def etags(self, below: str = "") -> dict[str, str]:
        """ETags of all files whose path begins with `below`."""
        with self._open() as base:
            return dict(base.execute("SELECT path, etag FROM etags WHERE substr(path, 1, ?) = ?", [len(below), below]))

    def note(self, etags: Mapping[str, str]) -> None:
        """Records the ETags of files that were copied."""
        with self._open() as base:
            base.executemany("INSERT OR REPLACE INTO etags VALUES (?, ?)", etags.items())

    def forget(self, paths: Iterable[str]) -> None:
        """Drops files that are gone from the copy."""
        with self._open() as base:
            base.executemany("DELETE FROM etags WHERE path = ?", [(path,) for path in paths])

    def held(self) -> set[str]:
        """The parts of the copy, each `WHOLE`, a release (`release=r1`) or the path of a chain."""
        if not self._file.is_file():
            return set()
        with self._open() as base:
            return {str(part) for (part,) in base.execute("SELECT part FROM held")}

    def hold(self, parts: Iterable[str]) -> None:
        """Adds parts to the copy."""
        with self._open() as base:
            base.executemany("INSERT OR IGNORE INTO held VALUES (?)", [(part,) for part in parts])


def pull(root: Path, store: Store, mirror: Mirror, below: str, *, anew: bool = False) -> int:
    """Copies objects below the path `below` that are missing or different in the copy; returns how many.

    A record without `record.json` is skipped: it is being written, or its writer stopped.

    Args:
        anew: files that only the copy has are moved aside.
    """
    there = store.below(below)
    folders = {path.rpartition("/")[0] for path in there if path.endswith("/record.json")}
    there = {path: etag for path, etag in there.items() if (own := _record(path)) is None or own in folders}
    known = mirror.etags(below)
    wanted = [path for path, etag in there.items() if known.get(path) != etag or not (root / path).is_file()]
    groups: dict[str, list[str]] = {}
    for path in wanted:
        groups.setdefault(path.rpartition("/")[0], []).append(path)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for folder in sorted(groups, key=lambda one: (_record(f"{one}/") is None, one)):  # HEAD last
            files = dict(zip(groups[folder], pool.map(store.get, groups[folder]), strict=True))
            _put(root / folder, {path.rpartition("/")[2]: one[0] for path, one in files.items() if one is not None})
            mirror.note({path: one[1] for path, one in files.items() if one is not None})
    if anew:
        lost = [path for path in _here(root) if path.startswith(below) and path not in there]
        for path in lost:
            (root / REMOVED / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).replace(root / REMOVED / path)
            with contextlib.suppress(OSError):
                (root / path).parent.rmdir()
        mirror.forget(lost)
    return len(wanted)


def _record(path: str) -> str | None:
    """The folder of the record that a file belongs to; None for a chain's own file."""
    parts = path.split("/")
    return "/".join(parts[:4]) if len(parts) > 4 else None


def _here(root: Path) -> Iterator[str]:
    for file in root.glob(f"{RECORDS}*/**/*"):
        if file.is_file():
            yield file.relative_to(root).as_posix()


def _put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files of one folder; a new folder appears with all of them at once."""
    try:
        if folder.is_dir():
            for name, content in files.items():
                replace_file(folder / name, content)
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        try:
            for name, content in files.items():
                (part / name).write_bytes(content)
            part.chmod(0o755)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be written ({error.strerror})") from None
