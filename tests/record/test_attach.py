from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.record import verify_standalone
from runbook_lib.record.allowance import CUT
from runbook_lib.record.archive import Archive
from runbook_lib.record.attach import MIME, attach, stamp
from runbook_lib.record.attached import attachments, report_of
from runbook_lib.record.audit import audit
from runbook_lib.record.listing import show_record
from runbook_lib.record.place import RecordRef
from tests.killed import killed


@pytest.fixture
def ref(sealed: Callable[..., RecordRef], gate_result: Callable[..., dict[str, Any]]) -> RecordRef:
    return sealed("PROMOTE", ("gate", {"result": gate_result()}))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def build(*outputs: dict[str, Any], source: str = "run.close(outcome)") -> Path:
        cell = {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}, "execution_count": 1}
        path = tmp_path / "06_phase1_10_percent.ipynb"
        path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return path

    return build


def stamped(archive: Archive, ref: RecordRef, **changes: Any) -> dict[str, Any]:
    record = archive.load(ref)
    data = {**stamp(record.run_id, record.decision, record.gates), **changes}
    return {"output_type": "display_data", "data": {MIME: data, "text/plain": "closed"}, "metadata": {}}


def test_the_saved_notebook_lies_beside_an_unaltered_record(
    archive: Archive, ref: RecordRef, save: Callable[..., Path]
) -> None:
    before = (ref.folder / "record.json").read_bytes()
    where = attach(save(stamped(archive, ref)), archive)
    assert sorted(path.name for path in where.iterdir()) == ["attachment.json", "notebook.ipynb", "report.html"]
    assert (ref.folder / "record.json").read_bytes() == before
    archive.verify(ref)
    (facts,) = attachments(ref)
    assert facts["record"] == archive.load(ref).hash and facts["checked"] == ["decision", "gates", "run_id"]
    assert show_record(archive, ref.run_id)["report"] == str(where / "report.html")
    assert "run.close" not in (ref.folder / "report.html").read_text()


@pytest.mark.slow
def test_outputs_without_end_are_cut_as_those_of_a_run(
    archive: Archive, ref: RecordRef, save: Callable[..., Path]
) -> None:
    """Secrets that the cut goes through are no half ones afterwards."""
    line = f"pass{'word'}=hunter2x " + "y" * 979 + "\n"
    flood = {"output_type": "stream", "name": "stdout", "text": [line] * 12_000}
    more = {"output_type": "stream", "name": "stderr", "text": line * 500}
    where = attach(save(stamped(archive, ref), flood, more, more), archive)
    _, kept = json.loads((where / "notebook.ipynb").read_text())["cells"][0]["outputs"]
    assert kept["text"].endswith(f"\n{CUT}\n") and 9_000_000 < len(kept["text"]) < 10_100_000
    assert "hunter2x" not in kept["text"]


def test_attaching_again(archive: Archive, ref: RecordRef, save: Callable[..., Path]) -> None:
    first = attach(save(stamped(archive, ref)), archive)
    assert attach(save(stamped(archive, ref)), archive) == first
    second = attach(save(stamped(archive, ref), source="run.close(outcome)  # a remark"), archive)
    assert second.name > first.name and report_of(ref) == second / "report.html"


@pytest.mark.parametrize(("key", "value"), [("decision", "ROLLBACK"), ("gates", "0" * 64), ("hash", "0" * 64)])
def test_outputs_that_contradict_the_record_are_refused(
    archive: Archive, ref: RecordRef, save: Callable[..., Path], key: str, value: str
) -> None:
    with pytest.raises(ArchiveError, match=f"its {key} is not that of record {ref.run_id}"):
        attach(save(stamped(archive, ref, **{key: value})), archive)
    assert not (ref.folder / "attachments").exists()


def test_without_a_stamp_the_printed_run_id_is_enough_to_find_the_record(
    archive: Archive, ref: RecordRef, save: Callable[..., Path]
) -> None:
    note = {"output_type": "stream", "name": "stdout", "text": [f"Record {ref.run_id} sealed: x"]}
    where = attach(save(note), archive)
    assert json.loads((where / "attachment.json").read_text())["checked"] == ["run_id"]


def test_the_last_run_in_the_notebook_counts(archive: Archive, ref: RecordRef, save: Callable[..., Path]) -> None:
    older = stamped(archive, ref, run_id="000000000000", decision="HOLD")
    assert attach(save(older, stamped(archive, ref)), archive).is_relative_to(ref.folder)


def test_secrets_do_not_come_in_by_the_back_door(archive: Archive, ref: RecordRef, save: Callable[..., Path]) -> None:
    key = "AK" + "IA" + "Q" * 16
    where = attach(save(stamped(archive, ref), source=f"# {key}"), archive)
    assert all(key not in path.read_text() for path in where.iterdir())


