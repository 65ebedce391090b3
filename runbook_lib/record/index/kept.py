"""The index: the tables of all records in one duckdb file, derived from the records and renewed before each question.

It lies in the user's own cache, never in the archive. Its contents are checked, so that neither an old nor a changed
index misleads: the file's name is an HMAC over its bytes, with a key that lies elsewhere; and each record's rows count
only while the archive's log vouches for the `record.json` that they were made from, and that file has not changed.
An index that fails the checks is not used, and a new one is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.foreign import one_line
from runbook_lib.base.own_files import cache_of, own_key
from runbook_lib.base.plain_file import read_plain
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import parsed
from runbook_lib.record.index import tables
from runbook_lib.record.index.tables import TABLES, Row, rows_of
from runbook_lib.record.index.there import LeftOut, records_there, state_of
from runbook_lib.record.intact import GONE
from runbook_lib.record.log.files import CHECKPOINT, FOLDER, parts, read_log
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.sealing import SEALING
from runbook_lib.record.place import RecordRef
from runbook_lib.record.record import LOGGED_SINCE
from runbook_lib.record.seal import record_hash
from runbook_lib.record.tombstones import stones

MANY = 500
"""Number of records to read again from which the user is told that it takes a while."""
Rows = dict[str, list[Row]]
"""Rows of one record, by table."""


@dataclass
class Index:
    """The duckdb file with the tables."""

    file: Path
    records: int = 0
    read: int = 0
    """Number of records read again for this question."""
    left: LeftOut = field(default_factory=LeftOut)


class _Row(NamedTuple):
    """The index's entry for one record."""

    file: str
    """SHA-256 of the `record.json` that the rows were made from."""
    state: str
    """Inode, size and times of that file on disk."""


@dataclass(frozen=True)
class _Known:
    """The contents of the index in the cache."""

    log: str = ""
    """Digest of the log that vouched for it (`_of_log`)."""
    records: dict[str, _Row] = field(default_factory=dict)


@dataclass
class _Change:
    """The changes to write into the index."""

    log: str
    fresh: dict[str, Rows] = field(default_factory=dict)
    """Path of a record to its rows."""
    lasting: dict[str, _Row] = field(default_factory=dict)
    """The records in `fresh` that the log vouches for: the cache keeps them."""
    gone: set[str] = field(default_factory=set)
    """Paths of records whose rows are to be removed."""


@contextlib.contextmanager
def index(archive: Archive, told: Callable[[str], object]) -> Iterator[Index]:
    """The archive's index as it is now, for the duration of the block.

    Args:
        told: called with a sentence if it takes a while, or if the index cannot be cached.

    Raises:
        ArchiveError: there is no room for it in the temporary folder.
    """
    import duckdb

    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="runbook-index-"))
            made = _renewed(archive, cache_of(archive.root), Path(folder) / "index.duckdb", told)
        except (FileNotFoundError, duckdb.IOException) as error:
            said = str(error).partition("\n")[0]
            raise ArchiveError(f"the index cannot be written ({said}); TMPDIR may name another folder") from None
        yield made


def _renewed(archive: Archive, home: Path, spare: Path, told: Callable[[str], object]) -> Index:
    key = own_key(told)
    # Only a private copy is checked and used, so nobody can change it in between.
    known = _copied(home, spare, key) if key else _Known()
    log = _of_log(archive.root)
    made, change = Index(spare), _Change(log)
    _compare(archive, known, change, made, told)
    if change.lasting or change.gone or known.log != log:
        rows = {path: change.fresh.pop(path) for path in change.lasting}
        _write(spare, change, rows)
        if key:
            try:
                _keep(spare, home, key)
            except OSError as error:
                told(f"the index is not kept in {home} ({one_line(error)}): the next question reads every record again")
    if change.fresh or not spare.exists():  # records that no log vouches for are read each time
        _write(spare, _Change(log), change.fresh)
    return made


def _compare(archive: Archive, known: _Known, change: _Change, made: Index, told: Callable[[str], object]) -> None:
    """Finds the rows to add, those among them to keep in the cache, and the rows to remove."""
    there = records_there(archive.root, made.left)
    # If the log's files are those that vouched for the cached rows, no leaf needs to be read.
    trusted = known.log != "" and known.log == change.log
    log = read_log(archive.root) if not trusted or there.keys() != known.records.keys() else None
    leaves = log.by_path if log and not log.damage else {}
    stale = [
        path for path, state in there.items() if not _same(known.records.get(path), state, trusted, leaves.get(path))
    ]
    if len(stale) > MANY:
        told(f"reading {len(stale)} records into the index; the next question takes those that are new")
    if stale and log is None:
        log = read_log(archive.root)
        leaves = log.by_path if log and not log.damage else {}
    verify, shut = archive.verifier(), log is not None and log.unread
    for path in stale if not shut else ():  # nothing vouches for them
        ref, leaf = archive.at(archive.root / path), leaves.get(path)
        try:
            record, digest, state = _read(ref)
            if leaf is None or not _vouched(leaf, record, digest, there[path]):
                verify(ref)
            else:
                change.lasting[path] = _Row(digest, state)
            change.fresh[path] = rows_of(record, path)
        except PermissionError as error:
            made.left.add(Unread.of(error, ref.folder))
        except (ArchiveError, OSError) as error:
            made.left.add(ArchiveError(error))
    if log is not None and shut:
        made.left.add(Unread(log.damage[0].sentence))
    elif log is not None and not made.left.unknown:  # what may not be looked into is not gone
        buried = stones(archive.root, log)
        for one in log.by_path:
            if one not in there and one not in buried:
                made.left.add(ArchiveError(GONE.format(one.rpartition("/")[2])))
    made.records, made.read = len(there), len(stale)
    again = set(stale)
    change.gone = {path for path in known.records if path in again or path not in there}


def _same(known: _Row | None, state: str, trusted: bool, leaf: Leaf | None) -> bool:
    vouched = known is not None and (trusted or (leaf is not None and known.file == leaf.file))
    return known is not None and vouched and state != "" and known.state == state


def _of_log(root: Path) -> str:
    """SHA-256 over the files of the log; empty: no log that can be read exists, or a seal is under way."""
    try:
        if SEALING in os.listdir(root / FOLDER):  # noqa: PTH208 - raises what `exists` passes over
            return ""
        return "".join(_digest(root / FOLDER / name) for name in (*parts(root / FOLDER), CHECKPOINT))
    except OSError:
        return ""


def _read(ref: RecordRef) -> tuple[dict[str, Any], str, str]:
    """The record, the SHA-256 of its file, and the file's state before reading."""
    state = state_of(str(ref.folder))
    raw = read_plain(ref.folder / "record.json")
    return parsed(ref.folder, raw), hashlib.sha256(raw).hexdigest(), state


def _vouched(leaf: Leaf, record: Mapping[str, Any], digest: str, state: str) -> bool:
    """Whether the log says that this is the record that was sealed; if not, the verifier finds out why."""
    if digest != leaf.file or not state:
        return False
    if leaf.how != "taken_in":
        return True
    schema = record.get("schema")
    try:
        return isinstance(schema, int) and schema < LOGGED_SINCE and record_hash(record) == record.get("hash")
    except (ValueError, RecursionError):
        return False


def _write(spare: Path, change: _Change, rows: Mapping[str, Rows]) -> None:
    import duckdb

    with duckdb.connect(str(spare)) as base:
        for table, columns in TABLES.items():
            said = ", ".join(f'"{one.name}" {one.type}' for one in columns)
            base.execute(f"CREATE TABLE IF NOT EXISTS all_{table} (of_record VARCHAR, {said})")
            base.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * EXCLUDE (of_record) FROM all_{table}")
        base.execute("CREATE TABLE IF NOT EXISTS of_records (of_record VARCHAR, file VARCHAR, state VARCHAR)")
        base.execute("CREATE OR REPLACE TABLE of_log AS SELECT ? AS log", [change.log])
        if change.gone:
            for table in ("of_records", *(f"all_{one}" for one in TABLES)):
                gone = sorted(change.gone)
                base.execute(f"DELETE FROM {table} WHERE of_record IN (SELECT unnest(?))", [gone])
        _load(base, "of_records", ({"of_record": path, **one._asdict()} for path, one in change.lasting.items()))
        for table in TABLES:
            each = ({"of_record": path, **row} for path, tables_ in rows.items() for row in tables_.get(table, ()))
            _load(base, f"all_{table}", each)


def _load(base: Any, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Loads rows from a temporary file: duckdb is slow at inserting them one by one."""
    described = base.execute(f"DESCRIBE {table}").fetchall()
    columns = {name: type_ for name, type_, *_ in described}
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as file:
        empty = True
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True) + "\n")
            empty = False
        file.flush()
        if empty:
            return
        base.execute(
            f"INSERT INTO {table} SELECT * FROM read_json(?, format='newline_delimited', columns=?)",
            [file.name, columns],
        )


def _mac(file: Path, key: bytes) -> str:
    """HMAC of the file and of the code that makes the rows: another version's index does not match."""
    own = hmac.new(key, hashlib.sha256(Path(tables.__file__).read_bytes()).digest(), "sha256")
    own.update(bytes.fromhex(_digest(file)))
    return own.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _copied(home: Path, spare: Path, key: bytes) -> _Known:
    """Copies the cached index to `spare` and returns its contents; without a usable index both are empty."""
    import duckdb

    for file in sorted(home.glob("*.duckdb")):
        try:
            shutil.copyfile(file, spare)
            if hmac.compare_digest(file.stem, _mac(spare, key)):
                with duckdb.connect(str(spare), read_only=True) as base:
                    rows = base.execute("SELECT of_record, file, state FROM of_records").fetchall()
                    ((log,),) = base.execute("SELECT log FROM of_log").fetchall()
                return _Known(str(log), {path: _Row(digest, state) for path, digest, state in rows})
        except (OSError, duckdb.Error):
            pass
        spare.unlink(missing_ok=True)
    return _Known()


def _keep(spare: Path, home: Path, key: bytes) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = [*home.glob("*.duckdb")]
    final = home / f"{_mac(spare, key)}.duckdb"
    handle, part = tempfile.mkstemp(prefix=".part-", dir=home)
    os.close(handle)
    shutil.copyfile(spare, part)
    Path(part).replace(final)
    for file in before:
        if file != final:
            file.unlink(missing_ok=True)
