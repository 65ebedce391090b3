"""On the command line only `--apply` applies, whatever the parameter file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import read_yaml
from runbook_lib.cli.app import app
from runbook_lib.commands import kill_switch
from runbook_lib.run import launch
from tests.project import own_project

ROOT = Path(__file__).resolve().parents[2]
COMMANDS: dict[str, tuple[list[str], str]] = {
    "run": (["run", "06"], "runbook_lib.run.launch.launch"),
    "rollback 1": (["rollback", "1"], "runbook_lib.commands.rollback.rollback_1"),
    "rollback 2": (["rollback", "2"], "runbook_lib.run.launch.launch"),
    "probe": (["probe", "5"], "runbook_lib.commands.probe.run_probes"),
    "dlq redrive": (["dlq", "redrive"], "runbook_lib.commands.dlq.redrive"),
    "deviation undo": (["deviation", "undo", "x"], "runbook_lib.commands.deviation.undo"),
}
"""Every command with `--apply`, and what it hands its values to."""


class Stop(Exception):
    """The command has said what it expects; nothing is done."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A parameter file that somebody left at apply."""
    path = own_project(tmp_path)
    path.write_text(yaml.safe_dump({**read_yaml(path), "mode": "apply", "confirm": "prod"}))
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    monkeypatch.chdir(tmp_path)
    yield path


def told(name: str, file: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[dict[str, Any], Any]:
    """The values that the command would act by, and what came of the call."""
    words, target = COMMANDS[name]
    found: list[dict[str, Any]] = []

    def stop(*given: Any, begins: Callable[[], object] = lambda: None, **_: Any) -> None:
        begins()
        found.append(next(one for one in given if isinstance(one, dict)))
        raise Stop

    monkeypatch.setattr(target, stop)
    done = CliRunner().invoke(app, [*words, "--params", str(file), *more])
    return (found[0] if found else {}), done


def test_every_command_that_can_apply_is_here() -> None:
    from typer.main import get_command

    def walk(command: Any, path: str) -> Iterator[str]:
        if any(getattr(one, "name", "") == "apply" for one in command.params):
            yield path
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{path} {name}".strip())

    without_a_file = {"archive prune"}
    here = {name.removesuffix(" 1").removesuffix(" 2") for name in COMMANDS}
    assert here | without_a_file == set(walk(get_command(app), ""))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_at_apply_is_a_plan(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, done = told(name, file, monkeypatch)
    assert isinstance(done.exception, Stop)
    assert (values["mode"], values["confirm"]) == ("plan", "")
    if name in ("run", "rollback 2"):
        assert "(plan: nothing will be changed; " in done.stderr and "only --apply applies" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_apply_takes_its_confirmation_from_the_command_line(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, done = told(name, file, monkeypatch, "--apply")
    assert (values["mode"], values["confirm"]) == ("apply", "")
    values, done = told(name, file, monkeypatch, "--apply", "--confirm", "prod")
    assert (values["mode"], values["confirm"]) == ("apply", "prod")
    if name in ("run", "rollback 2"):
        assert "(apply: it may change AWS)" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("more", [("--set", "mode=apply"), ("--set", "mode=plan", "--apply", "--confirm", "prod")])
def test_set_does_not_say_otherwise(
    name: str, more: tuple[str, ...], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, done = told(name, file, monkeypatch, *more)
    assert values == {}
    assert isinstance(done.exception, UsageError)
    assert done.exception.nothing_changed


def test_the_kill_switch_leaves_a_contradiction_to_the_command_line(file: Path) -> None:
    words = ["rollback", "1", "--params", str(file), "--apply", "--confirm", "prod"]
    assert kill_switch.parse([*words, "--set", "mode=plan"]) is None
    assert kill_switch.parse(words) is not None


def test_a_watch_takes_its_confirmation_from_the_command_line(file: Path) -> None:
    assert launch.asked([])["confirm"] == ""
    done = CliRunner().invoke(app, ["watch", "06", "--params", str(file), "--auto-rollback"])
    assert isinstance(done.exception, UsageError)
    assert "--confirm is ''" in str(done.exception)
