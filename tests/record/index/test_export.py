"""The tables as files, and the DDL for the same files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest

from runbook_lib.base import errors, foreign
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.cli.ending import ending
from runbook_lib.commands.questions import write
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.index.export import ddl
from runbook_lib.record.index.tables import TABLES
from runbook_lib.record.index.there import LeftOut

LIKE = {"bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP", "string": "VARCHAR"}


def declared(text: str, table: str) -> list[tuple[str, str]]:
    body = re.search(rf"CREATE EXTERNAL TABLE `{table}` \(\n(.*?)\n\)", text, re.DOTALL)
    assert body
    return re.findall(r"^  `(\w+)` (\w+) COMMENT '[^']+',?$", body[1], re.MULTILINE)


@pytest.mark.slow
def test_parquet_has_the_columns_and_types_that_athena_is_told(filled: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "it's out"
    for _ in range(2):  # over an earlier export
        files, left = write(filled.root, folder, "parquet", "s3://bucket/x/", print)
    assert left == LeftOut() and len(files) == len(TABLES) + 1
    assert sorted(one for one in folder.rglob("*") if one.is_file()) == sorted(files)
    text = (folder / "athena.sql").read_text()
    for table in TABLES:
        path = folder / table / f"{table}.parquet"
        found = duckdb.connect().execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        assert [(name, type_) for name, type_, *_ in found] == [(n, LIKE[t]) for n, t in declared(text, table)]
        assert f"LOCATION 's3://bucket/x/{table}/'" in text
    (row,) = (
        duckdb.connect().execute("SELECT text FROM read_parquet(?)", [str(folder / "people/people.parquet")]).fetchall()
    )
    assert row == ('go, "now"',)


def test_csv_has_a_head_and_every_row(filled: Archive, tmp_path: Path) -> None:
    write(filled.root, tmp_path / "out", "csv", "", print)
    with (tmp_path / "out" / "people" / "people.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == [one.name for one in TABLES["people"]] and row["text"] == 'go, "now"'
    text = ddl("csv", "s3://BUCKET/PREFIX")
    assert "skip.header.line.count" in text and {type_ for _, type_ in declared(text, "runs")} == {"string"}


def test_nothing_is_written_into_the_archive_or_where_it_cannot(filled: Archive, tmp_path: Path) -> None:
    before = sorted(filled.root.rglob("*"))
    for inside in (filled.root, filled.root / "env=prod" / "x", filled.root / ".." / "archive" / "out"):
        with pytest.raises(UsageError, match="lies in the archive"):
            write(filled.root, inside, "csv", "", print)
    assert sorted(filled.root.rglob("*")) == before
    for place in ("bucket", "s3://b'; DROP", "s3://bucket/'x", "https://x"):
        with pytest.raises(UsageError, match="expects s3://bucket/prefix"):
            write(filled.root, tmp_path / "out", "csv", place, print)
    assert "export" not in errors.done_here
    (tmp_path / "half" / list(TABLES)[-1]).mkdir(parents=True)
    (tmp_path / "half" / list(TABLES)[-1] / f"{list(TABLES)[-1]}.csv").mkdir()
    with pytest.raises(ArchiveError, match="cannot be written") as error:
        write(filled.root, tmp_path / "half", "csv", "", print)
    assert f"; {len(TABLES) - 1} files written in {tmp_path / 'half'} before that" in ending(error.value)[0]
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be written"):
        write(filled.root, tmp_path / "file", "csv", "", print)


@pytest.mark.slow
@pytest.mark.parametrize(
    "said",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "\r=1", "\n=1"),
        *("\uff1d1", "\u00a0=1", "\u3000=1", "\ufeff=1", "\u200b+1", "\x0b=1", "\x85=1", "\u2028=1"),
        *("\x1b[31mred", "\x1b]8;;http://127.0.0.1/\x07here", "\u202eturned"),
    ],
    ids=ascii,
)
def test_no_cell_of_a_csv_is_a_formula_or_steers_a_terminal(tmp_path: Path, said: str) -> None:
    archive = Archive(tmp_path / "archive")
    entry = Entry(kind="note", by=said, text=said, at="2026-11-23T00:00:00+00:00")
    sealed(archive, {"env": "prod", "release": "r1"}, entry)
    for form in ("csv", "parquet"):
        write(archive.root, tmp_path / form, form, "", print)  # type: ignore[arg-type]
    with (tmp_path / "csv" / "people" / "people.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    kept = archive.load(archive.records()[0]).entry
    assert kept is not None and row["text"] == foreign.cell(kept["text"])
    assert not any(re.match(r"[\s\ufeff\u200b]*[=+@\uff1d]", value) for value in row.values())
    assert all(value == foreign.terminal(value) for value in row.values())
    path = str(tmp_path / "parquet" / "people" / "people.parquet")
    assert duckdb.connect().execute("SELECT text FROM read_parquet(?)", [path]).fetchone() == (kept["text"],)


def test_nothing_is_written_into_the_archive_through_a_link(filled: Archive, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs").symlink_to(filled.root / "env=prod")
    with pytest.raises(UsageError, match="lies in the archive"):
        write(filled.root, tmp_path / "out", "csv", "", print)


def test_a_csv_has_a_row_in_each_line_and_no_cell_is_parted_elsewhere(tmp_path: Path) -> None:
    """As Athena reads it; and a spreadsheet of another language, which parts cells at a semicolon or tab."""
    archive = Archive(tmp_path / "archive")
    entry = Entry(kind="note", by="Ada", text="first\r\nsecond\rthird;=cmd()\t=cmd()", at="2026-11-23T00:00:00+00:00")
    sealed(archive, {"env": "prod", "release": "r1"}, entry)
    write(archive.root, tmp_path / "out", "csv", "", print)
    lines = (tmp_path / "out" / "people" / "people.csv").read_bytes().decode().splitlines()
    assert len(lines) == 2 and '"first second third;=cmd()\t=cmd()"' in lines[1]
