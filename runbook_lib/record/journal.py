"""Journal: the events of a run as they happen. One JSON line per event, on disk before the next step begins.

The kernel appends; the engine, or the run itself in JupyterLab, reads it to seal the record. Secrets are redacted
before they are written.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import math
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.redact import mask_emails
from runbook_lib.base.redact_data import redact
from runbook_lib.base.redact_file import redact_file

FILE = "journal.jsonl"
_SHOWN = 500
"""Most characters of an event at a terminal, if the whole of it is kept elsewhere: a policy has thirty thousand."""
OWING = "owing"
"""Empty file in a staging folder whose journal lacks events: a full disk still takes a name."""
RESERVED = frozenset({FILE, OWING, "owner.json", "record.json", "report.html", "notebook.ipynb", "attachments"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,119}")
OVER = "run {} is over: its record was sealed meanwhile; run all cells again"


def utc_now() -> dt.datetime:
    """The wall clock in UTC: for when something was written, never for what is judged."""
    return dt.datetime.now(dt.UTC)


_NON_FINITE = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def plain(value: Any) -> Any:  # noqa: PLR0911 (one line for each kind of value)
    """`value` as JSON: models dumped, times in ISO 8601, tuples and sets as lists.

    NaN and infinities become words that the models read back: an infinite cost is not "no value".
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _NON_FINITE[str(float(value))]
    if hasattr(value, "model_dump"):  # a pydantic model; asking for its class would load pydantic
        return plain(value.model_dump(mode="json", by_alias=True))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return plain(value.item())
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return str(value)


