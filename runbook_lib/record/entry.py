"""Entries: statements of people in the chain. Attestations, approvals, notes and deviations, each a sealed record.

archive/env=prod/release=2026.11/entry/20261123T030000.000Z-4f1c…/record.json
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from runbook_lib.base import errors
from runbook_lib.base.errors import ArchiveError
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.load import Params
from runbook_lib.record import recording
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import ENTRY, RecordRef
from runbook_lib.record.sealing import option_of
from runbook_lib.record.staging import keep_end

NOTEBOOK = ENTRY

Kind = Literal["attestation", "approval", "note", "deviation", "attachment", "tombstone"]


class Entry(Frozen):
    """What one person stated, and when."""

    kind: Kind
    item: str = ""
    """The subject: an attested item (`gates.yaml`, `attestations`), an approved notebook, the check of a deviating
    setting, the notebook of an attachment, or empty for a note."""
    by: str = Field(min_length=1)
    role: str = ""
    at: str
    """ISO 8601 with a zone, by AWS's clock."""
    link: str = ""
    """Address of the evidence."""
    text: str = ""
    facts: dict[str, Any] = Field(default_factory=dict)
    """Structured facts: what a setting was and is, for a deviation (`judge/incidents/deviation.py`)."""

    @field_validator("by", "role", "item", mode="before")
    @classmethod
    def _trimmed(cls, value: object) -> object:
        return " ".join(value.split()) if isinstance(value, str) else value

    @field_validator("at")
    @classmethod
    def _zoned(cls, value: str) -> str:
        at = dt.datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("has no time zone")
        try:
            at.astimezone(dt.UTC)
        except OverflowError:
            raise ValueError("is beyond the years that can be calculated with") from None
        return value

    @property
    def when(self) -> dt.datetime:
        """`at` in UTC."""
        return dt.datetime.fromisoformat(self.at).astimezone(dt.UTC)


@dataclass(frozen=True)
class Entered:
    """A sealed entry, with what its record adds."""

    entry: Entry
    ref: RecordRef
    caller_arn: str
    attempt: int

    @property
    def env(self) -> str:
        """The environment of the entry."""
        return self.ref.env


@dataclass(frozen=True)
class Book:
    """The intact entries, oldest first, and a sentence for each damaged one."""

    entered: tuple[Entered, ...]
    altered: tuple[str, ...]


def enter(archive: Archive, params: Params, entry: Entry, caller_arn: str = "", run_id: str | None = None) -> RecordRef:
    """Seals `entry` as a record of its own in the chain of the parameters' environment and release.

    Args:
        caller_arn: the caller's ARN according to AWS, if AWS was asked; a typed name alone proves nothing.
        run_id: letters and digits; default: a new one.

    Raises:
        ArchiveError: the archive cannot be written, or the run id is taken.
    """
    return sealed(archive, params.flat.model_dump(mode="json"), entry, caller_arn, run_id)


def sealed(
    archive: Archive, flat: Mapping[str, Any], entry: Entry, caller_arn: str = "", run_id: str | None = None
) -> RecordRef:
    """`enter` for flat parameters, such as those of an earlier record.

    Raises:
        ArchiveError: see `enter`.
    """
    where = (str(flat.get("env", "")), str(flat.get("release", "")), NOTEBOOK, NOTEBOOK)
    _, staging, run_id, _ = recording.staged(archive.root, *where, run_id=run_id or "")
    journal = Journal(staging)
    recording.opened(journal, run_id, NOTEBOOK, NOTEBOOK, dict(flat))
    operator = flat.get("operator") or caller_arn
    journal.append(
        "caller", account_id=str(flat.get("account_id", "")), arn=caller_arn, operator=operator, as_of=entry.at
    )
    journal.append("entry", entry=entry.model_dump(mode="json"))
    _said(entry, "may have been sealed before that: `runbook archive list` shows it")  # a signal may come in between
    try:
        ref = seal_staged(archive, staging, status="completed")
        _said(entry, "was sealed before that")
        return ref
    except ArchiveError as error:
        if entry.by != RUNBOOK:
            errors.done_here["entry"] = "nothing else was changed"
        keep_end(staging, "completed", None, None)
        kept = f"what was said is kept in {staging}: `runbook archive sync{option_of(archive)}` seals it"
        raise ArchiveError(f"{error}; {kept}") from None


def _said(entry: Entry, what: str) -> None:
    """What a command that is interrupted says of the entry; what sealing itself notes was nobody's command."""
    if entry.by != RUNBOOK:
        errors.done_here["entry"] = f"the entry ({entry.kind}) {what}"


RUNBOOK = "runbook"
"""Who notes what sealing itself has found."""


def noted(archive: Archive, ref: RecordRef, sentences: Sequence[str]) -> None:
    """Seals a note, beside the record `ref`, of what sealing has found and no other record says; if it cannot be sealed
    now, it waits for the next seal.
    """
    flat, text = {"env": ref.env, "release": ref.release}, "; ".join(sentences)
    try:
        sealed(archive, flat, Entry(kind="note", by=RUNBOOK, at=archive.clock().isoformat(), text=text))
    except ArchiveError as error:
        archive.told(str(error))


UNCOUNTED = "an entry does not count"


def book(archive: Archive, env: str | None, release: str, kind: Kind | None = None) -> Book:
    """The entries of a release, each verified; an altered one is left out and named.

    Args:
        env: None means any environment.
        kind: None means any kind.
    """
    archive.refresh(release)
    found: list[Entered] = []
    altered: list[str] = []
    for ref, record in archive.trusted(archive.records(env, release, NOTEBOOK), altered.append, UNCOUNTED):
        if record.entry is None or (kind and record.entry.get("kind") != kind):
            continue
        try:
            entry = Entry.model_validate(record.entry)
        except ValueError:
            altered.append(f"{UNCOUNTED}: {ref.folder.name} in {ref.env} cannot be read")
            continue
        found.append(Entered(entry, ref, record.caller_arn, record.attempt))
    found.sort(key=lambda one: (one.entry.when, one.ref.sealed))
    return Book(tuple(found), tuple(dict.fromkeys(altered)))


def same_role(one: str, other: str) -> bool:
    """Whether two role names are the same, ignoring case and spaces."""
    return one.casefold().split() == other.casefold().split()


def newest(entered: Sequence[Entered], item: str, kind: Kind) -> list[Entered]:
    """The entries of one kind about `item`, newest first."""
    return [one for one in reversed(entered) if one.entry.kind == kind and one.entry.item == item]
