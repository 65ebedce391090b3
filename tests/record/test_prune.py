"""Pruning: what goes, what stays, and that chains and log verify without it, by us and by the standalone verifier."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from runbook_lib.base import errors
from runbook_lib.base.errors import ArchiveError, Refused
from runbook_lib.cli.ending import ending
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import audit
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.index.there import LeftOut
from runbook_lib.record.journal import Journal
from runbook_lib.record.listing import list_rows
from runbook_lib.record.log.files import read_log
from runbook_lib.record.log.intake import mended
from runbook_lib.record.place import RecordRef, new_run_id
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.prune import counted_from, plan, prune
from tests.archives import rechained, relogged, resealed
from tests.killed import killed

PHASE = "06_phase1_10_percent"
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
CUT = NOW - dt.timedelta(days=400)


class Clock:
    """A wall clock that is set, and moves a second at each look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        self.now += dt.timedelta(seconds=1)
        return self.now


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Release `old` was accepted two years ago, `open` began then and was not, `now` is in force, `new` runs.

    Made once for all tests, only to be copied.
    """
    clock = Clock()
    archive = Archive(tmp_path_factory.mktemp("made") / "archive", clock)
    clock.now = NOW - dt.timedelta(days=730)
    for release in ("old", "open"):
        for decision in ("SOAK", "SOAK", "PROMOTE"):
            seal(archive, release, PHASE, decision)
        sealed(archive, {"env": "prod", "release": release}, Entry(kind="note", by="Ada", at=NOW.isoformat()))
    seal(archive, "old", "11_acceptance", "HOLD")
    seal(archive, "old", "11_acceptance", "PROMOTE")
    clock.now = NOW
    seal(archive, "now", "11_acceptance", "PROMOTE")
    seal(archive, "new", PHASE, "SOAK")
    return archive


@pytest.fixture
def archive(made: Archive, tmp_path: Path) -> Archive:
    """What was `made`, a minute later."""
    clock = Clock()
    clock.now = NOW + dt.timedelta(minutes=1)
    return Archive(shutil.copytree(made.root, tmp_path / "archive"), clock)


def seal(archive: Archive, release: str, notebook: str, decision: str) -> RecordRef:
    staging = archive.stage("prod", release, notebook, new_run_id(), "papermill")
    journal = Journal(staging)
    journal.append("opened", run_id=staging.name, notebook=notebook, params={"env": "prod", "release": release})
    journal.append("decision", moment="after", outcome={"decision": decision, "reason": "it was judged"})
    journal.append("closed", decision=decision)
    return seal_staged(archive, staging, status="completed")


def states(archive: Archive) -> tuple[str, int]:
    return audit(archive).state, verify_standalone.main([str(archive.root)])


def done(archive: Archive) -> list[RecordRef]:
    found = plan(archive, CUT)
    return prune(archive, found, "Ada", "kept for 400 days").records


def test_a_plan_changes_nothing_and_names_what_would_go_and_what_is_kept(archive: Archive) -> None:
    before = sorted(archive.root.rglob("*"))
    found = plan(archive, CUT)
    assert [(ref.release, ref.notebook) for ref in found.records] == [("old", PHASE)] * 2 + [("old", "11_acceptance")]
    assert found.running == {"open": 2} and found.bytes > 0 and not found.tombstones
    assert sorted(archive.root.rglob("*")) == before


def test_what_was_pruned_is_gone_and_the_rest_verifies_by_both(archive: Archive) -> None:
    gone = done(archive)
    assert len(gone) == 3 and not any(ref.folder.exists() for ref in gone)
    assert states(archive) == ("intact", 0)
    assert any("pruned: 3 records" in note for note in audit(archive).notes)
    assert all(row["intact"] for row in list_rows(archive)) and archive.lost() == []
    (found,) = predecessors(archive, [f"{PHASE}@prod"], "old")
    assert found.ok
    seal(archive, "old", PHASE, "HOLD")  # the chain goes on
    assert states(archive) == ("intact", 0)
    entry = archive.load(archive.records("prod", "old", "entry")[-1]).entry
    assert entry is not None and entry["by"] == "Ada" and "3 records pruned" in entry["text"]
    assert [ref.notebook for ref in plan(archive, CUT).records] == [PHASE]  # the newest no more


def test_a_release_that_was_given_up_goes_if_it_is_as_old(archive: Archive) -> None:
    found = plan(archive, CUT, ["open"])
    assert {ref.release for ref in found.records} == {"old", "open"} and found.running == {}
    prune(archive, found, "Ada", "")
    assert states(archive) == ("intact", 0)
    assert plan(archive, CUT, ["open"]).records == [], "its own tombstone is no work"
    with pytest.raises(Refused, match=r"it is kept: its run .* was sealed not before 2025-10-19"):
        plan(archive, CUT, ["new"])
    with pytest.raises(Refused, match="no record of such a release"):
        plan(archive, CUT, ["olde"])


def test_a_note_that_keeps_a_release_is_not_called_a_run(archive: Archive) -> None:
    note = sealed(archive, {"env": "prod", "release": "open"}, Entry(kind="note", by="Ada", at=NOW.isoformat()))
    with pytest.raises(Refused, match=f"its entry {note.run_id} was sealed not before"):
        plan(archive, CUT, ["open"])
    with pytest.raises(Refused, match="its run "):
        plan(archive, CUT, ["new"])


def test_an_acceptance_that_was_taken_back_has_its_release_running(archive: Archive) -> None:
    seal(archive, "old", "11_acceptance", "HOLD")
    assert plan(archive, CUT).running == {"old": 4, "open": 2}


def test_the_release_that_was_accepted_last_is_in_force(archive: Archive) -> None:
    seal(archive, "now", "11_acceptance", "HOLD")
    assert plan(archive, CUT).running == {"old": 3, "open": 2}


@pytest.mark.parametrize("after", [0, 1])
def test_what_a_crash_leaves_verifies_and_is_removed_next_time(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    calls: list[str] = []

    def dies(path: str) -> None:
        calls.append(path)
        if len(calls) > after:
            raise KeyboardInterrupt
        shutil.rmtree(archive.root / path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        whole = archive.home.remove
        patch.setattr(archive.home, "remove", lambda path: whole(path) if path.startswith("log/") else dies(path))
        done(archive)
    assert states(archive) == ("intact", 0)
    found = plan(archive, CUT)
    assert len(found.left) == 3 - after and found.records == []
    prune(archive, found, "Ada", "")
    assert states(archive) == ("intact", 0) and plan(archive, CUT).left == []


@pytest.mark.slow
def test_killed_at_any_step_it_verifies_and_is_done_by_pruning_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    whole = archive.root.with_name("whole")
    shutil.copytree(archive.root, whole)
    for at in range(1, 200):
        shutil.rmtree(archive.root)
        shutil.copytree(whole, archive.root)
        ended = killed(lambda: done(archive), at)
        state, code = states(archive)
        assert (state, code) in (("intact", 0), ("cannot tell", 3)), f"killed before step {at}"
        mended(archive)
        assert states(archive) == ("intact", 0), f"killed before step {at}"
        done(archive)
        assert states(archive) == ("intact", 0), f"killed before step {at}"
        log = read_log(archive.root)
        notes = sum(leaf.how == "completed" for leaf in log.leaves) if log else 0
        assert len(archive.records()) == 10 + notes and plan(archive, CUT).left == plan(archive, CUT).records == []
        if ended:
            break
    assert ended and at > 10


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(13, "Permission denied")])
def test_who_ends_it_on_the_way_is_told_what_is_gone(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def dies(home: object, place: str) -> None:
        if errors.done_here.get("prune", "").startswith("1 tombstone sealed and 2"):
            raise error
        gone(home, place)

    gone = type(archive.home).remove
    monkeypatch.setattr(type(archive.home), "remove", dies)
    with pytest.raises(type(error)):
        done(archive)
    told, _ = ending(error)
    assert told.endswith("; 1 tombstone sealed and 2 of 3 records removed before that; prune again")
    assert told.count("tombstone") == 1


def test_half_a_removal_is_no_damage(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **more: None)
    done(archive)
    assert states(archive) == ("intact", 0)


def test_a_damaged_archive_is_not_pruned(archive: Archive) -> None:
    ref = archive.records("prod", "new")[0]
    (ref.folder / "report.html").write_text("")
    with pytest.raises(ArchiveError, match="the archive cannot be trusted"):
        plan(archive, CUT)
    shutil.rmtree(archive.root / "log")
    with pytest.raises(ArchiveError):
        plan(archive, CUT)


def both_find(archive: Archive) -> None:
    assert states(archive) == ("damaged", 1)


def test_a_tombstone_covers_only_what_it_was_made_for(archive: Archive) -> None:
    done(archive)
    shutil.rmtree(archive.records("prod", "open", PHASE)[0].folder)
    both_find(archive)


def test_a_tombstone_that_was_removed_or_edited_covers_nothing(archive: Archive, tmp_path: Path) -> None:
    done(archive)
    stone = archive.records("prod", "old", "entry")[-1]
    shutil.copytree(archive.root, tmp_path / "copy")
    shutil.rmtree(stone.folder)
    both_find(archive)
    copy = Archive(tmp_path / "copy")
    stone = copy.records("prod", "old", "entry")[-1]
    path = stone.folder / "record.json"
    path.write_text(path.read_text().replace("Ada", "Eve"))
    both_find(copy)


def test_a_tombstone_that_was_put_there_covers_nothing(archive: Archive) -> None:
    last = archive.records("prod", "old", PHASE)[0]
    log = archive.root / "log" / "leaves.jsonl"
    before = log.read_bytes()
    leaf = next(line for line in before.decode().splitlines() if last.folder.name in line)
    note = archive.records("prod", "old", "entry")[0]
    entry = {**(archive.load(note).entry or {}), "kind": "tombstone"}
    path = last.folder.relative_to(archive.root).as_posix()
    entry["facts"] = {"records": {path: {"previous": None, "leaf": json.loads(leaf)}}}
    resealed(note.folder, entry=entry)
    rechained(archive.chain("prod", "old", "entry"))
    shutil.rmtree(last.folder)
    both_find(archive)


def test_a_record_of_before_may_not_come_back_as_another(archive: Archive) -> None:
    gone = done(archive)[0]
    other = archive.records("prod", "open", PHASE)[0]
    shutil.copytree(other.folder, gone.folder)
    both_find(archive)
    relogged(archive)
    assert audit(archive).damage


def test_questions_count_what_is_there(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runbook_lib.commands.questions import query

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sql = "SELECT count(*) AS n FROM runs"
    assert query(archive.root, sql, print) == ((["n"], [{"n": 10}]), LeftOut())
    done(archive)
    assert query(archive.root, sql, print) == ((["n"], [{"n": 7}]), LeftOut())


def test_what_was_pruned_is_told_by_its_tombstone(archive: Archive) -> None:
    one = done(archive)[0]
    tomb = archive.records("prod", "old", "entry")[-1]
    for prefix in (one.run_id, one.folder.name, one.run_id[:10]):
        with pytest.raises(ArchiveError, match=f"was pruned; .* runbook archive show {tomb.run_id}"):
            archive.find(prefix)
    with pytest.raises(ArchiveError, match="no record starts with 'zz'"):
        archive.find("zz")


@pytest.mark.parametrize("days", [630_000, 700_000, 735_000])
def test_a_span_of_centuries_prunes_nothing(archive: Archive, days: int) -> None:
    """A year of three digits, as text, would come after ours."""
    assert plan(archive, NOW - dt.timedelta(days=days)).records == []


def test_two_that_prune_at_once_leave_an_archive_that_verifies(archive: Archive) -> None:
    first, second = plan(archive, CUT), plan(archive, CUT)
    prune(archive, first, "Ada", "")
    with pytest.raises(ArchiveError):
        prune(archive, second, "Eve", "")
    assert states(archive) == ("intact", 0) and plan(archive, CUT).records == []


def test_a_clock_that_is_years_ahead_makes_no_record_old(archive: Archive) -> None:
    ahead = NOW + dt.timedelta(days=3650)
    start = counted_from(archive, ahead)
    assert abs(start - NOW) < dt.timedelta(minutes=1)
    wrong = Archive(archive.root, lambda: ahead)
    found = prune(wrong, plan(wrong, start - dt.timedelta(days=400)), "Ada", "")
    assert len(found.records) == 3 and {ref.release for ref in found.records} == {"old"}
    assert counted_from(wrong, ahead) == start, "a tombstone that was sealed by that clock does not count"


@pytest.mark.parametrize("name", ["", "20269999T000000.000Z-0123456789ab"])
def test_without_a_record_whose_time_can_be_read_the_clock_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / "env=prod" / "release=r" / PHASE / name).mkdir(parents=True)
    assert counted_from(Archive(tmp_path), NOW) == NOW


def test_a_clock_that_is_behind_counts(archive: Archive) -> None:
    behind = NOW - dt.timedelta(days=900)
    assert counted_from(archive, behind) == behind