def test_nor_in_fields_that_no_notebook_has(archive: Archive, ref: RecordRef, save: Callable[..., Path]) -> None:
    token = "ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"
    path = save({**stamped(archive, ref), "more": token}, {"output_type": "new", "data": {token: "x"}})
    notebook = json.loads(path.read_bytes()) | {"more": {"password": "hunter2x"}}
    files = {token: {"text/plain": token, "image/png": "aGk="}}
    notebook["cells"] += [{"cell_type": "markdown", "id": token, "source": "", "metadata": {}, "attachments": files}]
    path.write_text(json.dumps(notebook))
    kept = (attach(path, archive) / "notebook.ipynb").read_text()
    assert token not in kept and "hunter2x" not in kept and "aGk=" in kept


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ((), [None]),
        ((), ["x"]),
        ((0, "outputs"), None),
        ((0, "outputs"), "abc"),
        ((0, "outputs"), ["abc"]),
        ((0, "metadata"), "x"),
        ((0, "source"), 5),
        ((0, "outputs", 0, "data"), None),
        ((0, "outputs", 0, "data"), [1]),
        ((0, "outputs", 0, "data", "text/plain"), {"a": 1}),
        ((0, "outputs", 0, "text"), 5),
        ((0, "outputs", 0, "text"), [5]),
        ((0, "outputs", 0, "metadata"), "x"),
        ((0, "outputs", 0, "traceback"), None),
        ((0, "outputs", 0, "traceback"), [1]),
    ],
)
def test_what_only_looks_like_a_notebook_is_one_sentence(
    archive: Archive, ref: RecordRef, save: Callable[..., Path], where: tuple[Any, ...], what: Any
) -> None:
    path = save(stamped(archive, ref))
    notebook = json.loads(path.read_bytes())
    node, (*most, last) = notebook, ("cells", *where)
    for name in most:
        node = node[name]
    node[last] = what
    path.write_text(json.dumps(notebook))
    with pytest.raises(UsageError, match="is not a Jupyter notebook"):
        attach(path, archive)


def test_a_notebook_without_end_and_a_stamp_without_a_run(
    archive: Archive, ref: RecordRef, save: Callable[..., Path]
) -> None:
    path = save({"output_type": "display_data", "data": {MIME: {}}})
    with pytest.raises(UsageError, match="carries no closed run"):
        attach(path, archive)
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="is not a Jupyter notebook"):
        attach(path, archive)


def test_an_altered_record_takes_no_attachment(archive: Archive, ref: RecordRef, save: Callable[..., Path]) -> None:
    path = save(stamped(archive, ref))
    (ref.folder / "answers.json").write_text("[]")
    with pytest.raises(ArchiveError, match=r"answers\.json was altered"):
        attach(path, archive)


@pytest.mark.parametrize("file", ["notebook.ipynb", "report.html", "attachment.json"])
def test_an_altered_attachment_is_found(archive: Archive, ref: RecordRef, save: Callable[..., Path], file: str) -> None:
    where = attach(save(stamped(archive, ref)), archive)
    (where / file).write_text("{}")
    with pytest.raises(ArchiveError, match=f"the attachment {where.name} was altered"):
        archive.verify(ref)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "is not a Jupyter notebook"),
        ('{"cells": [], "nbformat": 3}', "is not a Jupyter notebook"),
        ('{"cells": [], "nbformat": 4}', "carries no closed run"),
    ],
)
def test_what_is_no_finished_notebook_is_refused(
    archive: Archive, tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=sentence):
        attach(path, archive)


def test_a_run_that_this_archive_does_not_hold(archive: Archive, save: Callable[..., Path]) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "run 0123456789ab"}
    with pytest.raises(ArchiveError, match="no record starts with '0123456789ab'"):
        attach(save(output), archive)


@pytest.mark.slow
def test_killed_at_any_step_it_verifies_and_is_done_by_attaching_again(
    archive: Archive, ref: RecordRef, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.record.staging.alive", lambda *_: False)
    path, whole = save(stamped(archive, ref)), archive.root.with_name("whole")
    shutil.copytree(archive.root, whole)
    for at in range(1, 200):
        shutil.rmtree(archive.root)
        shutil.copytree(whole, archive.root)
        ended = killed(lambda: attach(path, archive), at)
        assert not audit(archive).damage, f"killed before step {at}"
        where = attach(path, archive)
        for done in range(2):
            both = audit(archive).state, verify_standalone.main([str(archive.root)])
            assert both == ("intact", 0), f"killed before step {at}"
            assert [one["name"] for one in attachments(ref)] == [where.name], f"killed before step {at}"
            if not done:
                archive.sweep()
        if ended:
            break
    assert ended and at > 10


def test_what_a_file_manager_leaves_is_no_part_of_an_attachment(
    archive: Archive, ref: RecordRef, save: Callable[..., Path]
) -> None:
    where = attach(save(stamped(archive, ref)), archive)
    for folder in (where, where.parent):
        (folder / ".DS_Store").write_bytes(b"x")
    archive.verify(ref)
    assert len(list(attachments(ref))) == 1 and verify_standalone.main([str(archive.root)]) == 0
    (where / "more.txt").write_text("x")
    with pytest.raises(ArchiveError, match="altered after it was attached"):
        archive.verify(ref)
