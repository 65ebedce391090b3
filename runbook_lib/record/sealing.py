"""The end of an execution's record: sealing it, or a sentence with the failure and what to do."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.foreign import stderr, word
from runbook_lib.base.kept_at import home_address
from runbook_lib.record import staging as folders
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.place import RecordRef
from runbook_lib.record.record import Problem, Status


def sealed(
    archive: Archive,
    staging: Path,
    status: Status,
    error: Problem | str | None = None,
    notebook: dict[str, Any] | None = None,
) -> tuple[RecordRef | None, str]:
    """The sealed record; if the archive refuses it, None and a sentence with the reason and what to do."""
    try:
        return seal_staged(archive, staging, status=status, error=error, notebook=notebook), ""
    except ArchiveError as trouble:
        if not staging.is_dir():
            return None, str(trouble)
        told = error.model_dump(mode="json") if isinstance(error, Problem) else error
        folders.keep_end(staging, status, told, notebook)
        kept = f"the record is kept in {staging}: the next run seals it, or `runbook archive sync{option_of(archive)}`"
        return None, f"{trouble}; {kept}"


def option_of(archive: Archive) -> str:
    """The command-line option that names the archive."""
    return f" --archive {word(home_address(archive.root) or archive.root)}"


def sealed_or_said(archive: Archive, staging: Path, status: Status, error: str | None = None) -> str:
    """The folder of the sealed record; empty if sealing failed, which is printed on standard error."""
    ref, trouble = sealed(archive, staging, status, error)
    if ref is None:
        stderr(trouble)
    return str(ref.folder) if ref else ""


def swept_and_sealed(archive: Archive, staging: Path, status: Status, error: str | None = None) -> str:
    """As `sealed_or_said`, after what earlier runs left open; sealing itself reports why that is impossible."""
    with suppress(ArchiveError, OSError):
        archive.sweep()
    return sealed_or_said(archive, staging, status, error)


def cut_short(error: str = "") -> None:
    """Seals what this process, which ends, has begun and not sealed: as failed with this error, else as cancelled."""
    for staging, root in list(folders.unsealed.items()):
        if staging.is_dir():
            swept_and_sealed(Archive(root), staging, "failed" if error else "cancelled", error or "interrupted")
