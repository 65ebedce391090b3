"""The state of a bucket's local copy: which parts of the archive it has, and the ETag of each file's object."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
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
"""Folder of the copy for files that the bucket does not have any more, and for what stood in the way of a copy."""
_AT_ONCE = 8


_TABLES = (
    "CREATE TABLE IF NOT EXISTS etags (path TEXT PRIMARY KEY, etag TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS marks (path TEXT PRIMARY KEY, mark TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS held (part TEXT PRIMARY KEY)",
)


_KNOWN = "SELECT path, etag, coalesce(mark, '') FROM etags LEFT JOIN marks USING (path)"


class Mirror:
    """The file that keeps this state, beside the copy; without it the copy is compared with the bucket again."""

    def __init__(self, root: Path) -> None:
        self._file = root / FILE

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._file, timeout=60)) as base, base:
                for made in _TABLES:
                    base.execute(made)
                yield base
        except sqlite3.Error as error:
            told = "it is removed; run again" if self._spoilt(error) else "remove it, and run again"
            raise ArchiveError(f"{self._file} cannot be used ({error}); {told}") from None

    def _spoilt(self, error: sqlite3.Error) -> bool:
        """Whether the file was no such file (`SQLITE_ERROR`: or one with other tables), and is gone now: nothing in it
        is missed.
        """
        no_such = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
        if getattr(error, "sqlite_errorcode", 0) not in no_such:
            return False
        with contextlib.suppress(OSError):
            self._file.unlink()
            return True
        return False

    def sound(self) -> None:
        """Begins the file anew if it is spoilt: then the copy is compared with the bucket again."""
        if self._file.exists():
            with contextlib.suppress(ArchiveError):
                self.etag("")

    def etag(self, path: str) -> str:
        """ETag of one file; empty: unknown, or the file here is not as it was copied."""
        with self._open() as base:
            found = base.execute(f"{_KNOWN} WHERE path = ?", [path]).fetchone()
        return str(found[1]) if found and found[2] == self._mark(path) else ""

    def etags(self, below: str = "") -> dict[str, str]:
        """ETags of all files whose path begins with `below`, and that are here as they were copied."""
        rows = self._rows(below)
        return {path: etag for path, etag, mark in rows if mark == self._mark(path)}

    def spoilt(self, part: str) -> list[str]:
        """Files of a part of the copy (`holds` of the bucket) that are not here as they were copied."""
        of_it = (row for row in self._rows(RECORDS) if part == WHOLE or f"/{part}/" in row[0])
        return [path for path, _, mark in of_it if mark != self._mark(path)]

    def paths(self, below: str = "") -> list[str]:
        """All files whose path begins with `below` and that were copied or put."""
        return [path for path, _, _ in self._rows(below)]

    def _rows(self, below: str) -> list[tuple[str, str, str]]:
        with self._open() as base:
            return list(base.execute(f"{_KNOWN} WHERE path >= ? AND path < ?", [below, f"{below}\U0010ffff"]))

    def _mark(self, path: str) -> str:
        """What tells a file that was written over by somebody else, without reading it."""
        try:
            found = (self._file.parent / path).stat()
        except OSError:
            return "-"
        return f"{found.st_size} {found.st_mtime_ns}"

    def note(self, etags: Mapping[str, str]) -> None:
        """Records the ETags of files; `copied` says that they are here."""
        with self._open() as base:
            base.executemany("INSERT OR REPLACE INTO etags VALUES (?, ?)", etags.items())
            base.executemany("DELETE FROM marks WHERE path = ?", [(path,) for path in etags])

    def copied(self, paths: Iterable[str]) -> None:
        """Records that the files are here as their objects are in the bucket."""
        with self._open() as base:
            base.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", [(one, self._mark(one)) for one in paths])

    def forget(self, paths: Collection[str]) -> None:
        """Drops files that are gone from the copy."""
        with self._open() as base:
            for asked in ("DELETE FROM etags WHERE path = ?", "DELETE FROM marks WHERE path = ?"):
                base.executemany(asked, [(path,) for path in paths])

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
            _put(root, folder, {path.rpartition("/")[2]: one[0] for path, one in files.items() if one is not None})
            came = {path: one[1] for path, one in files.items() if one is not None}
            mirror.note(came)
            mirror.copied(came)
    if anew:
        lost = [path for path in _here(root) if path.startswith(below) and path not in there]
        for path in lost:
            (root / REMOVED / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).replace(root / REMOVED / path)
            with contextlib.suppress(OSError):
                (root / path).parent.rmdir()
        mirror.forget(lost)
    return len(wanted)


def within(path: str, held: set[str]) -> bool:
    """Whether one of the parts holds the record, or the folder of a release, at this path."""
    _, release, *_ = path.split("/")
    return WHOLE in held or release in held or path.rpartition("/")[0] in held


def bytes_of(file: Path) -> bytes | None:
    """The bytes of a file of the copy; None: it cannot be read."""
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return None


def cleared(root: Path, path: str) -> Path:
    """Moves aside what stands in the way of a file of the copy: a folder in its place, or a file in the place of one of
    its folders. Returns where the file goes.

    Raises:
        ArchiveError: it cannot be moved.
    """
    file = root / path
    above = [one for one in (*reversed(file.relative_to(root).parents),) if one.name]
    wrong = [root / one for one in above if os.path.lexists(root / one) and not (root / one).is_dir()]
    for one in wrong or [file] * file.is_dir():
        aside = root / REMOVED / one.relative_to(root)
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            one.replace(Path(tempfile.mkdtemp(prefix=f"{one.name}.", dir=aside.parent)) / one.name)
        except OSError as error:
            raise ArchiveError(
                f"{one} stands in the way of a copy and cannot be moved aside ({error.strerror}): remove it"
            ) from None
    return file


def _record(path: str) -> str | None:
    """The folder of the record that a file belongs to; None for a chain's own file."""
    parts = path.split("/")
    return "/".join(parts[:4]) if len(parts) > 4 else None


def _here(root: Path) -> Iterator[str]:
    for file in root.glob(f"{RECORDS}*/**/*"):
        if file.is_file():
            yield file.relative_to(root).as_posix()


def _put(root: Path, place: str, files: Mapping[str, bytes]) -> None:
    """Writes files of one folder; a new folder appears with all of them at once."""
    for name in files:
        cleared(root, f"{place}/{name}")
    folder = root / place
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
