"""`runbook params check`: every file once, offline; a mistake in any of them is found and named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.params_check import check

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path / "params"


def test_the_files_of_the_project_are_whole_and_each_is_told(folder: Path) -> None:
    found = check(folder)
    assert all(one.ok for one in found), found
    wanted = {path.name for path in folder.glob("*.yaml")} - {"prices.yaml", "rehearsal-commands.yaml"}
    assert {one.file for one in found} == wanted


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("gates.yaml", "measure: success", "measure: succes", "success"),
        ("prod.yaml", "account_id", "acount_id", "holds"),
        ("staging.yaml", "mode: plan", "mode: aply", "mode"),
        ("dashboard.yaml", "gate: error_rate", "gate: eror_rate", "error_rate"),
        ("inventory.yaml", "equals:", "equalz:", "equal"),
        ("commands.yaml", "checks:", "cheks:", "checks"),
        ("load.yaml", "\n", "\n\t: [", "YAML"),
    ],
)
def test_a_mistake_in_any_file_is_found(folder: Path, file: str, old: str, new: str, says: str) -> None:
    path = folder / file
    text = path.read_text()
    if old not in text:
        pytest.skip(f"{file} has no {old!r}")
    path.write_text(text.replace(old, new, 1))
    found = check(folder)
    if file == "prod.yaml":
        assert "prod.yaml" not in {one.file for one in found if one.ok}
        return
    bad = [one for one in found if not one.ok]
    assert bad and bad[0] == found[0], "what fails is first"
    assert any(says in one.sentence and file in one.sentence for one in bad), bad


def test_a_folder_without_an_environment_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no environment"):
        check(tmp_path)
