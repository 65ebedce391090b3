"""Where the project's files lie, and YAML read from them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from runbook_lib.base import project
from runbook_lib.base.errors import Unread, UsageError
from runbook_lib.base.project import beside, expanded, params_dir, params_file, project_root, read_yaml
from runbook_lib.cli.app import app
from runbook_lib.commands import kill_switch
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import load_file
from runbook_lib.record import engine
from runbook_lib.record.archive import Archive
from runbook_lib.record.log.keeping import keeping
from runbook_lib.run.launch import find_notebook
from tests.project import PARAMS, own_project

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)


@given(keys=st.lists(NAMES, min_size=1, max_size=8, unique=True), deep=st.booleans(), data=st.data())
def test_a_key_that_stands_twice_is_refused(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], deep: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    twice = data.draw(st.one_of(st.none(), st.sampled_from(keys)))
    lines = [f"{key}: 1" for key in (*keys, *([twice] if twice else []))]
    path.write_text("\n".join(["top:", *(f"  {line}" for line in lines)] if deep else lines) + "\n")
    if twice is None:
        assert (read_yaml(path)["top"] if deep else read_yaml(path)) == dict.fromkeys(keys, 1)
        return
    with pytest.raises(UsageError, match=f"line {len(lines) + deep}: not valid YAML .the key '{twice}' appears twice."):
        read_yaml(path)


@pytest.mark.parametrize("tail", ["", "/records", "/a b/~c"])
def test_the_home_folder_is_filled_in_wherever_a_path_is_written(
    tail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    file = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    wanted = Path(f"{tmp_path / 'home'}{tail}")
    params = load_file(file, {"archive": f"~{tail}"})
    assert Archive.of(params).root == wanted
    assert kill_switch._root(essentials(file, {"archive": f"~{tail}"})) == wanted
    assert engine._archive({"archive": f"~{tail}"}, tmp_path).root == wanted
    assert params_file(f"~{tail}/dev.yaml") == wanted / "dev.yaml"
    done = CliRunner().invoke(app, ["archive", "list", f"--archive=~{tail}"])
    assert ("there is no log yet" if not tail else str(wanted)) in str(done.exception)


@pytest.mark.parametrize("path", ["$HOME/records", "${ARCHIVE}", "a/$X/b", "~nobody-of-that-name/a"])
def test_what_is_not_filled_in_is_refused_and_no_folder_is_made(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(UsageError, match=r"archive is .*write the whole path"):
        load_file(file, {"archive": path})
    with pytest.raises(UsageError, match="write the whole path"):
        kill_switch._root(essentials(file, {"archive": path}))
    assert isinstance(CliRunner().invoke(app, ["archive", "list", "--archive", path]).exception, UsageError)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name", ["$HOME", "${X} y", "new\nline", "a%sb", "{}", "sp ace", "quo'te\"", "b\udcff", "~root"]
)
def test_a_folder_is_taken_whatever_its_name(name: str, tmp_path: Path) -> None:
    """What is there, and what will be there inside it; what is not there and looks like a variable is refused."""
    place = tmp_path / name
    place.mkdir()
    assert expanded(str(place)) == place and expanded(f"{place}/out/a") == place / "out" / "a"
    for odd in ("$X", "a\tb", "\0"):
        with pytest.raises(UsageError):
            expanded(f"{place}/{odd}")


@pytest.mark.parametrize("path", sorted(params_dir(Path(__file__).parent).glob("*.yaml")), ids=lambda one: one.name)
def test_no_file_of_ours_has_a_key_twice(path: Path) -> None:
    assert read_yaml(path)


def test_an_anchor_may_be_merged_and_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(path)["b"] == {"x": 3, "y": 2}


def two(tmp_path: Path) -> tuple[Path, Path]:
    """The parameter files of a project, and of a folder elsewhere."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return own_project(here), own_project(there)


