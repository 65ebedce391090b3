"""Notebook 03 from its first cell to its sealed record: plan, apply, again, drift, an owner; both emulators."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from runbook_lib.base.errors import RedVerdict, Refused
from runbook_lib.observe.dashboard.compared import diff, parsed, read_dashboard
from runbook_lib.observe.dashboard.declared import KIND, body, declared, encode, to_cloudformation
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rehearse.play.stage import only
from runbook_lib.run.run import Run
from runbook_lib.steps.dashboard import Dashboard

ROOT = params_dir(Path(__file__).parent).parent
NAME = "VPR-Async-Monitoring-staging"
APPLY = {"mode": "apply", "confirm": "staging"}
WIDGETS = {
    f"dashboard.widget.{id}"
    for id in (
        *("queue_depth", "dlq_messages", "lambda_invocations", "lambda_errors", "worker_duration"),
        *("dynamodb_capacity", "api_errors", "api_latency"),
    )
}


class Stage:
    """Staging on one emulator, with an archive of its own."""

    def __init__(self, client: Callable[[str], Any], account: str, archive: Path) -> None:
        self.client, self.folder = client, archive
        rehearsed = read_yaml(ROOT / "params" / "rehearsal.yaml")
        self.values = {**rehearsed, "account_id": account, "archive": str(archive)}
        self.file = ROOT / "params" / "staging.yaml"
        params = load_file(self.file, self.values)
        self.wanted = body(declared(params), params)

    @property
    def deployed(self) -> dict[str, Any]:
        return parsed(read_dashboard(self.client("cloudwatch"), NAME))

    def put(self, body: dict[str, Any]) -> None:
        self.client("cloudwatch").put_dashboard(DashboardName=NAME, DashboardBody=encode(body))

    def run(self, **values: Any) -> Record:
        """Every cell of the notebook but the charts; the record it leaves."""
        flat = {**read_yaml(self.file), **self.values, **values}
        notebook = json.loads((ROOT / "notebooks" / "03_dashboard.ipynb").read_text())
        namespace: dict[str, Any] = {"__name__": "notebook"}
        with contextlib.chdir(ROOT), contextlib.suppress(RedVerdict):
            for cell in notebook["cells"]:
                source = "".join(cell["source"])
                if cell["cell_type"] != "code" or source == "dashboard.charts()":
                    continue
                exec(source, namespace)
                namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
        return self.record()

    def record(self) -> Record:
        archive = Archive(self.folder)
        ref = archive.records()[-1]
        archive.verify(ref)
        return archive.load(ref)

    def file_of(self, name: str) -> Any:
        return json.loads((Archive(self.folder).records()[-1].folder / name).read_text())


@pytest.fixture
def embedded_stage(embedded: Any, tmp_path: Path) -> Iterator[Stage]:
    with only(embedded.env):
        one = Stage(embedded.client, "000000000000", tmp_path)
        yield one
        with contextlib.suppress(ClientError):
            embedded.client("cloudwatch").delete_dashboards(DashboardNames=[NAME])


@pytest.fixture
def moto_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield Stage(lambda service: boto3.client(service, region_name="us-east-1"), "123456789012", tmp_path)


@pytest.fixture(params=["embedded", "moto"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


def verdicts(record: Record, prefix: str = "dashboard.") -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in record.checks if one["id"].startswith(prefix)}


@pytest.mark.slow
def test_a_plan_writes_nothing_and_says_what_applying_would(stage: Stage) -> None:
    record = stage.run()
    assert (record.decision, record.changes, stage.deployed) == ("PLANNED", (), {})
    assert set(verdicts(record, "dashboard.widget.")) == WIDGETS
    assert set(verdicts(record, "dashboard.widget.").values()) == {"FAIL"}
    assert all(one["mends"] for one in record.checks if one["id"].startswith("dashboard.widget."))
    assert record.outcome is not None
    assert "applying would bring about 9 more" in record.outcome["reason"]


@pytest.mark.slow
def test_applied_it_is_there_proven_and_exported(stage: Stage) -> None:
    record = stage.run(**APPLY)
    assert record.decision == "PROMOTE"
    assert diff(stage.deployed, stage.wanted) == []
    assert verdicts(record, "dashboard.widget.") == dict.fromkeys(WIDGETS, "PASS")
    assert (verdicts(record)["dashboard.saved"], verdicts(record)["dashboard.owner"]) == ("PASS", "PASS")
    (change,) = record.changes
    assert change.outcome is not None and change.outcome["ok"] is True
    assert stage.file_of("dashboard.json") == stage.wanted
    assert stage.file_of("dashboard-cloudformation.json") == to_cloudformation(NAME, stage.wanted)
    assert "dashboard-before.json" not in record.files, "there was none"

    again = stage.run(**APPLY)
    assert (again.decision, again.changes) == ("PROMOTE", ())


@pytest.mark.slow
def test_what_somebody_changed_is_named_mended_and_kept(stage: Stage) -> None:
    theirs = json.loads(encode(stage.wanted))
    theirs["widgets"][4]["properties"]["metrics"].pop()
    theirs["widgets"].append({"type": "text", "properties": {"markdown": "our notes"}})
    stage.put(theirs)
    planned = stage.run()
    assert {id for id, verdict in verdicts(planned, "dashboard.widget.").items() if verdict != "PASS"} == {
        "dashboard.widget.worker_duration"
    }
    reason = next(one["reason"] for one in planned.checks if one["id"] == "dashboard.widget.worker_duration")
    assert "AWS/Lambda Duration FunctionName careervp-vpr-worker-lambda-staging p99" in reason
    saved = next(one for one in planned.checks if one["id"] == "dashboard.saved")
    assert saved["found"] == "2 differences"
    stage.run(**APPLY)
    assert diff(stage.deployed, stage.wanted) == []
    assert stage.file_of("dashboard-before.json") == theirs


def _owned(stage: Stage, content: dict[str, Any]) -> None:
    cloudformation = stage.client("cloudformation")
    template = to_cloudformation(NAME, content, "TeamBoard")
    cloudformation.create_stack(StackName="team-stack", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="team-stack", WaiterConfig={"Delay": 0})


@pytest.fixture
def owned(stage: Stage) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A stack of the team that makes the dashboard."""
    yield lambda content: _owned(stage, content)
    stage.client("cloudformation").delete_stack(StackName="team-stack")


