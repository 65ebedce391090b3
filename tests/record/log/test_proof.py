"""Proofs: of each record of a log, small, and worth nothing once anything in them is another."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.archive import Archive
from runbook_lib.record.log.files import Log, read_log
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.merkle import leaf_hash, root_of, roots
from runbook_lib.record.log.note import Checkpoint, parsed
from runbook_lib.record.log.proof import consistency_proof, inclusion_proof, proven
from runbook_lib.record.place import RecordRef
from tests.record.log.test_merkle import consistent


def log_of(archive: Archive) -> Log:
    log = read_log(archive.root)
    assert log is not None
    return log


def test_each_record_is_shown_to_be_in_the_log(archive: Archive, sealed: Callable[..., RecordRef]) -> None:
    for _ in range(7):
        sealed()
    log = log_of(archive)
    for leaf in log.leaves:
        assert proven(inclusion_proof(log, leaf).encode()) == (leaf, log.checkpoint)


def test_a_proof_that_was_altered_shows_nothing(archive: Archive, sealed: Callable[..., RecordRef]) -> None:
    for _ in range(5):
        sealed()
    log = log_of(archive)
    text = inclusion_proof(log, log.leaves[2])
    other = base64.b64encode(log.leaves[2].model_copy(update={"hash": "0" * 64}).line()).decode()
    lines = text.split("\n")
    for forged in (
        text.replace("index 2", "index 3"),
        text.replace(lines[1], f"extra {other}"),
        text.replace(lines[3], lines[4]),
        text.replace("@v1", "@v2"),
        text.replace("\n5\n", "\n2\n"),  # 6 would pass: size and root are held together by the signature alone
        "",
    ):
        with pytest.raises(ArchiveError, match="proves nothing"):
            proven(forged.encode())


@pytest.mark.slow
def test_a_proof_is_under_two_kilobytes_in_a_log_of_ten_thousand() -> None:
    folder = "env=staging/release=2026.11-vpr-async/09_deprecate_sync/20261123T030000.000Z-4f1c0a9be2d7"
    leaves = [
        Leaf(
            index=one, kind="run", path=folder, sealed_at="2026-11-23T03:00:00.000+00:00", hash="0" * 64, file="1" * 64
        )
        for one in range(10_000)
    ]
    log = Log(leaves=leaves, hashes=[leaf_hash(leaf.line()) for leaf in leaves])
    root = roots(log.hashes, [10_000])[10_000]
    signature = ("rollout-runbook/4f1c0a9be2d7", b"x" * 76)
    log.checkpoint = Checkpoint("rollout-runbook/4f1c0a9be2d7", 10_000, root, (signature,))
    text = inclusion_proof(log, leaves[4_711])
    assert len(text) < 2_000 and proven(text.encode())[0] == leaves[4_711]


def test_the_log_is_shown_to_have_only_grown(
    archive: Archive, sealed: Callable[..., RecordRef], tmp_path: Path
) -> None:
    sealed()
    sealed()
    old = parsed((archive.root / "log" / "checkpoint").read_bytes())
    for _ in range(3):
        sealed()
    head, _, note = consistency_proof(log_of(archive), old).partition("\n\n")
    said, *hashes = head.split("\n")
    new = parsed(note.encode())
    assert (said, new.size) == ("old 2", 5)
    assert consistent(2, 5, [base64.b64decode(one) for one in hashes], old.root, new.root)
    with pytest.raises(ArchiveError, match="not the beginning of this one"):
        consistency_proof(log_of(archive), Checkpoint(old.origin, 2, root_of([])))
    with pytest.raises(ArchiveError, match="of another log"):
        consistency_proof(log_of(archive), Checkpoint("another", 2, old.root))
    (archive.root / "log" / "checkpoint").write_bytes(old.note())
    with pytest.raises(ArchiveError, match="nothing can be proven"):
        consistency_proof(log_of(archive), old)
