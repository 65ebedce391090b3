"""What was verified before is not read again, and hides nothing that was done since: not even with a cache in hand."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.own_files import cache_of
from runbook_lib.record import intact, listing, seen
from runbook_lib.record.archive import Archive
from runbook_lib.record.listing import list_rows
from runbook_lib.record.place import RecordRef
from runbook_lib.record.seal import record_hash, written
from tests.archives import of_version_0_2_and_earlier, rechained, relogged, resealed


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is small, new and on any disk is kept too; in a folder of the test."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(listing, "MANY", 0)
    monkeypatch.setattr(seen, "SETTLED_NS", 0)
    monkeypatch.setattr(seen, "_counts_changes", lambda _: True)


@pytest.fixture
def filled(archive: Archive, sealed: Callable[..., RecordRef]) -> Archive:
    for decision in ("SOAK", "HOLD", "SOAK"):
        sealed(decision)
    time.sleep(0.02)  # so that a change gets another time than they have
    return archive


def kept(archive: Archive) -> Path:
    return cache_of(archive.root) / seen.FILE


def listed(archive: Archive) -> list[dict[str, Any]]:
    """Twice: by what was kept before, and by what this keeps."""
    first, then = list_rows(archive), list_rows(archive)
    assert first == then
    return first


def read_all(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    with monkeypatch.context() as patch:
        patch.setattr(seen, "_counts_changes", lambda _: False)
        return list_rows(archive)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders of the records that are read whole."""
    found: list[str] = []
    whole = intact._verify_own
    monkeypatch.setattr(intact, "_verify_own", lambda ref, log: found.append(ref.folder.name) or whole(ref, log))
    return found


