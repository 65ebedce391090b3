"""`runbook plan-steps` on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from runbook_lib.base.project import params_dir
from runbook_lib.cli.app import app

ASKED = ["plan-steps", "--params", str(params_dir() / "prod.yaml"), "--from", "2026-12-01T03:00Z"]


@pytest.mark.slow
def test_a_table_one_step_a_line_and_when_it_is_done() -> None:
    done = CliRunner().invoke(app, [*ASKED, "--requests-per-day", "30000"])
    assert done.exit_code == 0, done.output
    lines = done.output.strip().splitlines()
    assert lines[0].startswith("10 %\t2026-12-01 03:00\t") and lines[-2].startswith("100 %\t")
    assert lines[-1].startswith("done: 2026-12-") and "no budget (gates.yaml, harm.users)" in lines[-1]


@pytest.mark.slow
def test_json_is_one_document() -> None:
    done = CliRunner().invoke(app, [*ASKED, "--requests-per-day", "30000", "--json"])
    told = json.loads(done.output)
    assert [one["percent"] for one in told["steps"]][-1] == 100
