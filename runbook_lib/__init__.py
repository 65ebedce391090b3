"""The rollout runbook: judge a gradual deployment on AWS, act on it safely, record what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_lib.rollout.explore import Tables


def open_record(run: str, archive: str | Path = "archive") -> Tables:
    """A sealed record's tables, to look further: `metrics()`, `jobs()`, `durations()`, `errors()`, `gates()`.

    Args:
        run: its run id, or the begin of it.
        archive: the archive's folder; a relative one is the project's.

    Raises:
        ArchiveError: there is no such record, or it is not as it was sealed.
        UsageError: a relative folder, and there is no project here.
    """
    # At the top it would load pandas for every command.
    from runbook_lib.base.kept_at import archive_root
    from runbook_lib.base.project import project_root
    from runbook_lib.record.archive import Archive
    from runbook_lib.rollout.explore import Tables

    return Tables.sealed(Archive(archive_root(archive, project_root())), run)
