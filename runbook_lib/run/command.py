"""A command that changes AWS without a notebook: it has a record of its own, sealed however the command ends."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws, Identity
from runbook_lib.base.errors import ArchiveError
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive, not_sealed, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import new_run_id
from runbook_lib.record.record import Status


class OwnRecord:
    """The record while the command is at work; what goes wrong inside it is in the record, and goes on to the caller.

    What commands before it left open, because they were killed, is closed first. Leaving it raises ArchiveError where
    the record cannot be sealed: its journal stays.

    Args:
        name: of the chain that such records are in, beside those of the notebooks.

    Raises:
        ArchiveError: the archive cannot be written; nothing was changed.
    """

    def __init__(self, params: Params, name: str, aws: Aws, identity: Identity) -> None:
        self.archive, self.run_id = Archive.of(params), new_run_id()
        self.archive.sweep()
        self.staging = self.archive.stage(params.env, params.release, name, self.run_id, "command")
        self.journal = Journal(self.staging)
        self.guard = Guard(params, identity, self.journal)
        self.folder = ""
        """Where it lies, once it is sealed."""
        flat = params.flat.model_dump(mode="json")
        self.journal.append("opened", run_id=self.run_id, notebook=name, origin="command", params=flat)
        self.journal.append(
            "caller", account_id=identity.account, arn=identity.arn, operator=params.operator or identity.arn,
            as_of=identity.now.isoformat(), endpoint=aws.endpoint,
        )  # fmt: skip

    def say(self, text: str) -> None:
        """What came of it, as a note."""
        self.journal.append_or_stderr("note", text=text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        status: Status = "completed"
        if isinstance(error, KeyboardInterrupt):
            status, error = "cancelled", KeyboardInterrupt("ended by Ctrl-C")
        elif error is not None:
            status = "failed"
            self.journal.append_or_stderr("error", type=type(error).__name__, text=str(error))
        said = str(error) if error is not None else None
        try:
            self.folder = str(seal_staged(self.archive, self.staging, status=status, error=said).folder)
        except (ArchiveError, OSError) as trouble:
            told = not_sealed(trouble, self.staging)
            if error is None:
                raise ArchiveError(f"it was done, but {told}") from None
            print(told, file=sys.stderr, flush=True)  # what went wrong first is what the caller must hear
