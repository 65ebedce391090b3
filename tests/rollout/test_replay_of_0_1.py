"""Records that version 0.1 sealed stay readable, verifiable and replayable, each by the rules it was made with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from runbook_lib.record.archive import Archive
from runbook_lib.record.links import Links
from runbook_lib.record.listing import list_rows
from runbook_lib.record.report import report_html
from runbook_lib.rollout.replay import replay_all
from runbook_lib.rollout.timeline import story

PACKED = Path(__file__).parents[1] / "fixtures" / "records-0.1" / "archive.tar.xz"
"""`healthy`: a rehearsal at commit 054636c, from approvals to acceptance; `rollback`: `async_failing` from phase 1."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records-0.1")
    shutil.unpack_archive(PACKED, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("healthy", 36), ("rollback", 7)])
def test_every_record_is_intact(unpacked: Path, name: str, count: int) -> None:
    archive = Archive(unpacked / name)
    refs = list(archive.records())
    for ref in refs:
        archive.verify(ref)
        archive.load(ref)
    assert len(refs) == count
    assert all(row["intact"] for row in list_rows(archive))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["healthy", "rollback"])
def test_every_record_replays_by_the_rules_it_was_made_with(unpacked: Path, name: str) -> None:
    archive = Archive(unpacked / name)
    found = list(replay_all(archive, list(archive.records())))
    assert [(one.run_id, one.differences) for one in found if not one.identical] == []
    assert {one.kind for one in found} == {"", "gates", "checks" if name == "healthy" else "rollback"}
    decided = [one for one in found if one.kind == "gates"]
    assert all(one.now == one.sealed for one in decided)
    assert sum(one.measures for one in decided) > 0


@pytest.mark.slow
def test_the_timeline_reads_them(unpacked: Path) -> None:
    archive = Archive(unpacked / "healthy")
    told = story([archive.load(ref) for ref in archive.records()])
    said = {one.notebook: one.decision for one in told.decisions}
    assert said["06_phase1_10_percent"] == said["08_phase3_100_percent"] == "PROMOTE"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["healthy", "rollback"])
def test_their_reports_can_be_drawn_as_those_of_today(unpacked: Path, name: str) -> None:
    archive = Archive(unpacked / name)
    for ref in archive.records():
        record, executed = archive.load(ref), ref.folder / "notebook.ipynb"
        notebook = json.loads(executed.read_bytes()) if executed.is_file() else None
        page = report_html(notebook, record, Links(archive.root, record))
        assert record.run_id in page and page.count("<h1>") == 1
        pictures = re.findall(r"<img\b[^>]*background:white", page)
        assert len(re.findall(r'class="chart" style="overflow-x:auto;--drawn:\d+px"><img', page)) == len(pictures)
        assert not re.search(r"<th\b[^>]*></th>", page)
