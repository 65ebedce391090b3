"""The log as it is written: one leaf a seal, whole after a kill at any point, and never grown over damage."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.audit import audit
from runbook_lib.record.links import Links
from runbook_lib.record.listing import list_rows
from runbook_lib.record.log import files, ledger
from runbook_lib.record.log.files import LEAVES, TREE, newest_logged, read_log
from runbook_lib.record.log.sealing import SEALING
from runbook_lib.record.place import RecordRef, path_of
from runbook_lib.record.seal import replace_file
from tests.archives import of_version_0_2_and_earlier
from tests.killed import killed

Seal = Callable[..., RecordRef]
Stage = Callable[..., Path]


def log_of(archive: Archive) -> Any:
    found = read_log(archive.root)
    assert found is not None
    return found


def test_each_seal_is_one_leaf_more(archive: Archive, sealed: Seal) -> None:
    refs = [sealed() for _ in range(5)]
    log = log_of(archive)
    assert [leaf.path for leaf in log.leaves] == [ref.folder.relative_to(archive.root).as_posix() for ref in refs]
    assert [leaf.index for leaf in log.leaves] == [0, 1, 2, 3, 4]
    assert {leaf.how for leaf in log.leaves} == {"sealed"} and {leaf.kind for leaf in log.leaves} == {"run"}
    assert [leaf.hash for leaf in log.leaves] == [archive.load(ref).hash for ref in refs]
    assert log.checkpoint.size == 5 and log.damage == [] and log.sealing is None
    done = audit(archive)
    assert (done.state, done.records, done.size) == ("intact", 5, 5)
    assert done.notes == ["the checkpoint is not signed: no signing_key is configured"]


def test_sealing_reads_no_leaf(archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        sealed()
    read = Path.read_bytes

    def watched(path: Path) -> bytes:
        assert path.name != LEAVES, "a seal that reads the log takes longer each time"
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", watched)
    monkeypatch.setattr(Links, "_runs", property(lambda _: pytest.fail("nor does it list the records of its release")))
    sealed()


def test_leaves_go_on_in_another_file_and_each_is_looked_at(
    archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a seal writes as much into a bucket beside ten thousand records as beside none."""
    sealed()
    sealed()
    monkeypatch.setattr(ledger, "PART_OF", 2)  # a log that is longer already goes on in the next file
    for _ in range(3):
        sealed()
    log = archive.root / "log"
    parts = [log / name for name in (LEAVES, "leaves.part-00000002.jsonl", "leaves.part-00000004.jsonl")]
    assert [len(part.read_bytes().splitlines()) for part in parts] == [2, 2, 1]
    assert sorted(log.glob("leaves*")) == sorted(parts)

    def both() -> tuple[int, int]:
        return int(audit(archive).exit_code), verify_standalone.main([str(archive.root)])

    assert both() == (0, 0) and [leaf.index for leaf in log_of(archive).leaves] == [0, 1, 2, 3, 4]
    first, middle, last = (part.read_bytes() for part in parts)
    for place, content in (
        (1, None),
        (2, None),
        (1, last),
        (1, middle[:-1]),
        (1, middle.replace(b'"sealed"', b'"taken_in"', 1)),
        (2, last + first),
        (2, last + b"{"),
        (0, middle),
    ):
        whole = parts[place].read_bytes()
        parts[place].write_bytes(content) if content is not None else parts[place].unlink()
        assert both() == (1, 1), (place, content)
        if place == 2:  # what a seal looks at
            ref = sealed()
            assert "not logged" in str(archive.load(ref).warnings)
            shutil.rmtree(ref.folder)
            newest = archive.load(archive.records()[-1]).hash
            replace_file(ref.folder.parent / "HEAD", f"{newest}\n".encode())
        parts[place].write_bytes(whole)
        assert both() == (0, 0)
    (log / "leaves.part-00000005.jsonl").write_bytes(b"")
    assert both() == (1, 1), "it would keep each seal from the log"
    assert "not logged" in str(archive.load(sealed()).warnings)


