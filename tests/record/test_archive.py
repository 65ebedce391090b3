from __future__ import annotations

import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base import scratch
from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import recording
from runbook_lib.record import staging as folders
from runbook_lib.record.allowance import MOST
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.record.listing import list_rows, show_record
from runbook_lib.record.place import RecordRef, new_run_id, safe

Seal = Callable[..., RecordRef]
Stage = Callable[..., Path]


def test_nothing_is_made_before_it_is_needed(archive: Archive) -> None:
    assert archive.records() == [] and archive.sweep() == []
    assert not archive.root.exists()


def test_a_sealed_record_lies_where_it_belongs(archive: Archive, sealed: Seal) -> None:
    ref = sealed()
    assert ref.folder.relative_to(archive.root).parts[:3] == ("env=dev", "release=r1", "06_phase1_10_percent")
    assert sorted(path.name for path in ref.folder.iterdir()) == [
        "answers.json",
        "journal.jsonl",
        "record.json",
        "report.html",
    ]
    record = archive.load(ref)
    assert sorted(record.files) == ["answers.json", "journal.jsonl", "report.html"]
    assert record.sealed_at.replace("-", "").replace(":", "").startswith(ref.sealed.removesuffix("Z"))
    assert list(archive.staging.iterdir()) == []
    archive.verify(ref)


def test_records_are_found_by_what_they_are(archive: Archive, sealed: Seal, stage: Stage) -> None:
    first = sealed()
    second = seal_staged(archive, stage(env="prod"), status="failed")
    third = sealed()
    assert archive.records() == [first, second, third]
    assert archive.records(env="prod") == [second]
    assert archive.records("dev", "r1", "06_phase1_10_percent")[-1] == third
    assert archive.records(release="r2") == []
    assert archive.find(first.run_id[:8]) == first
    assert archive.find(third.folder.name) == third


def test_looking_for_none_or_several(archive: Archive, sealed: Seal) -> None:
    ref = sealed()
    sealed()
    with pytest.raises(ArchiveError, match="no record starts with 'zzz'"):
        archive.find("zzz")
    with pytest.raises(ArchiveError, match="2 records start with"):
        archive.find(ref.folder.name[:4])
    with pytest.raises(ArchiveError, match="no record starts with ''"):
        archive.find("")


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "..", ".hidden", "x" * 300, "prod; rm -rf", "ü b"])
def test_names_from_a_bad_parameter_stay_inside_the_archive(archive: Archive, name: str) -> None:
    assert "/" not in safe(name) and not safe(name).startswith(".") and 0 < len(safe(name)) <= 100
    staging = archive.stage(name, name, name, new_run_id(), "papermill")
    ref = seal_staged(archive, staging, status="failed", error="bad parameter")
    assert ref.folder.is_relative_to(archive.root)
    archive.verify(ref)
    assert archive.load(ref).env == name


def test_a_run_id_is_plain_and_staged_once(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="letters and digits"):
        archive.stage("dev", "r1", "n", "../x", "papermill")
    archive.stage("dev", "r1", "n", "abc", "papermill")
    with pytest.raises(ArchiveError, match="exists already"):
        archive.stage("dev", "r1", "n", "abc", "papermill")


