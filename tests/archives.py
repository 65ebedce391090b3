"""Archives that somebody has had in hand: of earlier versions, and rewritten by one who knows how."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.log.files import FOLDER, LEAVES, Tree, read_tree
from runbook_lib.record.log.leaf import Leaf
from runbook_lib.record.log.ledger import facts_of
from runbook_lib.record.log.merkle import appended, leaf_hash
from runbook_lib.record.place import path_of
from runbook_lib.record.seal import record_hash, replace_file, written


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
