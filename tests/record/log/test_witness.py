"""The witness: told at each seal, never written over, and asked when the archive is verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.record.archive import Archive
from runbook_lib.record.log.files import read_log
from runbook_lib.record.log.note import Checkpoint
from runbook_lib.record.log.witness import FileWitness, kept
from runbook_lib.record.place import RecordRef
from tests.archives import relogged

Seal = Callable[..., RecordRef]


def test_each_seal_tells_it_and_verifying_asks_it(archive: Archive, sealed: Seal, elsewhere: Path) -> None:
    for size in (1, 2, 3):
        sealed()
        seen = kept(FileWitness(elsewhere))
        assert seen is not None and seen.size == size
    done = verify(archive.root)
    assert done.state == "intact" and done.witnessed == {str(elsewhere / "checkpoint"): 3}


def test_one_that_missed_some_still_agrees(archive: Archive, sealed: Seal, elsewhere: Path) -> None:
    sealed()
    early = (elsewhere / "checkpoint").read_bytes()
    for _ in range(4):
        sealed()
    (elsewhere / "checkpoint").write_bytes(early)
    assert list(verify(archive.root).witnessed.values()) == [1]
    sealed()
    assert list(verify(archive.root).witnessed.values()) == [6]


def test_it_is_not_written_over_by_a_log_that_is_not_its_own(archive: Archive, sealed: Seal, elsewhere: Path) -> None:
    told: list[str] = []
    archive.told = told.append
    for _ in range(3):
        sealed()
    seen = (elsewhere / "checkpoint").read_bytes()
    shutil.rmtree(archive.records()[-1].folder)
    relogged(archive)
    sealed()
    sealed()
    assert (elsewhere / "checkpoint").read_bytes() == seen and "its first 3 records were others" in told[-1]
    shutil.rmtree(archive.root)
    sealed()
    assert (elsewhere / "checkpoint").read_bytes() == seen and "of another log" in told[-1]
    done = verify(archive.root)
    assert done.exit_code == 1 and "the archive was replaced" in done.damage[0].sentence
    shutil.rmtree(archive.root / "log")
    assert any("knows a log of 3 records" in one.sentence for one in verify(archive.root).damage)


def test_what_a_witness_answers_does_not_steer_the_terminal(
    archive: Archive, sealed: Seal, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "checkpoint").write_bytes(Checkpoint("x\x1b[2J\u202e", 1, b"\1" * 32).note())
    sealed()
    said = capsys.readouterr().err
    assert "another log, x\\x1b[2J\\u202e" in said and "\x1b" not in said


def test_one_that_cannot_be_asked_is_no_answer(archive: Archive, sealed: Seal, tmp_path: Path) -> None:
    sealed()
    for name, says in (
        ("gone/file", "there is no such folder"),
        ("empty", "keeps nothing yet"),
        ("bad", "no checkpoint"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "bad").write_text("x")
        done = verify(archive.root, witnesses=[str(tmp_path / name)])
        assert done.exit_code == 3 and says in done.unknown[0]


def test_one_that_does_not_take_it_costs_no_record(
    archive: Archive, sealed: Seal, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    archive.told = told.append

    def full(*_: object) -> None:
        raise ArchiveError("it cannot be written (No space left on device)")

    monkeypatch.setattr(FileWitness, "write", full)
    sealed()
    assert "was not told: it cannot be written" in told[-1]
    log = read_log(archive.root)
    assert log is not None and log.checkpoint is not None and log.checkpoint.size == 1
