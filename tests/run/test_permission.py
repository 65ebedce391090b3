"""A misspelt parameter is told; a run that may change AWS does not begin with one."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import ArchiveError, UsageError
from runbook_lib.base.project import read_yaml
from runbook_lib.params.load import load_file, params_dir, project_root
from runbook_lib.record.archive import Archive
from runbook_lib.run import run as runs
from runbook_lib.run.permission import as_given, unknown_parameters
from runbook_lib.run.run import Run
from tests.project import own_project

POLICY = load_file(params_dir() / "prod.yaml").policy
LOWERING = {name for name, one in POLICY.rollbacks.items() if one.lowers}
NOTEBOOKS = {*POLICY.rollbacks, *POLICY.steps} & {one.stem for one in (project_root() / "notebooks").glob("*.ipynb")}
INJECTED = "# Parameters\natempt = 2\nconfirm = 'prod'\nzebra: int = 3\n"


def test_what_papermill_injects_and_nobody_reads_is_told() -> None:
    said = unknown_parameters(
        {"In": ["", "env = 'dev'\nattempt = 1", INJECTED, "x = 1\nrun = Run.open('06', globals())"]}
    )
    assert said == [
        "'atempt' is not a parameter and has no effect; did you mean 'attempt'?",
        "'zebra' is not a parameter and has no effect",
    ]


@pytest.mark.parametrize(
    "cells",
    [[], ["x = 1"], ["%matplotlib inline\nenv = 3"], ["env = 'dev'\n_private = 1"], ["# Parameters\nmode = 'plan'"]],
)
def test_what_is_no_parameters_cell_is_left_alone(cells: list[str]) -> None:
    assert unknown_parameters({"In": cells}) == []


GIVEN = "# Parameters\nenv = 'prod'\nmode = 'plan'\nconfirm = ''\nattempt = 2\nours = 3\n"


@pytest.mark.parametrize(
    ("kernel", "refused"),
    [
        ({}, ""),
        ({"ours": 4, "release": "another"}, ""),
        ({"mode": "apply"}, "mode is 'apply' here, but 'plan' was given"),
        ({"confirm": "prod"}, "confirm is 'prod'"),
        ({"env": "dev"}, "env is 'dev' here, but 'prod' was given"),
        ({"attempt": "2"}, "attempt is '2' here, but 2 was given"),
    ],
)
def test_a_parameter_is_what_was_given(kernel: dict[str, Any], refused: str) -> None:
    """With a second parameters cell, or one without its tag, what was said to be a plan turned async off."""
    namespace = {"env": "prod", "mode": "plan", "confirm": "", "attempt": 2, **kernel}
    cells = ["# Parameters\nmode = 'apply'", GIVEN, "mode = 'apply'"]  # what was run again counts as it was last
    with pytest.raises(UsageError, match=refused) if refused else contextlib.nullcontext():
        as_given({**namespace, "In": cells})
    as_given({**namespace, "In": ["mode = 'apply'"]})
    as_given(namespace)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    file = own_project(tmp_path)
    (tmp_path / "notebooks").symlink_to(Path(__file__).resolve().parents[2] / "notebooks")
    monkeypatch.chdir(tmp_path)
    identity = SimpleNamespace(
        account=read_yaml(file)["account_id"], arn="arn:x", now=dt.datetime.now(dt.UTC), trouble=""
    )
    aws = SimpleNamespace(identity=lambda **_: identity, endpoint="https://x")
    monkeypatch.setattr(runs, "connect", lambda _, **__: aws)

    def open_(notebook: str, mode: str, cell: str = INJECTED, **more: Any) -> tuple[Run | None, Archive]:
        flat = {**read_yaml(file), "mode": mode, "confirm": "prod", "In": [cell], **more}
        return Run.open(notebook, flat), Archive(tmp_path / "archive")

    yield open_
    Run._open = None


def test_a_plan_warns_in_record_and_banner(opened: Any) -> None:
    run, _ = opened("06_phase1_10_percent", "plan")
    assert "'atempt' is not a parameter" in str(run.where_am_i())
    assert "'atempt' is not a parameter" in (run.staging / "journal.jsonl").read_text()


def test_what_may_change_aws_does_not_begin(opened: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'atempt' is not a parameter") as told:
        opened("06_phase1_10_percent", "apply")
    assert told.value.nothing_changed
    archive = Archive(tmp_path / "archive")
    (ref,) = archive.records()
    record = archive.load(ref)
    assert record.status == "failed" and "'atempt' is not a parameter" in record.warnings[0]


def test_a_rollback_is_not_held_up(opened: Any) -> None:
    run, _ = opened("rollback_1_async_failing", "apply")
    assert "'atempt' is not a parameter" in str(run.where_am_i())


@pytest.mark.parametrize(
    ("notebook", "mode", "begins"),
    [
        ("06_phase1_10_percent", "apply", False),
        ("06_phase1_10_percent", "plan", True),
        ("rollback_2_queue_backlog", "apply", False),
        ("rollback_1_async_failing", "apply", True),
    ],
)
def test_where_the_archive_cannot_be_written_only_what_lowers_changes_anything(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notebook: str, mode: str, begins: bool
) -> None:
    """On a full disk 10 % was shifted with a record in the temporary folder, which no later run finds."""
    spare = Archive(tmp_path / "runbook-archive-x").stage("prod", "r", notebook, "abc", "papermill")
    monkeypatch.setenv("RUNBOOK_STAGING", str(spare))
    monkeypatch.setenv("RUNBOOK_ORIGIN", "papermill")
    if begins:
        opened(notebook, mode, "")
        return
    with pytest.raises(ArchiveError, match="cannot be written, and this run's record would be in another") as told:
        opened(notebook, mode, "")
    assert told.value.nothing_changed


@given(st.sampled_from(sorted(NOTEBOOKS)), st.integers(-600, 10_000_000), st.sampled_from(["plan", "apply"]))
@example("06_phase1_10_percent", 38_000_000, "plan")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_an_instant_to_judge_by_that_is_still_to_come_is_said_to_be_so(
    opened: Any, notebook: str, ahead_min: int, mode: str
) -> None:
    """`as_of` in the year 2099 was a window that "starts 26355 days ago"."""
    now = dt.datetime.now(dt.UTC)
    as_of = (now + dt.timedelta(minutes=ahead_min)).isoformat(timespec="seconds")
    late = ahead_min > 11
    if late and notebook not in LOWERING:
        with pytest.raises(UsageError, match=r"as_of is 2\d{3}-.* lies in the future; it is 2\d{3}-") as told:
            opened(notebook, mode, "", as_of=as_of)
        assert told.value.nothing_changed
        return
    run, _ = opened(notebook, mode, "", as_of=as_of)
    assert (run.params.as_of == "") == late
    if late:
        assert "lies in the future" in (run.staging / "journal.jsonl").read_text()
        assert run.now - now < dt.timedelta(minutes=1)


@pytest.mark.parametrize("root", ["archive", "linked"])
def test_one_that_papermill_has_staged_in_the_archive_begins(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "archive")
    staged = Archive(tmp_path / root).stage("prod", "r", "06_phase1_10_percent", "abc", "papermill")
    monkeypatch.setenv("RUNBOOK_STAGING", str(staged))
    monkeypatch.setenv("RUNBOOK_ORIGIN", "papermill")
    assert opened("06_phase1_10_percent", "apply", "")[0].staging == staged
