"""`runbook archive query` and `export` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.record.archive import Archive
from tests.cli.test_archive import app, call, sealed_with


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_an_answer_is_one_row_a_line_or_json_and_a_text_steers_nothing(tmp_path: Path) -> None:
    sealed_with(tmp_path, "a\tb\nc\x1b[2J")
    code, done = call(tmp_path, "archive", "query", "SELECT notebook, decision, reason, 1/2 AS half FROM runs")
    assert code == 0 and done.stdout.count("\n") == 1 and "\x1b" not in done.stdout
    assert done.stdout.split("\t")[:2] == ["06_phase1_10_percent", "HOLD"] and done.stdout.count("\t") == 3
    code, done = call(tmp_path, "archive", "query", "SELECT decision, reason FROM runs", "--json")
    assert code == 0 and json.loads(done.stdout) == [{"decision": "HOLD", "reason": "a\tb\nc\x1b[2J"}]
    code, done = call(tmp_path, "archive", "query", "FROM costs", "--json")
    assert code == 0 and json.loads(done.stdout) == []


def test_a_question_comes_from_standard_input_too(tmp_path: Path) -> None:
    sealed_with(tmp_path, "fine")
    words = ["archive", "query", "-", "--archive", str(tmp_path / "archive")]
    assert CliRunner().invoke(app, words, input="SELECT count(*) FROM runs;").stdout == "1\n"
    done = CliRunner().invoke(app, words, input=" ")
    assert isinstance(done.exception, UsageError) and "expects a question" in str(done.exception)


def test_what_cannot_be_trusted_is_named_after_the_answer(tmp_path: Path) -> None:
    good, bad = (sealed_with(tmp_path, "fine") for _ in range(2))
    path = bad.folder / "record.json"
    path.write_text(path.read_text().replace("fine", "good"))
    code, done = call(tmp_path, "archive", "query", "SELECT run FROM runs")
    assert code == 1 and done.stdout == f"{good.run_id}\n" and bad.folder.name in str(done.exception)
    assert isinstance(done.exception, ArchiveError)
    code, done = call(tmp_path, "archive", "export", "--csv", str(tmp_path / "out"))
    assert code == 1 and (tmp_path / "out" / "athena.sql").exists()


@pytest.mark.parametrize("words", [(), ("--csv", "a", "--parquet", "b"), ("--csv", "out", "--location", "x")])
def test_bad_usage_ends_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    Archive(tmp_path / "archive").root.mkdir()
    assert call(tmp_path, "archive", "export", *words)[0] == 2
    assert call(tmp_path / "none", "archive", "query", "SELECT 1")[0] == 2


def test_help_names_tables_and_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["archive", "query", "--help"])
    assert "runs, gates, costs, actions, people" in " ".join(done.stdout.split())
