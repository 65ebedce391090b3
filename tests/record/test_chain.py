from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import Chain, read_record
from runbook_lib.record.place import RecordRef
from tests.archives import of_version_0_2_and_earlier

PHASE = "06_phase1_10_percent"
Seal = Callable[..., RecordRef]


def test_each_record_carries_the_hash_of_the_one_before(archive: Archive, sealed: Seal) -> None:
    records = [archive.load(sealed()) for _ in range(3)]
    assert [record.previous for record in records] == [None, records[0].hash, records[1].hash]
    assert [ref.run_id for ref in archive.records()] == [record.run_id for record in records]


def test_names_go_on_when_the_clock_does_not(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    now = dt.datetime(2026, 11, 23, 3, 0, 0, 999_999, tzinfo=dt.UTC)
    name, _ = chain.next_name("a", now)
    assert name == "20261123T030000.999Z-a"
    (tmp_path / name).mkdir()
    assert chain.next_name("b", now - dt.timedelta(hours=1))[0] == "20261123T030001.000Z-b"


def test_a_crash_between_record_and_head_is_no_damage(archive: Archive, sealed: Seal) -> None:
    first = sealed()
    head = first.folder.parent / "HEAD"
    before = head.read_bytes()
    second = sealed()
    head.write_bytes(before)
    archive.verify(second)
    third = sealed()
    archive.verify(third)
    assert archive.load(third).previous == archive.load(second).hash


def test_taking_the_newest_record_away_is_found(archive: Archive, sealed: Seal) -> None:
    first, second = sealed(), sealed()
    archive.verify(first)
    shutil.rmtree(second.folder)
    with pytest.raises(ArchiveError, match=f"{second.folder.name}: it was removed; the archive's log has it"):
        archive.verify(first)
    of_version_0_2_and_earlier(archive)
    with pytest.raises(ArchiveError, match="the chain's newest record is not"):
        archive.verify(first)
    (first.folder.parent / "HEAD").unlink()
    archive.verify(first)  # a crash between the first record and its HEAD looks the same


def test_a_record_after_a_damaged_chain_says_so(archive: Archive, sealed: Seal) -> None:
    shutil.rmtree(sealed().folder)
    record = archive.load(sealed())
    assert any("newest record" in text and "missing" in text for text in record.warnings)
    assert record.previous is not None


def test_an_unreadable_end_of_a_chain_does_not_stop_the_next_record(archive: Archive, sealed: Seal) -> None:
    (sealed().folder / "record.json").write_text("[")
    assert any("not JSON" in text for text in archive.load(sealed()).warnings)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "cannot be read"), ("{", "not JSON"), ("[]", "not a JSON object")]
)
def test_reading_what_is_no_record(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "record.json").write_text(content)
    with pytest.raises(ArchiveError, match=sentence):
        read_record(tmp_path)


def test_rewriting_a_record_with_a_new_hash_breaks_the_chain_after_it(archive: Archive, sealed: Seal) -> None:
    from runbook_lib.record.seal import record_hash, written

    first, second = sealed("HOLD"), sealed("PROMOTE")
    path = first.folder / "record.json"
    forged = json.loads(path.read_text()) | {"decision": "PROMOTE"}
    path.write_bytes(written(forged | {"hash": record_hash(forged)}))
    with pytest.raises(ArchiveError, match="the record before it is missing, or not the one it was sealed after"):
        archive.verify(second)


@pytest.mark.parametrize("forged", ["99991231T235959.999Z-aaaa", "20269999T999999.999Z-aaaa"])
def test_a_folder_of_an_instant_that_is_none_keeps_nobody_from_sealing(tmp_path: Path, forged: str) -> None:
    now = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
    chain = Chain(tmp_path, ["20261123T040000.000Z-bbbb", forged])
    assert chain.next_name("cccc", now)[0] == "20261123T040000.001Z-cccc", "behind the newest that a seal made"
