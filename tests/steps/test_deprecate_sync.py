"""The end of the synchronous path on the embedded AWS: refused while somebody calls it, archived, removed, announced.

The infrastructure's command is a stand-in that removes the same resources by API; `infra` has tests of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.act.guard import Guard
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.resources import leftovers as look
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.params.metrics import metric
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy
from runbook_lib.run.run import Run
from runbook_lib.steps import deprecate_sync as room
from runbook_lib.steps.deprecate_announced import announcement
from runbook_lib.steps.deprecate_sync import Deprecation

pytestmark = pytest.mark.emulator
SYNC = "careervp-vpr-generator-lambda-prod"
NOTEBOOK = "09_deprecate_sync"


class Stage:
    """Prod on an embedded AWS, as after phase 3: `/api/vpr` is integrated with the submit Lambda."""

    def __init__(self, aws: EmbeddedAws) -> None:
        folder = params_dir()
        self.aws = aws
        self.params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
        self.box: Sandbox = deploy(aws, self.params)

    def integrate(self, which: str) -> None:
        client, id = self.aws.client("apigateway"), self.box.outputs["ApiId"]
        resource = next(one["id"] for one in client.get_resources(restApiId=id)["items"] if one["path"] == "/api/vpr")
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{self.params.name(which)}"
        client.put_integration(
            restApiId=id,
            resourceId=resource,
            httpMethod="POST",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        )

    def invocations(self, id: str, count: float, ago: dt.timedelta) -> None:
        where = address(metric(id), self.params)
        datum = {"Timestamp": self.aws.now() - ago, "Value": count}
        self.aws.client("cloudwatch").put_metric_data(
            Namespace=where["Namespace"],
            MetricData=[{"MetricName": where["MetricName"], "Dimensions": where["Dimensions"], **datum}],
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with EmbeddedAws() as aws:
        one = Stage(aws)
        one.integrate("submit")
        one.invocations("submit_invocations", 7, dt.timedelta(hours=1))
        yield one


class Infra:
    """Stands in for the infrastructure's command; says what it was asked."""

    def __init__(self, stage: Stage, run: Run) -> None:
        self.stage, self.run, self.said = stage, run, []

    def diff(self) -> Any:
        from runbook_lib.show.page import line

        self.said.append("diff")
        return line("the diff")

    def deploy(self) -> Any:
        from runbook_lib.show.page import line

        client = self.stage.aws.client("lambda")

        def there() -> dict[str, bool]:
            names = {one["FunctionName"] for one in client.list_functions()["Functions"]}
            return {"sync": SYNC in names}

        self.run.guard.change(
            "remove the synchronous Lambda",
            before=there(),
            after={"sync": False},
            undo="deploy the archived function again",
            do=lambda: client.delete_function(FunctionName=SYNC),
            read_back=there,
            raises=True,
        )
        iam, role = self.stage.aws.client("iam"), "careervp-vpr-generator-role-prod"
        iam.delete_role_policy(RoleName=role, PolicyName="generator")
        iam.delete_role(RoleName=role)
        self.said.append("deploy")
        return line("deployed")

    def inventory(self) -> Any:
        from runbook_lib.show.page import line

        self.said.append("inventory")
        self.run.check(check("inventory.sync.gone", "gone", True, "gone"))
        return line("the inventory")


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Who has attested: every item has, unless a test takes it out."""
    given = {"docs_updated": True, "announcement_of_completion": True, "celebrated": True}

    def checks(run: Any, items: Any) -> list[Check]:
        ids = {"docs_updated": "docs.updated"}
        return [check(ids.get(one, f"attest.{one}"), one, given[one], f"{one}: {given[one]}") for one in items]

    monkeypatch.setattr(room, "attestation_checks", checks)
    return given


@contextlib.contextmanager
def _run(stage: Stage, folder: Path, mode: str) -> Iterator[Run]:
    """A run without the predecessors: opened on the stage's AWS, sealed at the end."""
    flat = {"mode": mode, "confirm": "prod" if mode == "apply" else ""}
    params: Params = load_file(
        params_dir() / "prod.yaml", read_yaml(params_dir() / "rehearsal.yaml") | flat | {"operator": "ana"}
    )
    archive = Archive(folder)
    id = hashlib.sha256(f"{folder}{stage.aws.now()}".encode()).hexdigest()[:12]
    staging = archive.stage("prod", params.release, NOTEBOOK, id, "papermill")
    run = Run(NOTEBOOK, params, archive=archive, staging=staging, run_id=id, origin="papermill")
    run.aws, run.now = stage.aws, stage.aws.now()  # type: ignore[assignment]
    run.identity = SimpleNamespace(account=params.account_id, arn="arn:test", now=run.now)  # type: ignore[assignment]
    run.guard = Guard(params, run.identity, run.journal)
    run.journal.append("opened", run_id=id, notebook=NOTEBOOK, params=params.flat.model_dump(mode="json"))
    yield run
    seal_staged(archive, staging, status="completed")


