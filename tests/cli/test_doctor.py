"""`runbook doctor` at a terminal, in a pipe and as JSON; offline it ends with a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook_lib.cli import doctor, terminal
from runbook_lib.cli.app import app
from runbook_lib.params.load import params_dir

ROOT = params_dir().parent


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def test_offline_in_a_pipe() -> None:
    done = CliRunner().invoke(app, ["doctor", "--env", "prod"])
    rows = [line.split("\t") for line in done.output.splitlines()]
    assert done.exit_code == 1 and all(len(row) == 4 for row in rows), done.output
    states = {row[1]: row[0] for row in rows}
    assert (states["params"], states["endpoint"], states["permissions"]) == ("OK", "WRONG", "not asked")
    assert any("http://127.0.0.1:9/ does not answer" in row[2] and row[3] for row in rows)
    assert not Path("archive/doctor").exists()


def test_as_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json", "--role", "operator"])
    told = json.loads(done.output)
    assert told["exit_code"] == done.exit_code == 1
    assert {"id", "title", "state", "said", "mend"} == set(told["checks"][0])


def test_at_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for module in (doctor, terminal):
        monkeypatch.setattr(module.sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(SystemExit):
        app(["doctor", "--env", "prod"])
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in capsys.readouterr().out.splitlines()]
    # A path or a command that is longer stands whole, to be pasted.
    assert {len(line) for line in lines if "->" not in line and "/" not in line} <= set(range(81))
    assert any(line.startswith("WRONG      AWS answers:") for line in lines)


def test_a_role_that_is_none() -> None:
    done = CliRunner().invoke(app, ["doctor", "--role", "admin"])
    assert "--role is 'admin', expects one of read-only, operator, watch, archive" in str(done.exception)
