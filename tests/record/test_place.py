"""Where records are, and what of an archive this user may not look into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.record import place
from runbook_lib.record.place import shut_out


@pytest.mark.parametrize("right", ["listdir", "stat"])
def test_to_list_a_folder_and_to_enter_it_are_two_rights(
    right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(folder: str, *_: object) -> None:
        raise PermissionError(13, "Permission denied", f"{folder}/.")

    assert shut_out(tmp_path) == shut_out(tmp_path / "none") == ""
    monkeypatch.setattr(os, right, denied)
    assert place.shut_out(tmp_path) == f"{tmp_path}: this user may not read it (Permission denied)"
