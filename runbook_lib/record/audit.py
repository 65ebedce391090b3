"""One walk that checks the whole archive against its log, the log against its signature, and both against the witness.

docs/audit.md says what each of them proves, against whom, and which damage each finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from runbook_lib.base.errors import ArchiveError, AwsError, Exit, Unread
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.frame import Frame, frame
from runbook_lib.record.intact import GONE
from runbook_lib.record.log.files import CHECKPOINT, FOLDER, Log, read_log
from runbook_lib.record.log.note import Checkpoint
from runbook_lib.record.log.signers import PublicKey
from runbook_lib.record.log.witness import Witness, each_kept
from runbook_lib.record.tombstones import stones

NO_KEY = (
    "the checkpoint's signature was not checked: no key was given",
    "the checkpoint is not signed: no signing_key is configured",
)
"""Notes where no key was given: about a checkpoint with a signature, and one without."""
BEGUN = {
    True: "who began its seal has the key",
    False: "who began its seal did not have the key, or could not reach it: somebody may have put it there",
}
"""Notes about a seal that was cut short, where a key was given."""
ANNOUNCED = {
    True: "the witness {} was told that its seal began",
    False: "the witness {} was not told that its seal began, or could not be reached: somebody may have put it there",
}
"""Notes about a seal that was cut short, for each witness that keeps announcements."""


@dataclass
class Audit(Frame):
    """What verifying an archive has found."""

    records: int = 0
    """Number of records in the archive."""
    size: int = 0
    """Number of records in the log."""
    root: str = ""
    origin: str = ""
    signed: bool | None = None
    """Whether the key has signed the checkpoint; None: no key was given."""
    witnessed: dict[str, int] = field(default_factory=dict)
    """Witness to the size that it has seen and that agrees."""

    @property
    def exit_code(self) -> Exit:
        """Exit code: 0 intact, 1 damaged, 3 cannot tell."""
        if self.damage:
            return Exit.ERROR
        return Exit.HOLD if self.unknown else Exit.OK

    @property
    def state(self) -> str:
        """The result in one or two words."""
        return {Exit.OK: "intact", Exit.ERROR: "damaged", Exit.HOLD: "cannot tell"}[self.exit_code]

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON, for `--json`."""
        told = [one._asdict() for one in self.damage]
        return {"state": self.state, "exit_code": int(self.exit_code), **asdict(self), "damage": told}


def audit(archive: Archive, key: PublicKey | None = None, witnesses: Sequence[Witness] = ()) -> Audit:
    """Verifies every record, the log, its signature if a key is given, and the checkpoints of the witnesses."""
    done, log = Audit(), read_log(archive.root)
    frame(archive.root, done)
    _records(archive, done)
    if log is not None:
        _log(archive, log, done)
        _signature(log, key, done)
    for one in witnesses:
        _witness(log, one, done)
    return done


def _records(archive: Archive, done: Audit) -> None:
    verify = archive.verifier()
    refs = archive.records()
    done.records = len(refs)
    for ref in refs:
        try:
            verify(ref)
        except (ArchiveError, OSError) as error:
            if isinstance(error, ArchiveError) and error.of_the_log:
                continue  # it would be repeated for each record: it is reported once, at its own place
            if isinstance(error, Unread):
                done.doubt(str(error))
            else:
                done.add(ref.path, str(error))


def _log(archive: Archive, log: Log, done: Audit) -> None:
    for ref in archive.lost():
        done.add(ref.path, GONE.format(ref.folder.name))
    for how, told in (("taken_in", "taken in from before the log"), ("completed", "logged late, after a crash")):
        many = sum(leaf.how == how for leaf in log.leaves)
        if many:
            done.notes.append(f"{told}: {words.count(many, 'record')}")
    buried = stones(archive.root, log)
    if buried:
        newest = when(max(one.sealed_at for one in buried.values()))
        sentence = f"pruned: {words.count(len(buried), 'record')}, the newest sealed {newest}"
        done.notes.append(f"{sentence}; who did it: `runbook archive list --notebook entry`")
    done.size = len(log.hashes)
    if log.checkpoint is not None:
        done.root, done.origin = log.checkpoint.root.hex(), log.checkpoint.origin


def _signature(log: Log, key: PublicKey | None, done: Audit) -> None:
    here, place = log.checkpoint, f"{FOLDER}/{CHECKPOINT}"
    if here is None:
        return  # its absence is reported already
    if key is None:
        done.notes.append(NO_KEY[0] if here.signatures else NO_KEY[1])
        return
    done.signed = key.signed(here)
    if not done.signed:
        what = "its signature is not of this key" if here.signatures else "it is not signed"
        done.add(place, f"{place} cannot be trusted: {what}")
    if (begun := log.sealing) is not None:
        done.notes.append(f"{begun.path}: {BEGUN[begun.signed(key, here.origin)]}")


def _witness(log: Log | None, one: Witness, done: Audit) -> None:
    if not one.readable:
        done.notes.append(f"the witness {one.name} was told each checkpoint, and cannot be asked")
        return
    try:
        had, wrong = each_kept(one)
    except ArchiveError as error:
        done.unknown.append(str(error))
        return
    except AwsError as error:
        done.unknown.append(f"the witness {one.name} cannot be asked: {error}")
        return
    _begun(log, one, done)
    for why in wrong:
        done.doubt(f"the witness {one.name} keeps what is no checkpoint ({why})")
    if not had and wrong:
        return
    if not had:
        done.unknown.append(f"the witness {one.name} keeps nothing yet")
    elif log is not None and log.unread:
        many = had[-1].size
        done.unknown.append(f"the witness {one.name} knows a log of {many} records, and you may not read this one")
    elif trouble := _contradicted(log, had):
        done.add(one.name, f"the witness {one.name} {trouble}")
    elif not wrong:
        done.witnessed[one.name] = had[-1].size


def _begun(log: Log | None, one: Witness, done: Audit) -> None:
    """Notes of a seal that was cut short whether this witness was told that it began."""
    if log is None or log.checkpoint is None or log.sealing is None or not one.announced:
        return
    try:
        said = ANNOUNCED[one.knows(log.sealing.text(log.checkpoint.origin))].format(one.name)
    except (ArchiveError, AwsError) as error:  # what its checkpoint says is compared all the same
        said = f"the witness {one.name} cannot be asked whether its seal began: {error}"
    done.notes.append(f"{log.sealing.path}: {said}")


def _contradicted(log: Log | None, kept: Sequence[Checkpoint]) -> str:
    """What the checkpoints of a witness, the largest last, have against the log; empty: nothing."""
    if log is None:
        return f"knows a log of {kept[-1].size} records, and there is none: it was removed"
    here, sizes = log.checkpoint, [had.size for had in kept]
    for had in reversed(kept):
        if here is not None and here.origin != had.origin:
            return f"knows another log ({had.origin}), not this one ({here.origin}): the archive was replaced"
        if had.size > len(log.hashes):
            return f"knows {had.size} records, this log has {len(log.hashes)}: it was rolled back or cut short"
    there = log.roots(sizes)
    wrong = next((had for had in kept if there[had.size] != had.root), None)
    if wrong is not None:
        return f"knows other records: the first {wrong.size} of this log are not those that were sealed"
    return ""
