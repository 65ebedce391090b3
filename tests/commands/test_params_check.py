"""`runbook params check`: every file once, offline; a mistake in any of them is found and named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from runbook_lib.base import project
from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import environments, params_dir
from runbook_lib.commands.params_check import check
from runbook_lib.commands.params_check import one as check_one

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "params", tmp_path / "params")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path / "params"


def test_the_files_of_the_project_are_whole_and_each_is_told(folder: Path) -> None:
    found = check(folder)
    assert all(one.ok for one in found), found
    wanted = {path.name for path in folder.glob("*.yaml")} - {"rehearsal-commands.yaml"}
    assert {one.file for one in found} == wanted


def test_what_an_editor_or_a_file_manager_keeps_beside_the_files_is_none_of_them(folder: Path) -> None:
    """Whoever had `prod.yaml` open in Emacs, or copied the folder from a Mac, could check and look up nothing."""
    wanted = check(folder)
    (folder / ".#prod.yaml").symlink_to("me@host.1234:1")
    for name in ("._prod.yaml", ".prod.yaml.swp", "prod.yaml~"):
        (folder / name).write_bytes(b"\0\5\26\7\0")
        (folder.parent / "notebooks" / name.replace("yaml", "ipynb")).write_bytes(b"\0\5\26\7\0")
    assert check(folder) == wanted
    assert environments(folder) == ["dev", "prod", "staging"]
    (folder / "lost.yaml").symlink_to("nowhere")
    (folder / "folder.yaml").mkdir()
    assert environments(folder) == ["dev", "prod", "staging"]


@pytest.mark.slow
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
        ("load.yaml", "drain_slack_s: 2", "drain_slack_s: 1.0e+100", "expects 0 to 604800"),
        ("inventory.yaml", "equals: 20,", "equals: ,", "is empty"),
        ("commands.yaml", "notebook: 01_preflight", "notebook: 01_prefligth", "01_preflight"),
        ("commands.yaml", "id: tests.integration", "id: tests.unit", "two checks have the id 'tests.unit'"),
        ("commands.yaml", "timeout_s: 1800", "timeout_s: 18000000000", "expects 0.001 to 604800"),
        ("requirement.yaml", "01_preflight@prod", "01_preflight@prd", "did you mean 'prod'?"),
        ("requirement.yaml", "01_preflight@prod", "01_prefligth@prod", "did you mean '01_preflight'?"),
        ("requirement.yaml", "Acceptance Criteria:", "Acceptance: of a kind\nAcceptance Criteria:", "'of a kind'"),
        ("service.yaml", "soak_strategy: ", 'soak_strategy: "\\u202ex"  # ', "invisible character"),
        ("service.yaml", "soak_strategy: ", 'soak_strategy: " "  # ', "blank"),
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cwd": "nowhere"}, "the folder nowhere is not there"),
        ({"run": "no-such-program --version"}, "the program no-such-program is not installed"),
        ({"run": "./tool.sh"}, "the program ./tool.sh is not installed"),
        ({"run": "python scripts/there.py"}, "the file scripts/there.py is not there"),
        ({"run": "python -c pass"}, ""),
    ],
)
@pytest.mark.parametrize("which", ["checks", "deploy", "verify"])
def test_a_command_that_could_not_begin_here_is_told(
    folder: Path, which: str, change: dict[str, str], says: str
) -> None:
    raw = yaml.safe_load((folder / "commands.yaml").read_text())
    for one in (*raw["checks"], raw["diff"], raw["deploy"], raw["verify"]):
        one |= {"run": "python -c pass", "cwd": "."}
    (raw["checks"][0] if which == "checks" else raw[which]).update(change)
    (folder / "commands.yaml").write_text(yaml.safe_dump(raw))
    assert all(one.ok for one in check(folder)), "nothing is looked for unless it is asked for"
    bad = [one.sentence for one in check(folder, commands=True) if not one.ok]
    id = (raw["checks"][0] if which == "checks" else raw[which])["id"]
    assert bad == ([f"commands.yaml: '{id}' cannot begin: {says}"] if says else [])


def test_the_delivered_commands_are_looked_for_beside_the_project(folder: Path) -> None:
    for place in ("src/backend/scripts", "infra"):
        (folder.parent / place).mkdir(parents=True)
    inner = folder.parent / "runbook"
    inner.mkdir()
    shutil.move(folder, inner / "params")
    bad = [one.sentence for one in check(inner / "params", commands=True) if not one.ok]
    assert any("validate_naming.py is not there" in one for one in bad)
    assert not any("folder" in one for one in bad)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("gates.yaml", 'alert: "< 0.98"', 'alert: "> 0.98"'),
        ("service.yaml", "kind: rest", "kind: soap"),
        ("dashboard.yaml", "gate: error_rate", "gate: eror_rate"),
        ("prod.yaml", "mode: plan", "mode: aply"),
    ],
)
def test_each_mistake_is_told_once_and_by_its_file(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    bad = [one for one in check(folder) if not one.ok]
    assert [one.file for one in bad] == [file], bad


def test_an_overlay_is_told_for_its_own_mistakes(folder: Path) -> None:
    (folder / "rehearsal.yaml").write_text((folder / "rehearsal.yaml").read_text() + "\nmode: aply\n")
    bad = [one for one in check(folder) if not one.ok]
    assert {one.file for one in bad} == {"rehearsal.yaml"}
    assert all("rehearsal.yaml over " in one.sentence and "'aply'" in one.sentence for one in bad)


def test_a_file_in_place_of_the_folder_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"prod\.yaml is a file: expects a folder; .* say --params"):
        check(folder / "prod.yaml")


def test_a_file_of_commands_that_is_not_there_is_told_with_its_parameter(folder: Path) -> None:
    path = folder / "prod.yaml"
    path.write_text(re.sub("(?m)^commands: .*", "commands: 24h", path.read_text()))
    wrong = [one.sentence for one in check(folder) if not one.ok]
    assert len(wrong) == 1 and wrong[0].startswith("'commands' of prod is '24h': expects a file "), wrong


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [False, True])
def test_the_folder_that_is_named_decides_the_project(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, *, kernel: bool
) -> None:
    """From another project's folder, or in a kernel of another project, that one's archive and requirement counted."""
    another = tmp_path_factory.mktemp("another")
    shutil.copytree(ROOT / "params", another / "params")
    monkeypatch.chdir(another)
    if kernel:
        monkeypatch.setenv(project.PROJECT, str(another))
    project.named.clear()
    assert all(one.ok for one in check(folder)) and params_dir() == folder
    project.named.clear()
    folder = folder.rename(folder.with_name("conf"))
    assert all(one.ok for one in check(folder)) and params_dir() == folder


def test_a_releases_commands_begin_in_its_project(folder: Path) -> None:
    release = folder.parent / "releases" / "worker-7"
    shutil.copytree(folder, release)
    commands = yaml.safe_load((folder / "commands.yaml").read_text())
    for each in (*commands["checks"], commands["diff"], commands["deploy"], commands["verify"]):
        each |= {"run": "python tool.py", "cwd": "tools"}
    (release / "commands.yaml").write_text(yaml.safe_dump(commands))
    (folder.parent / "tools").mkdir()
    (folder.parent / "tools" / "tool.py").touch()
    assert [each for each in check_one(release / "prod.yaml", commands=True) if not each.ok] == []


def test_a_releases_notebooks_are_those_of_its_project(folder: Path) -> None:
    release = folder.parent / "releases" / "worker-7"
    shutil.copytree(folder, release)
    (folder.parent / "notebooks" / "06_phase1_10_percent.ipynb").unlink()
    found = [each for each in check_one(release / "prod.yaml") if not each.ok]
    assert found and "06_phase1_10_percent" in found[0].sentence


@pytest.mark.parametrize("name", ["our-commands.yaml", "prod.yml"])
def test_a_file_that_no_environment_reads_is_told(folder: Path, name: str) -> None:
    """It said of each file that it was whole, and of one with a mistake, which no environment named, nothing."""
    (folder / name).write_text("checks: [{id: 3}]\n")
    (left,) = (one for one in check(folder) if one.note and one.file == name)
    assert left.ok and "not checked" in left.sentence
