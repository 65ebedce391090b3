"""The README's pictures, made from a rehearsal by `make pictures`: a report, JupyterLab, a terminal, the site. Needs
Chromium.

Virtual day, seed, scenario and sizes are the same each time. Run ids and the real clock are of the day, and so are the
minutes: the embedded AWS's clock ticks on while notebooks run, so a count may differ by a few requests.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from runbook_lib.base.process import free_port
from runbook_lib.params.load import project_root
from runbook_lib.record.archive import Archive
from runbook_lib.record.attached import report_of
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play import jupyter
from runbook_lib.rehearse.play.board import Board
from runbook_lib.rehearse.play.director import Rehearsal
from runbook_lib.rehearse.play.lab import workspace
from runbook_lib.rehearse.play.play import Play
from runbook_lib.rehearse.play.practice import called, scenario_for
from runbook_lib.rehearse.play.stage import only
from tests.e2e.conftest import CHROMIUM, FLAGS

IMAGES = project_root() / "docs" / "images"
DAY = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
SCENARIO, PHASE = "async_failing", "06_phase1_10_percent"
COMMANDS = ("runbook rollback 1 --env prod --apply --confirm prod", "runbook status --env prod")
COLUMNS = 100
COLOURS = 96
"""Of a picture: enough for text and charts, and a third of the size."""
_BELOW_THE_BAR = 100
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>{stylesheet}
body {{ margin: 0; background: #0c0c0c; }}
pre {{ display: inline-block; margin: 0; padding: 16px 20px; font: 13px/1.45 "DejaVu Sans Mono", monospace;
       color: {foreground}; background: #0c0c0c; }}</style><pre>{code}</pre>"""
_PLACES = {"user_settings": ".settings", "workspaces": ".workspaces"}
_JUPYTER = ("--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root", "--log-level=ERROR")


def save(picture: bytes, name: str) -> None:
    """Writes it into `docs/images/`, with few colours."""
    small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path = IMAGES / f"{name}.png"
    small.save(path, optimize=True)
    print(f"{path.relative_to(project_root())}: {path.stat().st_size // 1000} kB")


def typed(command: str, folder: Path) -> str:
    """What a terminal shows of a command of ours, colours and all."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    words = [sys.executable, "-m", "runbook_lib.cli.app", *command.split()[1:]]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(words, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += (part := os.read(mine, 65536))
            except OSError:  # the terminal is hung up when the command has ended
                break
            if not part:
                break
        process.wait()
    os.close(mine)
    return said.decode().replace("\r\n", "\n").replace(str(folder) + "/", "")


def terminal(browser: Any, commands: Sequence[str], folder: Path) -> None:
    """Commands, one after the other, as a terminal shows them."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, highlight=False)
    for command in commands:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(typed(command, folder).rstrip()))
        console.print()
    page = browser.new_page(viewport={"width": 1000, "height": 400}, device_scale_factor=1.5)
    page.set_content(console.export_html(theme=MONOKAI, code_format=_PAGE).rstrip())
    save(page.locator("pre").screenshot(), "terminal")
    page.close()


def lab(browser: Any, folder: Path) -> None:
    """The phase's notebook in JupyterLab, at the end of Run All."""
    port = free_port()
    words = [sys.executable, "-m", jupyter.__name__, str(os.getpid()), *_JUPYTER, f"--ServerApp.port={port}"]
    words += ["--IdentityProvider.token="]
    words += [f"--LabApp.{name}_dir={folder / place}" for name, place in _PLACES.items()]
    server = subprocess.Popen([*words, f"--ServerApp.root_dir={folder}"], stderr=subprocess.DEVNULL)
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 820})
        for _ in range(100):
            try:
                page.goto(f"http://127.0.0.1:{port}/lab/tree/notebooks/{PHASE}.ipynb")
                break
            except Exception:  # it has not come up yet
                time.sleep(0.3)
        page.locator(".jp-StatusBar-Widget", has_text="Idle").first.wait_for(timeout=60_000)
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        page.get_by_text(re.compile("Record [0-9a-f]{12} sealed")).first.wait_for(timeout=90_000)
        page.mouse.move(800, 400)
        verdict = page.locator(".jp-Notebook h2", has_text=re.compile("Verdict"))
        while not verdict.count() or (verdict.first.bounding_box() or {"y": -1})["y"] < _BELOW_THE_BAR:
            page.mouse.wheel(0, -60)  # cells that are not on the screen are not in the page
            page.wait_for_timeout(100)
        page.wait_for_timeout(1000)
        save(page.screenshot(), "jupyterlab")
    finally:
        server.terminate()
        server.wait(jupyter.GOES_S + 5)


def report(browser: Any, folder: Path) -> None:
    """The first screen of a phase's report."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    typed("runbook run 06 --env prod", folder)
    newest = Archive(folder / "archive").records(notebook=PHASE)[-1]
    page.goto(report_of(newest).as_uri())
    save(page.screenshot(), "report")
    page.close()


def site(browser: Any, folder: Path) -> None:
    """The archive as a site: its first page."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    typed("runbook archive site", folder)
    page.goto((folder / "build" / "site" / "index.html").as_uri())
    save(page.screenshot(), "site")
    page.close()


def main() -> None:
    """All four."""
    scenario = scenario_for(SCENARIO)
    with tempfile.TemporaryDirectory() as temporary, EmbeddedAws(DAY) as aws, only(aws.env):
        stage = Rehearsal(aws, SCENARIO, 7, Board())
        folder = workspace(Path(temporary), stage.release)
        stage.root, stage.archive = folder, "archive"
        with stage.nursery:
            play = Play(stage, scenario, scenario.first_phase)
            play.set_stage()
            called(play)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            report(browser, folder)
            lab(browser, folder)
            terminal(browser, COMMANDS, folder)
            site(browser, folder)
            browser.close()


if __name__ == "__main__":
    main()
