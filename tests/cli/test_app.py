"""The command line as a manual: every command helps, every error is a sentence with its exit code."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.base.errors import Exit, RedVerdict, Refused, RunbookError, UsageError
from runbook_lib.cli.app import app, main
from runbook_lib.cli.options import placed
from runbook_lib.cli.rehearse import rehearse
from runbook_lib.commands.status import Status
from runbook_lib.rollout.progress import Line

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    *("rehearse", "run", "status", "lab", "rollback", "watch", "attest", "approve", "note", "replay", "probe", "cost"),
    *("dlq list", "dlq redrive", "dlq export"),
    *("archive list", "archive show", "archive attach", "archive verify", "archive prove", "archive sync"),
    *("archive query", "archive export", "archive attest", "archive prune", "archive sign", "archive site", "verify"),
    *("params check", "params explain", "plan-steps", "doctor", "policies", "init", "upgrade", "release"),
    *("deviation list", "deviation undo", "deviation adopt"),
]


def call(*words: str) -> subprocess.CompletedProcess[str]:
    """As a process of its own would, in this one: what it prints, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", ["runbook", *words])
        main()
    return subprocess.CompletedProcess(words, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def names(group: typer.Typer, prefix: str = "") -> list[str]:
    found = [prefix + str(c.name or c.callback.__name__) for c in group.registered_commands if c.callback]  # type: ignore[attr-defined]
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        found += names(sub.typer_instance, f"{sub.name} ")
    return found


def test_every_command_is_listed_here_and_in_the_readme() -> None:
    assert sorted(names(app)) == sorted(COMMANDS)
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"runbook {command}" in readme or f"make {command}" in readme, command


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_help_explains(command: str) -> None:
    done = call(*command.split(), "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 8
    if command in ("rehearse", "run", "status", "rollback", ""):
        assert "Exit codes" in done.stdout and "rollback advised" in done.stdout


def test_the_exit_codes_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for code in Exit:
        assert f"| {int(code)} |" in readme
    assert [int(e) for e in (Exit.OK, Exit.ERROR, Exit.USAGE, Exit.HOLD, Exit.ROLLBACK)] == [0, 1, 2, 3, 4]
    assert (RunbookError.exit_code, UsageError.exit_code, Refused.exit_code) == (Exit.ERROR, Exit.USAGE, Exit.HOLD)
    assert RedVerdict("HOLD", "x").exit_code == Exit.HOLD
    assert str(RedVerdict("HOLD", "x")) == "HOLD: x"
    assert RedVerdict("ROLLBACK", "x").exit_code == Exit.ROLLBACK


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "06", "--params", "params/qa.yaml"], "params/qa.yaml: no such file"),
        (["run", "99", "--params", "params/prod.yaml"], "notebook '99'"),
        (["run", "06", "--params", "params/prod.yaml", "--set", "mode=go"], "--set mode='go': expects"),
        (["rollback", "7", "--params", "params/prod.yaml"], "rollback '7'"),
        (["rehearse", "--scenario", "apocalypse"], "apocalypse"),
        (["rehearse", "--project", "docs"], "--project docs: there is no params/gates.yaml in it"),
        (["archive", "list", "--archive", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(words: list[str], says: str) -> None:
    done = call(*words)
    assert done.returncode == Exit.USAGE
    assert says in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


def test_scenarios_are_listed_with_what_they_do() -> None:
    done = call("rehearse", "--list")
    assert done.returncode == 0
    told = {name: cells for name, *cells in (line.split("\t") for line in done.stdout.splitlines())}
    assert told["healthy"][:3] == ["06", "PROMOTE", "A healthy rollout"]
    assert told["backlog_by_spike"][0] == "07"
    assert told["async_failing"][1].startswith("ROLLBACK 1")
    assert all(len(cells) == 4 and all(cells) for cells in told.values())


def test_on_a_terminal_the_words_are_explained_before_the_scenarios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    rehearse(list_=True)
    told = capsys.readouterr().out
    for word in ("PROMOTE", "HOLD", "ROLLBACK N", "in 06", "Guards", "The baseline", "--start-phase"):
        assert word in told[: told.index("scenario  ")], "explained before the table"


def test_an_environment_stands_for_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert placed(Path("prod")) == Path("params/prod.yaml")
    assert placed(Path("elsewhere/prod.yaml")) == Path("elsewhere/prod.yaml")
    assert placed(Path("prod.yaml")) == Path("prod.yaml")
    monkeypatch.chdir(ROOT / "notebooks")
    assert placed(Path("prod")) == ROOT / "params" / "prod.yaml"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prod").write_text("env: prod")
    assert placed(Path("prod")) == Path("prod"), "a file of that name is that file"


def test_an_unknown_environment_is_one_sentence() -> None:
    done = call("run", "06", "--env", "qa")
    assert (done.returncode, done.stdout) == (2, "")
    told = "runbook: params/qa.yaml: no such file: 'qa' has no parameters here; there are dev, prod, staging"
    assert done.stderr.strip() == f"{told}; nothing was changed"


STATUS = Status(
    env="prod",
    release="2026.11",
    weight=0.0,
    dial=10.0,
    switch="off",
    now="2026-11-09 12:00 UTC",
    lines=(
        Line(
            notebook="06_phase1_10_percent",
            env="prod",
            title="10 %",
            state="hold",
            moment="taken_back",
            words="the weight was taken back by rollback_1_async_failing (run 4f1c9a7be210) at 2026-11-09 11:00 UTC",
            last="ROLLBACK",
            last_at="2026-11-09 11:30 UTC",
            due="",
            command="runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2",
        ),
    ),
    next="runbook run 06_phase1_10_percent --params params/prod.yaml --set attempt=2",
    next_words="06_phase1_10_percent in prod: only when the cause is fixed.",
    exit_code=3,
    unfinished="rollback 1 (run 4f1c9a7be210) is not proven yet: async is off, still to be seen: the split is 0 %",
)


def test_status_watch_asks_again_and_ends_with_the_code_of_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def looks(file: Path, values: Any, *, every: float | None) -> Any:
        asked.append((values["release"], every))
        yield STATUS
        yield "AWS did not answer; asked again in 30 s"
        yield replace(STATUS, exit_code=4)

    monkeypatch.setattr("runbook_lib.commands.status.again", looks)
    words = ["status", "--params", str(ROOT / "params" / "prod.yaml"), "--watch", "--interval", "30"]
    done = CliRunner().invoke(app, [*words, "--set", "release=r9"])
    assert asked == [("r9", 30.0)] and done.exit_code == 4
    assert done.stdout.count("weight in force") == 2 and "AWS did not answer" in done.stderr


@pytest.mark.parametrize("trouble", [False, True])
def test_status_watch_ends_when_nobody_reads_it_any_more(monkeypatch: pytest.MonkeyPatch, trouble: bool) -> None:
    looked: list[int] = []

    def looks(*_: Any, **__: Any) -> Any:
        for number in range(9):
            looked.append(number)
            yield "AWS did not answer; asked again in 30 s" if trouble and number else STATUS

    monkeypatch.setattr("runbook_lib.commands.status.again", looks)
    monkeypatch.setattr("runbook_lib.cli.app.closed", lambda: len(looked) > 2)
    words = ["status", "--params", str(ROOT / "params" / "prod.yaml"), "--watch"]
    assert CliRunner().invoke(app, words).exit_code == STATUS.exit_code and looked == [0, 1, 2]


def test_a_run_that_is_refused_before_its_kernel_is_not_told_as_running() -> None:
    done = CliRunner().invoke(app, ["run", "06", "--params", "params/prod.yaml", "--set", "rollout_step=zzz"])
    assert "which is not a step of gates.yaml" in str(done.exception) and "running" not in done.output


def test_the_version_is_that_of_the_package() -> None:
    done = call("--version")
    assert (done.returncode, done.stdout) == (0, f"runbook {metadata.version('rollout-runbook')}\n")
