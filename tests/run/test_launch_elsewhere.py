"""A notebook reads the files beside its parameter file, as every command does, and is found from any folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.base.project import params_file
from runbook_lib.record.archive import Archive
from runbook_lib.run.launch import find_notebook, launch
from tests.project import own_project

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.kernel


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of a project, and the parameter file of another."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        file = own_project(tmp_path / name)
        shutil.copytree(ROOT / "notebooks", tmp_path / name / "notebooks")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "here", file


def read_from(project: Path) -> str:
    """The folder that the newest record names."""
    archive = Archive(project / "archive")
    record = archive.load(archive.records()[-1])
    assert record.status == "failed" and record.error is not None and "does not answer" in record.error.sentence
    return str(record.versions["parameters"])


def test_a_run_is_kept_where_its_parameter_file_belongs(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, file = places
    monkeypatch.chdir(project)
    finished = launch(find_notebook("01"), params_file(file))
    assert finished.exit_code == 1 and "nothing was changed" in finished.reason
    assert read_from(file.parent.parent) == str(file.parent)
    assert not (project / "archive").exists()


def test_a_run_from_another_projects_folder_is_kept_where_its_parameter_file_belongs(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    project, file = places
    command = [sys.executable, "-m", "papermill", str(project / "notebooks" / "01_preflight.ipynb"), "out.ipynb"]
    for given in (file, project / "params" / "prod.yaml"):
        done = subprocess.run(
            [*command, "--engine", "runbook", "--no-progress-bar", "-f", str(given)],
            check=False,
            capture_output=True,
            text=True,
            cwd=project if given == file else tmp_path,
            timeout=120,
        )
        assert "does not answer" in done.stderr, done.stderr
        assert read_from(given.parent.parent) == str(given.parent)
        assert (project / "archive").exists() == (given != file)
