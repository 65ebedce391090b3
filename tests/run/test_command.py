"""A command's own record is sealed however the command ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError, AwsError
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.run.command import CommandRun

ROOT = Path(__file__).resolve().parents[2]
IDENTITY: Any = SimpleNamespace(account="000000000303", arn="arn:ann", now=dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC))
AWS: Any = SimpleNamespace(endpoint="http://127.0.0.1:1")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    file, settings = ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml")
    params = load_file(file, {**settings, "archive": str(tmp_path)})
    yield lambda: CommandRun(params, "dlq", AWS, IDENTITY)


def sealed(own: CommandRun) -> Record:
    archive = Archive(own.archive.root)
    ref = archive.find(own.run_id)
    archive.verify(ref)
    assert str(ref.folder) == own.folder
    assert list(archive.staging.glob("*")) == []
    return archive.load(ref)


def test_what_came_of_it_and_who_did_it(opened: Any) -> None:
    with opened() as own:
        own.say("3 messages driven again")
    record = sealed(own)
    assert (record.status, record.notes, record.error) == ("completed", ("3 messages driven again",), None)
    assert (record.caller_arn, record.origin, record.notebook) == ("arn:ann", "command", "dlq")


def test_an_error_is_in_the_record_and_goes_on_to_the_caller(opened: Any) -> None:
    own = opened()
    with pytest.raises(AwsError, match="AWS refused"), own:
        raise AwsError("AWS refused")
    record = sealed(own)
    assert record.status == "failed" and record.error is not None
    assert (record.error.type, record.error.sentence) == ("AwsError", "AWS refused")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(final: Path, *_: Any) -> None:
        if ".staging" not in final.parts:
            raise ArchiveError(f"{final} cannot be written (No space left on device)")

    monkeypatch.setattr("runbook_lib.record.home.folder.write_folder", no_room)


@pytest.mark.usefixtures("full")
def test_a_seal_that_finds_no_room_says_that_it_was_done_and_keeps_the_journal(opened: Any) -> None:
    own = opened()
    with pytest.raises(ArchiveError, match=r"it was done, but .*No space left.*kept in .*the next run seals it"), own:
        own.say("3 messages driven again")
    assert "3 messages" in (own.staging / "journal.jsonl").read_text()


@pytest.mark.usefixtures("full")
def test_what_went_wrong_first_is_what_the_caller_hears(opened: Any, capsys: Any) -> None:
    own = opened()
    with pytest.raises(AwsError, match="AWS refused"), own:
        raise AwsError("AWS refused")
    assert str(own.staging) in capsys.readouterr().err


def test_what_a_killed_command_left_open_is_closed_by_the_next(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = opened()
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda who, folder: folder != killed.staging)
    with opened() as own:
        own.say("done")
    archive = Archive(own.archive.root)
    died, done = (archive.load(ref) for ref in archive.records(notebook="dlq"))
    assert (died.run_id, died.status, done.run_id, done.previous) == (killed.run_id, "died", own.run_id, died.hash)


def test_ctrl_c_is_a_record_that_says_so(opened: Any) -> None:
    own = opened()
    with pytest.raises(KeyboardInterrupt), own:
        raise KeyboardInterrupt
    record = sealed(own)
    assert record.status == "cancelled" and record.error is not None
    assert record.error.sentence == "ended by Ctrl-C"
