"""A scenario through the notebooks: caught, answered by the rollback's own notebook, and the curve turns."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.record.archive import Archive
from runbook_lib.rehearse.play import director, lab, play, stage
from runbook_lib.run.launch import launch, prestart
from tests.kernels import Lent, nursery

from .conftest import NOTEBOOK, ROOT

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The rehearsal's records go into a folder of the test."""

    def overlaid(env: str, release: str) -> dict[str, Any]:
        return {**stage.overlaid(env, release), "archive": str(tmp_path)}

    def overlay_only(release: str) -> dict[str, Any]:
        return {**stage.overlay_only(release), "archive": str(tmp_path)}

    monkeypatch.setattr(director, "params_of", lambda env, release: stage.load(overlaid(env, release), source="test"))
    monkeypatch.setattr(director, "overlay_only", overlay_only)
    monkeypatch.setattr(play, "overlaid", overlaid)
    monkeypatch.setattr(director, "Nursery", Lent)
    return Archive(tmp_path)


def test_a_silent_failure_is_found_switched_off_and_answered_by_rollback_1(archive: Archive) -> None:
    done = play.play("async_failing", seed=7, start_phase="06", quiet=True)
    assert done.ended is not None and done.exit_code == 0
    assert (done.ended.decision, done.ended.phase, done.ended.rollback, done.ended.recovered) == (
        "ROLLBACK",
        "06",
        1,
        True,
    )
    notebooks = [run.notebook for run in done.runs]
    assert notebooks[0] == "06_phase1_10_percent" and notebooks[-1] == "rollback_1_async_failing"
    for ref in archive.records():
        archive.verify(ref)


def test_a_lab_without_a_scenario_is_in_a_calm_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What JupyterLab is opened on; `test_browser.py` opens JupyterLab itself, where something goes wrong."""
    monkeypatch.setattr(director, "Nursery", Lent)
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    runs = []

    def served(folder: Path, *_: object) -> int:
        prestart(folder / "archive", folder / "params", folder, nursery().provisioner)
        runs.append(launch(folder / "notebooks" / NOTEBOOK.name, folder / "params" / "prod.yaml", {}, root=folder))
        return 0

    monkeypatch.setattr(lab, "_serve", served)
    assert lab.lab(seed=7, port=0, browser=False) == 0
    (folder,) = (tmp_path / "archive" / "lab").iterdir()
    archive = Archive(folder / "archive")
    record = archive.load(archive.find(runs[0].run_id))
    assert (record.mode, record.moment, record.decision) == ("plan", "during", "SOAK")


def test_another_end_than_the_declared_one_ends_with_3(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = play.scenario_of("async_failing")
    assert declared.expected is not None
    other = declared.expected.model_copy(update={"phases": ("07",)})
    monkeypatch.setattr(play, "scenario_of", lambda _: declared.model_copy(update={"expected": other}))
    done = play.play("async_failing", seed=7, start_phase="06", quiet=True)
    assert (done.exit_code, done.ended is not None and done.ended.phase) == (3, "06")


def test_taken_back_from_50_to_10_the_record_says_all_of_it_and_rollback_1_finishes_the_job(archive: Archive) -> None:
    done = play.play("taken_back_to_10", seed=7, start_phase="07", quiet=True)
    assert done.ended is not None and done.exit_code == 0, done.ended
    assert (done.ended.decision, done.ended.by, done.ended.recovered) == ("ROLLBACK", "AppConfig", True)
    record = archive.load(archive.records(notebook="07_phase2_50_percent")[-1])
    assert (record.moment, record.decision) == ("taken_back", "ROLLBACK")
    taken = "AppConfig took the weight back to 10 % by itself when alarm careervp-vpr-failed-jobs-guard-prod fired at"
    assert taken in (record.outcome or {})["reason"]
    finished = archive.load(archive.records(notebook="rollback_1_async_failing")[-1])
    assert finished.decision == "PROMOTE"
    assert {one["id"]: one["verdict"] for one in finished.checks}["rollback_1.dial_zero"] == "PASS"


@pytest.mark.parametrize(
    ("name", "phase", "said"),
    [
        ("staging", "", "does not say how it should end"),
        ("async_failing", "6", "expects one of"),
        ("throttling_table", "07", "comes with phase 06; start there or before"),
    ],
)
def test_what_cannot_be_played_is_said_before_anything_starts(name: str, phase: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        play.play(name, start_phase=phase)
