"""A command that changes AWS without a notebook: it has a record of its own, sealed however the command ends."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from types import TracebackType
from typing import Self

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws, Identity
from runbook_lib.base.errors import ArchiveError, RunbookError
from runbook_lib.base.telling import busy
from runbook_lib.params.load import Params, project_root
from runbook_lib.record import recording, sealing
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal
from runbook_lib.record.record import Status


class CommandRun:
    """The record of a running command; an error inside it goes into the record and on to the caller.

    On entering, runs of earlier commands that were killed are sealed. On leaving, it raises ArchiveError if the record
    cannot be sealed: its journal stays.

    Args:
        name: name of the chain of these records, beside those of the notebooks.

    Raises:
        ArchiveError: the archive cannot be written; nothing was changed.
    """

    def __init__(self, params: Params, name: str, aws: Aws, identity: Identity) -> None:
        self.archive = archive = Archive.of(params)
        where = (params.env, params.release, name, "command")
        flat = params.flat.model_dump(mode="json")
        _, self.staging, self.run_id, _ = recording.staged(archive.root, *where, params=flat, sweep=archive.sweep)
        self.journal = Journal(self.staging)
        self.guard = Guard(params, identity, self.journal)
        self.folder = ""
        """Folder of the record, once it is sealed."""
        recording.opened(self.journal, self.run_id, name, "command", flat)
        recording.called(self.journal, identity, params.operator, aws.endpoint)
        for sentence in params.trouble:
            self.guard.warn(sentence)

    def say(self, text: str) -> None:
        """Adds a note about the result."""
        self.journal.append_or_stderr("note", text=text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        status: Status = "completed"
        if isinstance(error, KeyboardInterrupt):
            status, error = "cancelled", KeyboardInterrupt("interrupted")
        elif error is not None:
            status = "failed"
            self.journal.append_or_stderr("error", type=type(error).__name__, text=str(error))
        if error is not None:  # the caller must hear of the first error
            self.folder = sealing.sealed_or_said(self.archive, self.staging, status, str(error))
            return
        ref, trouble = sealing.sealed(self.archive, self.staging, status)
        if ref is None:
            raise ArchiveError(f"it was done, but {trouble}")
        self.folder = str(ref.folder)


_PACKAGES = ("rollout-runbook", "boto3", "botocore", "pandas", "matplotlib", "scipy", "papermill", "pydantic")
_COMMIT, _NONE = "# branch.oid ", "(initial)"
"""How `git status` says which commit it is, and that there is none yet."""


_GIT_S = 5.0
"""Seconds for which git is waited for: a record says `unknown` then."""


def versions() -> dict[str, str]:
    """Versions of Python and packages, and the runbook's commit, with a mark if files differ from it."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    try:
        # Without locks: one that is stopped while it holds the index's would leave the team's repository locked.
        git = ["git", "--no-optional-locks", "-C", str(project_root()), "status", "--porcelain=v2", "--branch"]
        with busy(f"git looks for changed files, {_GIT_S:.0f} s at most"):
            said = subprocess.run(git, capture_output=True, text=True, timeout=_GIT_S, check=True).stdout.splitlines()
        commit = next(line.removeprefix(_COMMIT) for line in said if line.startswith(_COMMIT))
        changed = any(not line.startswith("# ") for line in said)
        found["commit"] = "unknown" if commit == _NONE else commit + (" (dirty)" if changed else "")
    except (OSError, subprocess.SubprocessError, StopIteration, RunbookError):
        found["commit"] = "unknown"
    return found
