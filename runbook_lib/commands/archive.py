"""`runbook archive verify`: the whole archive, its log, its signature and its witness, in one walk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import Audit, audit
from runbook_lib.record.log.keeping import keeping
from runbook_lib.record.log.signers import PublicKey, public_key
from runbook_lib.record.log.witness import Witness, witness


def verify(root: Path, key: str = "", witnesses: Sequence[str] = ()) -> Audit:
    """Verifies the archive at `root`.

    Args:
        key: PEM file of the key that must have signed, or `awskms:` and a key of AWS KMS; empty: `service.yaml` says.
        witnesses: who must agree, as in `service.yaml`; none: `service.yaml` says.
    """
    unknown: list[str] = []
    public: PublicKey | None = None
    asked: list[Witness] = []
    region = ""
    try:
        said = keeping()
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
    done = audit(Archive(root), public, asked)
    done.unknown[:0] = unknown
    if unknown and not public:
        done.notes = [note for note in done.notes if "no key was given" not in note]
    return done
