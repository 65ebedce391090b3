"""`runbook archive verify`, `sign`, `sync` and `prove`: the log, its signature and witness, and proofs for others."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.kept_at import home_address
from runbook_lib.base.plain_file import read_some
from runbook_lib.judge import words
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import NO_KEY, Audit, audit
from runbook_lib.record.home.home import RolledBack
from runbook_lib.record.log.files import Log, read_log
from runbook_lib.record.log.intake import mended
from runbook_lib.record.log.keeping import keeping
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.ledger import Ledger
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.proof import consistency_proof, inclusion_proof, proven
from runbook_lib.record.log.signers import PublicKey, public_key
from runbook_lib.record.log.witness import Witness, witness
from runbook_lib.record.place import RecordRef, path_of, shut_out
from runbook_lib.record.staging import ended

MOST_PROOF = 1_000_000
"""Most bytes of a proof or a checkpoint; one has less than 2 kB."""


def verify(root: Path, key: str = "", witnesses: Sequence[str] = ()) -> Audit:
    """Verifies the archive at `root`.

    Args:
        key: PEM file of the key that must have signed, or `awskms:` and a KMS key; empty: the one in `service.yaml`.
        witnesses: names of the witnesses that must agree, as in `service.yaml`; none: those in `service.yaml`.
    """
    unknown: list[str] = []
    public: PublicKey | None = None
    asked: list[Witness] = []
    region = ""
    try:
        said = keeping(root)
        key, witnesses, region = key or said.signing_key, witnesses or said.witness, said.region
    except ArchiveError as error:
        unknown.append(str(error))
    try:
        public = public_key(key, region) if key else None
    except ArchiveError as error:
        unknown.append(f"the signature cannot be checked: {error}")
    for name in witnesses:
        try:
            asked.append(witness(name, region))
        except ArchiveError as error:
            unknown.append(str(error))
    if not (shut_out(root) or root.is_dir()):  # `audit` tells the first
        unknown.append(f"{root} is not a folder: another one is meant, or the archive was removed")
    archive, back = Archive(root), ""
    try:
        archive.home.refresh(anew=True)
    except RolledBack as error:
        back = str(error)
    except ArchiveError as error:
        unknown.append(str(error))
    done = audit(archive, public, asked)
    if done.damage and not (unknown or back):
        with contextlib.suppress(ArchiveError):  # what was found stands
            if other := archive.home.again({one.place for one in done.damage}):
                done = audit(archive, public, asked)
                many = words.count(other, "file")
                done.notes.append(f"of the copy here {many} differed from the bucket: copied anew")
    if back:
        done.add(home_address(root), back)
    done.unknown[:0] = unknown
    if unknown and not public:
        done.notes = [note for note in done.notes if note not in NO_KEY]
    return done


@dataclass(frozen=True)
class Synced:
    """The result of `sync`."""

    sealed: list[str]
    """Folders of records that were waiting to be sealed."""
    came: int
    """Number of files that others have put into the bucket."""
    left: list[str]
    """Runs that could not be sealed, and the reasons."""

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON, for `--json`."""
        return asdict(self)


def sync(root: Path) -> Synced:
    """Seals the ended runs that are not sealed yet, and brings the copy of a bucket up to date.

    Raises:
        ArchiveError: the archive cannot be written or asked.
    """
    archive = Archive(root)
    if any(archive.staging.glob("[!.]*")):
        with archive.lock():  # raises if the archive cannot be written
            pass
    late = mended(archive)
    sealed = [*([str(root / late)] if late else []), *(str(ref.folder) for ref in archive.sweep())]
    left = [f"{one.name} is still in {archive.staging}" for one in archive.staging.glob("[!.]*") if ended(one)]
    return Synced(sealed, archive.home.refresh(whole=True), left)


def sign(root: Path) -> Checkpoint:
    """Signs the log as it is with the key, and returns the checkpoint. A seal does so only where the key has
    signed what was there before.

    Raises:
        ArchiveError: the archive is damaged, a witness contradicts it, or the key is unavailable.
    """
    archive, said = Archive(root), keeping(root)
    mended(archive)
    with archive.lock():
        found = audit(archive, None, [witness(name, said.region) for name in said.witness])
        if found.damage:
            raise ArchiveError(f"nothing was signed: {found.damage[0].sentence}; `runbook archive verify` says more")
        return Ledger(archive.root, archive.told, archive.home).sign()


def prove(root: Path, run: str) -> str:
    """The proof that the record of a run is in the log.

    Raises:
        ArchiveError: the record is missing, was altered, or is not in the log.
    """
    _, log, leaf = logged(Archive(root), run)
    return inclusion_proof(log, leaf)


def logged(archive: Archive, run: str) -> tuple[RecordRef, Log, Leaf]:
    """A verified record, the log, and its leaf there.

    Raises:
        ArchiveError: there is no such record, it was altered, or it is not in a log yet.
    """
    ref = archive.find(run)
    archive.verify(ref)
    log = read_log(archive.root)
    leaf = log.by_path.get(path_of(archive.root, ref.folder)) if log else None
    if log is None or leaf is None:
        raise ArchiveError(f"{ref.folder.name} is not in a log yet; the next seal takes it in")
    return ref, log, leaf


def grew(root: Path, checkpoint: Path) -> str:
    """The proof that the log continues the log of an earlier checkpoint.

    Raises:
        ArchiveError: it does not, or the file is not a checkpoint.
    """
    log = read_log(root)
    if log is None:
        raise ArchiveError("there is no log yet; the next seal begins it")
    try:
        return consistency_proof(log, parsed(read_some(checkpoint, MOST_PROOF)))
    except OSError as error:
        raise ArchiveError(f"{checkpoint} cannot be read ({error.strerror})") from None
    except ValueError:
        raise ArchiveError(f"{checkpoint} is not a checkpoint of a log") from None


def check(proof: Path, key: str) -> tuple[Leaf, Checkpoint]:
    """The leaf and the checkpoint that a proof of `prove` shows, checked with its key; no archive is needed.

    Raises:
        ArchiveError: it proves nothing, or the key did not sign it.
    """
    try:
        leaf, checkpoint = proven(read_some(proof, MOST_PROOF))
    except OSError as error:
        raise ArchiveError(f"{proof} cannot be read ({error.strerror})") from None
    if key and not public_key(key).signed(checkpoint):
        raise ArchiveError(f"{proof}: its checkpoint is not signed by this key")
    return leaf, checkpoint
