"""A folder as an archive's home: whole files, and what a crash left behind them goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.base import telling
from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.home import folder
from runbook_lib.record.home.folder import Folder
from runbook_lib.record.home.home import home_of


def test_what_is_written_is_read_as_files(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    with home.writing("r1"):
        home.write("log/checkpoint", b"one")
        home.write("log/checkpoint", b"two")
        home.write("log/leaves.jsonl", b"first\nsec")
        home.append("log/leaves.jsonl", b"second\n", len(b"first\n"))
        home.add("env=dev/a", {"record.json": b"{}"}, {"log.txt": tmp_path / "log" / "checkpoint"})
        with pytest.raises(ArchiveError, match="never overwritten"):
            home.add("env=dev/a", {})
    assert (tmp_path / "log" / "leaves.jsonl").read_bytes() == b"first\nsecond\n"
    assert (tmp_path / "env=dev" / "a" / "log.txt").read_bytes() == b"two"


def test_whoever_waits_for_another_writer_is_told_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was silent for up to a minute."""
    told: list[str] = []
    monkeypatch.setattr(telling, "tellers", [told.append])
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.02)
    monkeypatch.setattr(folder, "LOCK_TIMEOUT_S", 0.4)
    second = Folder(tmp_path)
    with Folder(tmp_path).writing(), pytest.raises(ArchiveError, match="by another process"), second.writing():
        pass
    assert told == [f"waiting for the process that writes {tmp_path}, 0 s at most ..."]
    with Folder(tmp_path).writing():
        assert len(told) == 1


def test_a_lock_that_shuts_the_others_out_says_what_does_so(tmp_path: Path) -> None:
    """ "The next run seals it" was no help: the lock was another person's for ever."""
    if os.geteuid():
        pytest.skip("a file of another person is made by root alone")
    tmp_path.chmod(0o1777)
    os.chown(tmp_path, 12345, -1)
    (tmp_path / ".lock").touch()
    os.chown(tmp_path / ".lock", 12346, -1)
    with pytest.raises(ArchiveError, match=rf"; its sticky bit .*: chmod -t {tmp_path}$"), Folder(tmp_path).writing():
        pass


def test_what_is_removed_is_gone_and_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    home = Folder(tmp_path)
    home.add("env=dev/a", {"record.json": b"{}"})
    home.write("file", b"")
    for path in ("env=dev/a", "file", "file"):
        home.remove(path)
    assert [one.name for one in tmp_path.rglob("*")] == ["env=dev"]
