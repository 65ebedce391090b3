"""The chain of records of one environment, release and notebook: each carries the hash of the one before.

A record's folder is named by the instant it was sealed, strictly later than the one before, so the order of names is
the order of the chain. `HEAD` repeats the newest hash: without it, taking away the newest record would go unnoticed.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.seal import record_hash, replace_file

if TYPE_CHECKING:
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.place import RecordRef

NAME = re.compile(r"(\d{8}T\d{6}\.\d{3}Z)-([A-Za-z0-9]+)")
_STAMP = "%Y%m%dT%H%M%S.%fZ"
HEAD = "HEAD"


def read_record(folder: Path) -> dict[str, Any]:
    """The JSON of `record.json`, not verified.

    Raises:
        ArchiveError: it is missing or no JSON object.
    """
    try:
        loaded = json.loads((folder / "record.json").read_bytes())
    except OSError as error:
        raise ArchiveError(f"{folder.name}: record.json cannot be read ({error.strerror})") from None
    except ValueError:
        raise ArchiveError(f"{folder.name}: record.json is not JSON") from None
    if not isinstance(loaded, dict):
        raise ArchiveError(f"{folder.name}: record.json is not a JSON object")
    return loaded


def _links(folder: Path) -> tuple[Any, Any, str]:
    """What a record says comes before it, what it says its hash is, and what that is.

    A run looks at the same chain for each of its records: a file is read again only if it is another one by now.

    Raises:
        ArchiveError: it is missing or no JSON object.
    """
    try:
        found = (folder / "record.json").stat()
    except OSError as error:
        raise ArchiveError(f"{folder.name}: record.json cannot be read ({error.strerror})") from None
    return _read_links(folder, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=4096)
def _read_links(folder: Path, _state: tuple[int, ...]) -> tuple[Any, Any, str]:
    record = read_record(folder)
    return record.get("previous"), record.get("hash"), record_hash(record)


class Chain:
    """The records in one folder. Appending needs the archive's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Folders of the sealed records, oldest first."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))
        except OSError:
            return []

    def next_name(self, run_id: str, now: dt.datetime) -> tuple[str, dt.datetime]:
        """Name and instant for a record sealed at `now`, moved on where the clock has not (or has gone back)."""
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        for last in self.names()[-1:]:
            after = dt.datetime.strptime(last.rpartition("-")[0], _STAMP).replace(tzinfo=dt.UTC)
            now = max(now, after + dt.timedelta(milliseconds=1))
        return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{run_id}", now

    def tip(self) -> tuple[str | None, str | None]:
        """Hash that the next record has to carry as `previous`, and a sentence if the chain's end is damaged."""
        names, head = self.names(), self._head()
        if not names:
            return head, None if head is None else f"the chain's newest record ({head[:12]}…) is missing"
        try:
            last = read_record(self.folder / names[-1])
        except ArchiveError as error:
            return head, str(error)
        found = last.get("hash")
        # A crash between a record and HEAD leaves HEAD one behind, which is no damage.
        if head is not None and head not in (found, last.get("previous")):
            return head, f"the chain's newest record is not {names[-1]}: HEAD says {head[:12]}…"
        return found if isinstance(found, str) else head, None

    def advance(self, to: str) -> None:
        """Notes the newest hash."""
        replace_file(self.folder / HEAD, to.encode() + b"\n")

    def broken(self, name: str) -> str | None:
        """A sentence if `name` is not linked, record by record, back to the first of the chain; None if all is well."""
        names = self.names()
        expected: str | None = None
        for earlier in names[: names.index(name) + 1]:
            try:
                previous, said, expected_next = _links(self.folder / earlier)
            except ArchiveError as error:
                return str(error)
            if previous != expected:
                return f"{earlier}: the record before it is missing, or not the one it was sealed after"
            expected = expected_next
            if said != expected:
                return f"{earlier}: record.json was altered after it was sealed"
        return self.tip()[1] if name == names[-1] else None

    def _head(self) -> str | None:
        try:
            return (self.folder / HEAD).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None


@dataclass(frozen=True)
class Finding:
    """What became of one required predecessor (`notebook@environment`)."""

    requires: str
    ok: bool
    sentence: str
    record: str | None = None
    """Run id of the record that decides."""
    sealed_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def predecessors(archive: Archive, requires: Iterable[str], release: str) -> list[Finding]:
    """For each `notebook@environment`: whether its sealed record for `release` can be trusted and says PROMOTE.

    The newest record that decided something counts. One that only planned (PLANNED), or that failed without touching
    anything, takes nothing back; one that ended in the middle of a change does, for what is in force is then unknown.
    """
    return [_finding(archive, requirement, release) for requirement in requires]


def _finding(archive: Archive, requirement: str, release: str) -> Finding:
    notebook, _, env = requirement.partition("@")
    for ref in reversed(archive.records(env, release, notebook)):
        record = None
        try:
            archive.verify(ref)
            record = archive.load(ref)
        except ArchiveError as error:
            return Finding(requirement, False, f"the record of {requirement} cannot be trusted: {error}", ref.run_id)
        if record.open_changes:
            sentence = f"{requirement} {record.status} in the middle of a change (run {ref.run_id}); run it again"
            return Finding(requirement, False, sentence, ref.run_id, record.sealed_at)
        if record.status == "completed" and record.decision not in (None, "PLANNED"):
            ok = record.decision == "PROMOTE"
            says = f"{requirement} says {record.decision} (run {ref.run_id}, {record.sealed_at[:16]}Z)"
            return Finding(requirement, ok, says if ok else f"{says}, wants PROMOTE", ref.run_id, record.sealed_at)
    return Finding(requirement, False, f"no sealed record of {requirement} for release {release}")


def by_id(refs: Iterable[RecordRef], prefix: str) -> list[RecordRef]:
    """Those whose run id, or folder name, starts with `prefix`."""
    return [ref for ref in refs if prefix and (ref.run_id.startswith(prefix) or ref.folder.name.startswith(prefix))]