def _walk(stage: Stage, run: Run) -> tuple[Deprecation, Infra]:
    """Every cell of the notebook, in order, but the chart."""
    infra = Infra(stage, run)
    step = Deprecation(run, lambda _: infra)
    for cell in (step.silence, step.archive, step.leftovers, step.vouched, step.judge, step.verdict, step.plan):
        cell()
    step.apply()
    step.proof()
    step.announcement()
    step.judge(final=True)
    return step, infra


def _functions(stage: Stage) -> set[str]:
    return {one["FunctionName"] for one in stage.aws.client("lambda").list_functions()["Functions"]}


def test_a_plan_archives_lists_and_changes_nothing(stage: Stage, tmp_path: Path, vouched: dict[str, bool]) -> None:
    with _run(stage, tmp_path, "plan") as run:
        step, infra = _walk(stage, run)
    assert step.outcome is not None
    assert step.outcome.decision is Decision.PLANNED
    assert infra.said == ["diff"]
    assert SYNC in _functions(stage)
    assert {id for id, one in run.checks.items() if one.mends} == {"sync.removed", "sync.env_vars"}
    assert run.checks["announcement"].ok

    (record,) = _records(tmp_path)
    code = _file(tmp_path, room.CODE)
    assert record.files[room.CODE] == hashlib.sha256(code).hexdigest() == run.checks["sync.archived"].facts["sha256"]
    assert "handler" in zipfile.ZipFile(io.BytesIO(code)).read("index.py").decode()
    kept = json.loads(_file(tmp_path, room.CONFIGURATION))
    assert kept["FunctionName"] == SYNC
    assert kept["Environment"]["Variables"]["LLM_SECONDS"] == "(value not kept)"
    assert "X-Amz" not in json.dumps(kept)
    text = _file(tmp_path, room.ANNOUNCEMENT).decode()
    assert text.startswith("# DRAFT: ")


def _records(folder: Path) -> list[Record]:
    archive = Archive(folder)
    for ref in archive.records():
        archive.verify(ref)
    return [archive.load(ref) for ref in archive.records()]


def _file(folder: Path, name: str) -> bytes:
    return next(folder.rglob(name)).read_bytes()


def test_a_call_in_the_last_hours_holds_even_when_told_to_apply(tmp_path: Path, vouched: dict[str, bool]) -> None:
    with EmbeddedAws() as aws:
        stage = Stage(aws)
        stage.integrate("submit")
        stage.invocations("sync_fn_invocations", 2, dt.timedelta(hours=5))
        with _run(stage, tmp_path, "apply") as run:
            step, infra = _walk(stage, run)
        assert step.outcome is not None
        assert step.outcome.decision is Decision.HOLD
        assert "was invoked 2 times in the last 24 h" in step.outcome.reason
        assert infra.said == ["diff"]
        assert SYNC in _functions(stage)
        stage.integrate("sync")
        with _run(stage, tmp_path / "routed", "apply") as run:
            step, infra = _walk(stage, run)
        assert run.checks["sync.leftovers"].verdict is Verdict.FAIL
        assert "route POST /api/vpr still leads to" in run.checks["sync.leftovers"].reason
        assert infra.said == ["diff"]


def test_an_undocumented_removal_is_not_made(stage: Stage, tmp_path: Path, vouched: dict[str, bool]) -> None:
    vouched["docs_updated"] = False
    with _run(stage, tmp_path, "apply") as run:
        step, infra = _walk(stage, run)
    assert step.outcome is not None
    assert step.outcome.decision is Decision.HOLD
    assert infra.said == ["diff"]
    assert SYNC in _functions(stage)


def test_what_was_not_looked_at_is_not_removed(stage: Stage, tmp_path: Path, vouched: dict[str, bool]) -> None:
    with _run(stage, tmp_path, "apply") as run:
        infra = Infra(stage, run)
        step = Deprecation(run, lambda _: infra)
        step.silence()
        step.apply()
    assert infra.said == []
    assert "'sync.archived' was not looked at" in step.blockers()[0]


@pytest.mark.parametrize(
    ("calls", "witness", "partial", "verdict", "says"),
    [
        (0.0, None, False, Verdict.PASS, "0 counted"),
        (None, 7.0, False, Verdict.PASS, "the submit Lambda was invoked 7 times"),
        (None, None, False, Verdict.NO_DATA, "silence is not proven"),
        (None, 0.0, False, Verdict.NO_DATA, "silence is not proven"),
        (0.0, 7.0, True, Verdict.NO_DATA, "no whole answer"),
        (1.0, 7.0, True, Verdict.FAIL, "was invoked 1 times"),
    ],
)
def test_no_data_is_silence_only_where_other_metrics_arrive(
    stage: Stage, tmp_path: Path, calls: float | None, witness: float | None, partial: bool, verdict: Verdict, says: str
) -> None:
    with _run(stage, tmp_path, "plan") as run:
        step = Deprecation(run, lambda _: Infra(stage, run))
        seen = SimpleNamespace(calls=calls, witness=witness, partial=partial, last_at=None)
        one = step._silent(seen)  # type: ignore[arg-type]
    assert one.verdict is verdict
    assert says in one.reason


