"""Pruning: removes records older than the time they must be kept; tombstones stay.

The tombstones are sealed first, then the records go: after a crash the archive still verifies, and the next pruning
removes the records that have a tombstone. Entries of people, the newest record of each chain (HEAD is its hash), and
all records of a release that is running or in force are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field

from runbook_lib.base import errors
from runbook_lib.base.errors import ArchiveError, Refused
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import audit
from runbook_lib.record.chain import read_record
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.log.files import Log, read_log
from runbook_lib.record.place import ENTRY, RecordRef, instant, safe
from runbook_lib.record.predecessors import Finding, after
from runbook_lib.record.tombstones import KIND, Stone, facts, stones

ACCEPTANCE = "11_acceptance"
"""The notebook that ends a release: a release runs until this says PROMOTE, and is in force until another's does."""


@dataclass
class Pruning:
    """The records to prune, and those that are old enough but kept."""

    records: list[RecordRef] = field(default_factory=list)
    bytes: int = 0
    left: list[RecordRef] = field(default_factory=list)
    """Records with a tombstone that are still there: an earlier pruning was cut short."""
    running: dict[str, int] = field(default_factory=dict)
    """Each release that is running or in force, with its number of old records."""
    tombstones: list[RecordRef] = field(default_factory=list)
    """The tombstones that this pruning sealed."""


def counted_from(archive: Archive, now: dt.datetime) -> dt.datetime:
    """The instant from which a span such as `400d` counts back: this machine's clock, or the newest record of a run if
    that is older.

    Pruned records cannot be restored, and a clock that is years ahead would make every record old. Entries do not
    count: tombstones are sealed by that same clock.
    """
    newest = max((ref.sealed for ref in archive.records() if ref.notebook != ENTRY), default="")
    try:
        return min(now, dt.datetime.strptime(newest, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=dt.UTC))
    except ValueError:  # no record, or a name that no seal gave, which `plan` reports
        return now


def plan(archive: Archive, before: dt.datetime, given_up: Collection[str] = ()) -> Pruning:
    """The effect that pruning would have.

    Args:
        before: records sealed before this instant are old enough.
        given_up: releases that have stopped although they were never accepted.

    Raises:
        ArchiveError: the archive is damaged or has no log: pruned records could not be told from lost ones.
        Refused: a release that was given up has records since `before`, or does not exist.
    """
    done = audit(archive)
    log = read_log(archive.root)
    if done.damage or log is None:
        why = done.damage[0].sentence if done.damage else "there is no log yet; the next seal begins it"
        raise ArchiveError(f"nothing is pruned: the archive cannot be trusted: {why}", nothing_changed=True)
    if done.unknown:
        raise Refused(f"nothing is pruned: {done.unknown[0]}", nothing_changed=True)
    refs, first = archive.records(), instant(before)
    marks = {leaf.path for leaf in log.by_kind.get(KIND, ())}
    _given_up([ref for ref in refs if ref.path not in marks], first, before, given_up)
    over = {safe(one) for one in given_up} | _accepted(archive, refs)
    newest = {ref.folder.parent: ref for ref in refs}
    known, found = stones(archive.root, log), Pruning()
    for ref in refs:
        if ref.path in known:
            found.left.append(ref)
        elif ref.notebook == ENTRY or ref.sealed >= first or newest[ref.folder.parent] == ref:
            continue
        elif ref.release not in over:
            found.running[ref.release] = found.running.get(ref.release, 0) + 1
        else:
            found.records.append(ref)
            found.bytes += sum(one.stat().st_size for one in ref.folder.rglob("*") if one.is_file())
    return found


