from __future__ import annotations

import subprocess
import sys
import time

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
def test_a_daemon_that_holds_the_output_open_is_not_waited_for(child: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a session of its own, so that a timeout does not end it; the second one never stops printing."""
    monkeypatch.setattr(output, "LINGER_S", 0.2)
    monkeypatch.setattr(output, "_MOST_S", 0.4)
    code = f"import subprocess; p = subprocess.Popen({child}, start_new_session=True); print(p.pid, flush=True)"
    process = _begun(code)
    begun, last, pid = time.monotonic(), "", ""
    for line in lines_of(process):
        pid, last = pid or (line if line.isdigit() else ""), line
    assert last == GOES_ON and time.monotonic() - begun < 20
    subprocess.run(["kill", "-9", pid or "0"], check=False)
