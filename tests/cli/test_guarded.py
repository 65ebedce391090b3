"""What a command does when it has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, os, signal
from runbook_lib.cli.guarded import guarded

atexit.register(os.kill, os.getpid(), signal.{number})
def fail():
    raise ValueError("x")
guarded({command})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "number", "code", "lines"),
    [
        ("lambda: 4", "SIGINT", 4, 0),
        ("fail", "SIGINT", 1, None),
        ("lambda: 4", "SIGTERM", 4, 0),
        ("lambda: 0", "SIGHUP", 0, 0),
    ],
)
def test_a_signal_while_python_ends_changes_nothing(command: str, number: str, code: int, lines: int | None) -> None:
    """Ctrl-C, a job that is cancelled, a terminal that is closed."""
    words = [sys.executable, "-c", SCRIPT.format(command=command, number=number)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == code and "KeyboardInterrupt" not in done.stderr
    assert lines is None or not done.stderr


LATE = """
import os, signal
from runbook_lib.cli.ending import answering
from runbook_lib.cli.guarded import guarded

class Late:
    def __del__(self, kill=os.kill, me=os.getpid(), number=signal.SIGINT):
        kill(me, number)

kept, real, came = Late(), signal.signal, []

def busy(number, handler):
    if number == signal.{number} and handler == signal.SIG_IGN and not came:
        came.append(number)
        signal.raise_signal(signal.SIGINT)
    return real(number, handler)

answering()
signal.signal = busy
guarded(lambda: 4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_nor_do_two_of_which_the_first_comes_as_they_are_turned_off(number: str) -> None:
    """The first was dropped with the line that turns it off: the second, at the very end, killed the process (-2)."""
    done = subprocess.run(
        [sys.executable, "-c", LATE.format(number=number)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (4, "")
