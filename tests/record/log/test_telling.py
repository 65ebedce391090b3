"""Without a key, a witness tells a record that was put there from a seal that a crash cut short."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.log import telling
from runbook_lib.record.log.intake import facts
from runbook_lib.record.log.ledger import Ledger
from runbook_lib.record.log.telling import UNASKED
from runbook_lib.record.log.witness import FileWitness, kept
from runbook_lib.record.place import RecordRef
from tests.archives import planted
from tests.killed import killed

Seal = Callable[..., RecordRef]
Stage = Callable[..., Path]
PUT, CUT = "was not told that its seal began", "was told that its seal began"


def put_there(archive: Archive) -> None:
    planted(archive.root, archive.records()[-1].folder)


def test_one_with_its_leaf_is_told_from_a_crash(archive: Archive, sealed: Seal, elsewhere: Path) -> None:
    """Its leaf says `sealed`, so the warning in the next record is all that stays of it."""
    sealed()
    put_there(archive)
    forged = archive.records()[-1].folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "_sign", lambda *_: None)
        Ledger(archive.root, print, archive.home).append(facts(archive.root, forged))
    done = verify(archive.root)
    assert done.exit_code == 3 and any(PUT in note for note in done.notes)
    assert any("no witness was told that its seal began" in one for one in archive.load(sealed()).warnings)
    assert (elsewhere / "checkpoint").read_bytes() == (archive.root / "log" / "checkpoint").read_bytes()


@pytest.mark.slow
def test_a_record_that_was_put_there_is_told_from_a_crash(
    archive: Archive, sealed: Seal, stage: Stage, elsewhere: Path
) -> None:
    sealed()
    whole = archive.root.with_name("whole")
    shutil.copytree(archive.root, whole)
    put_there(archive)
    done = verify(archive.root)
    assert done.exit_code == 3 and any(PUT in note for note in done.notes)
    after = sealed()
    assert any("no witness was told that its seal began" in one for one in archive.load(after).warnings)
    shutil.rmtree(archive.root)
    shutil.copytree(whole, archive.root)
    (elsewhere / "checkpoint").write_bytes((whole / "log" / "checkpoint").read_bytes())
    staging, crashed = stage(), 0
    for at in range(1, 200):
        if killed(partial(seal_staged, archive, staging, status="completed"), at):
            break
        done = verify(archive.root)
        if done.notes and "sealing.json" in {path.name for path in (archive.root / "log").iterdir()}:
            pending = [note for note in done.notes if PUT in note or CUT in note]
            assert all(CUT in note for note in pending), (at, done.notes)
            crashed += bool(pending)
        after = sealed()
        assert not any("put it there" in one for one in archive.load(after).warnings), at
        staging = staging if staging.is_dir() else stage()
    assert crashed > 3


@pytest.mark.parametrize("how", ["it does not answer", "it cannot be made"])
def test_a_witness_that_cannot_be_asked_vouches_for_no_seal(
    archive: Archive, sealed: Seal, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever puts a record there can see to it that the witness is out of reach meanwhile."""
    sealed()
    put_there(archive)

    def out(*_: object) -> None:
        raise ArchiveError(how)

    where = FileWitness if how == "it does not answer" else telling.settings
    monkeypatch.setattr(where, "knows" if where is FileWitness else "witness_of", out)
    archive.told = lambda _: None
    assert any(UNASKED in one for one in archive.load(sealed()).warnings)


def test_an_announcement_of_another_seal_is_none(archive: Archive, sealed: Seal, elsewhere: Path) -> None:
    sealed()
    assert b"rollout-runbook-seal\n" in (elsewhere / "checkpoint.begun").read_bytes()
    put_there(archive)
    assert any(PUT in note for note in verify(archive.root).notes)


def test_one_that_cannot_be_reached_is_told_once_and_asked_once(
    archive: Archive, sealed: Seal, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    archive.told = told.append
    asked: list[str] = []

    def out(self: FileWitness, _: bytes) -> None:
        asked.append(self.name)
        raise ArchiveError("it cannot be written (Stale file handle)")

    monkeypatch.setattr(FileWitness, "begin", out)
    monkeypatch.setattr(FileWitness, "write", out)
    sealed()
    where = elsewhere / "checkpoint"
    assert len(asked) == 1 and told == [f"the witness {where} was not told: it cannot be written (Stale file handle)"]


@pytest.mark.parametrize("slow", [True, False])
def test_one_that_takes_no_announcement_is_told_the_checkpoint_unless_it_is_out_of_reach(
    archive: Archive, sealed: Seal, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    """A policy of an earlier version allows the one parameter and not the other: its witness does not stand still."""
    sealed()
    told: list[str] = []
    archive.told = told.append

    def denied(*_: object) -> None:
        raise ArchiveError("it is forbidden")

    monkeypatch.setattr(FileWitness, "begin", denied)
    monkeypatch.setattr(telling, "SLOW_S", -1.0 if slow else 5.0)
    sealed()
    seen = kept(FileWitness(elsewhere))
    assert seen is not None and seen.size == (1 if slow else 2)
    assert len(told) == 1 and ("that a seal begins: it is forbidden" in told[0]) is not slow


def test_what_it_says_of_the_log_is_found_though_it_cannot_be_asked_about_a_seal(
    archive: Archive, sealed: Seal, elsewhere: Path
) -> None:
    for _ in range(2):
        sealed()
    before = (archive.root / "log" / "checkpoint").read_bytes()
    put_there(archive)
    shutil.rmtree(elsewhere / "checkpoint.begun", ignore_errors=True)
    (elsewhere / "checkpoint.begun").unlink(missing_ok=True)
    (elsewhere / "checkpoint.begun").mkdir()
    done = verify(archive.root)
    assert done.exit_code == 3 and any("cannot be asked whether its seal began" in note for note in done.notes)
    (elsewhere / "checkpoint").write_bytes(before.replace(b"\n2\n", b"\n9\n"))
    assert verify(archive.root).exit_code == 1
