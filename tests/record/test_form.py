"""The form of a record: by its schema in the product, by a pattern in the standalone verifier, and both alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive
from runbook_lib.record.chain import read_record
from runbook_lib.record.form import kind_of, misformed
from runbook_lib.record.place import RecordRef
from runbook_lib.record.record import Change, Problem, Record
from tests.record.tampering import ENTRY

CHANGE, PROBLEM = {"intent": {}, "outcome": None}, {"type": "a", "sentence": "b", "cell": None}
NOTE = {**ENTRY, "kind": "note", "facts": {}}
VALUES: list[Any] = [None, True, -1, 1, 1.0, 3.0, 4, "", "3", "x", "completed", [], [[]], [{}], ["a"], [1], ["a", {}]]
VALUES += [[{}, "a"], ['a": {'], {}, {"a": 1}, {"a": {}}, [CHANGE], [{"intent": {}}], [CHANGE | {"outcome": {"b": {}}}]]
VALUES += [[CHANGE | {"intent": {"a": [{}]}}], [CHANGE | {"intent": []}], [CHANGE | {"more": 1}], [CHANGE, {}]]
VALUES += [PROBLEM, PROBLEM | {"cell": 1.0}, PROBLEM | {"cell": 7}, {"type": "a", "sentence": "b"}]
VALUES += [NOTE, NOTE | {"facts": {"a": {"b": [1]}}}, NOTE | {"facts": []}, NOTE | {"at": 1}, {"kind": "note"}]
FULL = Record(
    entry=NOTE,
    error=Problem(type="a", sentence="b"),
    changes=(Change(intent={"a": {"b": [1]}}), Change(intent={}, outcome={"ok": True})),
    gates=({"gate": {"id": "x"}}, {}),
    warnings=("a", "b"),
    params={"a": {"b": [{"c": 1}]}},
)


def _both(record: dict[str, Any]) -> tuple[bool, bool]:
    """Whether product and standalone verifier find the record's form right."""
    raw = json.dumps(record, indent=1, ensure_ascii=False)
    return not misformed(record), re.fullmatch(verify_standalone.FORM, raw) is not None


@pytest.mark.slow
@pytest.mark.parametrize("whole", [Record(), FULL], ids=["empty", "full"])
def test_product_and_standalone_verifier_take_the_same_for_a_record(whole: Record) -> None:
    record = whole.dump()
    assert _both(record) == (True, True)
    for name in (*record, "more"):
        own, other = _both({key: value for key, value in record.items() if key != name})
        assert own is other is (name == "more"), f"without {name}"
        for value in VALUES if name != "files" else ():  # what is in it is compared with the files
            own, other = _both({**record, name: value})
            assert own is other, f"{name}: {value!r}: {misformed({**record, name: value})}"


def test_what_a_seal_writes_is_of_the_form_in_any_order(archive: Archive, sealed: Callable[..., RecordRef]) -> None:
    record = read_record(sealed().folder)
    assert _both(record) == _both(dict(reversed(record.items()))) == (True, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 4}, "schema 4; this version reads 1 and 2 and 3"),
        ({"more": 1}, "record.json has the field more"),
        ({"versions": []}, "record.json, 'versions': the format does not allow this value"),
        ({"entry": {**NOTE, "kind": "tombstone"}}, "record.json lacks the field entry.facts.records"),
        ({"entry": {**NOTE, "kind": "attachment"}}, "record.json lacks the field entry.facts.record"),
        (
            {"entry": {**NOTE, "kind": "tombstone", "facts": {"records": {"x": 1}}}},
            "record.json lacks previous and leaf in entry.facts.records.x",
        ),
    ],
    ids=["schema", "field", "type", "tombstone", "attachment", "stone"],
)
def test_what_is_not_of_the_form_is_told_by_its_name(change: dict[str, Any], told: str) -> None:
    assert misformed(Record().dump() | change) == told


def test_the_kind_of_a_record_is_that_of_its_entry() -> None:
    assert kind_of({"entry": None}) == "run"
    assert kind_of({"entry": NOTE}) == "note"
