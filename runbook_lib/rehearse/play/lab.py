"""JupyterLab on the notebooks, beside an embedded AWS whose time passes, with a rollout under way: a healthy one, or
one in which something goes wrong, to practise.

The notebooks are copies in a folder of their own, with the rehearsal's parameters as defaults: Run All works at once,
all results stay there, and the project's notebooks and archive are not touched.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.base.foreign import markup
from runbook_lib.base.process import free_port, unusable
from runbook_lib.base.project import visible
from runbook_lib.base.window import when
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import load_file, params_dir, project_root, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play import jupyter
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.debrief import debrief
from runbook_lib.rehearse.play.director import Rehearsal, curtain
from runbook_lib.rehearse.play.play import Play
from runbook_lib.rehearse.play.practice import Call, called, scenario_for
from runbook_lib.rehearse.play.stage import only, overlaid, places, shown
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.world import World, advance_all

HEALTHY = "healthy"
_SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "filebrowser-extension/browser": {"showLastModifiedColumn": False},  # a notebook's name needs the room
}
SOAKED_H = 6


def lab(*, seed: int, port: int, browser: bool, scenario: str = HEALTHY) -> int:
    """Prepares the stage, starts JupyterLab, and takes both down together.

    Args:
        scenario: any other than the healthy one is an exercise, with a summary at the end.

    Returns:
        JupyterLab's exit code.

    Raises:
        UsageError: the scenario does not exist, or is not for practice; JupyterLab is missing, or its port is taken.
        RunbookError: JupyterLab was killed.
    """
    _can_serve(port)
    known = scenario_for(scenario)
    known.fits(load_file(params_dir() / f"{places().prod}.yaml").policy.phases)
    progress = Board()
    with progress.step("embedded AWS") as said:
        aws = EmbeddedAws(curtain(dt.datetime.now(dt.UTC)))
        said.append(aws.endpoint)
    with aws, only(aws.env):
        rehearsal = Rehearsal(aws, scenario, seed, progress)
        folder = workspace(project_root() / "archive" / "lab", rehearsal.release)
        rehearsal.root, rehearsal.archive = folder, "archive"
        with rehearsal.nursery:
            play = Play(rehearsal, known, known.first_phase)
            play.set_stage()
            call = called(play) if known.in_a_soak else _calm(play)
        exercise = Exercise(known, call, rehearsal, folder)
        for line in exercise.opening():
            progress.say(line)
        with passing(aws, list(rehearsal.worlds.values()), progress.say):
            code = _serve(folder, port or free_port(), browser)
        for line in exercise.closing():
            progress.say(line)
        return ended(code)


def ended(code: int) -> int:
    """The exit code of a JupyterLab that ended by itself.

    Raises:
        RunbookError: it was killed.
    """
    if code < 0:
        raise RunbookError(f"JupyterLab was ended by {signal.Signals(-code).name}")
    return code


def _can_serve(port: int) -> None:
    """Refuses a missing JupyterLab and a taken port before the stage is set, which takes most of a minute."""
    if importlib.util.find_spec(jupyter.PROGRAM) is None:
        raise UsageError("JupyterLab is not installed here; `make setup` or `pip install jupyterlab` brings it")
    if why := unusable(port) if port else "":
        raise UsageError(f"--port {port} cannot be used ({why}); --port 0 takes a free one")


def _calm(play: Play) -> Call:
    """Goes to a healthy rollout, some hours after its first shift."""
    notebook = play.from_start()[0]
    play.shift(notebook)
    play.stage.soak(play.aws.now() + dt.timedelta(hours=SOAKED_H))
    return Call(play.aws.now(), notebook, "")


@dataclass(frozen=True)
class Exercise:
    """The texts on the terminal before JupyterLab opens and after it ends."""

    scenario: Scenario
    call: Call
    stage: Rehearsal
    folder: Path

    def opening(self) -> list[str]:
        """The situation, and what to do first."""
        title = self.stage.params[places().prod].policy.steps[self.call.notebook].title
        lines = [f"{title}: in force, and the clock runs on. Nothing here reaches a real account."]
        if self.call.said:
            lines += ["", f"[bold]{when(self.call.at)}: you are called: {markup(self.call.said)}.[/]"]
        lines += [
            "First: in JupyterLab Run All of 00_start, which is open: it says where the rollout stands.",
            f"Then follow its link to {self.call.notebook} and Run All: it says what is wrong, and what is next.",
            f"Or in a terminal of JupyterLab: runbook status --env {places().prod}. "
            f"All of it lies in {shown(self.folder)}.",
            "Ctrl-C ends everything" + (", and says how long it took and what was right." if self.call.said else "."),
        ]
        return lines

    def closing(self) -> list[str]:
        """The summary; empty without an exercise, or if nobody took part."""
        if not self.call.said:
            return []
        archive, params = Archive(self.folder / "archive"), self.stage.params[places().prod]
        try:
            state = weights.read_traffic(self.stage.aws, params)
            before = {run.run_id for run in self.stage.runs}
            records = [archive.load(ref) for ref in archive.records() if ref.run_id not in before]
            runs = sorted((one for one in records if one.origin != "practice" and one.opened_at), key=_opened)
            lines = debrief(self.scenario, self.call.at, self.stage.aws.now(), state, [r for r in runs if not r.entry])
        except RunbookError as error:
            return [f"how it went cannot be told: {markup(error)}"]
        marks = {True: "[green]✔[/]", False: "[red]✘[/]", None: "·"}
        return ["", "[bold]How it went[/]", *(f"{marks[one.ok]} {markup(one.text)}" for one in lines)]


def _opened(record: Record) -> str:
    return str(record.opened_at)


def workspace(parent: Path, release: str) -> Path:
    """A copy of `notebooks/` and `params/` with the rehearsal's parameters as defaults."""
    root = project_root()
    folder = parent / release
    shutil.copytree(root / "params", folder / "params")
    flat = {**overlaid(places().prod, release), "archive": "archive"}
    for env in places().every:
        values = {**overlaid(env, release), "archive": "archive"}
        (folder / "params" / f"{env}.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    commands = folder / "params" / f"{flat['commands']}.yaml"
    told = {key: _at_home(value, root, folder) for key, value in read_yaml(commands).items()}
    commands.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    for name, settings in _SETTINGS.items():
        file = folder / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings))
    (folder / "notebooks").mkdir()
    for notebook in visible(root / "notebooks", "ipynb"):
        text = notebook.read_text(encoding="utf-8")
        (folder / "notebooks" / notebook.name).write_text(with_defaults(text, flat), encoding="utf-8")
    return folder


