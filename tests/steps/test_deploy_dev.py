"""Notebook 02 on the embedded AWS: its cells in order, as a plan and applied, and what must not pass."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import AwsError, RedVerdict
from runbook_lib.base.window import Window
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.api_address import stage_url
from runbook_lib.observe.jobs import census
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only, overlaid, params_of, take_as_passed
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.run.run import Run
from runbook_lib.steps import deploy_dev as room
from runbook_lib.steps.deploy_dev import DeployDev

pytestmark = pytest.mark.emulator
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "02_deploy_dev.ipynb"
SMOKE = tuple(f"smoke.{id}" for id in ("submit", "mark", "duplicate", "invalid", "poll", "download", "unknown", "sync"))
LATER = {"infra.deploy", "dlq.roundtrip", "logs.errors", "infra.verify", *SMOKE}


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as one, only(one.env), contextlib.chdir(ROOT):
        deploy(one, params_of("dev", "x"), "baseline")
        yield one


def _notebook(archive: Path, **values: Any) -> tuple[Record, str]:
    """All cells but the chart, in this process; the record, and everything that was shown."""
    flat = {**overlaid("dev", "x"), "archive": str(archive), "confirm": "dev", **values}
    namespace: dict[str, Any] = {"__name__": "notebook"}
    shown: list[str] = []
    with contextlib.suppress(RedVerdict):
        for cell in json.loads(NOTEBOOK.read_text())["cells"]:
            if cell["cell_type"] != "code":
                continue
            *lines, last = "".join(cell["source"]).splitlines()
            exec("\n".join(lines), namespace)
            if "inventory_chart" in last:
                continue
            try:
                shown.append(str(eval(last, namespace)))
            except SyntaxError:
                exec(last, namespace)
            namespace |= flat if "parameters" in cell["metadata"].get("tags", []) else {}
    place = Archive(archive)
    refs = [ref for ref in place.records() if ref.notebook == NOTEBOOK.stem]
    place.verify(refs[-1])
    return place.load(refs[-1]), "\n".join(shown)


@pytest.fixture(scope="module")
def walked(aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Record, str]]:
    """A plan, applied, and applied again."""
    archive = tmp_path_factory.mktemp("archive")
    take_as_passed(archive, params_of("dev", "x"), NOTEBOOK.stem)
    return [_notebook(archive, mode=mode) for mode in ("plan", "apply", "apply")]


def _verdicts(record: Record) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in record.checks}


def test_a_plan_is_planned_and_sends_nothing(walked: list[tuple[Record, str]]) -> None:
    record, shown = walked[0]
    assert (record.decision, record.mode) == ("PLANNED", "plan")
    missing = {one["id"] for one in record.checks if one["required"] and one["verdict"] != "PASS"}
    assert {id for id in missing if not id.startswith("inventory.")} == LATER
    assert all(one["mends"] for one in record.checks if one["id"] in missing)
    assert "python -m runbook_lib.rehearse.sandbox.iac deploy --env dev --step async" in shown
    assert record.changes == ()


def test_applied_it_deploys_and_proves_it(walked: list[tuple[Record, str]]) -> None:
    record, shown = walked[1]
    assert record.decision == "PROMOTE", shown
    verdicts = _verdicts(record)
    assert {id: verdicts[id] for id in LATER} == dict.fromkeys(LATER, "PASS")
    assert verdicts["inventory.queue.visibility_timeout"] == "PASS"
    assert record.changes[0].intent["what"] == "deploy step 'async' of the infrastructure code in dev"
    assert record.open_changes == ()


def test_again_it_deploys_nothing(walked: list[tuple[Record, str]]) -> None:
    record, shown = walked[2]
    assert record.decision == "PROMOTE", shown
    assert "Nothing to deploy: AWS is at step 'async' already." in shown
    assert not any("deploy step" in change.intent["what"] for change in record.changes)


def test_the_verdict_before_the_action_is_on_the_plan(walked: list[tuple[Record, str]]) -> None:
    """Else an applied run would say HOLD in the middle, for what it is about to bring about."""
    _, shown = walked[1]
    banners = [line.split(".")[0] for line in shown.splitlines() if re.match(r"\S (PLANNED|PROMOTE|DONE|HOLD)\b", line)]
    assert banners == ["✔ DONE"], "no plan that contradicts the head"


def test_the_download_link_is_never_shown(walked: list[tuple[Record, str]]) -> None:
    for record, shown in walked:
        for text in (shown, json.dumps(record.checks)):
            assert "X-Amz-Signature" not in text
            assert "result_url" not in text


def test_probes_are_no_users(aws: EmbeddedAws, walked: list[tuple[Record, str]]) -> None:
    """The census of users' jobs leaves them all out."""
    params, now = params_of("dev", "x"), aws.now()
    window = Window(now - dt.timedelta(hours=1), now + dt.timedelta(minutes=5))
    segment = census.take(aws.client("dynamodb"), params, window, now + dt.timedelta(hours=1))
    assert segment.probes == 2, "one of each smoke test; the dead letters' items are gone"
    assert (segment.completed, segment.failed, segment.lost, segment.in_flight) == (0, 0, 0, 0)


