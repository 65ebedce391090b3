"""`runbook init` and `upgrade` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook_lib.cli.app import app


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == code, f"{done.output} {done.exception}"
    return done.output


@pytest.mark.slow
def test_offline_into_an_empty_folder_and_what_comes_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("init", "--service", "orders-export", "--offline", "--account", "prod=000000000777")
    rows = run(*words).splitlines()
    assert "missing\taccount_id of dev\tparams/dev.yaml, or --account dev=ID" in rows
    assert any(row.startswith("written: notebooks/00_start.ipynb, notebooks/01_preflight.ipynb") for row in rows)
    assert any(row.startswith("as it was: notebooks/00_start.ipynb") for row in run(*words).splitlines())
    assert "FAIL" not in run("params", "check")
    assert "as it was: notebooks/00_start.ipynb, notebooks/01_preflight.ipynb" in run("upgrade")
    (tmp_path / "notebooks" / "01_preflight.ipynb").unlink()
    assert "differs: notebooks/01_preflight.ipynb" in run("upgrade", code=3)
    assert {one["state"] for one in json.loads(run("upgrade", "--take", "--json"))} == {"written", "as it was"}
    (tmp_path / "params" / "dev.yaml").write_text("env: dev\n")
    told = json.loads(run(*words, "--json", code=3))
    assert [one["path"] for one in told["files"] if one["state"] == "differs"] == ["params/dev.yaml"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "expects --from-stack STACK"),
        (("--offline", "--from-stack", "x"), "expects --from-stack STACK"),
        (("--from-stack", "orders"), "whose stack is it?"),
    ],
)
def test_bad_usage_is_a_sentence(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(app, ["init", "--service", "orders", "--into", str(tmp_path), *words])
    assert says in str(done.exception)
    assert not list(tmp_path.iterdir())
