"""The chain of records of one environment, release and notebook: each carries the hash of the one before.

A record's folder is named after the instant of its sealing, strictly later than the one before, so sorting the names
gives the chain. `HEAD` repeats the newest hash; only the log can show that records were removed together with it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.form import DEEPEST, depth, kind_of, misformed, nested
from runbook_lib.record.place import instant, names_in
from runbook_lib.record.seal import canonical, record_hash, strict, written

if TYPE_CHECKING:
    from runbook_lib.record.place import RecordRef

_STAMP = "%Y%m%dT%H%M%S.%fZ"
HEAD = "HEAD"


def spelt_head(to: str) -> bytes:
    """The bytes of `HEAD` for a chain whose newest record has this hash."""
    return to.encode() + b"\n"


def read_record(folder: Path) -> dict[str, Any]:
    """The JSON of `record.json`, not verified.

    Raises:
        ArchiveError: it is missing, is not a JSON object, or is something that no version writes: nested too deeply,
            or with characters that are not valid text. `Unread`: this user may not read it.
    """
    return parsed(folder, _raw(folder))


def _raw(folder: Path) -> bytes:
    try:
        return read_plain(folder / "record.json")
    except PermissionError as error:
        raise Unread.of(error, folder) from None
    except OSError as error:
        raise ArchiveError(f"{folder.name}: record.json cannot be read ({error.strerror})") from None


def parsed(folder: Path, raw: bytes) -> dict[str, Any]:
    """The JSON of the bytes of `record.json`; errors are those of `read_record`."""
    try:
        loaded = strict(raw)
    except (ValueError, RecursionError):
        raise ArchiveError(f"{folder.name}: record.json is not JSON as it is sealed") from None
    if not isinstance(loaded, dict):
        raise ArchiveError(f"{folder.name}: record.json is not a JSON object")
    if depth(raw) > DEEPEST and nested(loaded) > DEEPEST:
        raise ArchiveError(f"{folder.name}: record.json is nested more than {DEEPEST} levels deep")
    if any(mark in raw for mark in (b"\\ud", b"\\uD", b"\xed")):  # maybe half of a surrogate pair
        try:
            canonical(loaded)
        except ValueError:
            raise ArchiveError(f"{folder.name}: record.json has characters that no text has") from None
    return loaded


def follows(folder: Path) -> bool:
    """Whether a record is the one that its chain's HEAD says, or was sealed after that one; so also without a HEAD."""
    record, head = read_record(folder), _head_of(folder.parent)
    return not head or head in (record.get("hash"), record.get("previous"))


class Link(NamedTuple):
    """The claims of a record about itself, and what its file really is."""

    previous: Any
    said: Any  # the hash that the record states
    hash: str
    place: tuple[str, ...]
    """Environment, release, notebook and run id as the record states them, not yet as folder names."""
    files: Any
    name: str  # the folder name that follows from run id and sealing time; empty: it has no sealing time
    spelt: bool  # whether the file's bytes are exactly those that sealing writes
    schema: int = 0
    file: str = ""  # SHA-256 of its bytes
    kind: str = ""  # as its leaf in the log has it, and so the time
    sealed_at: str = ""

    @property
    def altered(self) -> bool:
        """Whether the file differs from the one that was sealed."""
        return self.said != self.hash or not self.spelt


def link(folder: Path, vouched: str = "") -> Link:
    """The link of one record.

    The file is cached: it is read again only if it has changed since.

    Args:
        vouched: SHA-256 of `record.json` according to the archive's log: if the file has it, the record's own
            hash and spelling are known to be right and are not computed again.

    Raises:
        ArchiveError: see `read_record`.
    """
    return _read_link(folder, state_of(folder), vouched)


def state_of(folder: Path) -> tuple[int, ...]:
    """Inode, size and times of `record.json`: while they are the same, what was read of it holds.

    Raises:
        ArchiveError: the file is missing.
    """
    try:
        found = (folder / "record.json").stat()
    except PermissionError as error:
        raise Unread.of(error, folder) from None
    except OSError as error:
        raise ArchiveError(f"{folder.name}: record.json cannot be read ({error.strerror})") from None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@cache
def _read_link(folder: Path, _state: tuple[int, ...], vouched: str) -> Link:
    raw = _raw(folder)
    record = parsed(folder, raw)
    if wrong := misformed(record):
        raise ArchiveError(f"{folder.name}: {wrong}")
    file = hashlib.sha256(raw).hexdigest()
    if vouched and file == vouched:
        found, spelt = str(record.get("hash")), True
    else:
        try:
            found, spelt = record_hash(record), raw == written(record)
        except (ValueError, RecursionError):
            raise ArchiveError(f"{folder.name}: record.json has a value that is not sealed so") from None
    place = tuple(record[key] for key in ("env", "release", "notebook", "run_id"))
    name, at = _named(record["sealed_at"], place[-1]), str(record["sealed_at"])
    previous, files, kind = record["previous"], record["files"], kind_of(record)
    return Link(previous, record["hash"], found, place, files, name, spelt, record["schema"], file, kind, at)


def _named(sealed_at: Any, run_id: str) -> str:
    """The folder name of a record; empty if the record does not say when it was sealed."""
    try:
        return folder_name(run_id, dt.datetime.fromisoformat(sealed_at))
    except (TypeError, ValueError, OverflowError):
        return ""


def folder_name(run_id: str, at: dt.datetime) -> str:
    """The folder name of a record that was sealed at the instant `at`."""
    return f"{instant(at)}-{run_id}"


