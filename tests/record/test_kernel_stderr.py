"""What programs write to stderr: both ends of it are kept, and it is never waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from runbook_lib.record.kernel_stderr import END, Stderr


def written(*pieces: bytes) -> str:
    kept = Stderr()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(kept.to, view) :]
    kept.given()
    return kept.told()


@pytest.mark.parametrize("size", [0, 1, END - 1, END, END + 1, 2 * END])
def test_what_fits_is_kept_whole(size: int) -> None:
    assert written(b"x" * size) == "x" * size


@pytest.mark.parametrize("each", [80, 1_000, 200_000])
def test_of_what_is_longer_both_ends_are_kept_in_whole_lines(each: int) -> None:
    lines = [f"{number:08} ".encode() + b"x" * (each - 10) + b"\n" for number in range(3_000_000 // each)]
    told = written(*lines).split("\n")
    whole = {line.decode().rstrip("\n") for line in lines}
    kept = [line for line in told if line and "left out here" not in line]
    assert len(told) - len(kept) <= 3 and set(kept) <= whole and sum(map(len, told)) <= 2 * END + 100
    if each <= 1_000:
        assert kept[0].startswith("00000000") and kept[-1] == lines[-1].decode().rstrip("\n")


@pytest.mark.slow
def test_a_program_that_writes_without_end_ends_by_itself_and_is_not_waited_for() -> None:
    kept = Stderr()
    code = "import os\nfor _ in range(200): os.write(2, b'secret-less line\\n' * 10_000)\nimport time; time.sleep(30)"
    program = subprocess.Popen([sys.executable, "-c", code], stderr=kept.to)
    kept.given()
    try:
        begun = time.monotonic()
        while "left out here" not in (told := kept.told()):
            assert time.monotonic() < begun + 20
        assert len(told) < 2 * END + 200
    finally:
        program.kill()
        program.wait()
