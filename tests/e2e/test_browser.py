"""The pages that people look at, in a real browser: JupyterLab by hand, and the report."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from runbook_lib.record.archive import Archive
from runbook_lib.record.attach import attach
from runbook_lib.record.attached import report_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "06_phase1_10_percent"
SEALED = re.compile(r"Record ([0-9a-f]{12}) sealed")

pytestmark = [pytest.mark.browser, pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]


@dataclass
class Lab:
    """A running `runbook lab` in a project of its own."""

    process: subprocess.Popen[str]
    url: str
    token: str
    folder: Path

    @property
    def archive(self) -> Archive:
        return Archive(self.folder / "archive")

    @property
    def log(self) -> Path:
        """What it says in its terminal."""
        return self.folder.parents[2] / "log"


@contextlib.contextmanager
def opened(home: Path, *options: str) -> Iterator[Lab]:
    """`runbook lab` in a project of its own in `home`; ended as a terminal does it."""
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, home / name)
    log = home / "log"
    command = [sys.executable, "-m", "runbook_lib.cli.app", "lab", "--no-browser", "--port", "0", *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=home, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 120
        while (found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\S*token=(\w+)", log.read_text())) is None:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        (folder,) = (home / "archive" / "lab").iterdir()
        yield Lab(process, found[1], found[2], folder)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Lab]:
    """One for all tests, in this order: one in which something goes wrong. `test_play.py` opens a calm one."""
    with opened(tmp_path_factory.mktemp("lab"), "--scenario", "async_failing") as running:
        yield running


def run_all(page: Any) -> Any:
    """Run All in the notebook that is open; the line that says that its record is sealed."""
    run_cells(page)
    note = page.locator(".jp-NotebookPanel:visible").get_by_text(SEALED).first
    note.wait_for(timeout=90_000)
    return note


def sealed_as(note: Any) -> str:
    """The id of the run whose line that is."""
    found = SEALED.search(note.inner_text())
    assert found
    return found[1]


def run_cells(page: Any) -> None:
    """Run All in the notebook that is open, and no more."""
    page.locator(".jp-StatusBar-Widget", has_text="Idle").first.wait_for(timeout=60_000)
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()


def in_view(page: Any, text: str | re.Pattern[str]) -> Any:
    """The visible text of the open notebook that is on the screen as it stands, nothing scrolled for it."""
    found = page.locator(".jp-NotebookPanel:visible").get_by_text(text)
    height = page.viewport_size["height"]
    boxes = [(one, one.bounding_box()) for one in found.all()]
    seen = [one for one, box in boxes if box and box["height"] and box["y"] >= 0 and box["y"] + box["height"] <= height]
    assert seen, f"{text!r} is not on the screen: {[box for _, box in boxes]}"
    return seen[0]


def test_from_something_is_wrong_to_async_is_off_without_scrolling(lab: Lab, browser: Any) -> None:
    """As whoever is on call: the page, the phase's notebook, what it says is next, the rollback's notebook, its end.

    What Run All judged is sealed, and the saved notebook can be attached to it.
    """
    assert f"follow its link to {NOTEBOOK} and Run All" in lab.log.read_text()
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(f"{lab.url}/?token={lab.token}")
    run_cells(page)
    page.locator(".jp-NotebookPanel:visible").get_by_text("steps passed").first.wait_for(timeout=60_000)
    in_view(page, re.compile("^Next: "))
    in_view(page, re.compile("^runbook run "))
    in_view(page, re.compile("^Something is wrong"))
    in_view(page, re.compile("^06_phase1_10_percent$")).click()
    page.locator(".jp-NotebookPanel:visible .cm-line", has_text=re.compile("^mode = ")).wait_for(timeout=30_000)
    first = sealed_as(run_all(page))
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert page.get_by_text("Would you like to get notified").count() == 0
    in_view(page, "ROLLBACK. Next: Run rollback_1: it turns async off at once")
    page.keyboard.press("Control+s")
    saved = lab.folder / "notebooks" / f"{NOTEBOOK}.ipynb"
    deadline = time.monotonic() + 20
    while first not in saved.read_text() and time.monotonic() < deadline:
        page.wait_for_timeout(200)

    page.locator(".jp-DirListing-item", has_text=re.compile("^rollback_1")).dblclick()
    page.locator(".jp-NotebookPanel:visible .cm-line", has_text="mode = ").wait_for(timeout=30_000)
    for line, said in (('mode = "plan"', 'mode = "apply"'), ('confirm = ""', 'confirm = "prod"')):
        in_view(page, line).click()
        page.keyboard.press("Home")
        page.keyboard.press("Shift+End")
        page.keyboard.insert_text(said)
    run_id = sealed_as(run_all(page))
    in_view(page, "ASYNC IS OFF")
    in_view(page, f"Record {run_id} sealed")
    page.close()

    record = lab.archive.load(lab.archive.find(run_id))
    assert (record.mode, record.told.word, (record.traffic_after or {})["weight"]) == ("apply", "ASYNC IS OFF", 0)
    ref = lab.archive.find(first)
    record = lab.archive.load(ref)
    assert (record.origin, record.status, record.decision) == ("interactive", "completed", "ROLLBACK")
    attached = attach(saved, lab.archive)
    assert (attached / "report.html").is_file()
    lab.archive.verify(ref)


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:
    """A tab that keeps what is asked for in it, and what is complained of."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    tab.close()


