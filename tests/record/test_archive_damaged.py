"""An archive that somebody has had in hand: what is damaged is named, kills nothing else, is not shown as sealed."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import ArchiveError
from runbook_lib.commands.archive import verify
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.attach import attach
from runbook_lib.record.attached import attachments, report_of
from runbook_lib.record.chain import folder_name
from runbook_lib.record.journal import Journal
from runbook_lib.record.listing import list_rows, show_record
from runbook_lib.record.place import RecordRef, new_run_id, safe
from runbook_lib.record.seal import record_hash, replace_file, written
from tests.archives import relogged

Seal = Callable[..., RecordRef]
DEEP = "[" * 5_000 + "]" * 5_000
SPOILT: dict[str, Callable[[Path], object]] = {
    "a lone surrogate": lambda path: _with(path, operator="\ud800"),
    "a lone surrogate in bytes": lambda path: path.write_bytes(
        path.read_bytes().replace(b'"completed"', b'"\xed\xa0\x80"')
    ),
    "deep nesting": lambda path: path.write_text(path.read_text().replace('"params": {', f'"x": {DEEP}, "params": {{')),
    "nesting that json bears": lambda path: _with(path, x=json.loads("[" * 400 + "]" * 400)),
    "deeper than json bears": lambda path: path.write_text("[" * 200_000),
    "a number without end": lambda path: path.write_text('{"a": NaN}'),
    "a huge number": lambda path: path.write_text('{"a": ' + "9" * 10_000 + "}"),
    "no object": lambda path: path.write_text("[]"),
    "nothing": lambda path: path.write_text(""),
    "files that are no names": lambda path: _with(path, files=["a"]),
    "a file elsewhere": lambda path: _with(path, files={"../../../../.lock": "0" * 64}),
    "a hash that is none": lambda path: _with(path, files={"answers.json": None}),
    "no text": lambda path: path.write_bytes(bytes(range(256))),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "gone": lambda path: path.unlink(),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a key that stands twice": lambda path: path.write_text(
        path.read_text().replace('"params": {', '"params": {\n  "env": "forged",', 1)
    ),
    "the first key twice": lambda path: path.write_text(path.read_text().replace("{", '{"schema": 2,', 1)),
    "a space behind it": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "a line behind it": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "other spaces": lambda path: path.write_text(json.dumps(json.loads(path.read_text()), indent=2)),
    "another spelling of a sign": lambda path: path.write_text(
        path.read_text().replace('"completed"', '"\\u0063ompleted"')
    ),
    "another spelling of a number": lambda path: path.write_text(
        path.read_text().replace('"attempt": 1,', '"attempt": 1e0,')
    ),
    "a mark before it": lambda path: path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()),
}


def _with(path: Path, **changes: Any) -> None:
    """Alters the record, and its hash with it where it can have one."""
    raw = {**json.loads(path.read_text()), **changes}
    with contextlib.suppress(ValueError):
        raw["hash"] = record_hash(raw)
    with contextlib.suppress(ValueError):
        path.write_bytes(written(raw))
        return
    path.write_text(json.dumps(raw))


def _saved(folder: Path, ref: RecordRef) -> Path:
    """The notebook of that run, as a person saved it."""
    said = {"output_type": "stream", "name": "stdout", "text": [f"Run {ref.run_id}\n"]}
    cell = {"cell_type": "code", "metadata": {}, "source": [], "execution_count": 1, "outputs": [said]}
    path = folder / "saved.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPOILT)
def test_one_damaged_record_is_a_row_that_says_so_and_the_others_stay(
    archive: Archive, sealed: Seal, kind: str
) -> None:
    good, bad = sealed(), sealed()
    SPOILT[kind](bad.folder / "record.json")
    rows = {row["run"]: row for row in list_rows(archive)}
    assert rows[good.run_id]["intact"] is True
    assert rows[bad.run_id]["intact"] is False and bad.folder.name in rows[bad.run_id]["problem"]
    json.dumps(rows).encode()
    with pytest.raises(ArchiveError):
        archive.verify(bad)
    with contextlib.suppress(ArchiveError):
        show_record(archive, bad.run_id)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_whatever_file_of_the_archive_is_none_verifying_ends_and_names_it(
    archive: Archive, sealed: Seal, tmp_path: Path, kind: str
) -> None:
    """A pipe would be waited for, and a device read, without end."""
    attach(_saved(tmp_path, [sealed(), sealed()][0]), archive)
    files = [one for one in sorted(archive.root.rglob("*")) if one.is_file() and not one.name.startswith(".")]
    assert {"HEAD", "checkpoint", "leaves.jsonl", "attachment.json", "record.json"} <= {one.name for one in files}
    for path in files:
        whole = path.read_bytes()
        SPOILT[kind](path)
        try:
            product, alone = verify(archive.root, "", []).exit_code, verify_standalone.main([str(archive.root)])
            list_rows(archive)
        finally:
            path.unlink()
            path.write_bytes(whole)
        harmless = path.name == "tree.json"  # it only spares reading the leaves
        assert harmless or (product != 0 and alone != 0), path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.data())
def test_whatever_bytes_stand_in_a_record_it_is_one_sentence(archive: Archive, sealed: Seal, data: Any) -> None:
    ref = next(iter(archive.records()), None) or sealed()
    path = ref.folder / "record.json"
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    try:
        path.write_bytes(whole[:at] + data.draw(st.binary(min_size=1, max_size=8)) + whole[at + 1 :])
        (row,) = list_rows(archive)
        assert (
            row["intact"] is False or path.read_bytes() == whole or json.loads(path.read_bytes()) == json.loads(whole)
        )
    finally:
        path.write_bytes(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    seconds=st.integers(-3_000_000_000, 3_000_000_000).filter(bool),
    run_id=st.none() | st.text("0123456789abcdef", min_size=1, max_size=12),
)
def test_a_renamed_folder_is_damage(archive: Archive, sealed: Seal, seconds: int, run_id: str | None) -> None:
    ref = next(iter(archive.records()), None) or sealed()
    archive.verify(ref)
    stamp, _, own = ref.folder.name.rpartition("-")
    at = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%S.%f%z") + dt.timedelta(milliseconds=seconds)
    name = folder_name(own if run_id is None else run_id, at)
    forged = ref.folder.rename(ref.folder.with_name(name))
    try:
        rows = {row["problem"] for row in list_rows(archive)}
        assert all(ref.folder.name in str(problem) for problem in rows), "the one that is there, the one that is gone"
        assert len(rows) == 2
        with pytest.raises(ArchiveError, match="was renamed"):
            archive.verify(archive.at(forged))
    finally:
        forged.rename(ref.folder)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: (one / "attachment.json").write_bytes((one / "attachment.json").read_bytes() + b"\n"),
        lambda one: (one / "attachment.json").write_text(
            (one / "attachment.json").read_text().replace("{", '{"source": "forged",', 1)
        ),
        lambda one: one.rename(one.with_name("20990101T000000.000Z")),
    ],
    ids=["a line behind it", "a key twice", "renamed"],
)
def test_an_attachment_is_read_as_strictly(
    archive: Archive, sealed: Seal, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    ref = sealed()
    where = attach(_saved(tmp_path, ref), archive)
    archive.verify(ref)
    spoil(where)
    with pytest.raises(ArchiveError, match="altered after it was attached"):
        archive.verify(ref)


def test_a_folder_among_the_attachments_is_not_the_records_own_report(archive: Archive, sealed: Seal) -> None:
    ref = sealed()
    forged = ref.folder / "attachments" / "zzz"
    forged.mkdir(parents=True)
    (forged / "report.html").write_text("PROMOTE")
    assert report_of(ref) == ref.folder / "report.html"
    (row,) = list_rows(archive)
    assert row["intact"] is False and "zzz" in row["problem"]
    assert show_record(archive, ref.run_id)["report"] == str(ref.folder / "report.html")


@pytest.mark.parametrize("change", [{}, {"record": "0" * 64}, {"files": {}}, {"files": {"report.html": "0" * 64}}])
def test_an_attachment_that_nobody_attached_is_not_shown(
    archive: Archive, sealed: Seal, change: dict[str, Any]
) -> None:
    ref = sealed()
    forged = ref.folder / "attachments" / "20991231T000000.000Z"
    forged.mkdir(parents=True)
    (forged / "report.html").write_text("PROMOTE")
    facts = {"record": archive.load(ref).hash, "run_id": ref.run_id, "files": {"report.html": "1" * 64}, **change}
    (forged / "attachment.json").write_text(json.dumps({**facts, "hash": record_hash(facts)}))
    with pytest.raises(ArchiveError, match="20991231"):
        list(attachments(ref))
    assert report_of(ref) == ref.folder / "report.html"


def test_releases_with_the_same_first_hundred_characters_are_two_chains(archive: Archive) -> None:
    one, two = ("r" * 120 + end for end in "ab")
    assert safe(one) != safe(two) and len(safe(one)) <= 100
    refs = []
    for release in (one, two):
        staging = archive.stage("dev", release, "nb", new_run_id(), "interactive")
        Journal(staging).append("opened", run_id=staging.name, notebook="nb", params={"env": "dev", "release": release})
        refs.append(seal_staged(archive, staging, status="failed"))
    assert refs[0].folder.parent != refs[1].folder.parent
    assert [archive.load(ref).previous for ref in refs] == [None, None]
    for ref, release in zip(refs, (one, two), strict=True):
        archive.verify(ref)
        assert archive.records(release=release) == [ref]


def test_a_long_release_that_an_earlier_version_sealed_stays_verifiable(archive: Archive, sealed: Seal) -> None:
    ref = sealed()
    raw = json.loads((ref.folder / "record.json").read_text()) | {"release": "r" * 120}
    raw["hash"] = record_hash(raw)
    old = archive.root / "env=dev" / f"release={'r' * 100}" / ref.notebook / ref.folder.name
    old.parent.mkdir(parents=True)
    ref.folder.rename(old)
    (old / "record.json").write_bytes(written(raw))
    replace_file(old.parent / "HEAD", raw["hash"].encode())
    relogged(archive)
    archive.verify(archive.at(old))


def _many(archive: Archive, sealed: Seal, count: int) -> list[RecordRef]:
    """A chain of `count` records, made of copies of a sealed one."""
    first = sealed()
    raw = json.loads((first.folder / "record.json").read_text())
    files = [path for path in first.folder.iterdir() if path.name != "record.json"]
    for number in range(1, count):
        at = dt.datetime(2027, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
        folder = first.folder.parent / folder_name(f"{number:012x}", at)
        folder.mkdir()
        for path in files:
            os.link(path, folder / path.name)
        raw = {**raw, "run_id": f"{number:012x}", "sealed_at": at.isoformat(), "previous": raw["hash"]}
        raw["hash"] = record_hash(raw)
        (folder / "record.json").write_bytes(written(raw))
    replace_file(first.folder.parent / "HEAD", raw["hash"].encode())
    relogged(archive)
    return archive.records()


@pytest.mark.slow
def test_a_long_chain_is_verified_in_linear_time(archive: Archive, sealed: Seal) -> None:
    refs = _many(archive, sealed, 1_000)
    began = time.process_time()
    rows = list_rows(archive)
    took = time.process_time() - began
    assert all(row["intact"] for row in rows) and len(rows) == len(refs) == 1_000
    assert took < 4, f"{took:.1f} s; about one on an idle machine"


def test_each_record_of_a_chain_is_read_once(archive: Archive, sealed: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    from runbook_lib.record import chain

    _many(archive, sealed, 40)
    looked: list[Path] = []
    whole = chain.link
    monkeypatch.setattr(chain, "link", lambda folder, vouched: (looked.append(folder), whole(folder, vouched))[1])
    list_rows(archive)
    assert len(looked) == 40
