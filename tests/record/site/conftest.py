"""The archive of version 0.1, real and whole, and a cache of the test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runbook_lib.record.archive import Archive
from runbook_lib.record.site.build import build

PACKED = Path(__file__).parents[2] / "fixtures" / "records-0.1" / "archive.tar.xz"
_HOMES = ("XDG_CACHE_HOME", "XDG_STATE_HOME")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _HOMES:
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked once; only to be copied."""
    folder = tmp_path_factory.mktemp("of-0.1")
    shutil.unpack_archive(PACKED, folder)
    return folder


@pytest.fixture(scope="session")
def with_site(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its site, built once, and with the key of who built it; only to be copied."""
    folder = tmp_path_factory.mktemp("with-site")
    shutil.copytree(unpacked, folder, symlinks=True, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in _HOMES:
            patch.setenv(name, str(folder / name))
        build(_archive(folder), folder / "site", lambda told: None)
    return folder


@pytest.fixture
def standing(with_site: Path, tmp_path: Path) -> Archive:
    """A real archive whose site stands, as its last build has left it."""
    shutil.copytree(with_site, tmp_path, symlinks=True, dirs_exist_ok=True)
    return _archive(tmp_path)


@pytest.fixture
def real(unpacked: Path, tmp_path: Path) -> Archive:
    shutil.copytree(unpacked, tmp_path, symlinks=True, dirs_exist_ok=True)
    return _archive(tmp_path)


def _archive(folder: Path) -> Archive:
    return Archive(next(one for one in sorted(folder.rglob("env=*"))).parent)