@pytest.fixture
def report(lab: Lab, tab: Any) -> Iterator[Any]:
    """The report of the phase, opened from disk, anew for each test."""
    first = lab.archive.records(notebook=NOTEBOOK)[-1]
    tab.asked, tab.complaints = [], []
    tab.goto(report_of(first).as_uri())
    yield tab
    tab.emulate_media(media="screen")
    tab.set_viewport_size({"width": 1280, "height": 900})


def test_the_report_needs_nothing_but_its_file(report: Any) -> None:
    assert report.complaints == []
    assert [url for url in report.asked if not url.startswith(("file:", "data:"))] == []


def test_the_verdict_is_in_the_first_screen(report: Any) -> None:
    box = report.get_by_text("ROLLBACK").first.bounding_box()
    assert box is not None and box["y"] + box["height"] < 800


def test_every_chart_is_drawn_and_described(report: Any) -> None:
    images = report.locator("img").all()
    assert images
    for image in images:
        assert len(image.get_attribute("alt") or "") > 40
        assert image.evaluate("node => node.naturalWidth") > 0


def test_code_is_hidden_until_asked_for(report: Any) -> None:
    code = report.get_by_text("phase.observe()").first
    assert not code.is_visible()
    report.get_by_text("Show code").first.click()
    assert code.is_visible()


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_at_the_side(report: Any, width: int) -> None:
    report.set_viewport_size({"width": width, "height": 900})
    assert report.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_axe_finds_nothing_in_the_report_of_a_fresh_run(lab: Lab, browser: Any) -> None:
    page = browser.new_page(bypass_csp=True)
    page.goto(report_of(lab.archive.records(notebook=NOTEBOOK)[-1]).as_uri())
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []
    page.close()


def test_paper_has_no_button(report: Any) -> None:
    report.emulate_media(media="print")
    assert not report.get_by_text("Show code").first.is_visible()


def test_ctrl_c_takes_everything_down_and_how_it_went_is_said(lab: Lab, browser: Any) -> None:
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(lab.process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) >= 2
    lab.process.send_signal(signal.SIGINT)
    assert lab.process.wait(30) == 0
    deadline = time.monotonic() + 10
    while (left := [pid for pid in children if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    closing = lab.log.read_text().rpartition("How it went")[2]
    assert re.search(r"async was off \d+ (s|min \d+ s) after the call, by the switch", closing)
    run_id = lab.archive.records(notebook="rollback_1_async_failing")[-1].run_id
    assert "✔ rollback 1: the right answer" in closing and f"ASYNC IS OFF (run {run_id})" in closing
