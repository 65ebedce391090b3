"""The lab takes JupyterLab down with it, however it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAB = """
import subprocess, sys
from pathlib import Path
from runbook_lib.rehearse.play import lab

real = subprocess.Popen
def started(command):
    child = real([sys.executable, "-c", sys.argv[2]])
    (Path(sys.argv[1]) / "pid").write_text(str(child.pid))
    return child

subprocess.Popen = started
lab._GOES_S = 0.5
def staged(*_, **__):
    return lab._serve(Path(sys.argv[1]), 1, False)
lab.Board = staged
sys.exit(lab.lab(seed=1, port=1, browser=False))
"""
CHILDREN = {
    "ends": "import time; time.sleep(60)",
    "does not": "import signal, time; signal.signal(15, 1); time.sleep(60)",
}


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


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
    finally:
        lab.kill()
        lab.wait()