def test_what_is_the_same_is_not_read_again_and_what_is_new_is(
    filled: Archive, sealed: Callable[..., RecordRef], reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list_rows(filled)
    assert len(reads) == 3
    assert list_rows(filled) == rows and len(reads) == 3
    new = sealed("PROMOTE")
    time.sleep(0.02)
    again = list_rows(filled)
    assert again[:3] == rows and again[3]["decision"] == "PROMOTE" and reads[3:] == [new.folder.name]
    assert list_rows(filled) == again == read_all(filled, monkeypatch)


def _edited(folder: Path) -> None:
    """The verdict, at the same length, and the file's times as they were."""
    file = folder / "record.json"
    before = file.stat()
    content = file.read_bytes()
    assert b'"HOLD"' in content
    with file.open("r+b") as opened:
        opened.write(content.replace(b'"HOLD"', b'"SOAK"'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _attached_file(folder: Path) -> None:
    file = folder / "answers.json"
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"[1, 3]")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(folder: Path) -> None:
    """Another file with the same size and times in its place."""
    file, other = folder / "answers.json", folder.parents[3] / "other"
    shutil.copy2(file, other)
    other.write_bytes(b"[1, 3]")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    above = folder.stat()
    other.replace(file)
    os.utime(folder, ns=(above.st_atime_ns, above.st_mtime_ns))


def _added(folder: Path) -> None:
    above = folder.stat()
    (folder / "note.txt").write_text("x")
    os.utime(folder, ns=(above.st_atime_ns, above.st_mtime_ns))


def _copied(folder: Path) -> None:
    """The whole folder anew, with all its times, and one file edited."""
    away = folder.parents[3] / "away"
    folder.rename(away)
    shutil.copytree(away, folder)
    _edited(folder)
    shutil.copystat(away, folder)


def _linked(folder: Path) -> None:
    away = folder.parents[3] / "away"
    folder.rename(away)
    folder.symlink_to(away)


def _chain_linked(folder: Path) -> None:
    away = folder.parents[3] / "away"
    folder.parent.rename(away)
    folder.parent.symlink_to(away)


def _head(folder: Path) -> None:
    (folder.parent / "HEAD").write_text("0" * 64 + "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [_edited, _attached_file, _replaced, _added, _copied, _linked, _chain_linked, _head, shutil.rmtree],
    ids=lambda one: one.__name__.strip("_"),
)
def test_an_attack_with_the_times_set_back_is_found_as_if_everything_was_read(
    filled: Archive, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(row["intact"] for row in listed(filled))
    before = kept(filled).read_bytes()
    harm(filled.records()[1].folder)
    found = listed(filled)
    assert not all(row["intact"] for row in found)
    kept(filled).write_bytes(before)  # whoever may write to the cache puts the old one back
    assert listed(filled) == found == read_all(filled, monkeypatch)


def test_records_that_were_there_before_the_log_are_intact_by_what_was_kept_of_them(
    filled: Archive, sealed: Callable[..., RecordRef], reads: list[str]
) -> None:
    of_version_0_2_and_earlier(filled)
    sealed("PROMOTE")
    time.sleep(0.02)
    assert [row["intact"] for row in listed(filled)] == [True] * 4 and len(reads) == 4


def test_a_record_whose_log_was_written_anew_is_read_again(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(filled)
    resealed(filled.records()[1].folder, decision="PROMOTE")
    rechained(filled.chain("dev", "r1", "06_phase1_10_percent"))
    relogged(filled)
    assert listed(filled)[1]["decision"] == "PROMOTE"
    assert listed(filled) == read_all(filled, monkeypatch)


def test_a_cache_that_another_one_wrote_is_not_used(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He edits a record, takes its state now into the cache, and signs that with a key of his own, or not at all."""
    rows = listed(filled)
    mac, _, content = kept(filled).read_bytes().partition(b"\n")
    victim = filled.records()[1].folder
    _edited(victim)
    chains = json.loads(content)["chains"]
    own = chains[victim.parent.relative_to(filled.root).as_posix()][victim.name]
    own[0] = seen.state_of(str(victim), own[1])[0]
    forged = json.dumps({"chains": chains}).encode()
    for sign in (mac, b"0" * 64, b"", seen._mac(b"k" * 32, forged).encode(), b"\xff"):
        kept(filled).write_bytes(sign + b"\n" + forged)
        found = list_rows(filled)
        assert [row["intact"] for row in found] == [True, False, False] and found[0] == rows[0]
    # This is how it would have come out with the key: so the attack is one.
    key = (tmp_path / "XDG_STATE_HOME" / "rollout-runbook" / "index.key").read_bytes()
    kept(filled).write_bytes(seen._mac(key, forged).encode() + b"\n" + forged)
    assert all(row["intact"] for row in list_rows(filled))


def test_what_was_touched_just_now_is_read_again(
    filled: Archive, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write in the same tick of the clock would leave the time as it is."""
    monkeypatch.setattr(seen, "SETTLED_NS", 60 * 10**9)
    listed(filled)
    assert len(reads) == 6 and not kept(filled).exists()


def test_a_damaged_record_is_never_kept(filled: Archive) -> None:
    raw = json.loads((filled.records()[1].folder / "record.json").read_text())
    raw |= {"decision": "PROMOTE"}
    raw["hash"] = record_hash(raw)
    (filled.records()[1].folder / "record.json").write_bytes(written(raw))
    assert [row["intact"] for row in listed(filled)] == [True, False, False]
    (each,) = json.loads(kept(filled).read_bytes().partition(b"\n")[2])["chains"].values()
    assert len(each) == 1


@pytest.mark.parametrize("what", ["kept", "key"])
def test_a_pipe_in_the_place_of_what_is_kept_is_not_waited_for(filled: Archive, tmp_path: Path, what: str) -> None:
    rows = listed(filled)
    file = kept(filled) if what == "kept" else tmp_path / "XDG_STATE_HOME" / "rollout-runbook" / "index.key"
    file.unlink()
    os.mkfifo(file)
    filled.told = lambda said: said
    assert list_rows(filled) == rows


def test_where_nothing_can_be_kept_everything_is_read(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    filled.told = told.append
    (tmp_path / "file").write_text("")
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
        assert all(row["intact"] for row in list_rows(filled))
    assert "not kept" in told[0] and "key" in told[-1]


def test_of_a_small_archive_nothing_is_kept(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MANY", 4)
    assert len(listed(filled)) == 3 and not kept(filled).parent.parent.exists()


@pytest.mark.parametrize(
    ("kind", "at", "counts"),
    [("ext4", "/", True), ("tmpfs", "/", False), ("fuse.s3fs", "/srv/team", False), ("ext4", "/srv/te", False)],
)
def test_only_a_disk_that_is_known_to_count_changes_is_believed(
    kind: str, at: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    mounts = tmp_path / "mounts"
    root = "ext4" if counts else "vfat"
    mounts.write_text(f"21 1 8:1 / / rw - {root} /dev/a rw\n22 21 8:2 / {at} rw shared:1 - {kind} /dev/b rw\n")
    monkeypatch.setattr(seen, "_MOUNTS", mounts)
    assert seen._counts_changes(Path("/srv/team/archive")) is counts
    monkeypatch.setattr(seen, "_MOUNTS", tmp_path / "none")
    assert seen._counts_changes(Path("/srv/team/archive")) is False
