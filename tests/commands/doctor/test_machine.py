"""What needs no network: versions, kernel, folder, parameters, archive, each seen to be wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from packaging.requirements import Requirement

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.doctor import machine
from runbook_lib.commands.doctor.model import Found, Ground
from runbook_lib.params.load import load_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A project of the test's own."""
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    file = tmp_path / "params" / "prod.yaml"
    return Ground(file, {}, params=load_file(file))


def states(found: object) -> list[str]:
    return [one.state for one in ([found] if isinstance(found, Found) else list(found))]  # type: ignore[call-overload]


@pytest.mark.slow
def test_all_is_right_here(ground: Ground) -> None:
    offline = (machine.python, machine.packages, machine.kernel, machine.project, machine.notebooks, machine.params)
    for probe in (*offline, machine.prices):
        assert states(probe(ground)) == ["OK"], probe
    archive = machine.archive(ground)
    assert (archive.state, archive.said) == ("OK", f"{ground.file.parents[1] / 'archive'}, which the first run makes")
    assert not (ground.file.parents[1] / "archive").exists()


def test_an_old_python(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "version_info", (3, 9, 1, "final", 0))
    found = machine.python(ground)
    assert (found.state, found.said) == ("WRONG", "Python 3.9.1, expects 3.11 or newer")


def test_a_package_that_is_missing_or_old(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.lacking(Requirement("no-such-package-here>=1")) == "no-such-package-here is missing"
    assert machine.lacking(Requirement("pyyaml>=999")).endswith("expects >=999")
    monkeypatch.setattr(metadata, "requires", lambda _: ["pyyaml>=999", 'ministack>=999; extra == "rehearse"'])
    found = machine.packages(ground)
    assert found.state == "WRONG" and "ministack" not in found.said and found.mend == machine.REINSTALL


def test_no_kernel(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    found = machine.kernel(ground)
    assert found.state == "WRONG" and "-m ipykernel install" in found.mend


@pytest.mark.slow
def test_a_home_that_is_not_there_is_nothing_to_the_kernel() -> None:
    """IPython's warning stood between the lines of `doctor`."""
    code = "from runbook_lib.commands.doctor.machine import kernel; print(kernel(None).state)"
    env = {name: value for name, value in os.environ.items() if name not in ("IPYTHONDIR", "PYTHONWARNINGS")}
    env |= {"HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert (done.stdout, done.stderr) == ("OK\n", "")


def test_no_notebooks_and_one_too_few(ground: Ground) -> None:
    folder = ground.file.parents[1] / "notebooks"
    (folder / "09_deprecate_sync.ipynb").unlink()
    assert machine.notebooks(ground).said == f"{folder} lacks 09_deprecate_sync"
    shutil.rmtree(folder)
    assert machine.project(ground).state == "WRONG"


def test_a_wrong_file_is_named_with_the_edit(ground: Ground) -> None:
    file = ground.file.parent / "dashboard.yaml"
    file.write_text(file.read_text().replace("gate: error_rate", "gate: eror_rate", 1))
    found = list(machine.params(ground))
    assert [one.state for one in found] == ["WRONG"]
    assert "eror_rate" in found[0].said and found[0].mend == f"edit {file}"


def test_an_environment_that_cannot_be_read_is_the_errors_own_sentence(ground: Ground) -> None:
    ground.file.write_text("env: prod\n")
    with pytest.raises(UsageError, match="account_id"):
        list(machine.params(ground))


def test_commands_that_cannot_begin_are_told_once_for_each_cause(ground: Ground) -> None:
    found = list(machine.commands(ground))
    assert states(found) == ["NOTE", "NOTE"]
    assert "tests.unit" in found[0].said and "../src/backend is not there" in found[0].said


def test_of_an_archive_in_a_bucket_the_copy_can_be_written(ground: Ground) -> None:
    flat = ground.known.flat.model_copy(update={"archive": "s3://records/team"})
    ground.params = ground.known.model_copy(update={"flat": flat})
    found = machine.archive(ground)
    assert (found.state, found.said.endswith("archive/s3/records/team, which the first run makes")) == ("OK", True)
    assert not (ground.file.parents[1] / "archive").exists()


def test_an_archive_that_is_a_file(ground: Ground) -> None:
    (ground.file.parents[1] / "archive").write_text("")
    found = machine.archive(ground)
    assert found.state == "WRONG" and found.said.endswith("is not a folder")


def test_a_rollback_notebook_that_is_gone_is_restored_not_edited_away(ground: Ground) -> None:
    (ground.file.parents[1] / "notebooks" / "rollback_1_async_failing.ipynb").unlink()
    (found,) = machine.params(ground)
    assert found.state == "WRONG" and "rollback_1_async_failing" in found.said
    assert found.mend.startswith("runbook upgrade --take")


def test_prices_that_are_missing_or_old_are_a_note_with_the_file_to_edit(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.params = load_file(ground.file, {"region": "eu-west-3"})
    found = machine.prices(ground)
    assert (found.state, found.mend) == ("NOTE", f"edit {ground.beside('prices-eu-west-3.yaml')}")
    assert "no soak passes its gate cost" in found.said and "sqs.requests (per request)" in found.said
    ground.params = load_file(ground.file)
    monkeypatch.setattr(type(ground.params.prices), "stale", lambda *_: "the prices are old")
    assert machine.prices(ground) == Found("NOTE", "the prices are old", f"edit {ground.beside('prices.yaml')}")
