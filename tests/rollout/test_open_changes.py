"""A change that was begun and never read back is found, sealed or not, until somebody has asked AWS what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.params.load import load_file, params_dir
from runbook_lib.record import staging as folders
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.rollout.open_changes import open_changes

PARAMS = load_file(params_dir(Path(__file__).parent) / "prod.yaml")
PHASE = "06_phase1_10_percent"


class Runs:
    """Runs in an archive, one after another."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.count = Archive(folder), 0

    def begin(self, notebook: str = PHASE, *, intent: str = "", outcome: bool | None = None) -> Path:
        self.count += 1
        run_id = f"{self.count:012d}"
        staging = self.archive.stage(PARAMS.env, PARAMS.release, notebook, run_id, "papermill")
        journal = Journal(staging)
        journal.append("opened", run_id=run_id, notebook=notebook, params=PARAMS.flat.model_dump(mode="json"))
        if intent:
            at = f"2026-11-09T{self.count:02d}:00:00+00:00"
            journal.append("intent", id=run_id, what=intent, before={}, after={}, undo="", raises=True, aws_at=at)
            if outcome is not None:
                journal.append("outcome", intent=run_id, read_back={}, ok=outcome)
        return staging

    def seal(self, staging: Path, status: Any = "completed") -> None:
        seal_staged(self.archive, staging, status=status)

    def kill(self, staging: Path) -> None:
        who = {**folders.facts(staging), "pid": 2**22 + 1, "start": 1.0}
        (staging / folders.FILE).write_text(json.dumps(who))

    def open(self) -> list[tuple[str, str]]:
        return [(one.notebook, one.what) for one in open_changes(PARAMS, self.archive)]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_run_that_was_killed_and_that_nobody_sealed_is_told(runs: Runs) -> None:
    staging = runs.begin(intent="dial to 10 %")
    assert runs.open() == [], "it is at work yet"
    runs.kill(staging)
    (one,) = open_changes(PARAMS, runs.archive)
    assert (
        one.words == f"open change: run 000000000001 of {PHASE} began 'dial to 10 %' at 2026-11-09 01:00 UTC and ended"
    )
    assert one.next.startswith(f"runbook run {PHASE} --params params/prod.yaml")
    assert staging.is_dir(), "looking seals nothing"


def test_it_is_told_until_a_run_has_asked_aws(runs: Runs) -> None:
    runs.seal(runs.begin(intent="dial to 10 %"), "died")
    runs.seal(runs.begin(), "failed")
    runs.seal(runs.begin("10_post_deployment"))
    assert runs.open() == [(PHASE, "dial to 10 %")]
    runs.seal(runs.begin())
    assert runs.open() == []
    runs.seal(runs.begin(intent="dial to 50 %"), "died")
    assert runs.open() == [(PHASE, "dial to 50 %")]


def test_what_was_read_back_is_not_open(runs: Runs) -> None:
    runs.seal(runs.begin(intent="dial to 10 %", outcome=True), "died")
    assert runs.open() == []


@pytest.mark.parametrize(
    ("notebook", "command"),
    [
        ("rollback_1_async_failing", "runbook rollback 1 --params params/prod.yaml --apply --confirm prod"),
        ("dlq", "runbook dlq list --params params/prod.yaml"),
        ("deviation", "runbook archive show 000000000001"),
    ],
)
def test_what_to_run_goes_by_what_began_it(runs: Runs, notebook: str, command: str) -> None:
    runs.kill(runs.begin(notebook, intent="a change"))
    (one,) = open_changes(PARAMS, runs.archive)
    assert one.next.startswith(command)