class TestTampering:
    """Each way to alter an archive is found, and named."""

    def damaged(self, archive: Archive, ref: RecordRef) -> str:
        with pytest.raises(ArchiveError) as error:
            archive.verify(ref)
        row = next(row for row in list_rows(archive) if (row["run"], row["env"]) == (ref.run_id, ref.env))
        assert row["intact"] is False and row["problem"] == str(error.value)
        return str(error.value)

    @pytest.mark.parametrize("field", ["decision", "operator", "status", "attempt", "previous", "sealed_at", "gates"])
    def test_a_field(self, archive: Archive, sealed: Seal, field: str) -> None:
        ref = sealed()
        path = ref.folder / "record.json"
        record = json.loads(path.read_text())
        record[field] = {"attempt": 2, "status": "failed", "gates": [{}]}.get(field, "other")
        path.write_text(json.dumps(record))
        assert "record.json was altered" in self.damaged(archive, ref)

    @pytest.mark.parametrize("file", ["journal.jsonl", "report.html", "answers.json"])
    def test_a_file(self, archive: Archive, sealed: Seal, file: str) -> None:
        ref = sealed()
        with (ref.folder / file).open("a") as handle:
            handle.write(" ")
        assert f"{file} was altered" in self.damaged(archive, ref)

    def test_a_file_taken_away(self, archive: Archive, sealed: Seal) -> None:
        ref = sealed()
        (ref.folder / "answers.json").unlink()
        assert "answers.json is missing" in self.damaged(archive, ref)

    def test_a_file_slipped_in(self, archive: Archive, sealed: Seal) -> None:
        ref = sealed()
        (ref.folder / "other.json").write_text("{}")
        assert "other.json was not there when it was sealed" in self.damaged(archive, ref)

    def test_a_predecessor_taken_away(self, archive: Archive, sealed: Seal) -> None:
        first, second, third = sealed(), sealed(), sealed()
        shutil.rmtree(second.folder)
        assert "the record before it is missing" in self.damaged(archive, third)
        archive.verify(first)

    def test_the_first_taken_away(self, archive: Archive, sealed: Seal) -> None:
        first, second = sealed(), sealed()
        shutil.rmtree(first.folder)
        assert "the record before it is missing" in self.damaged(archive, second)

    def test_a_predecessor_altered(self, archive: Archive, sealed: Seal) -> None:
        first, second = sealed(), sealed()
        path = first.folder / "record.json"
        path.write_text(path.read_text().replace("it was judged", "it was not"))
        assert f"{first.folder.name}: record.json was altered" in self.damaged(archive, second)

    def test_a_predecessor_made_unreadable(self, archive: Archive, sealed: Seal) -> None:
        first, second = sealed(), sealed()
        (first.folder / "record.json").unlink()
        assert "record.json cannot be read" in self.damaged(archive, second)

    def test_a_record_moved(self, archive: Archive, sealed: Seal) -> None:
        ref = sealed()
        target = archive.root / "env=prod" / "release=r1" / "06_phase1_10_percent" / ref.folder.name
        target.parent.mkdir(parents=True)
        ref.folder.rename(target)
        assert "belongs to another folder" in self.damaged(archive, archive.at(target))


def test_a_record_of_a_later_version_is_one_sentence(archive: Archive, sealed: Seal) -> None:
    path = sealed().folder / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"schema": 4}))
    with pytest.raises(ArchiveError, match="schema 4; this version reads 1 and 2 and 3"):
        archive.load(archive.records()[0])
    path.write_text(json.dumps(record | {"attempt": "x"}))
    with pytest.raises(ArchiveError, match=r"record\.json, 'attempt'"):
        archive.load(archive.records()[0])


def test_a_file_that_nobody_attached_is_searched_and_no_link_is_followed(
    archive: Archive, stage: Stage, tmp_path: Path
) -> None:
    """A cell wrote into the run's folder: a password was sealed, and a copy of whatever file a link named."""
    secret = "zebra" + "stripes"
    (tmp_path / "elsewhere").write_text("of another")
    journal = Journal(stage())
    journal.attach("answers.json", "[1]")
    (journal.folder / "mine.txt").write_text(f"pass{'word'}={secret}")
    (journal.folder / "picture").write_bytes(b"\xff\x00")
    (journal.folder / "link").symlink_to(tmp_path / "elsewhere")
    (journal.folder / "gone").symlink_to(tmp_path / "nowhere")
    os.truncate(os.open(journal.folder / "dump", os.O_CREAT | os.O_WRONLY), MOST + 1)
    record = archive.load(ref := seal_staged(archive, journal.folder, status="completed"))
    archive.verify(ref)
    assert (ref.folder / "mine.txt").read_text() == "password=[redacted]"
    assert (ref.folder / "picture").read_bytes() == b"\xff\x00"
    assert (ref.folder / "answers.json").read_text() == "[1]"
    assert not {"link", "gone", "dump"} & {*record.files, *(one.name for one in ref.folder.iterdir())}
    assert sorted(record.warnings) == [
        "dump has 10,000,001 bytes, and is not in the record",
        *(f"{name} is a link, and not in the record" for name in ("gone", "link")),
    ]


