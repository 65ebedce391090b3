"""`runbook archive query` and `export`: only typer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runbook_lib.base import plain_file
from runbook_lib.base.errors import UsageError
from runbook_lib.cli.options import ArchiveRoot, AsJson, existing, number, output
from runbook_lib.cli.terminal import Column, say, say_json, table

_EXITS = """\b
Exit codes:
  0  every record is counted
  1  error: a record cannot be trusted and is not counted; standard error names it
  2  bad usage: no question, or one that cannot be understood; no such folder
  3  this user may not read a part of the archive: it is not counted, and standard error names it"""
_SO = "not counted"


def register(noun: typer.Typer) -> None:
    """Adds the commands to the noun `archive`."""
    noun.command("query", epilog=_EXITS)(archive_query)
    noun.command("export", epilog=_EXITS)(archive_export)


def archive_query(
    sql: Annotated[str, typer.Argument(help="The question in SQL, as duckdb has it; - reads it from standard input.")],
    archive: ArchiveRoot = Path("archive"),
    seconds: Annotated[
        float, typer.Option(callback=number, min=0.1, max=86_400, help="Give up after this many seconds.")
    ] = 60.0,
    json_: AsJson = False,
) -> None:
    """Ask the archive in SQL. Tables: runs, gates, costs, actions, people (docs/questions.md).

    A question can write nothing, and read no file. In a pipe: one row per line, with tabs between its fields.

    Example: [bold]runbook archive query "SELECT gate, count(*) FROM gates WHERE verdict = 'FAIL' GROUP BY gate"[/bold]
    """
    from runbook_lib.commands.questions import query

    asked = query(existing(archive), _sql() if sql == "-" else sql, _told, seconds)
    if json_:
        say_json(asked.answer.rows, sealed=True)
    elif asked.answer.rows:
        columns = [Column(name, name) for name in asked.answer.columns]
        table("", columns, asked.answer.rows)
    elif sys.stdout.isatty():
        say("none")
    asked.left.none(_SO)


def archive_export(
    archive: ArchiveRoot = Path("archive"),
    csv: Annotated[Path | None, typer.Option(callback=output, help="Folder for CSV files.")] = None,
    parquet: Annotated[Path | None, typer.Option(callback=output, help="Folder for Parquet files.")] = None,
    location: Annotated[
        str, typer.Option(metavar="S3", help="Where the folder will lie, s3://bucket/prefix: for athena.sql.")
    ] = "",
) -> None:
    """Write the tables of `archive query` as files, and the DDL with which Athena reads them.

    Example: [bold]runbook archive export --parquet build/tables --location s3://our-bucket/runbook[/bold]
    """
    from runbook_lib.commands.questions import write

    folder = parquet or csv
    if folder is None or (csv and parquet):
        raise UsageError("archive export: name one folder, behind --csv or --parquet")
    if folder == Path():
        raise UsageError("archive export: expects the name of a folder, such as build/tables")
    files, left = write(existing(archive), folder, "parquet" if parquet else "csv", location, _told)
    for file in files:
        say(file)
    left.none(_SO)


def _sql() -> str:
    try:
        return plain_file.read_input("a question in SQL").decode()
    except UnicodeDecodeError:
        raise UsageError("-: expects a question in SQL on standard input, and this is not UTF-8") from None


def _told(sentence: str) -> None:
    say(sentence, err=True)
