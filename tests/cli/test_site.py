"""`runbook archive site` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.base.errors import ArchiveError, UsageError
from tests.cli.test_archive import call, sealed_with


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_it_says_where_the_first_page_is_and_what_was_made_anew(tmp_path: Path) -> None:
    sealed_with(tmp_path, "fine")
    out = tmp_path / "out"
    code, done = call(tmp_path, "archive", "site", "--out", str(out))
    assert code == 0 and done.stdout.strip().endswith(f"made anew: {out / 'index.html'}")
    code, done = call(tmp_path, "archive", "site", "--out", str(out), "--json")
    told = json.loads(done.stdout)
    assert (code, told["written"], told["damage"]) == (0, 0, []) and Path(told["page"]).is_file()


def test_what_cannot_be_trusted_is_named_and_the_site_is_there(tmp_path: Path) -> None:
    path = sealed_with(tmp_path, "fine").folder / "record.json"
    path.write_text(path.read_text().replace("fine", "good"))
    code, done = call(tmp_path, "archive", "site", "--out", str(tmp_path / "out"))
    assert code == 1 and isinstance(done.exception, ArchiveError) and "not on the site" in str(done.exception)
    assert "cannot be read or trusted" in (tmp_path / "out" / "index.html").read_text()


def test_a_folder_within_the_archive_is_refused(tmp_path: Path) -> None:
    sealed_with(tmp_path, "fine")
    _, done = call(tmp_path, "archive", "site", "--out", str(tmp_path / "archive" / "site"))
    assert isinstance(done.exception, UsageError) and "lies in the archive" in str(done.exception)
    assert not (tmp_path / "archive" / "site").exists()


def test_over_what_another_made_is_bad_usage(tmp_path: Path) -> None:
    sealed_with(tmp_path, "fine")
    page = tmp_path / "out" / "index.html"
    page.parent.mkdir()
    page.write_text("another's")
    _, done = call(tmp_path, "archive", "site", "--out", str(page.parent))
    assert isinstance(done.exception, UsageError) and "holds index.html, and is not a site of ours" in str(
        done.exception
    )
    assert page.read_text() == "another's"
