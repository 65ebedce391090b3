"""Attachments added to a sealed record later: verified by their hashes and by an entry in the release's chain.

An attachment's own hashes prove that it is whole, not that it was attached: anybody can write one whose hashes agree
and so show a report of their own as the record's. Therefore attaching seals an entry (`record/entry.py`, kind
`attachment`) with the hashes of record and attachment; without such an entry an attachment is refused.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.base.plain_file import MOST_BYTES, read_plain
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.place import ENTRY, RecordRef, instant, is_litter
from runbook_lib.record.seal import file_hash, record_hash, strict

FOLDER = "attachments"
FACTS = "attachment.json"
KIND = "attachment"
"""Kind of the entry that attaching seals."""
Bound = Collection[tuple[str, str]]
"""Pairs: hash of a record, hash of an attachment to it."""


def spelt(facts: dict[str, Any]) -> bytes:
    """The bytes of `attachment.json`: one spelling for the same facts."""
    return json.dumps(facts, indent=1).encode()


def attachments(
    ref: RecordRef, known: Bound | None = None, taken: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The attachments of a record, oldest first, each verified: its `attachment.json`, with its folder's `name`.

    Args:
        known: `bound` of the record's release, read once for many records; default: it is read here.
        taken: hashes of a version 0.1 record's attachments when the log took the record in; None: not known.

    Raises:
        ArchiveError: an attachment was altered, belongs to another record, or was not made by attaching; `Unread`: it
            may not be read.
    """
    folder = ref.folder / FOLDER
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_litter(one):
            continue
        if one.name.startswith(".part-") and not one.is_symlink() and (one.is_dir() or one.is_file()):
            continue  # a crash cut this attaching short; nothing reads it
        which = f"{ref.folder.name}: the attachment {one.name}"
        try:
            raw = read_plain(one / FACTS)
            facts = strict(raw)
            files, record = facts["files"], read_record(ref.folder)
            there = {path.name for path in one.iterdir() if not is_litter(path)}
            intact = not any(path.is_symlink() for path in (one, *one.iterdir()))
            intact = (
                intact
                and one.name == instant(dt.datetime.fromisoformat(facts["attached_at"]))
                and there == {*files, FACTS}
            )
            intact = intact and raw == spelt(facts)
            intact = intact and facts["hash"] == record_hash(facts) and facts["run_id"] == ref.run_id
            intact = intact and facts["record"] == record.get("hash")
            intact = intact and all(file_hash(one / name, MOST_BYTES) == sha for name, sha in files.items())
        except PermissionError as error:
            raise Unread.of(error, one) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            intact = False
        if not intact:
            raise ArchiveError(f"{which} was altered after it was attached")
        known = bound(ref.folder.parents[1]) if known is None else known
        before = _earlier(record) and (taken is None or facts["hash"] in taken)
        if (facts["record"], facts["hash"]) not in known and not before:
            raise ArchiveError(
                f"{ref.folder.name}: the attachment {one.name} was not attached: no sealed entry names it"
            )
        yield {**facts, "name": one.name}


def report_of(ref: RecordRef) -> Path:
    """The report to open: the newest attachment's if all attachments are intact, else the sealed one."""
    with contextlib.suppress(ArchiveError):
        for facts in reversed(list(attachments(ref))):
            if "report.html" in facts["files"]:
                return ref.folder / FOLDER / str(facts["name"]) / "report.html"
    return ref.folder / "report.html"


def bound(release: Path) -> Bound:
    """The attachments that the intact entries of a release's folder name."""
    chain = Chain(release / ENTRY)
    found: set[tuple[str, str]] = set()
    for name, trouble in chain.broken().items():
        if trouble is not None:
            continue  # the entry's own row reports the damage
        entry = read_record(chain.folder / name).get("entry")
        if isinstance(entry, dict) and entry.get("kind") == KIND and isinstance(entry.get("facts"), dict):
            found.add((str(entry["facts"].get("record")), str(entry["facts"].get("attachment"))))
    return found


def unbound(ref: RecordRef, record: dict[str, Any]) -> list[str]:
    """Hashes of a version 0.1 record's attachments, for the log's leaf; empty for a later record."""
    folder, found = ref.folder / FOLDER, []
    for one in sorted(folder.iterdir()) if folder.is_dir() and _earlier(record) else ():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            found.append(str(strict(read_plain(one / FACTS))["hash"]))
    return found


def _earlier(record: dict[str, Any]) -> bool:
    """Whether version 0.1 sealed the record: attaching left no entry then."""
    versions = record.get("versions")
    said = versions.get("rollout-runbook") if isinstance(versions, dict) else None
    return isinstance(said, str) and said.startswith("0.1.")
