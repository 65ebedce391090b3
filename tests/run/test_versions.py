"""The commit that a record names is that of the project, and says so where files differ from it."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from runbook_lib.run import versions
from tests import quick_versions

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder; git is asked each time, as everywhere but in tests."""
    monkeypatch.setattr(versions, "subprocess", subprocess)
    monkeypatch.setattr(versions, "metadata", metadata)
    monkeypatch.setattr(versions, "project_root", lambda: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, *WHO, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_and_whether_files_differ_from_it(folder: Path) -> None:
    assert versions.versions()["commit"] == "unknown", "no repository"
    git(folder, "init", "-q")
    assert versions.versions()["commit"] == "unknown", "no commit"
    (folder / "file").write_text("a")
    git(folder, "add", "file")
    git(folder, "commit", "-qm", "first")
    head = git(folder, "rev-parse", "HEAD")
    assert versions.versions()["commit"] == head
    for name in ("new", "file"):
        (folder / name).write_text("b")
        assert versions.versions()["commit"] == f"{head} (dirty)", name
        git(folder, "clean", "-fq")
    git(folder, "checkout", "-q", "--detach")
    git(folder, "checkout", "-q", "file")
    assert versions.versions()["commit"] == head, "on no branch"


def test_without_git_it_is_unknown_and_a_package_that_is_missing_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(versions, "_PACKAGES", ("pydantic", "no-such-package"))
    found = versions.versions()
    assert (found["commit"], found["no-such-package"]) == ("unknown", "absent")
    assert found["python"] == platform.python_version() and found["pydantic"][0].isdigit()


def test_in_tests_git_is_asked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_versions.install()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    first = versions.versions()
    (folder / "new").touch()
    assert versions.versions() == first and first["commit"] == git(folder, "rev-parse", "HEAD")