def test_an_attachment_altered_before_the_seal_is_noticed(archive: Archive, stage: Stage) -> None:
    staging = stage()
    Journal(staging).attach("answers.json", "[1]")
    (staging / "answers.json").write_text("[2]")
    record = archive.load(seal_staged(archive, staging, status="completed"))
    assert record.warnings == ("answers.json is not what was attached, says the journal",)


@pytest.mark.parametrize("spoilt", [None, "", "[]", "\xff junk"])
def test_a_run_whose_owner_file_a_cell_has_spoilt_is_sealed_by_its_journal(
    spoilt: str | None, archive: Archive, stage: Stage
) -> None:
    """It was never sealed, and each `archive sync` passed over it in silence."""
    staging = stage()
    recording.opened(
        Journal(staging), staging.name, "06_phase1_10_percent", "papermill", {"env": "dev", "release": "r1"}
    )
    (staging / folders.FILE).unlink()
    if spoilt is not None:
        (staging / folders.FILE).write_text(spoilt)
    ref = seal_staged(archive, staging, status="completed")
    archive.verify(ref)
    assert (ref.env, ref.release, ref.notebook, ref.run_id) == ("dev", "r1", "06_phase1_10_percent", staging.name)


def test_sealing_twice_is_sealing_once(archive: Archive, stage: Stage) -> None:
    staging = stage()
    copy = staging.parent / "copy"
    shutil.copytree(staging, copy)
    first = seal_staged(archive, staging, status="completed")
    assert seal_staged(archive, staging, status="died") == first
    assert seal_staged(archive, copy, status="died") == first
    assert archive.load(first).status == "completed" and not copy.exists()


def test_what_was_never_staged_is_one_sentence(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="neither staged nor sealed"):
        seal_staged(archive, tmp_path / "nothing", status="died")


