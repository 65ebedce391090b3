"""Where things lie in the archive: names of runs and folders, sealed records, what was attached to them later."""

from __future__ import annotations

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


def safe(name: str) -> str:
    """`name` as a folder's name: letters, digits, `.`, `_` and `-`, never hidden, never empty."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")[:100] or "unknown"


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
        """The report to open: that of the newest attachment, else the sealed one."""
        attached = sorted(self.folder.glob("attachments/*/report.html"))
        return attached[-1] if attached else self.folder / "report.html"


def attachments(ref: RecordRef) -> Iterator[dict[str, Any]]:
    """What was attached to a record, oldest first, each verified: `attachment.json`, and its folder's `name`.

    Raises:
        ArchiveError: an attachment was altered, or belongs to another record.
    """
    for folder in sorted((ref.folder / "attachments").glob("[0-9]*")):
        try:
            facts = json.loads((folder / "attachment.json").read_bytes())
            intact = facts["hash"] == record_hash(facts) and facts["run_id"] == ref.run_id
            intact = intact and all(file_hash(folder / name) == sha for name, sha in facts["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise ArchiveError(f"{ref.folder.name}: the attachment {folder.name} was altered after it was attached")
        yield {**facts, "name": folder.name}


PARAMS = "RUNBOOK_PARAMS"
"""Environment variable with the folder of `service.yaml` and the others, where it is not the project's `params/`."""
CASE = "case.json"
"""File of the record that says what its verdict was made of."""
