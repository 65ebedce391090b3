"""Where things lie in the archive: names of runs and folders, sealed records, what was attached to them later."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.seal import file_hash, record_hash


def new_run_id() -> str:
    """Twelve hexadecimal digits, unique for all practical purposes."""
    return uuid.uuid4().hex[:12]


LONGEST = 100


def safe(name: str) -> str:
    """`name` as a folder's name: letters, digits, `.`, `_` and `-`, never hidden, never empty, 100 characters at most.

    Two names that are cut to the same beginning stay two: a hash tells them apart.
    """
    plain = _plain(name)
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[: LONGEST - 17]}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"


def is_place(folder: str, name: str) -> bool:
    """Whether records of `name` lie in `folder`; versions before 0.2 cut a long name without a hash."""
    return folder in (safe(name), _plain(name)[:LONGEST])


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-") or "unknown"


@dataclass(frozen=True, order=True)
class RecordRef:
    """Where a sealed record lies; the order is that of sealing."""

    sealed: str
    """UTC instant of sealing, as in the folder's name."""
    run_id: str
    env: str
    release: str
    notebook: str
    folder: Path

    @property
    def report(self) -> Path:
        """The report to open: that of the newest attachment, if all of them are intact, else the sealed one."""
        with contextlib.suppress(ArchiveError):
            for facts in reversed(list(attachments(self))):
                if "report.html" in facts["files"]:
                    return self.folder / "attachments" / str(facts["name"]) / "report.html"
        return self.folder / "report.html"


STAMP = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
"""The name of an attachment's folder."""
FACTS = "attachment.json"


def attachments(ref: RecordRef) -> Iterator[dict[str, Any]]:
    """What was attached to a record, oldest first, each verified: `attachment.json`, and its folder's `name`.

    Raises:
        ArchiveError: an attachment was altered, belongs to another record, or was not made by attaching.
    """
    folder = ref.folder / "attachments"
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        if one.name.startswith(".part-"):
            continue  # an attaching that a crash cut short; nothing reads it
        try:
            facts = json.loads((one / FACTS).read_bytes())
            files = facts["files"]
            there = {path.name for path in one.iterdir()}
            intact = STAMP.fullmatch(one.name) is not None and there == {*files, FACTS}
            intact = intact and facts["hash"] == record_hash(facts) and facts["run_id"] == ref.run_id
            intact = intact and facts["record"] == read_hash(ref.folder)
            intact = intact and all(file_hash(one / name) == sha for name, sha in files.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            intact = False
        if not intact:
            raise ArchiveError(f"{ref.folder.name}: the attachment {one.name} was altered after it was attached")
        yield {**facts, "name": one.name}


def read_hash(folder: Path) -> Any:
    """The hash that a record says it has."""
    return json.loads((folder / "record.json").read_bytes()).get("hash")


PARAMS = "RUNBOOK_PARAMS"
"""Environment variable with the folder of `service.yaml` and the others, where it is not the project's `params/`."""
CASE = "case.json"
"""File of the record that says what its verdict was made of."""
