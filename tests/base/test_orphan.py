"""A child ends with its parent, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.gone import gone

CHILD = """
import os, sys, time
from runbook_lib.base.orphan import ends_with
print(os.getpid(), flush=True)
time.sleep(float(sys.argv[2]))
ends_with(int(sys.argv[1]), lambda: os._exit(0))
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]])
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
@pytest.mark.parametrize("late_s", [0, 1], ids=["watching", "not watching yet"])
def test_it_ends_with_its_parent(how: signal.Signals, late_s: int) -> None:
    words = [sys.executable, "-c", PARENT, CHILD, str(late_s)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        assert not gone(child)
        parent.send_signal(how)
        parent.wait(10)
        deadline = time.monotonic() + 15
        while not gone(child):
            assert time.monotonic() < deadline
            time.sleep(0.05)