@pytest.mark.parametrize(
    "kept", [("service.yaml", "gates.yaml", "prices.yaml"), ("service.yaml",), ("gates.yaml",), ()]
)
def test_all_readers_take_the_files_from_one_folder(
    kept: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = two(tmp_path)
    monkeypatch.chdir(here.parent.parent)
    for name in {"service.yaml", "gates.yaml", "prices.yaml"} - set(kept):
        (there.parent / name).unlink()
    folder = there.parent if kept else here.parent
    assert beside(there) == folder
    if len(kept) in (0, 3):  # `status`, `run` and `rollback` alike
        assert load_file(there).source == str(folder)
        assert essentials(there, {}).folder == folder
    else:  # never half from here and half from there
        with pytest.raises(UsageError, match="no such file"):
            load_file(there)


def test_a_parameter_file_of_its_own_service_leads_to_its_project_whatever_its_folder_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive was the working folder's: two services in one."""
    here, there = two(tmp_path)
    file = there.parent.rename(there.parent.parent / "conf") / there.name
    monkeypatch.chdir(here.parent.parent)
    assert project_root() == here.parent.parent
    params_file(file)
    assert project_root() == file.parent.parent == project_root(file)
    with pytest.raises(UsageError, match=r"no params/gates.yaml"):
        project_root(file.parent)


def test_from_a_foreign_folder_the_file_leads_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, _ = two(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no params/gates.yaml"):
        project_root()
    assert params_file(here) == here
    assert project_root() == here.parent.parent
    assert find_notebook_folder(here) == here.parent.parent / "notebooks"
    assert kill_switch.parse(["rollback", "1", "-f", str(here), "--apply"]) is not None


def find_notebook_folder(file: Path) -> Path:
    (file.parent.parent / "notebooks").mkdir()
    (file.parent.parent / "notebooks" / "06_x.ipynb").write_text("{}")
    return find_notebook("06").parent


@pytest.mark.parametrize("lies", ["beside", "in the project's folder", "by a link to elsewhere", "by the way round"])
def test_the_project_of_the_parameter_file_decides_and_not_the_working_folder(
    lies: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = two(tmp_path)
    if lies == "in the project's folder":
        there = there.rename(there.parent.parent / there.name)
    elif lies == "by a link to elsewhere":
        there.rename(tmp_path / "shared.yaml")
        there.symlink_to(tmp_path / "shared.yaml")
    elif lies == "by the way round":
        there = here.parent / ".." / ".." / "there" / "params" / there.name
    root = tmp_path / "there"
    monkeypatch.chdir(here.parent.parent)
    assert params_file(there) == there
    assert load_file(there).source == str(root / "params") == str(essentials(there, {}).folder)
    assert Archive.of(load_file(there)).root == kill_switch._root(essentials(there, {})) == root / "archive"
    assert project_root() == root and find_notebook_folder(root / "params" / "x") == root / "notebooks"


def test_a_file_outside_every_project_goes_with_the_working_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = two(tmp_path)
    monkeypatch.chdir(here.parent.parent)
    assert params_file(tmp_path / "own.yaml") and project_root() == here.parent.parent


def test_a_project_without_notebooks_is_named_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = two(tmp_path)
    monkeypatch.chdir(here.parent.parent)
    params_file(there)
    with pytest.raises(
        UsageError, match=f"there are no notebooks in {there.parent.parent}/notebooks, the project of {there};"
    ):
        find_notebook("01")


def test_the_file_of_an_environment_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--env prod` named the project of `.../prod`, which is no file."""
    here, _ = two(tmp_path)
    for folder in (here.parent.parent, here.parent, tmp_path):
        monkeypatch.chdir(folder)
        project.named[:] = [] if folder != tmp_path else [here]
        assert params_file(here.stem).name == here.name
        with pytest.raises(UsageError) as told:
            find_notebook("01")
        quoted = re.search("the project of (.*);", str(told.value))
        assert quoted is not None and Path(quoted[1]).is_file()


def test_notebooks_that_may_not_be_listed_are_not_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = two(tmp_path)
    monkeypatch.chdir(here.parent.parent)
    folder = here.parent.parent / "notebooks"
    folder.mkdir()

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(UsageError, match=f"notebook '01': {folder}: Permission denied"):
        find_notebook("01")


def test_a_misspelt_environment_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params").mkdir()
    for name in ("dev", "prod"):
        (tmp_path / "params" / f"{name}.yaml").write_text(f"env: {name}\n")
    (tmp_path / "params" / "prices.yaml").write_text("region: x\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"'prd' has no parameters here; did you mean 'prod'\?"):
        params_file("prd")
    with pytest.raises(UsageError, match="there are dev, prod"):
        params_file("zzz")


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder that somebody removed."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


def test_in_a_folder_that_was_removed_a_whole_path_is_enough(gone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "named", [])
    with pytest.raises(UsageError, match="the working folder is not there any more"):
        params_dir()
    with pytest.raises(UsageError, match="the working folder is not there any more"):
        params_file("prod")
    file = PARAMS / "prod.yaml"
    assert params_file(file) == file and params_dir() == PARAMS and project_root() == PARAMS.parent


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".yaml", "a/" + "x" * 5000])
def test_a_name_that_no_file_can_have_is_a_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r"File name too long|has no parameters here"):
        read_yaml(params_file(name))
    kill_switch.parse(["rollback", "1", "-f", name, "--apply", "--confirm", "prod"])  # raises nothing


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_path_is_no_path(value: str) -> None:
    for what in ("", "archive"):
        with pytest.raises(UsageError, match="which is empty; write a path"):
            expanded(value, what)


@pytest.mark.parametrize("long", ["x" * 5000, "/" + "x" * 300, "/".join(["y" * 100] * 60)])
def test_a_path_that_is_too_long_for_a_file_is_refused(long: str) -> None:
    for read in (expanded, params_file):
        with pytest.raises(UsageError, match="too long; write a shorter path"):
            read(long)


ROOT = Path(__file__).resolve().parents[2]


def test_notebooks_parameters_and_workflow() -> None:
    found = project.delivered_files()
    assert {path for path in found if path.startswith("notebooks/")} == {
        f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert {"params/service.yaml", "params/gates.yaml", *project.WORKFLOW} <= set(found)


def test_the_wheel_is_given_the_same_files() -> None:
    (said,) = re.findall(r"^DELIVERED = \((.*)\)$", (ROOT / "setup.py").read_text(), re.MULTILINE)
    listed = {path.relative_to(ROOT).as_posix() for one in re.findall(r'"(.*?)"', said) for path in ROOT.glob(one)}
    assert listed == set(project.delivered_files())


def test_an_installation_without_them_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "PACKAGE", tmp_path / "runbook_lib")
    with pytest.raises(UsageError, match="has no notebooks"):
        project.delivered()


@pytest.mark.parametrize("where", ["notebooks", "params", "archive/deep"])
def test_a_command_that_is_proposed_can_be_pasted_in_any_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    file = own_project(tmp_path)
    root = file.parent.parent
    (root / where).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(root / where)
    assert params_file("params/prod.yaml").resolve() == (root / "params" / "prod.yaml").resolve()
    assert project_root().resolve() == root.resolve()
    assert params_file("params/zzz.yaml") == Path("params/zzz.yaml"), "one that is not there is told as it was written"
    own = root / where / "params"
    own.mkdir(exist_ok=True)
    (own / "prod.yaml").write_text("env: prod\n")
    assert params_file("params/prod.yaml") == Path("params/prod.yaml"), "one that is here comes first"


def test_a_folder_that_may_not_be_entered_is_not_taken_for_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`archive verify` would go on without the key that the project's service.yaml names."""
    file = own_project(tmp_path)

    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "lstat", denied)
    for ask in (params_dir, lambda: beside(file), lambda: keeping(tmp_path / "archive")):
        with pytest.raises(Unread, match=r"params.* this user may not read it"):
            ask()


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "link to itself"])
def test_gates_that_are_no_file_are_not_told_as_no_project(tmp_path: Path, kind: str) -> None:
    """The advice was to change into the folder that one was in."""
    file = own_project(tmp_path)
    gates = file.parent / "gates.yaml"
    gates.unlink()
    {
        "folder": gates.mkdir,
        "pipe": lambda: os.mkfifo(gates),
        "link to nothing": lambda: gates.symlink_to("nothing"),
        "link to itself": lambda: gates.symlink_to(gates.name),
    }[kind]()
    assert params_dir(file.parent) == file.parent
    with pytest.raises(UsageError, match=re.escape(str(gates))):
        load_file(file)
