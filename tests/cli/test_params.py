"""`runbook params explain` from the command line."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.base.errors import UsageError
from runbook_lib.cli.params import register

app = typer.Typer()
register(app)


@pytest.mark.slow
def test_a_key_is_explained_one_a_line_in_a_pipe() -> None:
    done = CliRunner().invoke(app, ["params", "explain", "harm.users"])
    (line,) = done.stdout.splitlines()
    path, type_, default, told = line.split("\t")
    assert (path, type_, default) == ("harm.users", "whole number, >= 1", "")
    assert told.startswith("Most users that a shift may harm")


def test_json_names_the_file() -> None:
    done = CliRunner().invoke(app, ["params", "explain", "approvals", "--json"])
    rows = json.loads(done.stdout)
    assert {row["file"] for row in rows} == {"gates.yaml"} and rows[0]["path"] == "approvals"


def test_an_unknown_key_is_a_sentence() -> None:
    done = CliRunner().invoke(app, ["params", "explain", "aprovals"])
    assert isinstance(done.exception, UsageError) and "did you mean 'approvals'?" in str(done.exception)


def test_one_environments_file_is_checked_as_every_other_command_takes_it() -> None:
    every = CliRunner().invoke(app, ["params", "check"]).stdout
    one = CliRunner().invoke(app, ["params", "check", "--env", "prod"])
    assert one.exit_code == 0 and "prod.yaml: prod, account" in one.stdout
    assert "dev.yaml" in every and "dev.yaml" not in one.stdout and "inventory.yaml" in one.stdout
    wrong = CliRunner().invoke(app, ["params", "check", "-f", "params/gates.yaml"])
    assert isinstance(wrong.exception, UsageError) and "params/gates.yaml: holds no environment" in str(wrong.exception)
    both = CliRunner().invoke(app, ["params", "check", "params", "--params", "prod"])
    assert isinstance(both.exception, UsageError) and "one of the two" in str(both.exception)
