from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runbook_lib.act import output
from runbook_lib.act.output import GOES_ON, lines_of


def _begun(code: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def test_every_line_comes_whatever_is_left_in_the_pipe_at_its_end() -> None:
    process = _begun("print('\\n'.join(map(str, range(20_000))))")
    assert list(lines_of(process)) == [str(number) for number in range(20_000)]
    assert process.wait() == 0


@pytest.mark.parametrize("child", ["['sleep', '30']", "['yes']"])
def test_a_daemon_that_holds_the_output_open_is_not_waited_for(
    child: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a session of its own, so that a timeout does not end it; the second one never stops printing."""
    monkeypatch.setattr(output, "LINGER_S", 0.2)
    monkeypatch.setattr(output, "_MOST_S", 0.4)
    told = tmp_path / "pid"
    begin = f"import pathlib, subprocess; p = subprocess.Popen({child}, start_new_session=True)"
    process = _begun(f"{begin}; pathlib.Path({str(told)!r}).write_text(str(p.pid))")
    begun, last = time.monotonic(), ""
    try:
        for line in lines_of(process):
            last = line
    finally:
        os.kill(int(told.read_text()), signal.SIGKILL)
    assert last == GOES_ON and time.monotonic() - begun < 20
