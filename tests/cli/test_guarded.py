"""What a command does when it has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, os, signal
from runbook_lib.cli.guarded import guarded

atexit.register(os.kill, os.getpid(), signal.SIGINT)
def fail():
    raise ValueError("x")
guarded({command})
"""


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code", "lines"), [("lambda: 4", 4, 0), ("fail", 1, None)])
def test_ctrl_c_while_python_ends_changes_nothing(command: str, code: int, lines: int | None) -> None:
    words = [sys.executable, "-c", SCRIPT.format(command=command)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == code and "KeyboardInterrupt" not in done.stderr
    assert lines is None or not done.stderr
