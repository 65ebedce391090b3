"""A free port can be listened on, and is not one that somebody has."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from runbook_lib.base.process import LOOPBACK, free_port, unusable, usual_time
from tests.gone import gone


def test_it_can_be_listened_on_and_then_is_not_given_again() -> None:
    with socket.socket() as mine:
        mine.bind((LOOPBACK, port := free_port()))
        mine.listen()
        assert 0 < port < 65536 and port not in {free_port() for _ in range(20)}


def test_a_port_that_somebody_has_is_told_before_it_is_used() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, port := free_port()))
        other.listen()
        assert "in use" in unusable(port)
    assert unusable(port) == ""


CHILD = """
import os, sys, time
from runbook_lib.base.process import ends_with
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_papermill_is_imported_without_the_grammars_that_no_notebook_needs() -> None:
    """They are there for everybody else again afterwards."""
    code = """
import sys
from runbook_lib.base.process import GRAMMARS, without
with without(GRAMMARS):
    import papermill, nbformat
assert "rfc3987_syntax" not in sys.modules, "neither loaded nor forbidden"
book = nbformat.v4.new_notebook()
nbformat.validate(book)
try:
    nbformat.validate({"cells": [{"cell_type": "sonnet"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
except nbformat.ValidationError:
    print("checked")
"""
    # The other tests' processes cannot find the grammars at all.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "checked"


@pytest.mark.parametrize(
    ("said", "kept"), [("1764460800", True), ("0", True), ("nope", False), ("1e999", False), ("", False)]
)
def test_a_time_of_the_source_that_is_none_is_not_passed_on(
    said: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numpy did not load with it, and no kernel answered: a command said that this was a fault of the runbook."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", said)
    usual_time()
    assert ("SOURCE_DATE_EPOCH" in os.environ) == kept


def test_papermills_own_command_line_does_not_pass_it_on_either() -> None:
    """A kernel did not answer for a minute, and the record named a ValueError of numpy's."""
    code = "import os, runbook_lib.record.engine; print('SOURCE_DATE_EPOCH' in os.environ)"
    env = {**os.environ, "SOURCE_DATE_EPOCH": "nope"}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True).stdout == b"False\n"
