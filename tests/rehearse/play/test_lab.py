"""The lab takes JupyterLab down with it, however it is ended."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act.command import Command, run_command
from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.params.load import FLAT_NAMES, load_file, params_dir, read_yaml
from runbook_lib.rehearse.play import lab
from runbook_lib.rehearse.play.lab import with_defaults, workspace
from runbook_lib.run.launch import START
from tests.gone import gone

LAB = """
import subprocess, sys
from pathlib import Path
from runbook_lib.cli.ending import answering
from runbook_lib.rehearse.play import lab

answering()
real = subprocess.Popen
def started(command, **_):
    child = real([sys.executable, "-c", sys.argv[2]])
    (Path(sys.argv[1]) / "pid").write_text(str(child.pid))
    return child

subprocess.Popen = started
lab.jupyter.GOES_S = 0.5
def staged(*_, **__):
    code = lab._serve(Path(sys.argv[1]), 1, False)
    (Path(sys.argv[1]) / "code").write_text(str(code))
lab.Board = staged
sys.exit(lab.lab(seed=1, port=0, browser=False))
"""
CHILDREN = {
    "ends": "import time; time.sleep(60)",
    "does not": "import signal, time; signal.signal(15, 1); time.sleep(60)",
}


@pytest.mark.slow
@pytest.mark.parametrize("child", CHILDREN)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal_it_ends_jupyterlab(tmp_path: Path, how: signal.Signals, child: str) -> None:
    lab = subprocess.Popen([sys.executable, "-c", LAB, str(tmp_path), CHILDREN[child]], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline and lab.poll() is None
            time.sleep(0.05)
        time.sleep(0.3)
        lab.send_signal(how)
        lab.wait(15)
        assert gone(int((tmp_path / "pid").read_text()))
        assert (tmp_path / "code").read_text() == "0", "it was ended, and what went well is told"
    finally:
        lab.kill()
        lab.wait()


def test_the_parameters_become_the_cells_defaults_as_python() -> None:
    """Also what is neither text nor number: `false` of JSON once ended each notebook of the lab at its first cell."""
    root = params_dir().parent
    values = load_file(root / "params" / "prod.yaml").flat.model_dump()
    values |= {"reason": 'a "quoted" word', "redact_emails": True, "time_scale": 0.5}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if path.stem == START:
            continue
        cells = json.loads(with_defaults(path.read_text(encoding="utf-8"), values))["cells"]
        (source,) = (cell["source"] for cell in cells if "parameters" in cell["metadata"].get("tags", []))
        found: dict[str, Any] = {}
        exec("".join(source), found)
        assert {name: found[name] for name in FLAT_NAMES} == {name: values[name] for name in FLAT_NAMES}


def test_the_labs_commands_find_what_they_name(tmp_path: Path) -> None:
    """Tests and handlers are in the project's folder, not in the lab's: 01 once held because nothing was collected."""
    folder = workspace(tmp_path, "lab")
    given = read_yaml(folder / "params" / "rehearsal-commands.yaml")
    commands = [Command(**one) for one in (*given["checks"], given["diff"], given["deploy"])]
    home = params_dir().parent
    for command in commands:
        for word in command.argv({}):
            if word != sys.executable and (home / word).exists():
                assert (folder / command.cwd / word).exists(), f"{command.id}: {word}"
    assert {one.cwd for one in commands if "iac" in one.run} == {"."}, "the lab's own parameters are what it deploys"
    (lint,) = (one for one in commands if one.id == "lint")
    assert run_command(lint, root=folder, values={}).code == 0


def test_what_hinders_jupyterlab_is_told_before_the_stage_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage takes most of a minute."""
    monkeypatch.setattr(lab, "Board", lambda: pytest.fail("the stage was begun"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match=r"cannot be used \(Address already in use\); --port 0 takes a free one"):
            lab.lab(seed=1, port=other.getsockname()[1], browser=False)
    monkeypatch.setattr(lab.jupyter, "PROGRAM", "jupyter_that_is_not_here")
    with pytest.raises(UsageError, match="JupyterLab is not installed here"):
        lab.lab(seed=1, port=0, browser=False)


def test_a_jupyterlab_that_was_killed_is_an_error() -> None:
    """The exit code was 247, and nothing was said."""
    assert (lab.ended(0), lab.ended(1)) == (0, 1)
    with pytest.raises(RunbookError, match="JupyterLab was ended by SIGKILL"):
        lab.ended(-signal.SIGKILL)
