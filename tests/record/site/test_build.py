"""The site as files: every record is on it, only what changed is made anew, what is damaged is named."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from runbook_lib.base.errors import UsageError
from runbook_lib.record import recording
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.entry import Entry, sealed
from runbook_lib.record.journal import Journal
from runbook_lib.record.site.build import Built, build
from tests.archives import relogged, resealed


def built(archive: Archive, tmp_path: Path) -> Built:
    return build(archive, tmp_path / "site", lambda told: None)


def told(page: str) -> Any:
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.slow
def test_every_run_every_gate_and_every_word_of_a_person_is_on_it_and_every_link_leads_somewhere(
    real: Archive, tmp_path: Path
) -> None:
    flat = {"env": "prod", "release": real.records()[-1].release, "attempt": 1}
    sealed(
        real, flat, Entry(kind="note", by="Ada", at="2026-11-09T04:00:00Z", text="the pager <b>was</b> slow"), "arn:a"
    )
    done = built(real, tmp_path)
    assert done.left.damage == done.left.unknown == [] and done.written == done.pages
    pages = {page.name: page.read_text() for page in (tmp_path / "site").glob("*.html")}
    assert len(pages) == done.pages
    runs = [ref for ref in real.records() if ref.notebook != "entry"]
    data = told(pages["index.html"])
    assert {run["run"] for run in data["runs"]} == {ref.run_id for ref in runs}
    for ref in runs:
        record = real.load(ref)
        for gate in record.gates:
            assert f"gate-{gate['gate']['id']}.html" in pages
    assert any("the pager &lt;b&gt;was&lt;/b&gt; slow" in page for page in pages.values())
    for name, page in pages.items():
        for link in re.findall(r'href="([^"#]+)"', page):
            there = tmp_path / "site" / unquote(link)  # the packed records have lost their reports
            assert (there.parent / there.name.replace("report.html", "record.json")).is_file(), f"{name}: {link}"
        assert "http" not in re.sub(r"<script.*?</script>|<meta[^>]*>", "", page, flags=re.S), name


@pytest.mark.slow
def test_what_is_as_it_was_is_left_and_one_more_run_makes_few_pages_anew(real: Archive, tmp_path: Path) -> None:
    first = built(real, tmp_path)
    seen = {page: page.stat().st_mtime_ns for page in (tmp_path / "site").glob("*.html")}
    assert built(real, tmp_path)[1:3] == (0, first.pages)
    assert {page: page.stat().st_mtime_ns for page in seen} == seen
    sealed(real, {"env": "dev", "release": "r9"}, Entry(kind="note", by="Ada", at="2026-11-09T04:00:00Z", text="x"))
    assert built(real, tmp_path).written == 2, "the first page, and the other rollout's own"
    (tmp_path / "site" / "index.html").unlink()
    assert built(real, tmp_path).written == 1


@pytest.mark.slow
def test_a_page_that_somebody_edited_is_made_anew_by_the_next_build(standing: Archive, tmp_path: Path) -> None:
    """It stayed until one of its records changed, whatever it said of them."""
    site, said = tmp_path / "site", list[str]()
    pages = len(list(site.glob("*.html")))
    whole = {page: page.read_bytes() for page in site.glob("*.html")}
    gate, rollout = min(site.glob("gate-*.html")), min(site.glob("rollout-*.html"))
    gate.write_bytes(gate.read_bytes().replace(b"FAIL", b"PASS") + b" ")
    rollout.unlink()
    rollout.symlink_to(gate)
    kept = json.loads((site / ".pages.json").read_bytes())  # and what is kept of it, by whoever knows how
    kept["files"][gate.name] = hashlib.sha256(gate.read_bytes()).hexdigest()
    kept["files"][rollout.name] = kept["files"][gate.name]
    (site / ".pages.json").write_text(json.dumps(kept))
    assert build(standing, site, said.append).written == 2
    assert {page: page.read_bytes() for page in whole} == whole and not rollout.is_symlink()
    assert said == [f"2 pages not as this user built the site, made anew: {rollout.name}, …"]
    (site / ".pages.json").write_text(json.dumps({name: one for name, one in kept.items() if name != "files"}))
    assert build(standing, site, said.append).written == pages, "a site of before"


@pytest.mark.slow
def test_a_record_that_was_altered_is_named_and_not_shown(standing: Archive, tmp_path: Path) -> None:
    ref = next(ref for ref in standing.records() if standing.load(ref).gates)
    path = ref.folder / "record.json"
    path.write_text(path.read_text().replace("PROMOTE", "HOLD"))
    done = built(standing, tmp_path)
    assert any(ref.run_id in sentence for sentence in done.left.damage)
    page = (tmp_path / "site" / "index.html").read_text()
    assert "cannot be read or trusted, and" in page and ref.run_id in page
    assert ref.run_id not in {one["run"] for one in told(page)["runs"]}


@pytest.mark.slow
def test_pages_of_what_is_gone_are_removed_and_a_strange_folder_is_left_alone(
    standing: Archive, tmp_path: Path
) -> None:
    stale = tmp_path / "site" / "rollout-prod-gone.html"
    stale.write_text("old")
    kept = tmp_path / "site" / ".pages.json"
    made = json.loads(kept.read_bytes())
    kept.write_text(json.dumps(made | {"pages": made["pages"] | {stale.name: "1"}}))
    built(standing, tmp_path)
    assert not stale.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match=r"holds thesis.txt, and is not a site of ours"):
        build(standing, tmp_path / "mine", lambda told: None)
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"by": 1}', '{"by": "x", "pages": 3}'])
def test_a_folder_whose_list_of_pages_is_none_is_left_alone(standing: Archive, tmp_path: Path, kept: str) -> None:
    (tmp_path / "site" / ".pages.json").write_text(kept)
    before = (tmp_path / "site" / "index.html").read_bytes()
    with pytest.raises(UsageError, match="is not a site of ours"):
        built(standing, tmp_path)
    assert (tmp_path / "site" / "index.html").read_bytes() == before


@pytest.mark.slow
def test_pages_of_another_version_are_made_anew(standing: Archive, tmp_path: Path) -> None:
    pages = len(list((tmp_path / "site").glob("*.html")))
    kept = tmp_path / "site" / ".pages.json"
    kept.write_text(json.dumps(json.loads(kept.read_bytes()) | {"by": "another"}))
    assert built(standing, tmp_path).written == pages


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["../victim.txt", "{root}/victim.txt", "sub", "", ".", "index.txt", "rollout-/../../victim.txt"]
)
def test_nothing_but_a_page_is_ever_removed(standing: Archive, tmp_path: Path, name: str) -> None:
    (tmp_path / "victim.txt").write_text("years")
    (tmp_path / "site" / "sub").mkdir()
    kept = tmp_path / "site" / ".pages.json"
    made = json.loads(kept.read_bytes())
    made["pages"][name.format(root=tmp_path)] = "1"
    kept.write_text(json.dumps(made))
    built(standing, tmp_path)
    assert (tmp_path / "victim.txt").read_text() == "years" and (tmp_path / "site" / "sub").is_dir()


@pytest.mark.slow
def test_the_newest_run_gives_notebook_and_word_and_a_release_of_words_alone_is_there(
    real: Archive, tmp_path: Path
) -> None:
    for notebook, status in (("07_phase2_50_percent", "completed"), ("08_phase3_100_percent", "died")):
        _, staging, run_id, _ = recording.staged(real.root, "prod", "R1", notebook, "papermill")
        journal = Journal(staging)
        recording.opened(journal, run_id, notebook, "papermill", {"env": "prod", "release": "R1"})
        if status == "completed":
            journal.append("closed", decision="PROMOTE", said=None, reason="fine", next="")
        seal_staged(real, staging, status=status)  # type: ignore[arg-type]
    sealed(real, {"env": "dev", "release": "r9"}, Entry(kind="note", by="Ada", at="2026-11-09T04:00:00Z", text="alone"))
    page = built(real, tmp_path).page.read_text()
    row = next(line for line in page.splitlines() if ">prod R1</a>" in line)
    assert "08_phase3_100_percent" in row and "DIED" in row
    assert ">dev r9</a>" in page and "alone" in (tmp_path / "site" / "rollout-dev-r9.html").read_text()


@pytest.mark.slow
def test_a_text_that_changed_makes_its_page_anew(real: Archive, tmp_path: Path) -> None:
    ref = sealed(
        real, {"env": "dev", "release": "r9"}, Entry(kind="note", by="Ada", at="2026-11-09T04:00:00Z", text="a")
    )
    built(real, tmp_path)
    resealed(ref.folder, entry=real.load(ref).entry | {"text": "rewritten"})  # type: ignore[operator]
    (ref.folder.parent / "HEAD").write_text(json.loads((ref.folder / "record.json").read_text())["hash"] + "\n")
    relogged(real)
    built(real, tmp_path)
    assert "rewritten" in (tmp_path / "site" / "rollout-dev-r9.html").read_text()


def test_an_empty_archive_has_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    done = built(Archive(tmp_path / "archive"), tmp_path)
    assert done.pages == 1 and "there is none: the next seal begins it" in done.page.read_text()
