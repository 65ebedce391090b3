"""Which Python `make setup` takes: scripts stand for the Pythons of a machine and say how long they take for a loop."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runbook_lib.params.load import params_dir

SCRIPT = params_dir(Path(__file__).parent).parent / ".ci" / "quickest"


def quickest(folder: Path, *says: str) -> tuple[int, str]:
    pythons = []
    for number, said in enumerate(says):
        pythons.append(folder / f"python{number}")
        pythons[-1].write_text(f"#!/bin/sh\n{said}\n")
        pythons[-1].chmod(0o755)
    told = subprocess.run(["bash", str(SCRIPT), *map(str, pythons)], capture_output=True, text=True, check=False)
    return told.returncode, Path(told.stdout.strip()).name


@pytest.mark.parametrize(
    ("says", "taken"),
    [
        (["echo 4000", "echo 3950"], "python0"),
        (["echo 4000", "echo 3000", "echo 3100"], "python1"),
        (["exit 1", "echo 5000"], "python1"),
        (["echo what is this", "echo 5000", "exit 1"], "python1"),
    ],
    ids=[
        "the first, if others are hardly quicker",
        "a quicker one",
        "not one that is too old",
        "nor one that says nothing",
    ],
)
def test_it_is_the_first_or_one_that_is_quicker(tmp_path: Path, says: list[str], taken: str) -> None:
    assert quickest(tmp_path, *says) == (0, taken)


def test_where_none_serves_it_says_so_by_its_exit_code(tmp_path: Path) -> None:
    assert quickest(tmp_path, "exit 1", "echo")[0] != 0


@pytest.mark.slow
def test_a_real_one_is_measured_and_the_environment_that_is_made_anew_is_not_asked(tmp_path: Path) -> None:
    stale = tmp_path / ".venv" / "bin" / "python3"
    stale.parent.mkdir(parents=True)
    stale.write_text("#!/bin/sh\necho 1\n")
    stale.chmod(0o755)
    path = os.pathsep.join([str(stale.parent), *os.environ["PATH"].split(os.pathsep)])
    told = subprocess.run(
        ["bash", str(SCRIPT)], capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    assert told.returncode == 0, told.stderr
    assert Path(told.stdout.strip()).name == "python3" and ".venv" not in Path(told.stdout.strip()).parts