def _given_up(refs: list[RecordRef], first: str, before: dt.datetime, given_up: Collection[str]) -> None:
    for release in given_up:
        own = [ref for ref in refs if ref.release == safe(release)]
        if not own:
            raise Refused(f"--given-up {release}: the archive has no record of such a release", nothing_changed=True)
        late = [ref for ref in own if ref.sealed >= first]
        if late:
            what = "entry" if late[-1].notebook == ENTRY else "run"
            why = f"its {what} {late[-1].run_id} was sealed not before {when(before)}"
            if late[-1].sealed == max(ref.sealed for ref in refs if ref.notebook != ENTRY):
                why += (
                    ", and ages count from the newest run of the archive, which is this one: the release can be given "
                    "up once another release has run"
                )
            raise Refused(f"--given-up {release}: it is kept: {why}", nothing_changed=True)


def _accepted(archive: Archive, refs: list[RecordRef]) -> set[str]:
    """The releases that are over: their newest acceptance says PROMOTE, and another release was accepted since.

    The release accepted last is in force, and its records hold its way back.
    """
    found: dict[str, tuple[Finding, RecordRef]] = {}
    for ref in refs:
        if ref.notebook != ACCEPTANCE:
            continue
        before = found.get(ref.release, (None, ref))[0]
        now = after(f"{ACCEPTANCE}@{ref.env}", archive.load(ref), before)
        if now is not None and now is not before:
            found[ref.release] = (now, ref)
    accepted = [ref for now, ref in found.values() if now.ok]
    last = {ref.env: ref for ref in sorted(accepted)}
    return {ref.release for ref in accepted} - {ref.release for ref in last.values()}


def prune(archive: Archive, found: Pruning, by: str, reason: str) -> Pruning:
    """Seals a tombstone for each environment and release, then removes the records with a tombstone.

    Raises:
        ArchiveError: the archive cannot be written, or the tombstone is not logged: then its records stay.
    """
    groups: dict[tuple[str, str], list[RecordRef]] = {}
    for ref in found.records:
        groups.setdefault((ref.env, ref.release), []).append(ref)
    log = read_log(archive.root)
    for refs in groups.values():
        found.tombstones.append(_sealed(archive, log, refs, by, reason))
        _so_far(found, 0)
    with archive.lock():
        known, doomed = stones(archive.root, read_log(archive.root)), [*found.records, *found.left]
        for number, ref in enumerate(doomed, 1):
            if ref.path not in known:
                raise ArchiveError(f"{ref.folder.name} stays: its tombstone is not in the log; verify the archive")
            try:
                archive.home.remove(ref.path)
            except ArchiveError as error:
                raise ArchiveError(f"{error}; prune again") from None
            _so_far(found, number)
    return found


def _so_far(found: Pruning, removed: int) -> None:
    """Notes the progress so far, for the error message of an interrupted pruning."""
    stones_sealed = words.count(len(found.tombstones), "tombstone")
    due = words.count(len(found.records) + len(found.left), "record")
    errors.done_here["prune"] = f"{stones_sealed} sealed and {removed:,} of {due} removed before that; prune again"
    errors.done_here.pop("entry", None)  # the tombstone, which is counted here


def _sealed(archive: Archive, log: Log | None, refs: list[RecordRef], by: str, reason: str) -> RecordRef:
    told = list[Stone]()
    for ref in refs:
        path = ref.path
        leaf = log.by_path.get(path) if log else None
        if leaf is None:
            raise ArchiveError(f"{ref.folder.name} is not in the log; nothing was pruned")
        own = read_record(ref.folder)
        told.append(Stone(path, own.get("previous"), leaf.model_dump(mode="json", by_alias=True)))
    first = read_record(refs[0].folder)
    flat = {"env": str(first.get("env")), "release": str(first.get("release"))}
    flat |= {name: str(first.get(name) or "") for name in ("account_id", "region")}
    first_at, last_at = (when(told[place].sealed_at) for place in (0, -1))
    text = f"{words.count(len(refs), 'record')} pruned, sealed {first_at} to {last_at}" + (
        f": {reason}" if reason else ""
    )
    at = archive.clock().isoformat()
    return sealed(archive, flat, Entry(kind=KIND, by=by, at=at, text=text, facts=facts(told)))
