"""The same notebook by every way there is: papermill with and without our engine, `runbook run`, nbval."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.attach import attach
from runbook_lib.rehearse.play.stage import take_as_passed
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.run.launch import START

pytestmark = [pytest.mark.emulator, pytest.mark.kernel, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "06_phase1_10_percent.ipynb"
ACCOUNT = "000000000101"


def files(rollout: Any) -> set[str]:
    (ref,) = rollout.refs()
    return {path.name for path in ref.folder.iterdir()}


def test_papermill_without_our_engine_leaves_a_sealed_record_and_the_notebook_can_be_attached(
    rollout: Any, command: Any, tmp_path: Path
) -> None:
    rollout.quiet()
    out = tmp_path / "out.ipynb"
    finished = command(["papermill", *rollout.papermill_settings(), NOTEBOOK, out], rollout.aws.environ())
    assert finished.returncode == 0, finished.stderr
    assert "unknown parameter" not in finished.stderr
    (record,) = rollout.records()
    assert (record.status, record.decision, record.origin) == ("completed", "PLANNED", "interactive")
    assert (record.release, record.mode) == (rollout.release, "plan")
    kept = {"answers.json", "metrics.csv", "case.json"}
    assert files(rollout) == {"record.json", "report.html", "journal.jsonl", *kept}
    attached = attach(out, rollout.archive)
    assert json.loads((attached / "attachment.json").read_text())["record"] == record.hash
    assert rollout.records() == [record]


def test_papermill_with_our_engine_archives_from_outside(rollout: Any, command: Any, tmp_path: Path) -> None:
    rollout.quiet()
    out = tmp_path / "out.ipynb"
    arguments = ["papermill", "--engine", "runbook", *rollout.papermill_settings(), NOTEBOOK, out]
    finished = command(arguments, rollout.aws.environ())
    assert finished.returncode == 0, finished.stderr
    assert "unknown parameter" not in finished.stderr
    (record,) = rollout.records()
    assert (record.status, record.decision, record.origin) == ("completed", "PLANNED", "papermill")
    assert files(rollout) >= {"record.json", "report.html", "notebook.ipynb", "journal.jsonl", "answers.json"}
    executed = json.loads(out.read_text())["metadata"]["runbook"]
    assert executed["run_id"] == record.run_id
    assert Path(executed["record"]) == rollout.refs()[0].folder


def test_runbook_run_says_what_came_of_it_as_text_and_as_json(rollout: Any, command: Any) -> None:
    rollout.quiet()
    arguments = ["runbook", "run", "06", *rollout.settings(), "--json"]
    finished = command(arguments, rollout.aws.environ())
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stdout)
    (record,) = rollout.records()
    assert (told["decision"], told["run_id"], told["exit_code"]) == ("PLANNED", record.run_id, 0)
    assert Path(told["report"]).is_file()
    listed = rollout.command("archive", "list", "--archive", str(rollout.folder), "--json")
    rows = json.loads(listed.stdout)
    assert {row["intact"] for row in rows} == {True}
    assert record.run_id in [row["run"] for row in rows]


@pytest.mark.parametrize(
    "source", [NOTEBOOK.stem, "rollback_2_queue_backlog", "rollback_3_dynamodb_throttling"], ids=lambda name: name[:10]
)
def test_nbval_runs_it_with_its_default_parameters(stage: Any, command: Any, tmp_path: Path, source: str) -> None:
    """In a copy of the project, for the default archive lies in it; in an account of its own, as the defaults want."""
    for folder in ("params", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    # The sandbox's own infrastructure command in place of the team's, which is not here.
    shutil.copy(tmp_path / "params" / "rehearsal-commands.yaml", tmp_path / "params" / "commands.yaml")
    dev, params = Account(stage), load_file(tmp_path / "params" / "dev.yaml")
    deploy(dev, params)
    if source in params.policy.steps:
        take_as_passed(tmp_path / "archive", params, source)
    notebook = tmp_path / "notebooks" / f"{source}.ipynb"
    env = {**stage.environ(), "AWS_ACCESS_KEY_ID": ACCOUNT}
    plain = ["-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={tmp_path}"]
    start = [tmp_path / "notebooks" / f"{START}.ipynb"] if source == NOTEBOOK.stem else []
    finished = command(["pytest", "--nbval-lax", *plain, *start, notebook], env, cwd=tmp_path)
    assert finished.returncode == 0, finished.stdout
    cells = [cell for one in (*start, notebook) for cell in json.loads(one.read_text())["cells"]]
    assert re.search(rf"\b{sum(one['cell_type'] == 'code' for one in cells)} passed", finished.stdout)
    archive = Archive(tmp_path / "archive")
    (ref,) = [ref for ref in archive.records() if ref.notebook == source]
    archive.verify(ref)
    record = archive.load(ref)
    assert (record.env, record.account_id, record.status) == ("dev", ACCOUNT, "completed")
    assert (record.decision, record.origin) == ("PLANNED", "interactive")


class Account:
    """The embedded AWS as another account sees it: it takes the account from an access key of 12 digits."""

    def __init__(self, aws: Any) -> None:
        self._aws = aws
        self.endpoint = aws.endpoint

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )
