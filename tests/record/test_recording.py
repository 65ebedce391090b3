from __future__ import annotations

import datetime as dt
import errno
import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import recording, sealing, staging
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal
from runbook_lib.record.seal import write_folder
from tests.other_user import another_person

NOW = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
WHO: Any = SimpleNamespace(account="000000000303", arn="arn:ann", now=NOW)
WHERE = ("prod", "r1", "dlq", "command")


@pytest.mark.parametrize(("operator", "as_of"), [("", ""), ("ann", "2026-11-20T03:00:00+00:00")])
def test_an_execution_from_its_first_event_to_its_seal(tmp_path: Path, operator: str, as_of: str) -> None:
    archive, swept = Archive(tmp_path), list[bool]()
    begun = recording.staged(archive.root, *WHERE, sweep=lambda: swept.append(True))
    assert (begun.root, begun.trouble, swept) == (archive.root, "", [True])
    journal = Journal(begun.folder)
    recording.opened(journal, begun.run_id, "dlq", "command", {"env": "prod", "release": "r1"}, prices={"a": 1})
    recording.called(journal, WHO, operator, "http://127.0.0.1:1", as_of)
    ref, trouble = sealing.sealed(archive, begun.folder, "completed")
    assert ref is not None and trouble == ""
    record = archive.load(ref)
    assert (record.run_id, record.env, record.notebook, record.origin) == (begun.run_id, "prod", "dlq", "command")
    assert (record.operator, record.caller_arn, record.prices) == (operator or "arn:ann", "arn:ann", {"a": 1})
    assert record.as_of == (as_of or NOW.isoformat())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another person")
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700])
@pytest.mark.parametrize("shut", [staging.NAME, ""])
def test_a_folder_that_another_person_shut_says_how_people_share_one(mode: int, shut: str) -> None:
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        root = Path(above) / "archive"
        recording.staged(root, *WHERE)
        root.chmod(0o777)
        (root / shut).chmod(mode)
        with another_person(), pytest.raises(ArchiveError, match=r"another user.*umask 002.*chmod -R g\+ws"):
            recording.staged(root, *WHERE)


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o400, 0o300, 0o700])
@pytest.mark.parametrize("ended", [True, False])
def test_a_run_that_another_person_left_open_and_shut_keeps_nobody_out(mode: int, ended: bool) -> None:
    """Every run of the others went to an archive in the temporary folder: "[Errno 13] Permission denied: ..."."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        root = Path(above) / "archive"
        theirs = recording.staged(root, *WHERE)
        recording.opened(Journal(theirs.folder), theirs.run_id, "dlq", "command", {"env": "prod", "release": "r1"})
        if ended:
            staging.keep_end(theirs.folder, "completed", None, None)
        for place in (root, root / staging.NAME):
            place.chmod(0o777)
        theirs.folder.chmod(mode)
        with another_person():
            ours = recording.staged(root, *WHERE, spare="this run", sweep=Archive(root).sweep)
            assert (ours.root, ours.trouble) == (root, "")
            ref, trouble = sealing.sealed(Archive(root), ours.folder, "completed")
            assert ref is not None and trouble == ""
        theirs.folder.chmod(0o700)
        Archive(root).sweep()
        assert len(Archive(root).records()) == 1 + ended, "whoever may look in seals it"


def test_where_the_archive_cannot_be_written_one_to_spare_does_if_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises((ArchiveError, OSError)):
        recording.staged(tmp_path / "archive", *WHERE)
    begun = recording.staged(tmp_path / "archive", *WHERE, run_id="abc", spare="this rollback")
    assert begun.root.parent == tmp_path and begun.root.name.startswith("runbook-archive-")
    assert begun.trouble.endswith(f"the record of this rollback is in {begun.root}") and begun.run_id == "abc"
    assert json.loads((begun.folder / "owner.json").read_text())["run_id"] == "abc"
    assert recording.is_spare(begun.root) and not recording.is_spare(tmp_path / "archive")
    assert not recording.is_spare(tmp_path / "team" / begun.root.name)


@pytest.mark.parametrize("why", ["no folder", "no room"])
def test_where_nothing_can_be_written_only_what_goes_on_anyhow_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    """On a full disk, or in a container that is read-only, `runbook rollback 1` ended without turning async off."""

    def none(*_: Any, **__: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    def full(*_: Any) -> None:
        raise ArchiveError("no room")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if why == "no folder":
        monkeypatch.setattr("tempfile.gettempdir", none)
        monkeypatch.setattr("tempfile.mkdtemp", none)
    monkeypatch.setattr(staging, "write_folder", full)
    with pytest.raises((ArchiveError, OSError)):
        recording.staged(tmp_path / "archive", *WHERE, spare="this rollback")
    begun = recording.staged(tmp_path / "archive", *WHERE, spare="this rollback", anyhow=True)
    assert "no room; nor can a temporary folder be written" in begun.trouble
    journal = Journal(begun.folder, lenient=True)
    recording.opened(journal, begun.run_id, "rollback_1", "command", {"env": "prod"})
    journal.append("intent", what="switch off")
    assert "switch off" in capsys.readouterr().err
    assert sealing.sealed_or_said(Archive(begun.root), begun.folder, "completed") == ""


def test_a_record_that_cannot_be_sealed_is_a_sentence_and_its_journal_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = Archive(tmp_path)
    begun = recording.staged(archive.root, *WHERE)

    def full(final: Path, *given: Any) -> None:
        if ".staging" not in final.parts:
            raise ArchiveError("no room")
        write_folder(final, *given)

    monkeypatch.setattr("runbook_lib.record.home.folder.write_folder", full)
    ref, trouble = sealing.sealed(archive, begun.folder, "failed", "why")
    assert ref is None and f"no room; the record is kept in {begun.folder}" in trouble
    assert sealing.sealed_or_said(archive, begun.folder, "failed") == ""
    assert capsys.readouterr().err.strip() == trouble and begun.folder.is_dir()
