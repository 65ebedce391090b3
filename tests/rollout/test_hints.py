"""A command that a decision proposes acts on the service that the decision is about."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from runbook_lib.base.project import params_file
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rollout import hints

LIBRARY = Path(__file__).resolve().parents[2] / "runbook_lib"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a second region: prices, and a parameter file where the test expects one."""
    folder = Path(shutil.copytree(params_dir(Path(__file__).parent), tmp_path / "params"))
    prices = read_yaml(folder / "prices.yaml")
    (folder / "prices-eu-west-1.yaml").write_text(yaml.safe_dump({**prices, "region": "eu-west-1"}))
    monkeypatch.chdir(tmp_path)
    return folder


def of(command: str, root: Path) -> Params:
    """The parameters that a proposed command would be run with."""
    words = shlex.split(command)
    file = root / words[words.index("--params") + 1]
    pairs = (words[place + 1].partition("=") for place, word in enumerate(words) if word == "--set")
    return load_file(file, {key: value for key, _, value in pairs})


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_environments_own_file_is_named_where_it_says_the_same(folder: Path, env: str) -> None:
    params = load_file(folder / f"{env}.yaml")
    assert hints.rollback_1(params) == f"runbook rollback 1 --params params/{env}.yaml --apply --confirm {env}"


@pytest.mark.parametrize("name", ["prod-eu.yaml", "second.yaml", "a.yaml", 'it\'s the "second".yaml', "$(id) b.yaml"])
def test_a_second_regions_file_is_named(folder: Path, name: str) -> None:
    flat = {**read_yaml(folder / "prod.yaml"), "region": "eu-west-1"}
    (folder / name).write_text(yaml.safe_dump(flat))
    (folder / "other-release.yaml").write_text(yaml.safe_dump({**flat, "release": "another"}))
    params = load_file(folder / name)
    assert f"--params {shlex.quote(f'params/{name}')} " in hints.offer(params, 5)
    assert f"--params {shlex.quote(f'params/{name}')} " in hints.rollback_1(params)
    assert of(hints.rollback_1(params), folder.parent).region == "eu-west-1"


def test_where_no_file_says_the_same_the_region_is_said(folder: Path) -> None:
    params = load_file(folder / "prod.yaml", {"region": "eu-west-1"})
    command = hints.rollback_1(params)
    assert "--params params/prod.yaml --set region=eu-west-1 " in command
    assert of(command, folder.parent).region == "eu-west-1"


def test_another_environments_command_is_about_the_same_rollout(folder: Path) -> None:
    """The release and the archive are those of the run; account and region are the other environment's own."""
    params = load_file(folder / "dev.yaml", {"release": "r-2", "archive": "kept", "account_id": "1" * 12, "attempt": 3})
    other = of(hints.run(params, "05_staging", env="staging"), folder.parent)
    assert (other.env, other.release, other.flat.archive) == ("staging", "r-2", "kept")
    assert (other.flat.account_id, other.flat.attempt) == (read_yaml(folder / "staging.yaml")["account_id"], 1)


def test_a_folder_elsewhere_is_named_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load_file(folder / "prod.yaml")
    monkeypatch.chdir(params_dir(Path(__file__).parent).parent)
    assert hints.rollback_1(params) == f"runbook rollback 1 --params {folder}/prod.yaml --apply --confirm prod"


def test_from_a_folder_outside_the_project_the_command_can_be_pasted_there(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is that of the parameter file then, and `params/` is not below where the reader stands."""
    monkeypatch.chdir(outside := tmp_path_factory.mktemp("outside"))
    params = load_file(params_file(folder / "prod.yaml"))
    for command in (hints.rollback_1(params), hints.run(params, "06_phase1_10_percent", env="staging")):
        words = shlex.split(command)
        assert (outside / words[words.index("--params") + 1]).is_file(), command


def test_a_kernel_that_runs_in_the_project_names_the_file_from_where_its_reader_stands(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = load_file(folder / "prod.yaml")
    monkeypatch.setenv("RUNBOOK_READER", str(outside := tmp_path_factory.mktemp("outside")))
    words = shlex.split(hints.rollback_1(params))
    assert (outside / words[words.index("--params") + 1]).is_file(), words
    monkeypatch.setenv("RUNBOOK_READER", str(folder.parent))
    assert "--params params/prod.yaml " in hints.rollback_1(params)


@pytest.mark.slow
def test_no_other_module_spells_the_parameters_of_a_command() -> None:
    """Pasted in an incident with a second region's file, `--env prod` would act on the wrong one."""
    rooms = ("judge", "observe", "act", "record", "rollout", "run", "steps")
    spelt = re.compile(r"runbook [a-z][^`]*--(?:env|params) ")
    own = {"rollout/hints.py", "steps/start.py"}  # the page of a file that cannot be read: nothing else is known
    found = {
        f"{file.relative_to(LIBRARY)}:{node.lineno}"
        for room in rooms
        for file in (LIBRARY / room).rglob("*.py")
        if str(file.relative_to(LIBRARY)) not in own
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.JoinedStr) and spelt.search(ast.unparse(node))
    }
    assert not found
