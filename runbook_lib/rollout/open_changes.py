"""Changes that were begun and never read back, because their run was killed. They come before any next step.

A later sealed run of the same notebook that left no such change itself has asked AWS what is in force, and so closes
the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.window import when
from runbook_lib.params.load import Params
from runbook_lib.record import journal
from runbook_lib.record import staging as folders
from runbook_lib.record.archive import Archive
from runbook_lib.record.from_journal import from_journal
from runbook_lib.record.place import RecordRef, shut_out
from runbook_lib.record.record import Record
from runbook_lib.rollout import hints

_ROLLBACK_1 = "rollback_1_async_failing"


@dataclass(frozen=True)
class OpenChange:
    """One change of a run that ended before it read the change back."""

    run_id: str
    notebook: str
    what: str
    began_at: str
    next: str
    """The command that finds out what is in force and goes on from there."""

    @property
    def words(self) -> str:
        """The change as a sentence."""
        return (
            f"open change: run {self.run_id} of {self.notebook} began '{self.what}' at {when(self.began_at)} and ended"
        )


def open_changes(params: Params, archive: Archive, left: Sequence[Record] | None = None) -> tuple[OpenChange, ...]:
    """The open changes of the environment's release, newest first.

    Args:
        left: what `dead` says, where it is known.
    """
    found: list[OpenChange] = []
    left = list(dead(params, archive)) if left is None else left
    refs = archive.records(env=params.env, release=params.release)
    for notebook in sorted({one.notebook for one in left} | {one.notebook for one in refs}):
        for record in (*(one for one in left if one.notebook == notebook), *_sealed(archive, refs, notebook)):
            found += [_open(params, record, change.intent) for change in reversed(record.open_changes)]
            if record.status == "completed" and not record.open_changes:
                break
    return tuple(sorted(found, key=lambda one: one.began_at, reverse=True))


def _open(params: Params, record: Record, intent: Mapping[str, object]) -> OpenChange:
    place = hints.with_params(params)
    command = hints.run(params, record.notebook, attempt=record.attempt)
    if record.notebook == _ROLLBACK_1:
        command = hints.rollback_1(params)
    elif record.notebook == "dlq":
        command = f"runbook dlq list {place}"
    elif record.notebook not in (*params.policy.steps, *params.policy.rollbacks):
        command = f"runbook archive show {record.run_id}"  # its record says what it began
    at = str(intent.get("aws_at") or record.as_of or record.sealed_at)
    return OpenChange(record.run_id, record.notebook, str(intent.get("what", "")), at, command)


def dead(params: Params, archive: Archive) -> Iterator[Record]:
    """Runs whose process is gone and that are not sealed yet, newest first. This seals nothing."""
    inside = [] if shut_out(archive.staging) else archive.staging.glob("[!.]*")  # `runbook status` tells it
    staged = [(folders.facts(folder), folder) for folder in inside]
    staged.sort(key=lambda one: str(one[0].get("staged_at")), reverse=True)
    for who, folder in staged:
        if (who.get("env"), who.get("release")) == (params.env, params.release) and not folders.alive(who, folder):
            how = (folders.ended(folder) or {}).get("status", "died")
            yield from_journal(journal.read_events(folder), status=how, owner=who)


def _sealed(archive: Archive, refs: Sequence[RecordRef], notebook: str) -> Iterator[Record]:
    """The notebook's records, newest first; unreadable ones are left out."""
    for ref in reversed([one for one in refs if one.notebook == notebook]):
        try:
            yield archive.load(ref)
        except ArchiveError:
            continue
