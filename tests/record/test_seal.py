from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import seal
from runbook_lib.record.seal import (
    canonical,
    exact,
    file_hash,
    gates_digest,
    jcs,
    record_hash,
    replace_file,
    write_folder,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(), x, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES))
def test_order_and_the_hash_itself_do_not_count_and_a_trip_through_json_changes_nothing(
    record: dict[str, object],
) -> None:
    import json

    turned = dict(reversed(record.items())) | {"hash": "x"}
    assert record_hash(turned) == record_hash({key: value for key, value in record.items() if key != "hash"})
    assert record_hash(json.loads(json.dumps(record, indent=1))) == record_hash(record)


def test_nan_is_not_canonical() -> None:
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        canonical(float("nan"))


def test_the_digest_of_gates_sees_each_number() -> None:
    gate = {
        "gate": {"id": "a", "why": "x"},
        "verdict": "PASS",
        "value": 1.0,
        "low": 0,
        "high": 2,
        "n": 3,
        "reason": "r",
    }
    assert gates_digest([gate]) == gates_digest([{**gate, "reason": "other words"}])
    for key in ("verdict", "value", "low", "high", "n"):
        assert gates_digest([gate]) != gates_digest([{**gate, key: "changed"}])


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("copied")
    write_folder(tmp_path / "a" / "b", {"x": b"1"}, {"y": source})
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["x", "y"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert len(file_hash(tmp_path / "a" / "b" / "y")) == 64


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", {"x": b"1"})
    with pytest.raises(ArchiveError, match="never overwritten"):
        write_folder(tmp_path / "a", {"x": b"2"})
    assert (tmp_path / "a" / "x").read_bytes() == b"1"


@pytest.mark.parametrize("broken", ["rename", "fsync", "write"])
def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    target = {"rename": (Path, "rename"), "fsync": (seal.os, "fsync"), "write": (Path, "write_bytes")}[broken]
    monkeypatch.setattr(*target, full)
    with pytest.raises(ArchiveError, match="No space left on device"):
        write_folder(tmp_path / "a", {"x": b"1"})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_or_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "HEAD"
    replace_file(path, b"1")
    monkeypatch.setattr(seal.os, "fsync", lambda _: os.close(-1))
    with pytest.raises(ArchiveError, match="cannot be written"):
        replace_file(path, b"2")
    assert path.read_bytes() == b"1"
    assert [file.name for file in tmp_path.iterdir()] == ["HEAD"]


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_whoever_the_umask_lets_in_can_read_what_was_sealed(tmp_path: Path, umask: int) -> None:
    """In a folder that people share, HEAD and the log could once be read by their last writer alone."""
    before = os.umask(umask)
    try:
        write_folder(tmp_path / "a", {"x": b"1"})
        replace_file(tmp_path / "HEAD", b"1")
        replace_file(tmp_path / "HEAD", b"2")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"a": 0o777 & ~umask, "x": 0o666 & ~umask, "HEAD": 0o666 & ~umask}


def test_a_number_that_not_every_reader_takes_exactly_is_sealed_as_text() -> None:
    value = {"a": [2**53 - 1, 2**53, -(2**70), True], "b": (1.5,)}
    assert exact(value) == {"a": [2**53 - 1, str(2**53), str(-(2**70)), True], "b": [1.5]}
    with pytest.raises(ValueError, match="exceeds safe integer"):
        jcs({"a": value["a"]})
    assert jcs(exact(value)).startswith(b'{"a":[9007199254740991,"9007199254740992"')


def test_each_schema_is_hashed_in_its_own_canonical_form() -> None:
    record = {"value": 1.0, "hash": "not counted"}
    of = {schema: record_hash(record | {"schema": schema}) for schema in (1, 2, 3)}
    for schema, form in ((1, canonical), (2, canonical), (3, jcs)):
        assert of[schema] == hashlib.sha256(form({"value": 1.0, "schema": schema})).hexdigest()
    assert b'"value":1.0' in canonical(record) and b'"value":1}' in jcs({"value": 1.0})


@pytest.mark.parametrize("parent", ["/proc/none/x", "file/x", "a\0b"])
def test_a_folder_below_which_nothing_can_be_made_is_one_sentence(tmp_path: Path, parent: str) -> None:
    """In JupyterLab it was a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match=r"cannot be written \("):
        write_folder(tmp_path / parent, {"x": b"1"})