@pytest.mark.slow
@pytest.mark.parametrize("values", [{}, APPLY], ids=["plan", "apply"])
def test_a_stack_that_owns_it_is_shown_the_difference_and_nothing_is_written(
    stage: Stage, owned: Callable[[dict[str, Any]], None], values: dict[str, str], capsys: Any
) -> None:
    theirs = {**stage.wanted, "start": "-PT3H"}
    owned(theirs)
    record = stage.run(**values)
    assert (record.decision, record.changes, stage.deployed) == ("HOLD", (), theirs)
    assert verdicts(record)["dashboard.owner"] == "FAIL"
    assert record.outcome is not None
    reasons = {one["id"]: one["reason"] for one in record.checks}
    for said in (record.outcome["reason"], reasons["dashboard.owner"], reasons["dashboard.saved"]):
        assert "TeamBoard of stack team-stack" in said
        assert "adopt dashboard-cloudformation.json" in said
    assert set(stage.file_of("dashboard-cloudformation.json")["Resources"]) == {"TeamBoard"}


@pytest.mark.slow
def test_a_stack_that_declares_the_same_is_fine(stage: Stage, owned: Callable[[dict[str, Any]], None]) -> None:
    owned(stage.wanted)
    record = stage.run(**APPLY)
    assert (record.decision, record.changes) == ("PROMOTE", ())
    assert verdicts(record)["dashboard.owner"] == "PASS"


def test_a_dashboard_that_changes_between_plan_and_apply_is_refused(stage: Stage) -> None:
    values = {**read_yaml(stage.file), **stage.values, **APPLY}
    with contextlib.chdir(ROOT):
        run = Run.open("03_dashboard", values)
        dashboard = Dashboard(run)
        dashboard.plan()
        stage.put({"widgets": []})
        with pytest.raises(Refused, match=f"{NAME} was changed since the plan was made"):
            dashboard.apply()
    assert stage.deployed == {"widgets": []}


def test_silence_is_named_and_decides_nothing(embedded_stage: Stage, embedded: Any) -> None:
    """No metric of staging was ever put: each widget says so, and the dashboard is promoted all the same."""
    record = embedded_stage.run(**APPLY)
    data = [one for one in record.checks if one["id"].startswith("dashboard.data.")]
    assert len(data) == 8
    assert {(one["verdict"], one["required"]) for one in data} == {("NO_DATA", False)}
    reason = next(one["reason"] for one in data if one["id"] == "dashboard.data.dlq_messages")
    assert reason == "no data for DLQ: messages: nothing happened yet, or the dimensions are wrong"
    assert record.decision == "PROMOTE"


def test_the_charts_are_those_of_the_widgets(embedded_stage: Stage) -> None:
    with contextlib.chdir(ROOT):
        run = Run.open("03_dashboard", {**read_yaml(embedded_stage.file), **embedded_stage.values})
        shown = str(Dashboard(run).charts())
    for one in embedded_stage.wanted["widgets"]:
        assert one["properties"]["title"] in shown
    assert "target < 90 s; alert > 120 s" in shown
    assert "Lambda errors: rate over all three (%): error rate no data; target < 1 %; alert > 5 %" in shown


def test_the_kind_is_cloudformations_own() -> None:
    assert KIND in read_yaml(ROOT / "params" / "inventory.yaml")["naming"]["own"]
    pattern = read_yaml(ROOT / "params" / "inventory.yaml")["naming"]["own"][KIND]
    assert pattern == read_yaml(ROOT / "params" / "dashboard.yaml")["name"], "the naming rule knows it by this name"
