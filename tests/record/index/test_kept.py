"""The index: what was kept is used only if it is right; nobody is lied to by an old or a changed one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.archive import Archive
from runbook_lib.record.index.ask import ask
from runbook_lib.record.index.kept import index
from tests.archives import of_version_0_2_and_earlier, rechained, resealed
from tests.record.index.conftest import run

COUNT = "SELECT decision, count(*) AS n FROM runs GROUP BY ALL ORDER BY ALL"


def asked(archive: Archive, told: list[str] | None = None) -> tuple[dict[str, int], int, list[str]]:
    """Runs by decision, how many records were read anew, and what was damaged."""
    with index(archive, (told if told is not None else []).append) as made:
        return {row["decision"]: row["n"] for row in ask(made.file, COUNT).rows}, made.read, made.left.damage


def kept(cache: Path) -> Path:
    (found,) = cache.rglob("*.duckdb")
    return found


@pytest.mark.slow
def test_only_what_is_new_is_read(filled: Archive, own_cache: Path) -> None:
    counts = {"PROMOTE": 1, "ROLLBACK": 1, "SOAK": 1}
    assert [asked(filled) for _ in range(2)] == [(counts, 4, []), (counts, 0, [])]
    run(filled, "SOAK", "2026-11-04T03:00:00+00:00")
    assert asked(filled) == ({**counts, "SOAK": 2}, 1, [])
    assert asked(filled)[1] == 0
    assert not [one for one in filled.root.rglob("*") if "index" in one.name or one.suffix == ".duckdb"]


@pytest.mark.slow
def test_a_changed_index_is_not_believed(filled: Archive, own_cache: Path) -> None:
    asked(filled)
    file = kept(own_cache)
    with duckdb.connect(str(file)) as base:
        base.execute("UPDATE all_runs SET decision = 'PROMOTE'")
    assert asked(filled) == ({"PROMOTE": 1, "ROLLBACK": 1, "SOAK": 1}, 4, [])
    file = kept(own_cache)
    file.write_bytes(file.read_bytes()[:-9])
    assert asked(filled)[1] == 4
    kept(own_cache).write_bytes(b"")
    assert asked(filled)[1] == 4


@pytest.mark.slow
def test_an_index_of_another_archive_or_key_is_not_believed(filled: Archive, own_cache: Path, tmp_path: Path) -> None:
    other = Archive(tmp_path / "other")
    run(other, "HOLD", "2026-11-04T03:00:00+00:00")
    asked(filled)
    theirs = kept(own_cache)
    asked(other)
    mine = next(one for one in own_cache.rglob("*.duckdb") if one != theirs)
    shutil.copy(theirs, mine.parent)
    mine.unlink()
    assert asked(other) == ({"HOLD": 1}, 1, [])
    (tmp_path / "state" / "rollout-runbook" / "index.key").write_bytes(b"x" * 32)
    assert asked(other) == ({"HOLD": 1}, 1, [])


@pytest.mark.slow
def test_a_record_that_was_changed_counts_no_more(filled: Archive) -> None:
    asked(filled)
    ref = next(ref for ref in filled.records() if ref.notebook != "entry")
    path = ref.folder / "record.json"
    state = path.stat()
    path.write_bytes(path.read_bytes().replace(b"SOAK", b"HOLD"))  # of the same length
    import os

    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    counts, read, damage = asked(filled)
    assert "HOLD" not in counts and counts["ROLLBACK"] == 1 and ref.folder.name in damage[0] and read >= 1
    resealed(ref.folder, decision="PROMOTE")
    rechained(filled.chain("prod", "r1", ref.notebook))
    assert asked(filled)[0] == {} and len(asked(filled)[2]) == 3  # the log has none of these hashes


@pytest.mark.slow
def test_a_record_that_was_removed_or_put_in_is_named(filled: Archive) -> None:
    asked(filled)
    first, *_, last = [ref for ref in filled.records() if ref.notebook != "entry"]
    copy = last.folder.with_name("20991231T000000.000Z-aaaaaaaaaaaa")
    shutil.copytree(first.folder, copy)
    shutil.rmtree(last.folder)
    counts, _, damage = asked(filled)
    assert "PROMOTE" not in counts and len(damage) == 2
    assert any(last.folder.name in one for one in damage) and any(copy.name in one for one in damage)


@pytest.mark.slow
def test_a_link_in_the_place_of_a_record_is_damage(filled: Archive, tmp_path: Path) -> None:
    asked(filled)
    folder = filled.records()[-1].folder
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert len(asked(filled)[2]) == 1


@pytest.mark.slow
def test_a_pipe_in_the_place_of_a_record_is_damage_and_is_not_waited_for(filled: Archive) -> None:
    asked(filled)
    file = filled.records()[-1].folder / "record.json"
    file.unlink()
    os.mkfifo(file)
    (told,) = asked(filled)[2]
    assert "pipe" in told or "cannot be read" in told


@pytest.mark.slow
def test_records_of_before_the_log_are_asked_and_not_kept(filled: Archive) -> None:
    of_version_0_2_and_earlier(filled)
    counts = {"PROMOTE": 1, "ROLLBACK": 1, "SOAK": 1}
    assert [asked(filled) for _ in range(2)] == [(counts, 4, [])] * 2
    ref = filled.records()[-1]
    resealed(ref.folder, decision="PROMOTE", mode="x")
    resealed(filled.records()[1].folder, mode="x")
    assert asked(filled)[2]
    run(filled, "SOAK", "2026-11-04T03:00:00+00:00")  # takes the others in, as they are


def test_where_nothing_can_be_kept_it_is_told_and_answered(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    told: list[str] = []
    assert asked(filled, told)[0]["SOAK"] == 1 and "not kept" in told[0]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert asked(filled, told)[0]["SOAK"] == 1 and "key" in told[-1]


def test_an_empty_archive_has_tables(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert asked(Archive(tmp_path / "none")) == ({}, 0, [])


@pytest.mark.parametrize("error", [duckdb.IOException("IO Error: File too large"), FileNotFoundError("No usable one")])
def test_a_temporary_folder_without_room_is_no_fault_of_the_runbook(
    filled: Archive, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("runbook_lib.record.index.kept._renewed", full)
    with pytest.raises(ArchiveError, match=r"the index cannot be written .*TMPDIR"), index(filled, print):
        pass
