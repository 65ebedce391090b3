"""The entry point: a Ctrl-C ends in a sentence, also before the command line is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.act.guard import begun
from runbook_lib.cli import app, entry


@pytest.mark.parametrize("changes", [[], ["async off"]])
def test_ctrl_c_while_it_is_loading_or_while_another_is_told_is_a_sentence(
    changes: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["runbook", "status"])
    monkeypatch.setattr(app, "main", interrupted)
    begun.extend(changes)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    said = capsys.readouterr().err
    assert ended.value.code == 130 and said.startswith("runbook: interrupted; ") and "Traceback" not in said
    assert ("async off" if changes else "nothing was changed") in said


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code"), [("verify x", 2), ("rollback 1 --params none.yaml --apply", 2)])
def test_a_python_that_is_asked_to_inspect_ends_as_any_other(command: str, code: int, tmp_path: Path) -> None:
    """It showed how it ended as a traceback, and ended with 1."""
    words = [sys.executable, "-m", "runbook_lib.cli.entry", *command.split()]
    environ = {**os.environ, "PYTHONINSPECT": "1"}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environ, cwd=tmp_path)
    assert done.returncode == code and "Traceback" not in done.stderr and done.stderr.startswith("runbook: ")


STORM = """
import os, signal, sys, threading, time
from runbook_lib.cli import app, entry
from runbook_lib.cli.ending import answering
from runbook_lib.cli.guarded import guarded

def command():
    def send():
        time.sleep({late})
        for place in range(40):
            os.kill(os.getpid(), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[place % 3])
    answering()
    threading.Thread(target=send).start()
    while True:
        sum(range(100))

app.main = lambda: guarded(command)
sys.argv[1:] = ["status"]
entry.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("late", [0, 0, 0.1, 0.1, 0.2, 0.3])
def test_a_storm_of_signals_is_told_in_a_sentence(late: float) -> None:
    """The third came while the second was told: a traceback, and the exit by the signal. Without a delay, the first
    comes while a thread is started, which is a lock that nobody holds.
    """
    done = subprocess.run([sys.executable, "-c", STORM.format(late=late)], check=False, capture_output=True, text=True)
    assert done.returncode in (129, 130, 143) and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2
    assert "runbook: interrupted; nothing was changed" in done.stderr