def _at_home(told: Any, root: Path, folder: Path) -> Any:
    """Commands as `commands.yaml` has them; one that names a file that only the project has runs in the project."""
    if isinstance(told, list):
        return [_at_home(one, root, folder) for one in told]
    if not isinstance(told, dict) or "run" not in told:
        return told
    home, here = (one / told.get("cwd", ".") for one in (root, folder))
    named = [word for word in shlex.split(told["run"]) if (home / word).exists() and not (here / word).exists()]
    return {**told, "cwd": os.path.relpath(home, folder)} if named else told


def with_defaults(notebook: str, values: Mapping[str, Any]) -> str:
    """A notebook (as text) whose parameters cell has `values` as its defaults; comments stay."""
    loaded = json.loads(notebook)
    for cell in loaded["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            lines = "".join(cell["source"]).splitlines()
            cell["source"] = "\n".join(_line(line, values) for line in lines)
    return json.dumps(loaded, indent=1, ensure_ascii=False) + "\n"


def _line(line: str, values: Mapping[str, Any]) -> str:
    found = re.fullmatch(r"(\w+) = .*?(  # .*)?", line)
    if found is None or found[1] not in values:
        return line
    value = values[found[1]]
    said = json.dumps(value) if isinstance(value, str) else repr(value)  # a text in double quotes, as elsewhere
    return f"{found[1]} = {said}{found[2] or ''}"


def _serve(folder: Path, port: int, browser: bool) -> int:
    command = [
        *(sys.executable, "-m", jupyter.__name__, str(os.getpid())),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        "--log-level=WARN",  # the first instructions must not scroll away
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb",
        # Nobody who practises a rollout needs news, and there is no network to look for updates.
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--LabApp.user_settings_dir={folder / '.settings'}",
        f"--LabApp.workspaces_dir={folder / '.workspaces'}",  # else it opens the files of the last time, in any lab
    ]
    # In JupyterLab's own terminal `runbook` is this one.
    path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    server = subprocess.Popen(command, env={**os.environ, "PATH": path})
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        try:
            server.wait(jupyter.GOES_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


STEP_S = 300
"""Virtual seconds: the shortest period of the metrics."""
_LOOK_S = 15.0
_STOP_S = 60.0


@contextlib.contextmanager
def passing(
    aws: EmbeddedAws, worlds: Sequence[World], told: Callable[[str], object], look_s: float = _LOOK_S
) -> Iterator[None]:
    """Inside the block the worlds follow AWS's clock by whole steps: jobs end, alarms are evaluated.

    Args:
        told: called with a sentence if they cannot follow any more.
        look_s: real seconds between two looks at the clock.
    """
    stop = threading.Event()

    def live() -> None:
        try:
            while not stop.wait(look_s):
                follow(aws, worlds)
        except Exception as error:  # on any error the lab goes on, and says that its users are gone
            if not stop.is_set():
                told(f"the lab's users are gone ({type(error).__name__}: {error}); start it again")

    thread = threading.Thread(target=live, name="users", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)


def follow(aws: EmbeddedAws, worlds: Sequence[World]) -> bool:
    """Follows the clock once; returns whether there was a step that the worlds had not lived yet."""
    due = aws.now().timestamp() // STEP_S * STEP_S
    if not worlds or min(world.service.now for world in worlds) >= due:
        return False
    advance_all(worlds, dt.datetime.fromtimestamp(due, dt.UTC))
    aws.move_to(aws.now() + dt.timedelta(seconds=1))  # a move evaluates alarms and expires items
    return True
