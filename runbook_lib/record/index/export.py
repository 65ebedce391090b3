"""The tables as files: CSV or Parquet, one folder per table, and the DDL by which Athena reads the same files.

FOLDER/runs/runs.parquet, FOLDER/gates/gates.parquet, ..., FOLDER/athena.sql
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from runbook_lib.base import errors, foreign
from runbook_lib.base.errors import ArchiveError
from runbook_lib.judge import words
from runbook_lib.record.index.tables import TABLES
from runbook_lib.record.seal import replace_file

Form = Literal["csv", "parquet"]
DDL = "athena.sql"
_ATHENA = {"VARCHAR": "string", "BIGINT": "bigint", "DOUBLE": "double", "BOOLEAN": "boolean", "TIMESTAMP": "timestamp"}


def export(index: Path, folder: Path, form: Form, location: str) -> list[Path]:
    """Writes each table, whole or not at all, and the DDL; replaces the files of an earlier export.

    Args:
        index: the index's file.
        location: where the folder will lie in S3: `s3://bucket/prefix`.

    Raises:
        ArchiveError: the folder cannot be written.
    """
    import duckdb

    written = []
    with duckdb.connect(str(index), read_only=True) as base:
        base.create_function("cell", foreign.cell, ["VARCHAR"], "VARCHAR")
        for table in TABLES:
            file = folder / table / f"{table}.{form}"
            part = file.with_name(f".part-{file.name}")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                base.execute(f"COPY ({_rows(table, form)}) TO '{_quoted(part)}' ({_options(table, form)})")
                part.replace(file)
            except (OSError, duckdb.Error) as error:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                said = str(error).partition("\n")[0]
                raise ArchiveError(f"{file} cannot be written ({said})") from None
            written.append(file)
            errors.done_here["export"] = f"{words.count(len(written), 'file')} written in {folder} before that"
    replace_file(folder / DDL, ddl(form, location).encode())
    return [*written, folder / DDL]


def _texts(table: str) -> list[str]:
    return [f'"{one.name}"' for one in TABLES[table] if one.type == "VARCHAR"]


def _options(table: str, form: Form) -> str:
    """The form of the file. Texts are quoted: a spreadsheet may part cells at a semicolon or tab."""
    if form == "parquet":
        return "FORMAT parquet, COMPRESSION zstd"
    return f"FORMAT csv, HEADER true, FORCE_QUOTE ({', '.join(_texts(table))})"


def _rows(table: str, form: Form) -> str:
    """SQL for the rows of a table. In CSV each text is that of a cell (`foreign.cell`)."""
    if form == "parquet":
        return f"FROM {table} ORDER BY ALL"
    told = [f"cell({one}) AS {one}" for one in _texts(table)]
    return f"SELECT * REPLACE ({', '.join(told)}) FROM {table} ORDER BY ALL"  # noqa: S608 - names of our own


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def ddl(form: Form, location: str) -> str:
    """The DDL that creates the tables in Athena, with the names and columns of `archive query`.

    Athena reads every column of a CSV file as text.
    """
    told = [
        "-- The tables of `runbook archive query`, for Amazon Athena: copy the folders to LOCATION, then run each.\n"
    ]
    for table, columns in TABLES.items():
        names = ",\n".join(
            f"  `{one.name}` {'string' if form == 'csv' else _ATHENA[one.type]} COMMENT '{_comment(one.told)}'"
            for one in columns
        )
        stored = (
            "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'\n"
            "WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '\"', 'escapeChar' = '\\u0000')\n"
            "STORED AS TEXTFILE"
            if form == "csv"
            else "STORED AS PARQUET"
        )
        head = "\nTBLPROPERTIES ('skip.header.line.count' = '1')" if form == "csv" else ""
        place = f"{location.rstrip('/')}/{table}/"
        told.append(f"CREATE EXTERNAL TABLE `{table}` (\n{names}\n)\n{stored}\nLOCATION '{place}'{head};\n")
    return "\n".join(told)


def _comment(text: str) -> str:
    """A comment in the DDL, without quotes that would end it; Athena takes 255 characters."""
    return text.replace("'", "").replace("`", "")[:255]
