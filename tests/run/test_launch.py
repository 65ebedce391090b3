"""What a command line says before any kernel starts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook_lib.act.guard import begun
from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.record import kernel
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal
from runbook_lib.record.record import Record, Status
from runbook_lib.run import launch as launching
from runbook_lib.run.launch import _read_from, find_notebook, finished, launch, overrides, prestart
from tests.project import own_project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", ["06", "06_phase1_10_percent", "notebooks/06_phase1_10_percent.ipynb"])
def test_a_notebook_is_found_by_number_stem_or_path(name: str) -> None:
    assert find_notebook(name).name == "06_phase1_10_percent.ipynb"


@pytest.mark.parametrize("name", ["99_nothing", "nowhere.ipynb"])
def test_an_unknown_notebook_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        find_notebook(name)


def test_overrides_keep_digits_of_text_and_read_numbers() -> None:
    assert overrides(["account_id=012345678901", "attempt=2", "time_scale=1", "as_of="]) == {
        "account_id": "012345678901",
        "attempt": 2,
        "time_scale": 1.0,
        "as_of": "",
    }


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("mode", "name=value"),
        ("speed=9", "no parameter 'speed'"),
        ("attempt=[", "no whole number"),
        ("redact_emails=perhaps", "no true or false"),
        ("attempt=1.5", "no whole number"),
        (f"attempt={'9' * 20}", "has more than 15 digits"),
        ("time_scale=fast", "no number"),
    ],
)
def test_a_wrong_override_is_one_sentence(pair: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        overrides([pair])


def test_values_are_validated_before_a_kernel_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(UsageError, match="--set mode='go': expects"):
        launch(find_notebook("06"), ROOT / "params" / "prod.yaml", {"mode": "go"})


def test_a_step_that_the_notebook_does_not_carry_out_starts_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """It began a chain of that name, with a record in it."""
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(UsageError, match="'rollout_step' is 'zzz', which is not a step"):
        launch(Path("notebooks/06_phase1_10_percent.ipynb"), Path("params/prod.yaml"), {"rollout_step": "zzz"})


@pytest.mark.parametrize(
    ("text", "says"), [("{", "JSON"), ("[]", "JSON"), ('{"cells": []}', "no cells"), (None, "a pipe or a device")]
)
def test_a_notebook_that_cannot_be_read_is_told_by_its_own_name(
    text: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a device was read for ever, and gates.yaml was said to be wrong."""
    file = own_project(tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    notebook = tmp_path / "notebooks" / "06_phase1_10_percent.ipynb"
    notebook.unlink()
    notebook.symlink_to("/dev/zero") if text is None else notebook.write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"06_phase1_10_percent.ipynb: the notebook cannot be read .*{says}"):
        launch(notebook, file)


@pytest.mark.parametrize("which", ["the project", "the temporary folder"])
def test_a_path_that_no_notebook_can_hold_is_refused_before_a_kernel_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """It ended without a record: 'utf-8' codec can't encode characters."""
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("a kernel was started"))
    odd = tmp_path / os.fsdecode(b"by\xff")
    odd.mkdir()
    notebook = find_notebook("01")
    if which == "the project":
        notebook = Path(shutil.copy(notebook, odd))
    else:
        monkeypatch.setattr("tempfile.tempdir", str(odd))
    with pytest.raises(UsageError, match=r"is not UTF-8.*rename it"):
        launch(notebook, ROOT / "params" / "prod.yaml")


def test_a_misspelt_notebook_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean '06_phase1_10_percent'"):
        find_notebook("06_phase1_10_procent")


@pytest.mark.slow
def test_a_kernel_that_is_started_ahead_imports_no_grammars_either() -> None:
    code = f"""
import importlib, sys
from collections.abc import Callable
from pathlib import Path
from runbook_lib.record import engine
from runbook_lib.run.launch import prestart
engine.prestart = lambda *_, **__: importlib.import_module("runbook_lib.record.kernel")
root = Path({str(ROOT)!r})
prestart(root / "archive", root / "params", root)
print("nbformat" in sys.modules, "rfc3987_syntax" in sys.modules)
"""
    # The other tests' processes cannot find the grammars at all.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_kernels_know_where_the_reader_of_their_commands_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNBOOK_READER", raising=False)
    with _read_from(ROOT / "params", ROOT):
        assert os.environ["RUNBOOK_READER"] == str(tmp_path) and "RUNBOOK_PARAMS" not in os.environ
    assert "RUNBOOK_READER" not in os.environ


def test_a_command_in_a_cell_does_not_take_the_folder_of_its_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`!runbook run 01 -f params/prod.yaml` in a notebook of another service: its kernel read that one's files."""
    monkeypatch.setenv("RUNBOOK_PARAMS", str(tmp_path))
    with _read_from(ROOT / "params", ROOT):
        assert os.environ["RUNBOOK_PARAMS"] == str(ROOT / "params")
    assert os.environ["RUNBOOK_PARAMS"] == str(tmp_path)


