"""A temporary folder goes with its process, or with the next run where that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base import scratch

KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from runbook_lib.base import scratch
print(scratch.made("run", Path(sys.argv[1]) if sys.argv[1:] else None), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def killed(temporary: Path, *archive: str) -> Path:
    """The folder of a process that was killed."""
    env = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *archive], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    return Path(done.stdout.strip())


def test_what_a_killed_process_left_goes_and_what_lives_stays(temporary: Path) -> None:
    left, ours = killed(temporary), scratch.made("kernel")
    (left / "kernel.json").write_text("{}")
    scratch.sweep()
    assert (left.exists(), ours.exists()) == (False, True)


def test_what_an_archive_may_still_want_waits_for_its_own_sweep(temporary: Path) -> None:
    left = killed(temporary, str(temporary / "archive"))
    scratch.sweep()
    scratch.sweep(temporary / "another")
    assert left.exists()
    scratch.sweep(temporary / "archive")
    assert not left.exists()


def test_a_folder_that_names_no_owner_or_another_host_stays(temporary: Path) -> None:
    for name, said in (("a", ""), ("b", "[]"), ("c", json.dumps({"pid": 1, "start": 1.0, "host": "elsewhere"}))):
        (temporary / f"runbook-{name}").mkdir()
        (temporary / f"runbook-{name}" / scratch.OWNER).write_text(said)
    container = {**scratch.owner(), "pid": 2**22 + 1, "pids": "pid:[1]"}
    (temporary / "runbook-d").mkdir()
    (temporary / "runbook-d" / scratch.OWNER).write_text(json.dumps(container))
    (temporary / "runbook-archive-x").mkdir()
    scratch.sweep()
    assert len(list(temporary.iterdir())) == 5


def test_a_block_leaves_nothing(temporary: Path) -> None:
    with scratch.folder("load") as here:
        assert here.is_dir()
    assert list(temporary.iterdir()) == []


def test_what_another_archive_wants_is_saved_first(temporary: Path) -> None:
    left, asked = killed(temporary, "/archive"), list[tuple[Path, Path]]()
    scratch.sweep(release=lambda folder, archive: bool(asked.append((folder, archive))))
    assert left.exists() and asked == [(left, Path("/archive"))]
    scratch.sweep(release=lambda *_: True)
    assert not left.exists()


def test_an_interrupt_before_the_owner_is_written_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scratch.made("test")
    assert not list(tmp_path.iterdir())


def test_a_machine_where_nothing_can_be_written_is_swept_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a read-only container without a temporary folder each command ended with a traceback."""

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    scratch.sweep()


@pytest.mark.parametrize("by_s", [-3600.0, 5.0, 86_400.0])
def test_a_clock_that_is_set_ends_nobody(by_s: float, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a minute, or for the summer: each run that was going on was sealed as died, and its folders were removed."""
    from psutil import _pslinux

    ours, who, real = scratch.made("kernel"), scratch.owner(), _pslinux.boot_time
    monkeypatch.setattr(_pslinux, "boot_time", lambda: real() + by_s)
    scratch.sweep()
    assert scratch.lives(who) and ours.exists()


@pytest.mark.parametrize(
    ("since", "lives"),
    [
        (lambda mine: mine, True),
        (lambda mine: f"1{mine}", False),
        (lambda mine: f"{mine}1", False),
        (lambda _: "", True),
    ],
    ids=["the same", "another start", "another boot", "a record of before"],
)
def test_a_process_is_known_by_its_start(since: Any, lives: bool) -> None:
    who = scratch.owner()
    assert scratch.lives({**who, "since": since(who["since"])}) is lives


@pytest.mark.parametrize("pid", [0, -1, -5, 2**22 + 1, 2**31, 2**63, 10**30, None, "1"])
def test_a_number_that_is_no_process_lives_nowhere(pid: Any) -> None:
    assert not scratch.lives({**scratch.owner(), "pid": pid})
