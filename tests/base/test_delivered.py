"""What comes with the runbook: the checkout's own files, and `setup.py` puts the same ones into the wheel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runbook_lib.base import delivered
from runbook_lib.base.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def test_notebooks_parameters_and_workflow() -> None:
    found = delivered.files()
    assert {path for path in found if path.startswith("notebooks/")} == {
        f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert {"params/service.yaml", "params/gates.yaml", *delivered.WORKFLOW} <= set(found)


def test_the_wheel_is_given_the_same_files() -> None:
    (said,) = re.findall(r"^DELIVERED = \((.*)\)$", (ROOT / "setup.py").read_text(), re.MULTILINE)
    listed = {path.relative_to(ROOT).as_posix() for one in re.findall(r'"(.*?)"', said) for path in ROOT.glob(one)}
    assert listed == set(delivered.files())


def test_an_installation_without_them_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered, "PACKAGE", tmp_path / "runbook_lib")
    with pytest.raises(UsageError, match="has no notebooks"):
        delivered.delivered()