def test_runs_side_by_side_set_variables_together_and_the_last_one_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may end first; what was there before them is there again, whatever the order."""
    for before in (None, "as it was"):
        for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
            monkeypatch.delenv("RUNBOOK_READER", raising=False)
            if before is not None:
                monkeypatch.setenv("RUNBOOK_READER", before)
            runs = [_read_from(ROOT / "params", ROOT) for _ in range(3)]
            for one in runs:
                one.__enter__()
            for place in order:
                assert os.environ["RUNBOOK_READER"] == str(Path.cwd())
                runs[place].__exit__(None, None, None)
            assert os.environ.get("RUNBOOK_READER") == before


def test_a_kernel_that_was_started_ahead_is_the_one_that_the_launch_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken where everything that it knows is the same: what `launch` tells its kernels it must know as well."""
    own = own_project(tmp_path)
    told: list[dict[str, str]] = []
    taken: list[bool] = []

    def started(name: str, env: dict[str, str], run_id: str, *_: object) -> kernel.Kernel:
        told.append(env)
        return kernel.Kernel(SimpleNamespace(has_kernel=False), tmp_path, run_id)

    def executed(*_: object, cwd: str, **__: object) -> None:
        with contextlib.chdir(cwd):  # as papermill
            taken.append(kernel._key(tmp_path, "python3") == kernel._warm.pop().key)

    monkeypatch.setattr(kernel, "start", started)
    monkeypatch.setattr("papermill.execute_notebook", executed)
    for here in (ROOT, tmp_path):
        monkeypatch.chdir(here)
        for file in (ROOT / "params" / "prod.yaml", own):
            prestart(tmp_path, file.parent, ROOT)
            with pytest.raises(ArchiveError, match="without a record"):
                launch(ROOT / "notebooks" / "06_phase1_10_percent.ipynb", file, {"archive": str(tmp_path)}, root=ROOT)
    assert taken == [True] * 4
    assert [env["RUNBOOK_READER"] for env in told] == [str(ROOT)] * 2 + [str(tmp_path)] * 2
    assert [env.get("RUNBOOK_PARAMS") for env in told] == [None, str(own.parent)] * 2


@pytest.mark.parametrize("sign", [KeyboardInterrupt, SystemExit])
def test_whoever_asks_for_json_gets_the_sealed_record_of_a_run_that_a_signal_ended(
    sign: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled job of CI said "left no record", and its artifacts had none."""

    def executed(*_: object, on_sealed: Callable[[str], None], **__: object) -> None:
        on_sealed("the record")
        raise sign

    monkeypatch.setattr("papermill.execute_notebook", executed)
    monkeypatch.setattr(launching, "finished", lambda _, ref, __: ref)
    monkeypatch.setattr(launching, "_changes", lambda *_: [])
    cut: list[object] = []
    values = {"archive": str(tmp_path)}
    with pytest.raises(sign):
        launch(ROOT / "notebooks" / "03_dashboard.ipynb", ROOT / "params" / "prod.yaml", values, cut=cut.append)
    assert cut == ["the record"]


def test_what_a_run_began_is_told_though_its_record_cannot_be_sealed(tmp_path: Path) -> None:
    """The disk was full after the shift to 10 %, and the command ended with "nothing was changed"."""
    archive = Archive(tmp_path)
    for run, pid in (("mine", os.getpid()), ("another", os.getpid() + 1)):
        staged = archive.stage("prod", "r", "06_phase1_10_percent", run, "papermill")
        owner = json.loads((staged / "owner.json").read_text())
        (staged / "owner.json").write_text(json.dumps({**owner, "pid": pid}))
        Journal(staged).append("intent", id="i", what=f"{run}: dial 0 % -> 10 %")
    assert launching._changes(archive, []) == ["mine: dial 0 % -> 10 %"]
    begun.append("mine: dial 0 % -> 10 %")  # by the command itself, which lists it
    assert launching._changes(archive, []) == []


@pytest.mark.parametrize(
    ("status", "decision", "reason", "word"),
    [
        ("completed", "SOAK", "ASYNC IS OFF: async is off and read back", "ASYNC IS OFF"),
        ("completed", "PROMOTE", "DONE: proven", "DONE"),
        ("failed", None, "failed: AccessDenied: it may not", "FAILED"),
    ],
)
def test_a_rehearsal_has_the_word_of_the_report(
    tmp_path: Path, status: Status, decision: str | None, reason: str, word: str
) -> None:
    """Its table said SOAK and PROMOTE of rollback 1."""
    said, _, why = reason.partition(": ")
    outcome = {"decision": decision, "said": said, "reason": why, "next": ""} if decision else None
    record = Record(status=status, decision=decision, outcome=outcome)
    result = finished(SimpleNamespace(load=lambda _: record), SimpleNamespace(folder=tmp_path))
    assert result.word == word and "word" not in result.as_dict()


@pytest.mark.parametrize(
    ("mode", "decision", "apart", "code"),
    [
        ("plan", "PLANNED", True, 3),
        ("plan", "PROMOTE", True, 3),
        ("plan", "ROLLBACK", True, 4),
        ("plan", "SOAK", False, 0),
        ("apply", "SOAK", True, 0),  # a rollback, which goes on without the archive
    ],
)
def test_a_plan_whose_record_is_not_in_the_archive_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, decision: str, apart: bool, code: int
) -> None:
    """It ended with 0, and CI went on with a record that nobody would find."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = (
        tmp_path / ("runbook-archive-abc" if apart else "archive") / "env=prod" / "release=r" / "03_dashboard" / "x"
    )
    outcome = {"decision": decision, "said": decision, "reason": "", "next": ""}
    record = Record(status="completed", mode=mode, decision=decision, outcome=outcome)
    assert finished(SimpleNamespace(load=lambda _: record), SimpleNamespace(folder=folder)).exit_code == code
