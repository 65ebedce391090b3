"""JupyterLab on the notebooks, beside an embedded AWS in which a healthy rollout is under way, and goes on.

The notebooks are copies in a folder of their own, with the rehearsal's parameters as their defaults: Run All works at
once, whatever is tried stays there, and the project's notebooks and archive are not touched.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.ports import free_port
from runbook_lib.params.load import project_root
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play import jupyter
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.director import Rehearsal, Scene, curtain
from runbook_lib.rehearse.play.passing import passing
from runbook_lib.rehearse.play.stage import only, overlaid, shown, take_as_passed

HISTORY_H = 24
SOAKED_H = 6
NOTEBOOK = "06_phase1_10_percent"


def lab(*, seed: int, port: int, browser: bool) -> int:
    """Prepares the stage, starts JupyterLab, and takes both down together.

    Returns:
        JupyterLab's exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # terminated is ended: everything is taken down
    progress = Board()
    with progress.step("embedded AWS") as said:
        aws = EmbeddedAws(curtain(dt.datetime.now(dt.UTC)))
        said.append(aws.endpoint)
    with aws, only(aws.env):
        rehearsal = Rehearsal(aws, "healthy", seed, progress)
        folder = workspace(project_root() / "archive" / "lab", rehearsal.release)
        rehearsal.root, rehearsal.archive = folder, "archive"
        with rehearsal.nursery:
            rehearsal.set_up("async", HISTORY_H)
            take_as_passed(folder / "archive", rehearsal.params["prod"], NOTEBOOK)
            rehearsal.run(Scene(NOTEBOOK, what="shift to 10 %"))
            rehearsal.run(Scene(NOTEBOOK, what="shift to 10 %"))
            rehearsal.soak(aws.now() + dt.timedelta(hours=SOAKED_H))
        worlds = list(rehearsal.worlds.values())
        progress.say(f"{HISTORY_H} h of history, then phase 1 in force for {SOAKED_H} h")
        progress.say(f"JupyterLab on {shown(folder)}: open 06_phase1_10_percent and Run All; Ctrl-C ends everything")
        with passing(aws, worlds, progress.say):
            return _serve(folder, port or free_port(), browser)


def workspace(parent: Path, release: str) -> Path:
    """A copy of `notebooks/` and `params/` in which the rehearsal's parameters are the defaults."""
    root = project_root()
    folder = parent / release
    shutil.copytree(root / "params", folder / "params")
    flat = {**overlaid("prod", release), "archive": "archive"}
    for env in ("dev", "staging", "prod"):
        values = {**overlaid(env, release), "archive": "archive"}
        (folder / "params" / f"{env}.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    (folder / "notebooks").mkdir()
    for notebook in sorted((root / "notebooks").glob("*.ipynb")):
        text = notebook.read_text(encoding="utf-8")
        (folder / "notebooks" / notebook.name).write_text(with_defaults(text, flat), encoding="utf-8")
    return folder


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
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        "--LabApp.default_url=/lab/tree/notebooks",
        # Nobody practising a rollout needs news, and there is no network to look for updates.
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--LabApp.user_settings_dir={folder / '.settings'}",
    ]
    server = subprocess.Popen(command)
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