class Chain:
    """The records in one folder. Appending needs the archive's lock."""

    def __init__(self, folder: Path, names: list[str] | None = None) -> None:
        """`names`: the folder names, if the caller knows where the chain ends; None: they are listed at each use."""
        self.folder, self._names = folder, names

    def names(self) -> list[str]:
        """Folders of the sealed records, oldest first."""
        return names_in(self.folder) if self._names is None else self._names

    def next_name(self, run_id: str, now: dt.datetime) -> tuple[str, dt.datetime]:
        """Name and instant for a record sealed at `now`, moved on if the clock stood still or went back."""
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        for last in reversed(self.names()):
            with suppress(ValueError, OverflowError):  # no seal made a folder of such an instant: it is passed over
                after = dt.datetime.strptime(last.rpartition("-")[0], _STAMP).replace(tzinfo=dt.UTC)
                now = max(now, after + dt.timedelta(milliseconds=1))
                break
        return folder_name(run_id, now), now

    def tip(self) -> tuple[str | None, str | None]:
        """The hash that the next record must carry as `previous`, and a sentence if the chain's end is damaged."""
        names, head, unread = self.names(), None, None
        try:
            head = self._head()
        except Unread as error:
            unread = str(error)
        if not names:
            return head, unread if head is None else f"the chain's newest record ({head[:12]}…) is missing"
        try:
            last = read_record(self.folder / names[-1])
        except ArchiveError as error:
            return head, str(error)
        found = last.get("hash")
        if self._linked():
            return found if isinstance(found, str) else head, f"{HEAD} of the chain is a link; it is kept as a file"
        # A crash between a record and HEAD leaves HEAD one behind, which is no damage.
        if head is not None and head not in (found, last.get("previous")):
            return head, f"the chain's newest record is not {names[-1]}: HEAD says {head[:12]}…"
        return found if isinstance(found, str) else head, unread

    def of_run(self, run_id: str) -> list[Path]:
        """The records of a run: one or none."""
        return [self.folder / name for name in self.names() if name.endswith(f"-{run_id}")]

    def broken(
        self,
        logged: Mapping[str, str] | None = None,
        pruned: Mapping[str, tuple[str, str | None]] | None = None,
        known: Mapping[str, Link] | None = None,
    ) -> dict[str, ArchiveError | None]:
        """For each record an error if its chain to the first is broken or may not be read (`Unread`), else None.

        Each record is read once.

        Args:
            logged: name and file hash of each record of this chain in the archive's log; None: no log.
            pruned: name to hash and predecessor of each record that has a tombstone (`record/tombstones.py`).
            known: name to link of each record that was read before and has not changed.
        """
        found: dict[str, ArchiveError | None] = {}
        expected: str | None = None
        before: Any = None
        trouble: ArchiveError | None = None
        apart = "the record before it is missing, or not the one it was sealed after"
        there, buried = self.names(), pruned or {}
        for name in sorted({*there, *buried}):
            if name not in there:
                if buried[name][1] != expected and trouble is None:
                    trouble = ArchiveError(f"{name}: {apart}")
                expected, before = buried[name]
                continue
            if trouble is None:
                try:
                    one = (known or {}).get(name) or link(self.folder / name, (logged or {}).get(name, ""))
                except ArchiveError as error:
                    trouble = error
                else:
                    if one.previous != expected:
                        trouble = ArchiveError(f"{name}: {apart}")
                    elif one.name != name:
                        trouble = ArchiveError(f"{name}: the folder was renamed: its record was sealed as {one.name}")
                    elif one.altered:
                        trouble = ArchiveError(f"{name}: record.json was altered after it was sealed")
                    expected, before = one.hash, one.previous
            found[name] = trouble
        if found and trouble is None:
            last, rest = there[-1], {name: one for name, one in (logged or {}).items() if name not in buried}
            try:
                ends = self._ends(last, (expected, before), len(found), None if logged is None else rest)
                found[last] = ArchiveError(ends) if ends else None
            except Unread as error:
                found[last] = error
        return found

    def _ends(self, last: str, own: tuple[Any, Any], count: int, logged: Mapping[str, str] | None) -> str | None:
        """The damage after the last record, if all are linked; `own`: hashes of that record and its predecessor."""
        gone = [name for name in logged or () if name > last]
        if gone:
            return f"{gone[0]}: it was removed; the archive's log has it"
        if self._linked():
            return f"{last}: {HEAD} of its chain is a link; it is kept as a file"
        head = self._head()
        if head is None:
            # A crash between the first record and its HEAD leaves no HEAD: no damage. A record is logged only after
            # its HEAD is written.
            lost = count > 1 or last in (logged or ())
            return f"{last}: {HEAD} of its chain is missing" if lost else None
        # One behind is no damage: see `tip`.
        return None if head in own else f"the chain's newest record is not {last}: HEAD says {head[:12]}…"

    def _linked(self) -> bool:
        return (self.folder / HEAD).is_symlink()

    def _head(self) -> str | None:
        return _head_of(self.folder)


def _head_of(folder: Path) -> str | None:
    try:
        return read_plain(folder / HEAD).decode("ascii", "replace").strip()
    except PermissionError as error:
        raise Unread.of(error, folder / HEAD) from None
    except OSError:
        return None


def by_id(refs: Iterable[RecordRef], prefix: str) -> list[RecordRef]:
    """The references whose run id or folder name starts with `prefix`."""
    return [ref for ref in refs if prefix and (ref.run_id.startswith(prefix) or ref.folder.name.startswith(prefix))]
