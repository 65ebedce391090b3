"""Records as rows, for a terminal, a pipe or JSON."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection
from typing import Any

from runbook_lib.base.errors import ArchiveError, Unread
from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import report_of
from runbook_lib.record.changes import change_row
from runbook_lib.record.intact import GONE, Verifier
from runbook_lib.record.place import RecordRef, instant, safe
from runbook_lib.record.record import Record
from runbook_lib.record.said import headline, rows
from runbook_lib.record.seen import MANY, Seen

MOST = 8
"""Most names in one sentence."""


def list_rows(
    archive: Archive,
    *,
    env: str | None = None,
    release: str | None = None,
    notebook: str | None = None,
    since: dt.datetime | None = None,
    verdicts: Collection[str] = (),
) -> list[dict[str, Any]]:
    """The records as rows for a terminal or JSON, oldest first, each verified.

    A damaged record is a row that says so, and so is a record that was removed though the archive's log has it.

    Args:
        notebook: its name or its number: `06`.
        since: only records sealed from this instant on.
        verdicts: only records that decided one of these, in any case; damaged records are always included.
    """
    where = (env, release, None if _is_number(notebook) else notebook)
    first = instant(since) if since else ""
    wanted = {verdict.upper() for verdict in verdicts}

    def wanted_ref(ref: RecordRef) -> bool:
        return ref.sealed >= first and _asked(notebook, ref.notebook)

    there = archive.records(*where)
    refs = [ref for ref in there if wanted_ref(ref)]
    seen = Seen(archive.root, time.time_ns(), archive.told) if len(refs) >= MANY else None
    verify = archive.verifier(seen)
    rows = [(ref, _row(archive, ref, verify, seen)) for ref in refs]
    if seen:
        seen.close(archive.records)
    gone = [ref for ref in archive.lost(*where, there=there) if wanted_ref(ref)]
    if gone:
        rows += [(ref, _bare(ref) | {"problem": GONE.format(ref.folder.name)}) for ref in gone]
        rows.sort(key=lambda one: one[0])
    return [row for _, row in rows if not wanted or row["decision"] in wanted or not row["intact"]]


def unknown(archive: Archive, env: str | None, release: str | None, notebook: str | None = None) -> str:
    """The sentence that the archive has no record of this environment, of this release in it, or of this notebook in
    both, and what it has; empty if it has some.
    """
    for what, said, within in (("env", env, ()), ("release", release, (env,)), ("notebook", notebook, (env, release))):
        if said is None:
            continue
        known = list(dict.fromkeys(str(getattr(ref, what)) for ref in sorted(archive.records(*within))))
        if not any(_asked(said, one) if what == "notebook" else one == safe(said) for one in known):
            word = {"env": "environment"}.get(what, what)
            many = known if len(known) <= MOST else [f"{len(known) - MOST} older ones", *known[-MOST:]]
            there = f"there are: {', '.join(many)}" if known else "there is none"
            return f"no record of {word} {said}; {there}"
    return ""


def _is_number(notebook: str | None) -> bool:
    return bool(notebook) and str(notebook).isdigit()


def _asked(notebook: str | None, name: str) -> bool:
    """Whether a notebook's name is meant by a name or a number; None means any."""
    return name.startswith(f"{notebook}_") if _is_number(notebook) else notebook is None or name == safe(notebook)


def _bare(ref: RecordRef) -> dict[str, Any]:
    return {
        "run": ref.run_id,
        "sealed": ref.sealed,
        "env": ref.env,
        "release": ref.release,
        "notebook": ref.notebook,
        "mode": None,
        "status": None,
        "decision": None,
        "word": None,
        "as_of": None,
        "operator": None,
        "reason": None,
        "item": None,
        "entered": None,
        "intact": False,
    }


def _row(archive: Archive, ref: RecordRef, verify: Verifier, seen: Seen | None = None) -> dict[str, Any]:
    row, found = _bare(ref), verify.seen(ref)
    try:
        if found is None:
            if seen:
                seen.reads(ref)
            record = archive.load(ref)
            row |= (said := _said(record))
        else:
            row |= found.row
        verify(ref)
    except ArchiveError as error:
        return row | {"problem": str(error), "intact": None if isinstance(error, Unread) else False}
    if seen and found is None:
        seen.keep(ref, verify.vouched(ref), said)
    row |= {"intact": True, "problem": None}
    return row


def _said(record: Record) -> dict[str, Any]:
    """The columns that come from the record's own file."""
    row = {"mode": record.mode, "status": record.status, "decision": record.decision, "as_of": record.as_of}
    row |= {"word": record.word if record.entry is None else None}
    row |= {"operator": record.operator or record.caller_arn, "reason": record.why or None}
    if record.entry is not None:
        row |= {"item": record.entry.get("item") or None, "entered": headline(record)[0]}
    return row


def show_record(archive: Archive, prefix: str) -> dict[str, Any]:
    """One record for a terminal or JSON: its row of `list_rows`, its decision, changes and files.

    Raises:
        ArchiveError: no record or several have an id that starts with `prefix`; or the record cannot be read.
    """
    from runbook_lib.record import report

    ref = archive.find(prefix)
    record = archive.load(ref)
    said = report.headline(record)
    keys = ("title", "verdict", "value", "interval", "n", "target", "alert", "reason")
    return {
        **_row(archive, ref, archive.verifier()),
        "reason": said.reason,
        "next": said.next,
        "error": record.failure if record.error else None,
        "acted": {name: list(whats) for name, whats in record.acted._asdict().items()},
        "account": record.account_id,
        "operator": record.operator or record.caller_arn,
        "changes": [change_row(change) for change in record.changes],
        "warnings": list(record.warnings),
        "files": record.files,
        "report": str(report_of(ref)),
        "hash": record.hash,
        "previous": record.previous,
        "entry": rows(record) if record.entry else [],
        "gates": [
            {key: report.gate_row(raw).get(key) for key in keys}
            | {"word": report.gate_row(raw, interim=record.moment == "during")["verdict"]}
            for raw in record.gates
        ],
    }