class Journal:
    """Append-only log of one run in its staging folder.

    Args:
        folder: an existing folder; an existing journal in it is continued.
        clock: gives the time of each event (aware, UTC).
        lenient: for a run that only lowers exposure: an event that cannot be written goes to stderr and stops nothing.
    """

    def __init__(
        self, folder: Path | str, clock: Callable[[], dt.datetime] = utc_now, *, lenient: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.lenient = lenient
        self.path = self.folder / FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._seq: int | None = None
        self._torn = False
        self._owed: list[dict[str, Any]] = []
        """Events that could not be written yet, oldest first: they come before the next one that can."""

    def append(self, event: str, **data: Any) -> dict[str, Any]:
        """Writes one event, flushed and synced to disk, and returns it as written (JSON values, redacted).

        Raises:
            ArchiveError: the disk is full, or the folder is gone (the run was sealed meanwhile). A lenient journal
                does as `append_or_stderr` instead.
        """
        if event == "opened" and isinstance(asked := data.get("params"), Mapping):
            mask_emails(asked.get("redact_emails") is True)  # a run's choice holds from its first event
        if self.lenient:
            return self.append_or_stderr(event, **data)
        with self._lock:
            entry = self._entry(event, data)
            try:
                self._append(entry)
            except ArchiveError as error:
                raise self._told(error) from None
            return entry

    def _told(self, error: ArchiveError) -> ArchiveError:
        if not self.folder.exists():
            return ArchiveError(OVER.format(self.folder.name))
        return ArchiveError(f"{error}; what is in {self.folder} is kept: mend that, then run it again")

    def append_all(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        """As `append` for each of `items`, synced to disk once: sixty checks of an inventory wait for the disk once.

        Raises:
            ArchiveError: see `append`; events written before the error are kept.
        """
        if self.lenient:
            for data in items:
                self.append_or_stderr(event, **data)
            return
        with self._lock:
            try:
                self._append(*(self._entry(event, data) for data in items))
            except ArchiveError as error:
                raise self._told(error) from None

    def append_or_stderr(self, event: str, **data: Any) -> dict[str, Any]:
        """As `append`, but it never raises, for actions that lower exposure: nothing may delay those.

        If the journal cannot be written, the event goes to stderr and to a file in the temporary folder, and is written
        before the next one that can be.
        """
        with self._lock:
            entry = self._entry(event, data)
            try:
                self._append(*self._owed, entry)
                if self._owed:
                    self._owed.clear()
                    with contextlib.suppress(OSError):
                        (self.folder / OWING).unlink(missing_ok=True)
            except ArchiveError as error:
                self._owed.append(entry)
                with contextlib.suppress(OSError):
                    (self.folder / OWING).touch()
                line = _line(entry)
                kept, shown = "", line
                with contextlib.suppress(OSError):
                    spare = _spare(self.folder)
                    _write(spare, line + "\n")
                    kept = f", and is kept in {spare}"
                    shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"
                print(f"{error}; the event follows{kept}\n{shown}", file=sys.stderr, flush=True)
            return entry

    def attach(self, name: str, content: bytes | str, *, clean: bool = False) -> str:
        """Writes a file beside the journal (raw answers, fetched metrics) and notes name, size and hash.

        Text is redacted, JSON by its structure; binary content stays as it is. If the name is taken, the new file gets
        a number: nothing is overwritten.

        Args:
            name: a plain file name.
            content: the file.
            clean: whether it is redacted already or must not be changed, such as a page with a program in it.

        Returns:
            SHA-256 of the written bytes, hexadecimal.

        Raises:
            ArchiveError: the name is not a plain file name, or the file cannot be written (a lenient journal warns).
        """
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise ArchiveError(f"'{name}' cannot be the name of a file in a record")
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        raw = raw if clean else redact_file(name, raw)
        digest = hashlib.sha256(raw).hexdigest()
        with self._lock:
            path = self._free(name, raw)
            try:
                with path.open("wb") as file:
                    file.write(raw)
                    file.flush()
                    os.fsync(file.fileno())
                self._append(self._entry("attached", {"name": path.name, "bytes": len(raw), "sha256": digest}))
            except (OSError, ArchiveError) as error:
                told = f"{path} cannot be written ({getattr(error, 'strerror', None) or error})"
                if not self.lenient:
                    raise ArchiveError(told if self.folder.exists() else OVER.format(self.folder.name)) from None
                print(f"{told}; the run goes on without it", file=sys.stderr, flush=True)
        return digest

    def _free(self, name: str, raw: bytes) -> Path:
        stem, dot, suffix = name.partition(".")
        path, number = self.folder / name, 1
        while path.exists() and path.read_bytes() != raw:
            number += 1
            path = self.folder / f"{stem}-{number}{dot}{suffix}"
        return path

    def _entry(self, event: str, data: Mapping[str, Any]) -> dict[str, Any]:
        if self._seq is None:
            self._seq = self._resume()
        self._seq += 1
        head = {"seq": self._seq, "at": self._clock().isoformat(timespec="milliseconds"), "event": event}
        return {**head, **redact(plain(data)), **head}

    def _append(self, *entries: Mapping[str, Any]) -> None:
        if not entries:
            return
        try:
            _write(self.path, "\n" * self._torn + "".join(f"{_line(entry)}\n" for entry in entries))
        except OSError as error:
            self._torn = True  # part of a line may have been written
            raise ArchiveError(f"the journal {self.path} cannot be written ({error.strerror})") from None
        self._torn = False

    def _resume(self) -> int:
        """The last sequence number of an existing journal; a torn last line is ended first."""
        with contextlib.suppress(OSError):
            raw = read_plain(self.path)
            if raw and not raw.endswith(b"\n"):
                _write(self.path, "\n")
            owed = _parse(b"\n".join(_owed(self.folder, raw)))  # its numbers are not given again, so the gap is seen
            numbers = (entry.get("seq") for entry in [*_parse(raw), *owed])
            return max((number for number in numbers if isinstance(number, int)), default=0)
        return 0


def _spare(folder: Path) -> Path:
    """Where an event is kept that the journal does not take. Raises OSError where there is no temporary folder."""
    return Path(tempfile.gettempdir()) / f"runbook-{folder.name}.jsonl"


def _owed(folder: Path, written: bytes) -> list[bytes]:
    """The lines that a process of this run could not write to the journal, and that are not in `written` either.

    Anybody may write to the temporary folder: only a file of this user counts.
    """
    with contextlib.suppress(OSError):
        spare = _spare(folder)
        if spare.lstat().st_uid == getattr(os, "geteuid", lambda: 0)():
            there = set(written.split(b"\n"))
            return [line for line in read_plain(spare).split(b"\n") if line.strip() and line not in there]
    return []


def settle(folder: Path) -> list[str]:
    """Writes into the journal what could not be written when it happened; what is lost is a warning there. Returns why
    that was impossible, if it was.
    """
    path = folder / FILE
    if not folder.is_dir():
        return []
    try:
        written = read_plain(path) if path.exists() else b""
        owed = _owed(folder, written)
        if owed:
            _write(path, "\n" * (not written.endswith(b"\n") and bool(written)) + b"\n".join(owed).decode() + "\n")
        elif (folder / OWING).exists() and not _spare(folder).exists():
            Journal(folder).append("warning", text=LOST)
        (folder / OWING).unlink(missing_ok=True)
    except (OSError, ArchiveError) as error:
        return [f"the journal lacks what it could not take when it happened ({error}): it cannot be written"]
    return []


LOST = (
    "the last events of this run could not be written (the disk was full): only its terminal or its job's log has them"
)


def forget(folder: Path) -> None:
    """Removes what was kept in the temporary folder for a run that is sealed."""
    with contextlib.suppress(OSError):
        _spare(folder).unlink(missing_ok=True)


def read_events(folder: Path | str) -> list[dict[str, Any]]:
    """The events of a journal in the order they were written.

    A torn line comes back as an event `torn` (with the rest of it), never as an error. A missing journal gives no
    events. What the disk had no room for, and the temporary folder has, is among them.
    """
    raw = b""
    with contextlib.suppress(OSError):
        raw = read_plain(Path(folder) / FILE)
    return _parse(raw) + _parse(b"\n".join(_owed(Path(folder), raw)))


def _parse(raw: bytes) -> list[dict[str, Any]]:
    return [_event(line) for line in raw.split(b"\n") if line.strip()]


def _event(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and isinstance(entry.get("event"), str):
        return entry
    return {"seq": None, "at": None, "event": "torn", "text": line[:200].decode(errors="replace")}


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _write(path: Path, text: str) -> None:
    """Appends in one system call (O_APPEND: lines of two writers do not mix) and syncs to disk."""
    no_pipe = getattr(os, "O_NONBLOCK", 0)  # to open one that nobody reads would wait for ever
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | no_pipe, 0o644)
    try:
        raw = text.encode()
        while raw:
            raw = raw[os.write(handle, raw) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def altered(staging: Path, hashes: dict[str, str]) -> list[str]:
    """Names of attachments that differ at sealing from what the journal says was attached."""
    said = {event["name"]: event["sha256"] for event in read_events(staging) if event["event"] == "attached"}
    return [
        f"{name} is not what was attached, says the journal" for name, sha in said.items() if hashes.get(name) != sha
    ]