def test_the_end_of_a_chain_is_known_without_a_list_where_log_and_head_agree(
    archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [sealed() for _ in range(3)]
    chain = refs[0].folder.parent
    path = chain.relative_to(archive.root).as_posix()
    head, hashes = chain / "HEAD", [archive.load(ref).hash for ref in refs]
    assert newest_logged(archive.root, path) == refs[2].folder.name
    assert newest_logged(archive.root, path[:-1]) == newest_logged(archive.root, "env=dev/release=r1/none") == ""
    for content in (hashes[1].encode(), b"\xff", b""):
        head.write_bytes(content)
        assert newest_logged(archive.root, path) == ""
    head.write_text(f"{hashes[2]}\n")
    away = refs[2].folder.rename(archive.root / "away")
    assert newest_logged(archive.root, path) == ""
    away.rename(refs[2].folder)
    monkeypatch.setattr(ledger, "PART_OF", 3)
    with monkeypatch.context() as patch:
        patch.setattr("runbook_lib.record.archive.names_in", lambda _: pytest.fail("a seal listed the chain"))
        last = sealed()
    assert newest_logged(archive.root, path) == last.folder.name and audit(archive).state == "intact"


def test_the_place_of_a_damaged_leaf_is_told_by_its_own_file(
    archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PART_OF", 2)
    for _ in range(4):
        sealed()
    file = archive.root / "log" / "leaves.part-00000002.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"how"', b'"who"'))
    assert log_of(archive).damage[0].sentence.startswith("log/leaves.part-00000002.jsonl, line 1 was altered")


def test_an_archive_of_before_has_its_records_taken_in(archive: Archive, sealed: Seal) -> None:
    old = [sealed() for _ in range(3)]
    of_version_0_2_and_earlier(archive)
    before = audit(archive)
    assert before.state == "cannot tell" and before.exit_code == 3 and "there is no log yet" in before.unknown[0]
    new = sealed()
    log = log_of(archive)
    assert [leaf.how for leaf in log.leaves] == ["taken_in"] * 3 + ["sealed"]
    assert "3 records of before the archive's log were taken into it" in archive.load(new).warnings
    for ref in [*old, new]:
        archive.verify(ref)
    done = audit(archive)
    assert done.state == "intact" and "taken in from before the log: 3 records" in done.notes


@pytest.mark.slow
@pytest.mark.parametrize("before", ["nothing", "records", "a log", "a full part"])
def test_killed_at_any_step_the_archive_is_whole_and_the_next_seal_goes_on(
    archive: Archive, sealed: Seal, stage: Stage, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before != "nothing":
        for _ in range(2):
            sealed()
    if before == "records":
        of_version_0_2_and_earlier(archive)
    if before == "a full part":
        monkeypatch.setattr(ledger, "PART_OF", 2)
    whole = archive.root.with_name("whole")
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    staging = stage(("closed", {}))
    shutil.copytree(archive.root, whole)
    told: set[str] = set()
    for at in range(1, 200):
        shutil.rmtree(archive.root)
        shutil.copytree(whole, archive.root)
        ended = killed(lambda: seal_staged(archive, staging, status="completed"), at)
        seen = audit(archive)
        assert not seen.damage, f"killed before step {at}: {seen.damage}"
        archive.sweep()
        sealed()
        done = audit(archive)
        assert done.state == "intact", f"killed before step {at}: {done.damage} {done.unknown}"
        how = [leaf.how for leaf in log_of(archive).leaves]
        notes = len(archive.records(None, None, "entry"))
        assert notes == how.count("completed"), f"killed before step {at}: nothing says what was completed"
        assert done.records == done.size == (0 if before == "nothing" else 2) + 2 + notes, f"killed before step {at}"
        assert [path.name for path in archive.staging.glob("[!.]*")] == []
        told |= set(how)
        if ended:
            break
    assert ended and at > 10 and "completed" in told


def test_what_a_crash_left_unlogged_is_said(archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed()
    with monkeypatch.context() as patch:
        patch.setattr(
            "runbook_lib.record.log.ledger.Ledger.append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            sealed()
    (late,) = (ref for ref in archive.records() if ref.folder.name not in str(log_of(archive).leaves))
    archive.verify(late)
    after = sealed()
    (said,) = archive.load(after).warnings
    assert late.folder.name in said and said.endswith("a crash kept it from the log: it was logged now")
    assert [leaf.how for leaf in log_of(archive).leaves] == ["sealed", "completed", "sealed"]
    assert "logged late, after a crash: 1 record" in audit(archive).notes


@pytest.mark.slow
@pytest.mark.parametrize("name", [LEAVES, "checkpoint"])
@pytest.mark.parametrize("how", ["gone", "cut", "altered"])
def test_a_damaged_log_is_never_grown_and_does_not_cost_the_record(
    archive: Archive, sealed: Seal, name: str, how: str
) -> None:
    for _ in range(3):
        sealed()
    file = archive.root / "log" / name
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    else:
        file.write_bytes(file.read_bytes().replace(b"3", b"4").replace(b"\n", b"\n ", 1))
    left = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    record = archive.load(sealed())
    assert any("this record is not logged: the archive's log" in said for said in record.warnings)
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == left
    assert audit(archive).state == "damaged"


@pytest.mark.parametrize("how", ["gone", "a pipe", "cut", "older", "a peak", "another size", "another origin"])
def test_what_appending_needs_to_know_is_made_anew_from_leaves_that_are_whole(
    archive: Archive, sealed: Seal, how: str
) -> None:
    """`tree.json` proves nothing: who spoils it must not keep every later record from the log."""
    sealed()
    file = archive.root / "log" / TREE
    older = file.read_bytes()
    for _ in range(2):
        sealed()
    whole = file.read_bytes()
    said = json.loads(whole)
    spoilt: dict[str, Any] = {
        "a peak": {"peaks": ["00" * 32, *said["peaks"][1:]]},
        "another size": {"size": 99},
        "another origin": {"origin": "rollout-runbook/other"},
    }
    if how in ("gone", "a pipe"):
        file.unlink()
        if how == "a pipe":
            os.mkfifo(file)
    else:
        other = json.dumps({**said, **spoilt.get(how, {})}).encode()
        file.write_bytes({"cut": whole[:-20], "older": older}.get(how, other))
    record = archive.load(sealed())
    assert any(f"{TREE} was made anew" in one for one in record.warnings)
    done = audit(archive)
    assert (done.state, done.size) == ("intact", 4)
    assert json.loads(file.read_bytes())["origin"] == said["origin"]


def test_a_note_of_a_seal_that_fits_to_nothing_is_taken_away(archive: Archive, sealed: Seal) -> None:
    sealed()
    for text in ("[", "{}", json.dumps({"path": "../..", "hash": "", "size": 1, "staging": ".."})):
        (archive.root / "log" / SEALING).write_text(text)
        sealed()
        assert not (archive.root / "log" / SEALING).exists() and audit(archive).state == "intact"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("late", [0, 1])
def test_a_note_of_a_seal_that_names_a_logged_record_logs_it_no_second_time(
    archive: Archive, sealed: Seal, place: int, late: int
) -> None:
    """One small file that was put there had the next seal damage log and HEAD of an archive that was intact."""
    ref = [sealed(), sealed(), sealed()][place]
    note = {"path": path_of(archive.root, ref.folder), "hash": archive.load(ref).hash, "size": 3 - late, "staging": ""}
    (archive.root / "log" / SEALING).write_text(json.dumps(note))
    newest = sealed()
    done = audit(archive)
    assert (done.state, done.size) == ("intact", 4), done.damage
    said = any("was logged before" in one for one in archive.load(newest).warnings)
    assert said is not (place == 2 and late == 1), "that is what a crash before the note's end leaves"


@pytest.mark.parametrize("staging", ["..", ".", "", "a/../.."])
def test_a_note_of_a_seal_that_names_no_run_removes_nothing(
    archive: Archive, sealed: Seal, stage: Stage, monkeypatch: pytest.MonkeyPatch, staging: str
) -> None:
    """A crash's own note, in which somebody has written another folder to be cleared up."""
    sealed()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ledger.Ledger, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        sealed()
    file, open_run = archive.root / "log" / SEALING, stage()
    file.write_text(json.dumps({**json.loads(file.read_text()), "staging": staging}))
    sealed()
    assert audit(archive).state == "intact" and len(archive.records()) == 3 and (open_run / "owner.json").exists()


def test_two_writers_make_one_log(archive: Archive, stage: Stage) -> None:
    stagings = [stage(("closed", {})) for _ in range(6)]
    children = []
    for half in (stagings[::2], stagings[1::2]):
        child = os.fork()
        if not child:
            for staging in half:
                seal_staged(archive, staging, status="completed")
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    done = audit(archive)
    assert (done.state, done.size) == ("intact", 6)


def test_a_disk_that_takes_no_leaf_is_one_sentence(
    archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed()
    whole = Path.open

    def full(path: Path, *args: Any, **more: Any) -> Any:
        if path.name == LEAVES:
            raise OSError(28, "No space left on device")
        return whole(path, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(ArchiveError, match=r"leaves\.jsonl cannot be written \(No space left"):
            sealed()
    sealed()
    assert audit(archive).state == "intact" and audit(archive).size == 3


@pytest.mark.parametrize("chains", [1, 6])
def test_a_reader_beside_writers_reads_a_whole_log_once(
    archive: Archive, stage: Stage, monkeypatch: pytest.MonkeyPatch, chains: int
) -> None:
    """Each chain read the log anew, twenty times: beside forty writers a list had no end in half a minute."""
    for _ in range(2):
        for number in range(chains):
            seal_staged(archive, stage(("closed", {}), env=f"e{number}"), status="completed")
    read, ticks = list[Path](), iter(range(10**6))
    whole, state = files._whole, files._state
    monkeypatch.setattr(files, "_state", lambda folder: (*state(folder), (next(ticks),)))
    monkeypatch.setattr(files, "_whole", lambda folder: read.append(folder) or whole(folder))
    assert [row["intact"] for row in list_rows(archive)] == [True] * (2 * chains)
    assert len(read) <= 4
