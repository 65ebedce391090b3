"""The wheel, installed into a fresh environment outside the checkout; `runbook init` makes a project for it."""

from __future__ import annotations

import ensurepip
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy

pytestmark = [pytest.mark.slow, pytest.mark.emulator, pytest.mark.kernel]
ROOT = Path(__file__).resolve().parents[2]


class Installed:
    """The wheel's own environment and a project folder, both in a folder that is no checkout."""

    def __init__(self, folder: Path, aws: EmbeddedAws) -> None:
        self.folder, self.aws = folder, aws
        self.bin = folder / "env" / "bin"
        self.project = folder / "project"

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command of the environment there."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=cwd or self.project,
            env={**self.aws.environ(), "PATH": f"{self.bin}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("elsewhere")
    source = folder / "source"
    shutil.copytree(ROOT / "runbook_lib", source / "runbook_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("notebooks", "params", ".ci", ".github"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    # pip runs from the wheel that Python has for it: to install it first takes twice as long.
    places = (Path(ensurepip.__file__).parent / "_bundled", Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "none"))
    pip = next(found for place in places for found in place.glob("pip-*.whl"))
    subprocess.run(
        [folder / "env/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel],
        check=True,
        env={**os.environ, "PYTHONPATH": str(pip), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    # The dependencies are those of this environment; a path file within a path is not read, so the checkout stays out.
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    project = folder / "project"
    project.mkdir()
    with EmbeddedAws() as aws:
        made = Installed(folder, aws)
        told = made.run("runbook", "init", "--service", "orders-export", "--offline")
        assert told.returncode == 0, told.stdout + told.stderr
        rehearsal = read_yaml(project / "params" / "rehearsal.yaml")
        deploy(aws, load_file(project / "params" / "dev.yaml", rehearsal))
        for env in ("dev", "prod"):
            path = project / "params" / f"{env}.yaml"
            path.write_text(yaml.safe_dump({**read_yaml(path), **rehearsal, "archive": "archive"}))
        yield made


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    found = installed.run("python", "-c", "import runbook_lib, boto3; print(runbook_lib.__file__, boto3.__file__)")
    library, dependency = found.stdout.split()
    assert Path(library).is_relative_to(installed.folder / "env"), found.stderr
    assert Path(dependency).is_relative_to(sysconfig.get_path("purelib"))


def test_the_project_is_whole_and_as_the_wheel_has_it(installed: Installed) -> None:
    told = installed.run("runbook", "params", "check")
    assert (told.returncode, "FAIL" in told.stdout) == (0, False), told.stdout + told.stderr
    assert (installed.project / ".github" / "workflows" / "runbook.yml").is_file()
    differ = installed.run("runbook", "upgrade")
    assert (differ.returncode, "differs" in differ.stdout) == (0, False), differ.stdout + differ.stderr
    doctor = installed.run("runbook", "doctor", "--env", "dev", "--json")
    states = {one["id"]: one["state"] for one in json.loads(doctor.stdout)["checks"]}
    assert {id for id in ("packages", "project", "notebooks", "params", "archive") if states[id] != "OK"} == set()


@pytest.mark.parametrize("command", [(), ("run",), ("rollback",), ("status",), ("rehearse",), ("archive", "list")])
def test_help_is_there(installed: Installed, command: tuple[str, ...]) -> None:
    told = installed.run("runbook", *command, "--help")
    assert (told.returncode, "Usage" in told.stdout, told.stderr) == (0, True, "")


@pytest.mark.parametrize(("notebook", "env"), [("03", "dev"), ("11", "prod")])
def test_a_notebook_runs_and_is_sealed(installed: Installed, notebook: str, env: str) -> None:
    told = installed.run("runbook", "run", notebook, "--env", env)
    assert "Traceback" not in told.stdout + told.stderr
    archive = Archive(installed.project / "archive")
    (ref,) = [ref for ref in archive.records(env=env) if ref.notebook.startswith(notebook)]
    archive.verify(ref)
    record = archive.load(ref)
    assert record.status == "completed", told.stdout + told.stderr
    assert told.returncode in (0, 3), told.stdout + told.stderr


def test_where_the_rollout_stands(installed: Installed) -> None:
    told = installed.run("runbook", "status", "--env", "dev")
    assert told.returncode in (0, 3) and "dev" in told.stdout, told.stdout + told.stderr


def test_papermill_finds_the_engine(installed: Installed) -> None:
    out = installed.folder / "out.ipynb"
    told = installed.run(
        "python",
        "-m",
        "papermill",
        "notebooks/03_dashboard.ipynb",
        str(out),
        "--engine",
        "runbook",
        "-f",
        "params/dev.yaml",
        "-p",
        "attempt",
        "2",
    )
    assert "Traceback" not in told.stdout, told.stderr
    archive = Archive(installed.project / "archive")
    attempts = [archive.load(ref).attempt for ref in archive.records(env="dev") if ref.notebook.startswith("03")]
    assert 2 in attempts, told.stderr
