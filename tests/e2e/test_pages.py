"""Every line that the pages tell people to paste is run: here, or by the test that is named beside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.rehearse.play.lab import workspace
from tests.test_pages import told

ROOT = Path(__file__).parents[2]
LINES = sorted({line for _, line, whole in told() if whole})

ELSEWHERE = {
    "cd": "tests/e2e/test_wheel.py",
    "git clone": "tests/e2e/test_wheel.py",
    "mkdir": "tests/e2e/test_wheel.py",
    "pip install": "tests/e2e/test_wheel.py",
    "runbook init": "tests/e2e/test_wheel.py",
    "make rehearse": "tests/e2e/test_play.py",
    "make test": "tests/test_project.py",
    "make lab": "tests/rehearse/play/test_practice.py",
    "papermill": "tests/e2e/test_ways.py",
    "runbook archive": "tests/cli/test_archive.py",
    "runbook approve": "tests/cli/test_people.py",
    "runbook rehearse --scenario async_failing": "tests/e2e/test_play.py",
    "runbook rehearse --scenario late_10_percent": "tests/rehearse/quick/test_many.py",
    "runbook rollback 1": "tests/e2e/test_rollback_1.py",
    "runbook rollback": "tests/e2e/test_rollbacks.py",
    "runbook run 01": "tests/e2e/test_wheel.py",
    "runbook run 02": "tests/steps/test_deploy_dev.py",
    "runbook run 06": "tests/e2e/test_phase1.py",
    "runbook watch": "tests/e2e/test_watch.py",
}
"""What takes kernels, a browser or minutes: the test that runs it as a user would."""
ENDS = {"runbook doctor": (0, 1, 2, 3)}
"""Exit codes of what may find something; of all others 0 alone."""


def elsewhere(line: str) -> str | None:
    return next((test for words, test in ELSEWHERE.items() if line.startswith(words)), None)


def test_what_is_run_elsewhere_is_run_by_a_test_that_exists() -> None:
    assert [test for test in ELSEWHERE.values() if not (ROOT / test).is_file()] == []
    assert [words for words in ELSEWHERE if not any(line.startswith(words) for line in LINES)] == []


@pytest.mark.emulator
def test_the_others_run_in_a_project_as_they_are_written(rollout: Any, tmp_path: Path) -> None:
    folder = workspace(tmp_path, rollout.release)
    role = "on-call engineer"
    here = [line for line in LINES if elsewhere(line) is None]
    assert len(here) >= 9
    for line in here:
        written = line.replace("--role ROLE", f"--role '{role}'").replace("NAME", "ada").replace("BUCKET", "a-bucket")
        program, *words = shlex.split(written)
        assert program == "runbook"
        done = rollout.command(*words, cwd=folder)
        expected = next((codes for words, codes in ENDS.items() if line.startswith(words)), (0,))
        assert done.returncode in expected, (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, line
        assert done.stdout.strip(), line
