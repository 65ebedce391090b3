"""`runbook archive site`: only typer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.cli.options import ArchiveRoot, AsJson, existing, output
from runbook_lib.cli.terminal import say, say_json
from runbook_lib.judge import words

_EXITS = """\b
Exit codes:
  0  every record is on the site; the files beside it are for `archive verify`
  1  error: a record cannot be trusted and is not on it; standard error names it
  2  bad usage: the archive does not exist, or --out lies in it or holds something other than a site
  3  this user may not read a part of the archive: it is not on the site, and standard error names it"""


def register(noun: typer.Typer) -> None:
    """Adds the command to the noun `archive`."""
    noun.command("site", epilog=_EXITS)(archive_site)


def archive_site(
    archive: ArchiveRoot = Path("archive"),
    out: Annotated[Path, typer.Option(callback=output, help="Folder of the pages.")] = Path("build/site"),
    json_: AsJson = False,
) -> None:
    """Build a static site over the archive: rollouts as timelines, runs with filters and search, gates over time.

    Open its index.html from disk, or copy folder and archive to a web server, in the same relative places.
    It needs no server and no other address. A second build only writes pages whose records have changed.

    Example: [bold]runbook archive site && open build/site/index.html[/bold]
    """
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.place import not_in_archive
    from runbook_lib.record.site.build import build

    root, folder = existing(archive).resolve(), out.resolve()
    if folder == root or root in folder.parents:
        raise not_in_archive("--out", out)
    built = build(Archive(root), folder, lambda told: say(told, err=True))
    if json_:
        told = {"page": str(built.page), "pages": built.pages, "written": built.written, **asdict(built.left)}
        say_json(told)
    else:
        say(f"{words.count(built.pages, 'page')}, {built.written} of them made anew: {built.page}")
    built.left.none("not on the site")
