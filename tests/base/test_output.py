from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from runbook_lib.base import output
from runbook_lib.base.output import GOES_ON, lines_of, pieces


def _begun(code: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", code]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def test_every_line_comes_whatever_is_left_in_the_pipe_at_its_end() -> None:
    process = _begun("print('\\n'.join(map(str, range(20_000))))")
    assert list(lines_of(process)) == [str(number) for number in range(20_000)]
    assert process.wait() == 0


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (r"import sys; sys.stdout.buffer.write(b'a\r\nb\rc\n\xc3')", ["a", "b", "c", "\N{REPLACEMENT CHARACTER}"]),
        (
            r"import sys, time; w = sys.stdout.buffer; w.write(b'\xc3'); w.flush(); time.sleep(.3); w.write(b'\xa4\n')",
            ["ä"],
        ),
        ("pass", []),
        ("print()", [""]),
    ],
)
def test_a_line_is_whole_wherever_the_pieces_end(code: str, lines: list[str]) -> None:
    assert list(lines_of(_begun(code))) == lines


def test_both_pipes_are_read_to_their_ends_of_many_that_end_at_once() -> None:
    words = ["/bin/sh", "-c", "echo out; echo err >&2"]
    for _ in range(200):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = {process.stdout: b"", process.stderr: b""}
        for pipe, piece in pieces(process, 5, 5):
            if pipe is not None:
                said[pipe] += piece
        assert [*said.values()] == [b"out\n", b"err\n"] and process.wait() == 0


def test_what_a_daemon_prints_later_is_read_and_not_kept(tmp_path: Path) -> None:
    """Unread it would be stopped by a full pipe, or ended by a closed one; kept it would fill the memory."""
    beat = tmp_path / "beat"
    told = tmp_path / "pid"
    words = f"(while :; do head -c 1000000 /dev/zero; echo >> {beat}; sleep 0.05; done) & echo $! > {told}"
    process = subprocess.Popen(["/bin/sh", "-c", words], stdout=subprocess.PIPE)
    assert any(pieces(process, 0.1, 0.2))
    try:
        tracemalloc.start()
        time.sleep(0.2)
        before = (beat.stat().st_size, tracemalloc.get_traced_memory()[0])
        time.sleep(0.5)
        after = (beat.stat().st_size, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        os.kill(int(told.read_text()), signal.SIGKILL)
    assert after[0] > before[0] and after[1] - before[1] < 1_000_000
