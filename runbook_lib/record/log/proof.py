"""Proofs that others can check with only a public key: a record is in the log, and the log only grew.

Inclusion: a C2SP tlog-proof (https://c2sp.org/tlog-proof) whose `extra` is the leaf. Consistency: the body of a request
to a C2SP tlog-witness (https://c2sp.org/tlog-witness). Both end in the checkpoint.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.record.log.files import Log
from runbook_lib.record.log.leaf import Leaf, read_leaf
from runbook_lib.record.log.merkle import consistency, included, inclusion, leaf_hash
from runbook_lib.record.log.note import Checkpoint, parsed

HEADER = "c2sp.org/tlog-proof@v1"


def inclusion_proof(log: Log, leaf: Leaf) -> str:
    """The proof that a leaf is in the log; under 2 kB for a million records.

    Raises:
        ArchiveError: the log is damaged: it proves nothing.
    """
    checkpoint = _whole(log)
    path = inclusion(log.hashes[: checkpoint.size], leaf.index)
    extra = base64.b64encode(leaf.line()).decode()
    return _text([HEADER, f"extra {extra}", f"index {leaf.index}"], path, checkpoint)


def consistency_proof(log: Log, old: Checkpoint) -> str:
    """The proof that the log of an earlier checkpoint is the beginning of this one.

    Raises:
        ArchiveError: the log is damaged, or the checkpoint is not of an earlier state of it.
    """
    checkpoint = _whole(log)
    if old.origin != checkpoint.origin:
        raise ArchiveError(f"the checkpoint is of another log ({old.origin}), not of this one ({checkpoint.origin})")
    if old.size > checkpoint.size or log.roots([old.size])[old.size] != old.root:
        raise ArchiveError(f"the log of {old.size} records that the checkpoint is of is not the beginning of this one")
    return _text([f"old {old.size}"], consistency(log.hashes[: checkpoint.size], old.size), checkpoint)


def proven(text: bytes) -> tuple[Leaf, Checkpoint]:
    """The leaf in an inclusion proof, and the proof's checkpoint; the checkpoint's signature is not checked here.

    Raises:
        ArchiveError: the text proves nothing.
    """
    why = "it is not an inclusion proof"
    try:
        head, _, note = text.partition(b"\n\n")
        header, extra, index, *hashes = [*head.decode().split("\n"), "", ""]
        hashes = hashes[:-2]
        if header != HEADER or not extra.startswith("extra ") or not index.startswith("index "):
            raise ValueError
        line = base64.b64decode(extra.removeprefix("extra "), validate=True)
        leaf, checkpoint = read_leaf(line), parsed(note)
        path = [base64.b64decode(one, validate=True) for one in hashes]
        why = "the leaf is not in the log of the checkpoint"
        right = f"index {leaf.index}" == index
        if not right or not included(leaf_hash(line), leaf.index, checkpoint.size, path, checkpoint.root):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError):
        raise ArchiveError(f"the proof proves nothing: {why}") from None
    return leaf, checkpoint


def _whole(log: Log) -> Checkpoint:
    if log.damage or log.checkpoint is None:
        why = log.damage[0].sentence if log.damage else "the log has no checkpoint"
        raise (Unread if log.unread else ArchiveError)(f"nothing can be proven: {why}")
    return log.checkpoint


def _text(head: list[str], path: Iterable[bytes], checkpoint: Checkpoint) -> str:
    lines = [*head, *(base64.b64encode(one).decode() for one in path)]
    return "\n".join(lines) + "\n\n" + checkpoint.note().decode()
