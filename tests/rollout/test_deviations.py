"""Deviations in the archive: written ahead, once, across releases; damaged ones do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.base.errors import Refused
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import book
from runbook_lib.rollout import deviations

ROOT = Path(__file__).resolve().parents[2]
WHO = {"by": "ana", "at": "2026-11-25T03:00:00+00:00", "arn": "arn:aws:iam::000000000000:user/ana"}


def _params(release: str = "one", env: str = "prod") -> Params:
    return load_file(ROOT / "params" / f"{env}.yaml", {"release": release})


def _one(value: int = 10, was: int = 5) -> Deviation:
    return Deviation(
        check="inventory.worker.reserved_concurrency",
        title="Worker Lambda: reserved concurrency",
        was=was,
        value=value,
        by="ana",
        at=WHO["at"],
        why="backlog",
        incident="rollback_2 run 1",
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def test_opened_once_however_often_it_is_said(archive: Archive) -> None:
    first = deviations.open_all(archive, _params(), [_one()], **WHO)
    again = deviations.open_all(archive, _params(), [_one()], **WHO)
    assert first == again == [_one()]
    assert len(book(archive, "prod", "one", "deviation").entered) == 1


def test_another_value_is_another_word_and_undoing_goes_all_the_way_back(archive: Archive) -> None:
    deviations.open_all(archive, _params(), [_one()], **WHO)
    (found,) = deviations.open_all(archive, _params(), [_one(value=20, was=10)], **WHO)
    assert (found.was, found.value) == (5, 20)
    assert deviations.open_deviations(archive, "prod") == {found.check: found}


def test_undoing_goes_all_the_way_back_in_every_fact_of_it(archive: Archive) -> None:
    first = _one().model_copy(update={"facts": {"units": {"t": 100}, "units_before": {"t": 10}}})
    second = _one(value=20, was=10).model_copy(update={"facts": {"units": {"t": 200}, "units_before": {"t": 100}}})
    deviations.open_all(archive, _params(), [first], **WHO)
    (told,) = deviations.open_all(archive, _params(), [second], **WHO)
    (found,) = deviations.open_deviations(archive, "prod").values()
    assert told == found
    assert found.facts == {"units": {"t": 200}, "units_before": {"t": 10}}


def test_it_outlives_its_release_and_stays_in_its_environment(archive: Archive) -> None:
    deviations.open_all(archive, _params("one"), [_one()], **WHO)
    assert deviations.open_deviations(archive, "prod")
    assert not deviations.open_deviations(archive, "staging")
    later = {**WHO, "at": "2026-12-24T03:00:00+00:00"}
    closed = deviations.close(archive, _params("two"), [_one().check, "inventory.other"], "adopted", **later)
    assert closed == [_one()]
    assert not deviations.open_deviations(archive, "prod")


def test_what_was_said_last_counts_though_two_clocks_are_a_second_apart(archive: Archive) -> None:
    """AWS tells its time in whole seconds, and each run carries it on by itself."""
    deviations.open_all(archive, _params(), [_one()], **{**WHO, "at": "2026-11-25T03:00:00.900+00:00"})
    deviations.close(archive, _params(), [_one().check], "undone", **{**WHO, "at": "2026-11-25T03:00:00+00:00"})
    assert not deviations.open_deviations(archive, "prod")


def test_what_cannot_be_recorded_is_refused(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(deviations, "enter", full)
    with pytest.raises(Refused, match=r"cannot be recorded \(no space left on device\)"):
        deviations.open_all(archive, _params(), [_one()], **WHO)


def test_an_altered_entry_does_not_count_and_is_named(archive: Archive) -> None:
    deviations.open_all(archive, _params(), [_one()], **WHO)
    record = next(archive.root.rglob("record.json"))
    record.write_text(record.read_text().replace('"value": 10', '"value": 11').replace('"value":10', '"value":11'))
    found, altered = deviations.said(archive, "prod")
    assert not found
    assert len(altered) == 1


def test_rows_say_all_that_a_reader_wants(archive: Archive) -> None:
    deviations.open_all(archive, _params(), [_one()], **WHO)
    (row,) = deviations.rows(deviations.open_deviations(archive, "prod"))
    assert (row["was"], row["now"], row["by"], row["why"]) == (5, 10, "ana", "backlog")
