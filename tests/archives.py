"""Archives that somebody has had in hand: of earlier versions, and rewritten by one who knows how."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import Audit, audit
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.journal import Journal
from runbook_lib.record.log.files import FOLDER, LEAVES, Tree, read_tree
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.ledger import facts_of
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.place import RecordRef, new_run_id, path_of
from runbook_lib.record.seal import record_hash, replace_file, written

BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def planted(root: Path, newest: Path, *, fitting: bool = True) -> None:
    """Puts a promotion that nobody sealed after the record `newest`, as if a crash had cut its seal short.

    Args:
        fitting: whether the mark of the seal under way has the record's hash.
    """
    record = read_record(newest)
    record |= {"run_id": "f" * 12, "decision": "PROMOTE", "previous": record["hash"]}
    record["sealed_at"] = "2099-01-01T00:00:00.000+00:00"
    record["hash"] = record_hash(record)
    forged = newest.with_name(f"20990101T000000.000Z-{'f' * 12}")
    shutil.copytree(newest, forged)
    (forged / "record.json").write_bytes(written(record))
    (forged.parent / "HEAD").write_text(str(record["hash"]))
    size = len((root / FOLDER / LEAVES).read_bytes().splitlines())
    seal = {"path": str(forged.relative_to(root)), "size": size, "staging": ""}
    seal["hash"] = record["hash"] if fitting else "0" * 64
    (root / FOLDER / "sealing.json").write_text(json.dumps(seal))


def resealed(folder: Path, **changes: object) -> str:
    """Changes a record, hashes it anew, and says its new hash."""
    raw = {**read_record(folder), **changes}
    raw["hash"] = record_hash(raw)
    (folder / "record.json").write_bytes(written(raw))
    return str(raw["hash"])


def rechained(chain: Chain) -> None:
    """Has each record of a chain follow the one before, and HEAD the last."""
    previous = None
    for name in chain.names():
        previous = resealed(chain.folder / name, previous=previous)
    if previous:
        replace_file(chain.folder / "HEAD", previous.encode() + b"\n")


def relogged(archive: Archive) -> None:
    """Writes the log anew, so that it says what the records are now; nobody signs it."""
    before = read_tree(archive.root / FOLDER)
    assert before is not None
    peaks: list[bytes] = []
    lines = []
    for index, ref in enumerate(archive.records()):
        facts = facts_of(
            path_of(archive.root, ref.folder), (ref.folder / "record.json").read_bytes(), read_record(ref.folder)
        )
        lines.append(Leaf.model_validate({**facts, "index": index}).line())
        peaks = appended(peaks, index, leaf_hash(lines[-1]))
    content = b"".join(line + b"\n" for line in lines)
    tree = Tree(before.origin, len(lines), len(content), tuple(peaks))
    replace_file(archive.root / FOLDER / LEAVES, content)
    replace_file(archive.root / FOLDER / "tree.json", tree.spelt())
    replace_file(archive.root / FOLDER / "checkpoint", tree.checkpoint().note())


def of_version_0_2_and_earlier(archive: Archive) -> None:
    """Makes the archive one of before the log: records of schema 2, no log."""
    shutil.rmtree(archive.root / FOLDER)
    for chain in {ref.folder.parent for ref in archive.records()}:
        head = json.dumps((chain / "HEAD").read_text()) if (chain / "HEAD").exists() else ""
        newest = Chain(chain).names()[-1]
        was = str(read_record(chain / newest)["hash"])
        for name in Chain(chain).names():
            resealed(chain / name, schema=2)
        rechained(Chain(chain))
        if was not in head:
            replace_file(chain / "HEAD", json.loads(head).encode())


def fit_bucket(s3: Any, name: str) -> None:
    """A bucket that may keep an archive: versioned, encrypted, not public."""
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCKED)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


class Machine:
    """A machine that writes to an archive of the team: it has the folder of its own, and seals what it ran there."""

    def __init__(self, root: Path) -> None:
        self.archive = Archive(root)

    def staged(self, notebook: str = "06_phase1", decision: str = "PROMOTE", release: str = "r1") -> Path:
        """A run that has ended and is not sealed."""
        env, run_id = "dev", new_run_id()
        staging = self.archive.stage(env, release, notebook, run_id, "interactive")
        journal = Journal(staging)
        params = {"env": env, "release": release, "account_id": "000000000101", "region": "us-east-1", "mode": "apply"}
        journal.append("opened", run_id=run_id, notebook=notebook, origin="interactive", params=params)
        outcome = {"decision": decision, "reason": "it was judged", "next": "go on"}
        journal.append("decision", moment="after", outcome=outcome)
        journal.append("closed", decision=decision)
        journal.attach("answers.json", "[1, 2]")
        return staging

    def seal(self, *about: str) -> RecordRef:
        """One run, sealed."""
        return seal_staged(self.archive, self.staged(*about), status="completed")

    def audit(self) -> Audit:
        """The whole archive, compared with the bucket object by object."""
        self.archive.home.refresh(anew=True)
        return audit(self.archive)
