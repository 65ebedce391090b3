"""Questions: the ten of the page, and what none may do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import project_root
from runbook_lib.record.archive import Archive
from runbook_lib.record.index import ask as asking
from runbook_lib.record.index.ask import ask
from runbook_lib.record.index.kept import index
from tests.questions_page import PAGE, questions

TEN = questions((project_root() / PAGE).read_text(encoding="utf-8"))


@pytest.fixture
def file(filled: Archive) -> Iterator[Path]:
    with index(filled, print) as made:
        yield made.file


@pytest.mark.slow
def test_there_are_ten_and_each_has_an_answer(file: Path) -> None:
    found = {heading: ask(file, sql) for heading, sql in TEN.items()}
    assert len(found) == 10 and all(one.columns for one in found.values())
    rows = {heading.split(",")[0].rstrip("?"): one.rows for heading, one in found.items()}
    assert rows["How long did each phase take"][0]["hours"] == 54.0
    (false,) = rows["Which rollbacks may have been false"]
    assert false["attempt"] == 2
    (approved,) = rows["Who approved what"]
    assert (approved["person"], approved["hours_before"]) == ("ada", 1.0)
    assert {row["run"] for row in rows["Who approved a phase and operated it"]}
    assert len(rows["What was changed in AWS"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "COPY runs TO '{there}'",
        "COPY runs FROM '{there}'",
        "SELECT * FROM read_csv('{there}')",
        "SELECT * FROM '{there}'",
        "SELECT content FROM read_text('{there}')",
        "SELECT * FROM glob('{folder}/*')",
        "ATTACH '{folder}/new.duckdb' AS new",
        "CREATE TABLE mine AS SELECT 1",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "DROP VIEW runs",
        "UPDATE all_runs SET decision = 'PROMOTE'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA version",
        "CALL pragma_version()",
        "EXPORT DATABASE '{folder}/all'",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM rows",
        "SELECT",
        "EXPLAIN ANALYZE COPY runs TO '{there}'",
        "EXPLAIN ANALYZE SELECT * FROM read_csv('{there}')",
        "UPDATE EXTENSIONS",
        "COPY (SELECT 1) TO PROGRAM 'touch {folder}/new'",
        "ATTACH '{there}' (TYPE sqlite)",
        "SELECT * FROM read_blob('{there}')",
        "SELECT * FROM sniff_csv('{there}')",
        "SELECT * FROM query_table('{there}')",
        "SELECT getenv('HOME')",
        "CALL enable_logging(storage_path = '{folder}/log')",
        "SELECT '\udcff'",
        "SELECT 1 FROM query('COPY runs TO ''{there}''')",
    ],
)
def test_a_question_only_reads_the_tables(file: Path, tmp_path: Path, sql: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "there").write_text("secret\n")
    before = file.read_bytes()
    rows = [{"secret": 1}]  # a variable of this process is no table
    with pytest.raises(UsageError) as error:
        ask(file, sql.format(folder=folder, there=folder / "there"))
    assert "archive query" in str(error.value) and "\n" not in str(error.value) and rows
    assert [one.name for one in folder.iterdir()] == ["there"] and (folder / "there").read_text() == "secret\n"
    assert file.read_bytes() == before


def test_every_value_comes_as_json_and_every_column_once(file: Path) -> None:
    sql = (
        "SELECT 1, 1, 'Infinity'::DOUBLE AS far, 1.50::DECIMAL(9, 2) AS d, TIMESTAMP '2026-11-01 03:00:00.5' AS t, "
        "DATE '2026-11-01' AS day, INTERVAL 90 SECOND AS span, [1, NULL] AS list, "
        "{'a': TIMESTAMP '2026-11-01'} AS part, TIMESTAMPTZ '2026-11-01 03:00:00+00' AS zoned, '\\xAA'::BLOB AS blob"
    )
    answer = ask(file, sql)
    (row,) = answer.rows
    assert len(set(answer.columns)) == 11 and json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["far"], row["d"], row["t"], row["day"]) == ("inf", 1.5, "2026-11-01T03:00:00.500Z", "2026-11-01")
    assert (row["span"], row["list"], row["zoned"]) == (90.0, [1, None], "2026-11-01T03:00:00Z")
    assert row["part"] == {"a": "2026-11-01T00:00:00Z"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM range(1000000) a, range(1000000) b",
    ],
)
def test_a_question_without_an_end_is_ended(file: Path, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"no answer within 0\.3 s; ask for less, or .* --seconds"):
        ask(file, sql, 0.3)
    assert time.monotonic() - began < 5
    assert ask(file, "SELECT 1 AS one").rows == [{"one": 1}], "the index is free again"


def test_an_answer_has_an_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_ROWS", 10)
    assert len(ask(file, "SELECT * FROM range(10)").rows) == 10
    with pytest.raises(UsageError, match="more than 10 rows; add LIMIT"):
        ask(file, "SELECT * FROM range(10000000000)")


@pytest.mark.slow
@pytest.mark.parametrize("value", ["repeat('x', 200)", "[repeat('x', 200)]", "{'a': repeat('x', 200)}"])
def test_large_values_do_not_fill_the_memory(file: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(asking, "MOST_CHARS", 1000)
    assert len(ask(file, f"SELECT {value} FROM range(4)").rows) == 4
    with pytest.raises(UsageError, match="more than 1,000 characters; ask for less"):
        ask(file, f"SELECT {value} FROM range(100000)")


def test_a_value_that_python_cannot_have_is_a_sentence(file: Path) -> None:
    for sql in ("SELECT TIMESTAMP 'infinity'", "SELECT DATE '290000-01-01'", "SELECT INTERVAL '900000 years'"):
        try:
            rows = ask(file, sql).rows
        except UsageError:
            continue
        json.dumps(rows)


@pytest.mark.slow
def test_a_question_that_is_cut_short_ends_as_what_cut_it_short(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the busy connection raised an error of its own: "a fault of the runbook itself"."""

    wait, waited = threading.Event.wait, list[float | None]()

    def cut(ended: threading.Event, most: float | None = None) -> bool:
        waited.append(most)
        if most == asking.LIMIT_S:
            raise KeyboardInterrupt
        return wait(ended, most)

    monkeypatch.setattr(threading.Event, "wait", cut)
    with pytest.raises(KeyboardInterrupt):
        ask(file, "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r")
    assert waited[-1] == asking.GRACE_S


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "near"), [("setings", ""), ("record", ""), ("peopel", "'people'"), ("gatez", "'gates'")]
)
def test_a_table_that_is_none_is_told_by_our_tables_only(file: Path, name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"there is no table {name}; ") as error:
        ask(file, f"SELECT * FROM {name}")
    assert near in str(error.value) and "pg_" not in str(error.value) and "Did you" not in str(error.value)
