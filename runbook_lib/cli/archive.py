"""`runbook archive`: typer only; what it shows is `record/archive.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.options import AsJson

ArchiveRoot = Annotated[Path, typer.Option("--archive", help="Folder of the audit records.")]


def register(app: typer.Typer) -> None:
    """Adds the noun."""
    noun = typer.Typer(help="Look into the archive of sealed records.", no_args_is_help=True)
    noun.command("list")(archive_list)
    noun.command("show")(archive_show)
    noun.command("attach")(archive_attach)
    app.add_typer(noun, name="archive")


def archive_list(
    archive: ArchiveRoot = Path("archive"),
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    release: Annotated[str | None, typer.Option(help="Only this release.")] = None,
    notebook: Annotated[str | None, typer.Option(help="Only this notebook.")] = None,
    json_: AsJson = False,
) -> None:
    """List the sealed records, oldest first, each verified against its hash and its predecessor."""
    from runbook_lib.record.archive import Archive, list_rows

    rows = list_rows(Archive(_existing(archive)), env=env, release=release, notebook=notebook)
    if json_:
        typer.echo(json.dumps(rows))
        return
    _table("Records", rows)


def archive_show(
    record: Annotated[str, typer.Argument(help="Run id, or the beginning of one.")],
    archive: ArchiveRoot = Path("archive"),
    json_: AsJson = False,
    markdown_: Annotated[bool, typer.Option("--markdown", help="As Markdown, for the summary of a CI job.")] = False,
) -> None:
    """Show one record: decision, gates, changes, files, and whether it is unaltered."""
    from runbook_lib.record.archive import Archive, show_record

    if markdown_:
        from runbook_lib.record.markdown import markdown

        where = Archive(_existing(archive))
        typer.echo(markdown(where.load(where.find(record))), nl=False)
        return

    shown = show_record(Archive(_existing(archive)), record)
    if json_:
        typer.echo(json.dumps(shown))
        return
    gates = shown.pop("gates", [])
    _table(f"Record {record}", [{"": key, "value": value} for key, value in shown.items()])
    if gates:
        _table("Gates", gates)


def archive_attach(
    notebook: Annotated[Path, typer.Argument(help="The notebook as saved in JupyterLab.", exists=True, dir_okay=False)],
    archive: ArchiveRoot = Path("archive"),
) -> None:
    """Add the saved notebook of an interactive run, and its report, to the record that the run sealed."""
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.attach import attach

    where = attach(notebook, Archive(_existing(archive)))
    typer.echo(f"attached to {where}")


def _existing(root: Path) -> Path:
    if not root.is_dir():
        raise UsageError(f"--archive: {root} is no folder; run a notebook first, or name the right folder")
    return root


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("none")
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)