@pytest.fixture
def step(aws: EmbeddedAws, walked: list[tuple[Record, str]], tmp_path: Path) -> Iterator[DeployDev]:
    """An applied run on a dev that is deployed."""
    flat = {**overlaid("dev", "x"), "archive": str(tmp_path), "mode": "apply", "confirm": "dev"}
    run = Run.open(NOTEBOOK.stem, flat)
    made = DeployDev(run)
    made.acted = True
    yield made
    if run.staging.exists():
        seal_staged(Archive(tmp_path), run.staging, status="completed")


def test_an_error_in_a_log_is_a_hold_that_shows_it(aws: EmbeddedAws, step: DeployDev) -> None:
    logs, group = aws.client("logs"), "/aws/lambda/careervp-vpr-worker-lambda-dev"
    logs.create_log_stream(logGroupName=group, logStreamName="broken")
    line = {"level": "ERROR", "message": "VPRJobFailed", "error": "bucket is gone, password=hunter2hunter2"}
    event = {"timestamp": int(aws.now().timestamp() * 1000) + 50, "message": json.dumps(line)}
    logs.put_log_events(logGroupName=group, logStreamName="broken", logEvents=[event])
    try:
        shown = str(step.log_errors())
        found = step.run.checks["logs.errors"]
        assert found.verdict is Verdict.FAIL
        assert found.reason.startswith("1 line with errors since ")
        assert "bucket is gone" in shown
        assert "hunter2" not in shown
        assert step.judge().decision is Decision.HOLD
    finally:
        logs.delete_log_stream(logGroupName=group, logStreamName="broken")


def test_silent_logs_prove_nothing(step: DeployDev) -> None:
    """No line at all is not "no error": nobody called the functions, or they cannot write."""
    step.began = step.run.guard.now + dt.timedelta(seconds=30)
    step.log_errors()
    found = step.run.checks["logs.errors"]
    assert found.verdict is Verdict.NO_DATA
    assert found.facts["silent"] == ["submit", "worker", "status", "sync"]
    assert "submit, worker, status, sync" in found.reason


@pytest.mark.parametrize(
    ("spoke", "verdict", "told"),
    [
        ({"worker"}, Verdict.PASS, "; the job of the smoke test went to another worker than worker_2"),
        ({"worker_2"}, Verdict.PASS, "; the job of the smoke test went to another worker than worker"),
        ({"worker", "worker_2"}, Verdict.PASS, ""),
        (set(), Verdict.NO_DATA, "nothing at all in the log of worker, worker_2 since"),
    ],
)
def test_of_several_workers_one_gets_the_job_and_the_others_are_named(
    step: DeployDev, monkeypatch: pytest.MonkeyPatch, spoke: set[str], verdict: Verdict, told: str
) -> None:
    names = {**step.params.service.names, **{f"{one}_2": f"second-{one}-{{env}}" for one in ("worker", "queue", "dlq")}}
    service = step.params.service.model_copy(update={"names": names, "more_workers": (1,)})
    step.params = step.run.params = step.params.model_copy(update={"service": service})
    others = {"submit", "status", "sync"}
    monkeypatch.setattr(room.logs, "spoke", lambda *_, resource: resource in spoke | others)
    monkeypatch.setattr(room.logs, "failures", lambda *_, resource: [])
    step.log_errors()
    found = step.run.checks["logs.errors"]
    assert found.verdict is verdict and told in found.reason
    assert ("another worker" in found.reason) is ("another worker" in told)


def test_a_broken_route_is_a_failed_smoke_test(step: DeployDev, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "stage_url", lambda *_: f"{step.run.aws.endpoint}/restapis/nothing/prod/_user_request_")
    step.smoke()
    found = {id: step.run.checks[id] for id in SMOKE}
    passed = [id for id, one in found.items() if one.ok]
    assert passed == ["smoke.unknown"], "an API that is not there knows no job either"
    assert step.judge().decision is Decision.HOLD


def test_no_api_is_one_sentence(step: DeployDev) -> None:
    names = {**step.params.service.names, "api": "careervp-no-such-api-{env}"}
    service = step.params.service.model_copy(update={"names": names})
    step.params = step.run.params = step.params.model_copy(update={"service": service})
    with pytest.raises(AwsError, match="there is no REST API called 'careervp-no-such-api-dev'; deploy first"):
        stage_url(step.run.aws, step.params)
    step.smoke()
    assert "deploy first" in step.run.checks["smoke.submit"].reason


def test_a_dead_letter_of_somebody_else_holds(aws: EmbeddedAws, step: DeployDev) -> None:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=step.params.name("dlq"))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="somebody's")
    try:
        step.dead_letter()
        found = step.run.checks["dlq.roundtrip"]
        assert (found.verdict, "holds 1 message" in found.reason) == (Verdict.FAIL, True)
    finally:
        sqs.purge_queue(QueueUrl=url)


def test_the_chart_tells_every_resource(step: DeployDev) -> None:
    step.infra.inventory()
    shown = step.inventory_chart()
    assert "Event source of the worker" in str(shown) and "event_source" not in str(shown)
    assert "Settings of each resource" in str(shown)
