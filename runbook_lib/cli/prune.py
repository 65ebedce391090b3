"""`runbook archive prune`: only typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import moment, when
from runbook_lib.cli.options import ArchiveRoot, AsJson, Reason, existing
from runbook_lib.cli.terminal import prose, say, say_json
from runbook_lib.judge import words

_EXITS = """\b
Exit codes:
  0  done, or planned
  1  error: the archive is damaged or cannot be written
  2  bad usage
  3  refused: whether the archive is whole cannot be told, or a release that was given up is at work"""


_LATE = (
    "lies after the newest record of a run. Ages count from that record, as a machine's clock may be years ahead; the "
    "latest time to give is"
)


def register(noun: typer.Typer) -> None:
    """Adds the command to the noun `archive`."""
    noun.command("prune", epilog=_EXITS)(archive_prune)


def archive_prune(
    older_than: Annotated[str, typer.Option(metavar="SPAN", help="Remove records sealed before: 400d ago, or a time.")],
    archive: ArchiveRoot = Path("archive"),
    given_up: Annotated[
        list[str] | None,
        typer.Option(metavar="RELEASE", help="Release that stopped without being accepted; may be repeated."),
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who prunes; for the tombstone.")] = "",
    reason: Reason = "",
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; without it, only list them.")] = False,
    json_: AsJson = False,
) -> None:
    """Remove old records and leave tombstones, so that chains and log still verify. Without --apply it changes nothing.

    It keeps the records of a release that is running (until its acceptance says PROMOTE) or in force (until another's
    does), the newest record of each chain, and the entries of people. Removed records cannot be restored.
    Format: docs/audit.md.

    Example: [bold]runbook archive prune --older-than 400d --by "Ada L." --apply[/bold]
    """
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.journal import utc_now
    from runbook_lib.record.log.intake import mended
    from runbook_lib.record.prune import counted_from, plan, prune

    if apply and not by.strip():
        raise UsageError("--by is empty: --apply expects the name of the person who prunes")
    root = Archive(existing(archive))
    if apply:
        mended(root)
    clock = utc_now()
    newest = counted_from(root, clock)
    late = {} if newest == clock else {"late": _LATE}
    before = moment(older_than, newest, "--older-than", **late)
    found = plan(root, before, given_up or ())
    if apply and (found.records or found.left):
        prune(root, found, by, reason)
    facts: dict[str, Any] = {
        "applied": apply,
        "before": before.isoformat(timespec="seconds"),
        "records": [str(ref.folder) for ref in [*found.records, *found.left]],
        "bytes": found.bytes,
        "running": found.running,
        "tombstones": [str(ref.folder) for ref in found.tombstones],
    }
    if json_:
        say_json(facts)
        return
    many, size = words.count(len(facts["records"]), "record"), f"{found.bytes / 1e6:,.1f} MB"
    prose(
        f"{many} sealed before {when(before)}, {size}: {'pruned' if apply else 'would go; --apply removes them'}",
        bold=True,
    )
    for folder in () if apply else facts["records"]:
        say(folder)
    for release, kept in found.running.items():
        prose(f"kept: {words.count(kept, 'record')} of release {release}, which is running or in force")
    for folder in facts["tombstones"]:
        say(f"tombstone: {folder}")
