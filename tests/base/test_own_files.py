"""The user's own key: made once, read by nobody else, the same for all who make it at once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runbook_lib.base.own_files import cache_of, own_key


def test_the_key_is_made_once_and_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: own_key(print), range(8)))
    assert len(keys) == 1 and len(keys.pop()) == 32
    (file,) = (tmp_path / "rollout-runbook").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"short")
    assert own_key(print) == b""


def test_each_archive_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_of(tmp_path / "a") != cache_of(tmp_path / "b")
    assert cache_of(tmp_path / "a" / ".." / "a") == cache_of(tmp_path / "a")
