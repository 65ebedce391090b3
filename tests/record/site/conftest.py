"""The archive of version 0.1, real and whole, and a cache of the test's own."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from runbook_lib.record.archive import Archive

PACKED = Path(__file__).parents[2] / "fixtures" / "records-0.1" / "archive.tar.xz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked once; only to be copied."""
    folder = tmp_path_factory.mktemp("of-0.1")
    with tarfile.open(PACKED) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def real(unpacked: Path, tmp_path: Path) -> Archive:
    shutil.copytree(unpacked, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Archive(next(one for one in sorted(tmp_path.rglob("env=*"))).parent)
