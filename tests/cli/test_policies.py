"""`runbook policies` prints or writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook_lib.cli.app import app
from runbook_lib.params.load import params_dir


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(params_dir().parent)


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["policies", "--env", "dev", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_printed() -> None:
    assert run().startswith("read-only.json:\n{")
    told = json.loads(run("--json", "--repository", "our/service"))
    assert "repo:our/service:environment:dev" in json.dumps(told["trust.json"])


def test_written(tmp_path: Path) -> None:
    assert run("--write", str(tmp_path)).count(": written") == 4
    assert run("--write", str(tmp_path)).count(": as it was") == 4
    assert json.loads(run("--write", str(tmp_path), "--json"))[0] == {
        "file": str(tmp_path / "read-only.json"),
        "written": False,
        "state": "as it was",
    }


def test_a_file_that_differs_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_text("{}\n")
    words = ["policies", "--env", "dev", "--write", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3 and "trust.json: differs" in done.output and "(yours)" in done.output
    assert (tmp_path / "trust.json").read_text() == "{}\n"
    assert CliRunner().invoke(app, [*words, "--replace"]).exit_code == 0
    assert CliRunner().invoke(app, ["policies", "--env", "dev", "--replace"]).exit_code != 0