def test_a_seal_that_fails_leaves_the_staging_and_no_half_record(
    archive: Archive, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = stage(("closed", {}))
    rename = Path.rename

    def full(self: Path, target: Any) -> Any:
        if "env=" in str(target):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(ArchiveError, match="No space left on device"):
        seal_staged(archive, staging, status="completed")
    assert archive.records() == [] and (staging / "journal.jsonl").exists()
    assert [path.name for path in archive.chain("dev", "r1", "06_phase1_10_percent").folder.iterdir()] == []
    monkeypatch.undo()
    archive.verify(seal_staged(archive, staging, status="completed"))


def test_a_crash_after_the_record_and_before_the_clearing_up(
    archive: Archive, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = stage()
    monkeypatch.setattr(folders, "remove", lambda _: None)
    first = seal_staged(archive, staging, status="completed")
    monkeypatch.undo()
    monkeypatch.setattr(folders, "alive", lambda *_: False)
    assert archive.sweep() == [first] and archive.records() == [first] and not staging.exists()


def test_a_report_that_cannot_be_drawn_does_not_cost_the_record(
    archive: Archive, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runbook_lib.record import report

    monkeypatch.setattr(report, "report_html", lambda *_: 1 / 0)
    record = archive.load(seal_staged(archive, stage(), status="completed"))
    assert record.warnings == ("the report could not be drawn (ZeroDivisionError: division by zero)",)
    assert "report.html" not in record.files


def test_an_error_given_in_words_keeps_the_type_that_was_journalled(archive: Archive, stage: Stage) -> None:
    staging = stage(("error", {"type": "UsageError", "text": "wrong"}))
    record = archive.load(seal_staged(archive, staging, status="failed", error="wrong"))
    assert record.error is not None and (record.error.type, record.error.sentence) == ("UsageError", "wrong")


def test_an_archive_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    archive = Archive(tmp_path / "file" / "archive")
    with pytest.raises(ArchiveError), archive.lock():
        pass


def test_a_lock_that_is_held_too_long_is_one_sentence(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook_lib.record.home.folder.LOCK_TIMEOUT_S", 0.05)
    with archive.lock(), pytest.raises(ArchiveError, match="by another process"), Archive(archive.root).lock():
        pass


def _seal_some(root: str, count: int) -> None:
    archive = Archive(root)
    for _ in range(count):
        run_id = new_run_id()
        staging = archive.stage("dev", "r1", "n", run_id, "papermill")
        Journal(staging).append("opened", run_id=run_id, notebook="n", params={"env": "dev", "release": "r1"})
        seal_staged(archive, staging, status="completed")


@pytest.mark.slow
def test_sealers_in_several_processes_and_threads_make_one_chain(archive: Archive) -> None:
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_seal_some, args=(str(archive.root), 5)) for _ in range(2)]
    threads = [threading.Thread(target=_seal_some, args=(str(archive.root), 5)) for _ in range(2)]
    for worker in [*others, *threads]:
        worker.start()
    for worker in [*others, *threads]:
        worker.join(30)
    refs = archive.records()
    assert len(refs) == 20
    archive.verify(refs[-1])


def test_two_sealers_of_one_run_agree(archive: Archive, stage: Stage) -> None:
    staging = stage(("closed", {}))
    found: list[RecordRef] = []
    threads = [
        threading.Thread(target=lambda: found.append(seal_staged(archive, staging, status="completed")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1 and archive.records() == found[:1]


class TestSweep:
    def test_a_live_owner_is_left_alone(self, archive: Archive, stage: Stage) -> None:
        staging = stage()
        assert archive.sweep() == [] and staging.exists()

    @pytest.mark.slow
    def test_a_process_that_died_is_closed_as_died(self, archive: Archive) -> None:
        script = (
            "import os, sys\n"
            "from runbook_lib.record.archive import Archive\n"
            "from runbook_lib.record.journal import Journal\n"
            "staging = Archive(sys.argv[1]).stage('dev', 'r1', 'n', 'abc', 'interactive')\n"
            "journal = Journal(staging)\n"
            "journal.append('opened', notebook='n', params={'env': 'dev', 'release': 'r1'})\n"
            "journal.append('intent', id='i', what='dial')\n"
            "os.kill(os.getpid(), 9)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(archive.root)], check=False, timeout=30)
        (ref,) = archive.sweep()
        record = archive.load(ref)
        assert (record.status, record.run_id, len(record.open_changes)) == ("died", "abc", 1)
        assert record.error is not None and "ended without sealing it" in record.error.sentence
        assert "DIED" in (ref.folder / "report.html").read_text()
        archive.verify(ref)
        assert archive.sweep() == []

    def test_a_pid_that_was_given_to_another_process_is_not_the_owner(self, archive: Archive, stage: Stage) -> None:
        staging = stage()
        facts = json.loads((staging / "owner.json").read_text())
        (staging / "owner.json").write_text(json.dumps(facts | {"start": facts["start"] - 60, "since": ""}))
        assert len(archive.sweep()) == 1

    @pytest.mark.parametrize(("days", "closed"), [(1, 0), (8, 1)])
    @pytest.mark.parametrize("apart", [{"host": "elsewhere"}, {"pids": "pid:[1]", "pid": 2**22 + 1}])
    def test_another_host_or_container_is_believed_for_a_week(
        self, archive: Archive, stage: Stage, apart: dict[str, Any], days: int, closed: int
    ) -> None:
        """Containers of one host name have pids of their own: one of theirs cannot be looked for here."""
        staging = stage()
        facts = json.loads((staging / "owner.json").read_text())
        (staging / "owner.json").write_text(json.dumps(facts | apart))
        then = time.time() - days * 86400
        os.utime(staging / "journal.jsonl", (then, then))
        assert len(archive.sweep()) == closed

    def test_the_notebook_that_papermill_had_written_is_kept(self, archive: Archive, tmp_path: Path) -> None:
        output = tmp_path / "out.ipynb"
        for run_id, theirs in (("aaa", "aaa"), ("bbb", "another")):
            staging = archive.stage("dev", "r1", "n", run_id, "papermill", output=str(output))
            output.write_text(json.dumps({"cells": [], "nbformat": 4, "metadata": {"runbook": {"run_id": theirs}}}))
            facts = json.loads((staging / "owner.json").read_text())
            (staging / "owner.json").write_text(json.dumps(facts | {"pid": None}))
            (ref,) = archive.sweep()
            assert (ref.folder / "notebook.ipynb").exists() == (run_id == theirs)

    def test_what_a_killed_run_wrote_is_saved_before_its_temporary_folder_goes(
        self, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from runbook_lib.cli.guarded import guarded

        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        left = tmp_path / "runbook-run-x"
        left.mkdir()
        dead = {"pid": 2**22 + 1, "start": 1.0, "host": platform.node()}
        (left / ".owner.json").write_text(json.dumps({**dead, "archive": str(archive.root)}))
        staging = archive.stage("dev", "r1", "n", "aaa", "papermill", output=str(left / "out.ipynb"))
        facts = json.loads((staging / "owner.json").read_text())
        (staging / "owner.json").write_text(json.dumps({**facts, **dead}))
        written = {"cells": [], "nbformat": 4, "metadata": {"runbook": {"run_id": "aaa"}}}
        (left / "out.ipynb").write_text(json.dumps(written))
        with pytest.raises(SystemExit):
            guarded(lambda: 0)  # a command of any kind
        assert not left.exists() and staging.exists()
        (ref,) = archive.sweep()
        archive.verify(ref)
        assert (ref.folder / "notebook.ipynb").exists() and archive.load(ref).status == "died"

    def test_leftovers_go_and_strangers_stay(self, archive: Archive, stage: Stage) -> None:
        stage()
        (archive.staging / ".done-x").mkdir()
        (archive.staging / "stranger").mkdir()
        (archive.staging / "torn").mkdir()
        (archive.staging / "torn" / "owner.json").write_text("[")
        assert archive.sweep() == []
        assert not (archive.staging / ".done-x").exists() and (archive.staging / "stranger").exists()

    def test_what_cannot_be_closed_now_is_closed_next_time(
        self, archive: Archive, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage()
        monkeypatch.setattr(folders, "alive", lambda *_: False)
        monkeypatch.setattr(
            "runbook_lib.record.home.folder.write_folder", lambda *_: (_ for _ in ()).throw(ArchiveError("full"))
        )
        assert archive.sweep() == []
        monkeypatch.undo()
        monkeypatch.setattr(folders, "alive", lambda *_: False)
        assert len(archive.sweep()) == 1


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 20
    while scratch.started(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert scratch.started(child.pid) is None
    child.wait()
    assert scratch.started(child.pid) is None


def test_list_and_show_are_plain_data(
    archive: Archive, sealed: Seal, gate_result: Callable[..., dict[str, Any]]
) -> None:
    gates = [
        ("gate", {"result": gate_result()}),
        ("gate", {"result": gate_result("dlq", "FAIL", 1.0, low=None, high=None)}),
    ]
    ref = sealed("ROLLBACK", *gates, ("intent", {"id": "a", "what": "dial", "before": {"percent": 0}, "after": None}))
    (row,) = list_rows(archive, env="dev")
    assert (row["run"], row["decision"], row["status"], row["intact"]) == (ref.run_id, "ROLLBACK", "completed", True)
    shown = show_record(archive, ref.run_id[:6])
    assert json.loads(json.dumps(shown)) == shown
    assert [gate["verdict"] for gate in shown["gates"]] == ["PASS", "FAIL"]
    assert shown["changes"][0]["state"] == "open" and shown["next"] == "go on"
    assert shown["report"].endswith("report.html") and shown["hash"] == archive.load(ref).hash


def test_a_run_elsewhere_that_is_sealed_while_it_is_looked_at_stops_no_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a shared disk; the command that swept could not begin then."""
    archive = Archive(tmp_path)
    staging = archive.stage("prod", "r1", "06", "abc", "papermill")
    who = {**folders.facts(staging), "host": "elsewhere"}
    real = folders.facts

    def then_gone(one: Path) -> dict[str, Any]:
        assert real(one)
        folders.remove(one)
        return who

    monkeypatch.setattr(folders, "facts", then_gone)
    assert archive.sweep() == [] and not staging.exists()
