"""Where records are, and what of an archive this user may not look into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.record import place
from runbook_lib.record.place import shut_in


@pytest.mark.parametrize("closed", ["", "env=prod", "env=prod/release=r1", "env=prod/release=r1/06_phase1"])
def test_what_this_user_may_not_look_into_is_named(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` proposed the first step of a rollout whose records it could not list."""
    for chain in ("env=prod/release=r1/06_phase1", "env=dev/release=r1/02_deploy_dev", "log", ".staging/x"):
        (tmp_path / chain).mkdir(parents=True)
    real = os.listdir

    def listed(folder: str) -> list[str]:
        if folder == str(tmp_path / closed):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    assert shut_in(tmp_path) == shut_in(tmp_path / "none") == []
    monkeypatch.setattr(place.os, "listdir", listed)
    assert shut_in(tmp_path) == [str(tmp_path / closed)]
