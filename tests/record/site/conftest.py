"""The archive of version 0.1, real and whole, and a cache of the test's own."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from runbook_lib.record.archive import Archive

PACKED = Path(__file__).parents[2] / "fixtures" / "records-0.1" / "archive.tar.xz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def real(tmp_path: Path) -> Archive:
    with tarfile.open(PACKED) as tar:
        tar.extractall(tmp_path, filter="data")
    return Archive(next(one for one in sorted(tmp_path.rglob("env=*"))).parent)
