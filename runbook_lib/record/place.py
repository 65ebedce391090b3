"""Where things lie in the archive: names of runs and folders, sealed records."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path


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


ENTRY = "entry"
"""The chain that entries are in (`record/entry.py`), beside those of the notebooks."""
PARAMS = "RUNBOOK_PARAMS"
"""Environment variable with the folder of `service.yaml` and the others, where it is not the project's `params/`."""
CASE = "case.json"
"""File of the record that says what its verdict was made of."""
