"""An attachment counts only if a sealed entry names it: hashes that agree with themselves can be forged."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runbook_lib.base.errors import ArchiveError
from runbook_lib.cli.app import app
from runbook_lib.record.archive import Archive
from runbook_lib.record.attach import attach
from runbook_lib.record.attached import FACTS, attachments, report_of, spelt
from runbook_lib.record.entry import NOTEBOOK, book
from runbook_lib.record.listing import list_rows, show_record
from runbook_lib.record.place import RecordRef
from runbook_lib.record.seal import record_hash
from tests.archives import of_version_0_2_and_earlier

Seal = Callable[..., RecordRef]


def forged(archive: Archive, ref: RecordRef, name: str = "20991231T000000.000Z") -> Path:
    """An attachment whose hashes agree, written by whoever can write the folder."""
    folder = ref.folder / "attachments" / name
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("PROMOTE")
    files = {"report.html": hashlib.sha256(b"PROMOTE").hexdigest()}
    at = dt.datetime.strptime(name, "%Y%m%dT%H%M%S.%f%z").isoformat()
    facts: dict[str, Any] = {
        "record": archive.load(ref).hash,
        "run_id": ref.run_id,
        "attached_at": at,
        "files": files,
    }
    (folder / FACTS).write_bytes(spelt({**facts, "hash": record_hash(facts)}))
    return folder


def saved(ref: RecordRef, folder: Path, text: str = "x") -> Path:
    path = folder / "06.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": [f"Record {ref.run_id} sealed: {text}"]}
    cell = {"cell_type": "code", "source": text, "outputs": [output], "metadata": {}, "execution_count": 1}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_forged_attachment_is_noticed_wherever_records_are_looked_at(archive: Archive, sealed: Seal) -> None:
    ref = sealed()
    forged(archive, ref)
    with pytest.raises(ArchiveError, match="was not attached: no sealed entry names it"):
        archive.verify(ref)
    (row,) = list_rows(archive)
    assert row["intact"] is False and "20991231" in row["problem"]
    assert show_record(archive, ref.run_id)["report"] == str(ref.folder / "report.html")
    assert report_of(ref) == ref.folder / "report.html"
    for words in (["list"], ["show", ref.run_id]):
        done = CliRunner().invoke(app, ["archive", *words, "--archive", str(archive.root)])
        assert done.exit_code == 1 and "20991231" in done.output
    done = CliRunner().invoke(app, ["replay", "--all", "--archive", str(archive.root)])
    assert done.exit_code == 1 and "20991231" in done.output


def test_what_was_attached_stays_and_a_forged_one_beside_it_does_not(
    archive: Archive, sealed: Seal, tmp_path: Path
) -> None:
    ref = sealed()
    where = attach(saved(ref, tmp_path), archive)
    archive.verify(ref)
    (entered,) = book(archive, ref.env, ref.release).entered
    assert (entered.entry.kind, entered.entry.facts["run_id"]) == ("attachment", ref.run_id)
    assert all(row["intact"] for row in list_rows(archive)) and report_of(ref) == where / "report.html"
    forged(archive, ref)
    assert report_of(ref) == ref.folder / "report.html"
    with pytest.raises(ArchiveError):
        archive.verify(ref)


def test_one_that_was_attached_to_another_record_is_a_forgery_here(
    archive: Archive, sealed: Seal, tmp_path: Path
) -> None:
    one, other = sealed(), sealed()
    where = attach(saved(one, tmp_path), archive)
    folder = other.folder / "attachments" / where.name
    shutil.copytree(where, folder)
    facts = json.loads((folder / FACTS).read_text())
    facts |= {"record": archive.load(other).hash, "run_id": other.run_id}
    facts["hash"] = record_hash(facts)
    (folder / FACTS).write_bytes(spelt(facts))
    archive.verify(one)
    with pytest.raises(ArchiveError, match="no sealed entry names it"):
        archive.verify(other)


@pytest.mark.parametrize("harm", ["altered", "removed"])
def test_without_its_entry_it_does_not_count(archive: Archive, sealed: Seal, tmp_path: Path, harm: str) -> None:
    ref = sealed()
    attach(saved(ref, tmp_path), archive)
    (entry,) = archive.records(notebook=NOTEBOOK)
    if harm == "removed":
        shutil.rmtree(entry.folder)
    else:
        record = entry.folder / "record.json"
        record.write_text(record.read_text().replace('"06.ipynb attached"', '"07.ipynb attached"'))
    with pytest.raises(ArchiveError, match="no sealed entry names it"):
        archive.verify(ref)


def test_a_record_of_version_0_1_keeps_what_was_attached_without_an_entry(archive: Archive, sealed: Seal) -> None:
    old = sealed("PROMOTE", ("loaded", {"versions": {"rollout-runbook": "0.1.0"}}))
    of_version_0_2_and_earlier(archive)
    forged(archive, old)
    archive.verify(old)
    new = sealed("PROMOTE", ("loaded", {"versions": {"rollout-runbook": "0.2.0"}}))
    archive.verify(old)
    forged(archive, new)
    with pytest.raises(ArchiveError):
        archive.verify(new)
    forged(archive, old, "20991231T000000.001Z")
    with pytest.raises(ArchiveError, match=r"000000\.001Z was not attached"):
        archive.verify(old)


@pytest.mark.slow
def test_many_attachments_are_verified_in_linear_time(archive: Archive, sealed: Seal, tmp_path: Path) -> None:
    def seconds(refs: list[RecordRef]) -> float:
        began, verify = time.perf_counter(), archive.verifier()
        for ref in refs:
            verify(ref)
        return time.perf_counter() - began

    refs = [sealed() for _ in range(60)]
    for ref in refs:
        attach(saved(ref, tmp_path), archive)
    assert all(len(list(attachments(ref))) == 1 for ref in refs[:2])
    seconds(refs)  # read once
    assert min(seconds(refs) for _ in range(3)) < 12 * min(seconds(refs[:10]) for _ in range(3))