def test_everything_that_only_the_synchronous_path_uses_is_found(stage: Stage, vouched: dict[str, bool]) -> None:
    aws = stage.aws
    client, cloudwatch = aws.client("lambda"), aws.client("cloudwatch")
    before = client.get_function_configuration(FunctionName=SYNC)["Environment"]["Variables"]
    status = stage.params.name("status")
    status_before = client.get_function_configuration(FunctionName=status)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=SYNC, Environment={"Variables": before | {"PROMPT": "x"}})
    client.update_function_configuration(
        FunctionName=status, Environment={"Variables": status_before | {"FALLBACK": SYNC}}
    )
    cloudwatch.put_metric_alarm(
        AlarmName="careervp-vpr-sync-alarm-prod",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": SYNC}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    try:
        found = look.leftovers(aws, stage.params)  # type: ignore[arg-type]
    finally:
        client.update_function_configuration(FunctionName=SYNC, Environment={"Variables": before})
        client.update_function_configuration(FunctionName=status, Environment={"Variables": status_before})
        cloudwatch.delete_alarms(AlarmNames=["careervp-vpr-sync-alarm-prod"])
    names = {(one.kind, one.name) for one in found}
    assert {
        ("environment variable", "PROMPT"),
        ("environment variable", f"{status}: FALLBACK"),
        ("alarm", "careervp-vpr-sync-alarm-prod"),
        ("role", "careervp-vpr-generator-role-prod"),
    } <= names
    assert {one.kind for one in found} == {"permission", "environment variable", "alarm", "role"}
    assert not any(one.blocks for one in found)
    assert ("environment variable", "LLM_SECONDS") not in names, "the worker uses it too"


def test_applied_removes_proves_and_again_is_harmless(tmp_path: Path, vouched: dict[str, bool]) -> None:
    with EmbeddedAws() as aws:
        stage = Stage(aws)
        stage.integrate("submit")
        stage.invocations("submit_invocations", 7, dt.timedelta(hours=1))
        vouched["announcement_of_completion"] = False
        with _run(stage, tmp_path, "apply") as run:
            step, infra = _walk(stage, run)
        assert infra.said == ["diff", "deploy", "inventory"]
        assert SYNC not in _functions(stage)
        assert all(run.checks[f"sync.{one}"].ok for one in ("silent", "archived", "leftovers", "removed", "env_vars"))
        assert step.outcome is not None
        assert step.outcome.decision is Decision.HOLD, "nobody was told yet"
        text = _file(tmp_path, room.ANNOUNCEMENT).decode()
        assert text.startswith("# VPR generation is asynchronous in prod")
        assert "sync-handler.zip" in text

        vouched["announcement_of_completion"] = True
        with _run(stage, tmp_path, "apply") as run:
            step, infra = _walk(stage, run)
        assert infra.said == ["inventory"]
        assert step.outcome is not None
        assert step.outcome.decision is Decision.PROMOTE
        assert run.checks["sync.archived"].facts["run_id"] == _records(tmp_path)[0].run_id

        with _run(stage, tmp_path / "elsewhere", "plan") as run:
            step, infra = _walk(stage, run)
        assert step.outcome is not None
        assert step.outcome.decision is Decision.HOLD, "gone, and nobody kept it"
        assert "no record of this release has its code" in step.outcome.reason


def test_the_announcement_tells_each_step_once_from_its_newest_promotion(stage: Stage, tmp_path: Path) -> None:
    def record(
        notebook: str, run_id: str, decision: str = "PROMOTE", mode: str = "apply", value: float = 0.998
    ) -> Record:
        gate = {"gate": {"id": "success_rate"}, "value": value, "n": 312}
        return Record(
            notebook=notebook,
            run_id=run_id,
            env="prod",
            decision=decision,
            mode=mode,
            as_of="2026-11-20T10:00:00+00:00",
            gates=(gate,),
        )

    records = [
        record("07_phase2_50_percent", "late"),
        record("06_phase1_10_percent", "new"),
        record("06_phase1_10_percent", "old"),
        record("08_phase3_100_percent", "held", decision="HOLD"),
        record("08_phase3_100_percent", "plan", mode="plan"),
    ]
    with _run(stage, tmp_path, "plan") as run:
        text = announcement(records, run, removed=True, archived=None)
        none = announcement([], run, removed=True, archived=None)
    rows = [line for line in text.splitlines() if line.startswith("| Phase")]
    assert rows == [
        "| Phase 1: 10 % of traffic | prod | 2026-11-20 10:00 UTC | 99.80 % (n = 312) | new |",
        "| Phase 2: 50 % of traffic | prod | 2026-11-20 10:00 UTC | 99.80 % (n = 312) | late |",
    ]
    assert "no applied PROMOTE is on record" in none
