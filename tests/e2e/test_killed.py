"""Runs that end by force: what they leave, and what the next run makes of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NAME = "06_phase1_10_percent.ipynb"


def with_cell(folder: Path, source: str, after: str) -> Path:
    """A copy of the notebook in `folder` with one more cell, behind the one that holds `after`."""
    notebook = json.loads((ROOT / "notebooks" / NAME).read_text())
    place = next(n for n, cell in enumerate(notebook["cells"]) if after in "".join(cell["source"]))
    more = {"cell_type": "code", "id": "more", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
    notebook["cells"].insert(place + 1, more)
    (folder / NAME).write_text(json.dumps(notebook))
    return folder / NAME


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """What `what` gives as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.05)
    return found


def gone(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def test_a_killed_kernel_leaves_a_record_that_says_so_and_running_again_works(
    rollout: Any, command: Any, tmp_path: Path
) -> None:
    rollout.quiet()
    killed = with_cell(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", after="phase.apply()")
    arguments = ["runbook", "run", killed, *rollout.settings(), "--apply", "--confirm", "prod"]
    finished = command(arguments, rollout.aws.environ())
    (died,) = rollout.records()
    assert (died.status, died.error.type) == ("died", "DeadKernelError")
    cells = json.loads(killed.read_text())["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    # Papermill puts a cell with the parameters before it.
    at = next(n for n, source in enumerate(code, start=2) if "SIGKILL" in source)
    assert f"the kernel died while code cell {at} of {len(code) + 1}" in died.error.sentence
    # The shift was made, and all of it had been read back by then: nothing is open.
    assert [change.intent["after"]["percent"] for change in died.changes] == [0, 10]
    assert died.open_changes == ()
    assert rollout.state().weight == 10

    # Running it again finds the soak, changes nothing, and goes on in the same chain.
    again = rollout.by_hand(**rollout.apply)
    assert (again.moment, again.decision, again.changes) == ("during", "SOAK", ())
    assert (again.status, again.previous) == ("completed", died.hash)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stdout + finished.stderr
    assert died.error.sentence in finished.stdout


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_papermill_killed_leaves_a_journal_that_the_next_run_closes_as_died(rollout: Any, tmp_path: Path) -> None:
    rollout.quiet()
    here = tmp_path / "pid"
    sleep = f"import os, pathlib, time\npathlib.Path({str(here)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    asleep = with_cell(tmp_path, sleep, after="Phase(run)")
    run = [sys.executable, "-m", "papermill", "--engine", "runbook", "--autosave-cell-every", "0"]
    child = subprocess.Popen(
        [*run, *rollout.papermill_settings(), asleep, tmp_path / "out.ipynb"],
        env=rollout.aws.environ(),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        kernel = int(wait_for(lambda: here.exists() and here.read_text()))
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    # Nobody could seal it: the opened journal stays where it was.
    (staged,) = rollout.archive.staging.glob("*")
    assert rollout.refs() == []
    # The kernel ends by itself when papermill is gone.
    wait_for(lambda: gone(kernel), 10)

    again = rollout.by_hand()
    died, last = rollout.records()
    assert (died.run_id, died.status, died.error.type) == (staged.name, "died", "Died")
    assert f"pid {child.pid}" in died.error.sentence
    assert died.traffic_before["weight"] == 0
    # What papermill had saved of the notebook by then is kept.
    assert "notebook.ipynb" in died.files
    assert (last.run_id, last.previous, last.decision) == (again.run_id, died.hash, "PLANNED")
