"""One walk that checks the whole archive against its log, the log against its signature, and both against the witness.

docs/audit.md says what each of them proves, against whom, and which damage each finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runbook_lib.base.errors import ArchiveError, AwsError, Exit
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import HEAD, Chain
from runbook_lib.record.intact import GONE
from runbook_lib.record.log.files import CHECKPOINT, FOLDER, LEAVES, SEALING, Log, read_log, read_sealing
from runbook_lib.record.log.note import Checkpoint
from runbook_lib.record.log.signers import PublicKey
from runbook_lib.record.log.witness import Witness, kept
from runbook_lib.record.place import NAME, path_of
from runbook_lib.record.tombstones import stones


class Damage(NamedTuple):
    """One file or folder that is not as it was sealed."""

    place: str
    """Path from the archive's root, or the witness's name."""
    sentence: str


@dataclass
class Audit:
    """The findings of verifying an archive."""

    records: int = 0
    """Number of records in the archive."""
    size: int = 0
    """Number of records in the log."""
    root: str = ""
    origin: str = ""
    signed: bool | None = None
    """Whether the key has signed the checkpoint; None: no key was given."""
    witnessed: dict[str, int] = field(default_factory=dict)
    """Each witness that agrees, and the log size that it has seen."""
    damage: list[Damage] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Questions that cannot be answered."""
    notes: list[str] = field(default_factory=list)

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

    def add(self, place: str, sentence: str) -> None:
        """Adds one damage, unless it is there already."""
        one = Damage(place, sentence)
        if one not in self.damage:
            self.damage.append(one)


def audit(archive: Archive, key: PublicKey | None = None, witnesses: Sequence[Witness] = ()) -> Audit:
    """Verifies every record, the log, its signature if a key is given, and the checkpoints of the witnesses."""
    done, log = Audit(), read_log(archive.root)
    _pending(archive, log, done)
    _strange(archive.root, done)
    _records(archive, log, done)
    if log is None:
        done.unknown.append("there is no log yet: whether records were removed cannot be told; the next seal begins it")
    else:
        _log(archive, log, done)
        _signature(log, key, done)
    for one in witnesses:
        _witness(log, one, done)
    return done


def _pending(archive: Archive, log: Log | None, done: Audit) -> None:
    """Reports a seal that a crash cut short. Verifying repairs nothing: it may lack the key to sign."""
    file = archive.root / FOLDER / SEALING
    if not file.exists():
        return
    begun = read_sealing(file.parent)
    if begun is None:
        done.add(path_of(archive.root, file), "it cannot be read; sealing writes it whole")
    elif (archive.root / begun.path).exists() and not (log and begun.path in log.by_path):
        done.unknown.append(
            f"{begun.path} was being sealed when its process ended, and the log does not have it: the next seal logs it"
        )
    else:
        done.notes.append("a seal was cut short: the next one puts it in order")


def _records(archive: Archive, log: Log | None, done: Audit) -> None:
    verify = archive.verifier()
    refs = archive.records()
    done.records = len(refs)
    for ref in refs:
        try:
            verify(ref)
        except (ArchiveError, OSError) as error:
            sentence = str(error)
            # A damaged log would be repeated for each record: it is reported once, at its own place.
            if not (log and log.damage and sentence.endswith(log.damage[0])):
                done.add(path_of(archive.root, ref.folder), sentence)
    chains = {ref.folder.parent for ref in refs}
    for chain in archive.root.glob(f"env=*/release=*/*/{HEAD}"):
        if chain.parent not in chains and (trouble := Chain(chain.parent).tip()[1]):
            done.add(path_of(archive.root, chain.parent), trouble)


def _log(archive: Archive, log: Log, done: Audit) -> None:
    for sentence in log.damage:
        done.add(f"{FOLDER}/{CHECKPOINT if sentence.startswith(f'{FOLDER}/{CHECKPOINT}') else LEAVES}", sentence)
    for ref in archive.lost():
        done.add(path_of(archive.root, ref.folder), GONE.format(ref.folder.name))
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
        done.notes.append(
            "the checkpoint's signature was not checked: no key was given"
            if here.signatures
            else "the checkpoint is not signed: no signing_key is configured"
        )
        return
    done.signed = key.signed(here)
    if not done.signed:
        what = "its signature is not of this key" if here.signatures else "it is not signed"
        done.add(place, f"{place} cannot be trusted: {what}")


def _witness(log: Log | None, one: Witness, done: Audit) -> None:
    if not one.readable:
        done.notes.append(f"the witness {one.name} was told each checkpoint, and cannot be asked")
        return
    try:
        had = kept(one)
    except ArchiveError as error:
        done.unknown.append(str(error))
        return
    except ValueError as error:
        done.unknown.append(f"the witness {one.name} keeps no checkpoint ({error})")
        return
    except AwsError as error:
        done.unknown.append(f"the witness {one.name} cannot be asked: {error}")
        return
    if had is None:
        done.unknown.append(f"the witness {one.name} keeps nothing yet")
    elif trouble := _contradicted(log, had):
        done.add(one.name, f"the witness {one.name} {trouble}")
    else:
        done.witnessed[one.name] = had.size


def _contradicted(log: Log | None, had: Checkpoint) -> str:
    if log is None:
        return f"knows a log of {had.size} records, and there is none: it was removed"
    here = log.checkpoint
    if here is not None and here.origin != had.origin:
        return f"knows another log ({had.origin}), not this one ({here.origin}): the archive was replaced"
    if had.size > len(log.hashes):
        return f"knows {had.size} records, this log has {len(log.hashes)}: it was rolled back or cut short"
    if log.roots([had.size])[had.size] != had.root:
        return f"knows other records: the first {had.size} of this log are not those that were sealed"
    return ""


def _strange(root: Path, done: Audit) -> None:
    """Reports what sealing never creates: links, and stray files where records lie."""
    if (root / FOLDER).is_symlink():
        done.add(FOLDER, "it is a link: a log is kept as files")
    for one in sorted((root / FOLDER).glob("*")):
        if one.is_symlink():
            done.add(f"{FOLDER}/{one.name}", "it is a link: a log is kept as files")
    for place in _found(root):
        done.add(path_of(root, place), f"{place.name} was put there: sealing makes no such thing")


def _found(root: Path) -> Iterator[Path]:
    levels: Iterable[Path] = [one for one in _inside(root) if one.name.startswith("env=")]
    for prefix in ("release=", ""):
        below = []
        for folder in levels:
            if folder.is_symlink() or not folder.is_dir():
                yield folder
                continue
            for one in _inside(folder):
                if one.name.startswith(prefix):
                    below.append(one)
                else:
                    yield one
        levels = below
    for chain in levels:
        if chain.is_symlink() or not chain.is_dir():
            yield chain
            continue
        for one in _inside(chain):
            named = NAME.fullmatch(one.name) is not None
            if one.is_symlink() or one.is_dir() != named or not (named or one.name == HEAD):
                yield one


def _inside(folder: Path) -> list[Path]:
    """The contents of a folder, without the remains of an interrupted write."""
    return sorted(one for one in folder.iterdir() if not one.name.startswith(".part-"))
