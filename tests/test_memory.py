"""What the tests leave in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.memory import __name__ as module

RUN = f"""
import os, sys, tempfile
from pathlib import Path
import {module} as memory
memory.MEMORY, memory.ROOM = Path(sys.argv[1]), 0
memory.install()
Path(tempfile.mkdtemp(), "left").touch()
print(os.environ["TMPDIR"], flush=True)
sys.stdin.read()
"""


def test_the_next_run_removes_what_no_living_process_owns(tmp_path: Path) -> None:
    """Tests that were killed left hundreds of folders in memory, for ever."""
    env = {name: value for name, value in os.environ.items() if name != "TMPDIR"}

    def run() -> tuple[subprocess.Popen[str], Path]:
        words = [sys.executable, "-c", RUN, str(tmp_path)]
        child = subprocess.Popen(
            words, env=env, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        return child, Path(child.stdout.readline().strip())

    (killed, left), (living, its) = run(), run()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    third, own = run()
    assert {*tmp_path.iterdir()} == {its, own} and left not in (its, own)
    assert [*its.rglob("left")]
    for child in (living, third):
        child.communicate("")
