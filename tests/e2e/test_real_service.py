"""A stack with the settings of the service that this runbook was made for: every deviation is given and no false one,
and the smoke test passes once the contract is told.

Deployed on the embedded AWS with CloudFormation; what its CloudFormation leaves out is set by API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_lib.act.requests.smoke import SmokeStep, smoke
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.planning.door import Peak, door_checks
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.inventory.door import read_limits
from runbook_lib.observe.inventory.inspect import inspect
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.params.contract import Contract
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox import deploy as room
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy
from runbook_lib.rehearse.sandbox.template import build
from runbook_lib.rollout.door import manner
from tests.contracts import REAL_SERVICE

pytestmark = pytest.mark.emulator
DLQ = "careervp-vpr-jobs-dlq-dlq-{env}"
PUBLISHED_BY = "careervp-vpr-worker"
"""Value of the dimension `service` under which the worker of the real service publishes its metrics."""
FUNCTIONS = ("Submit", "Worker", "Status", "Sync")
DEVIATIONS = {
    "inventory.queue.visibility_timeout": "300",
    "inventory.queue.redrive_target": "careervp-vpr-jobs-dlq-dlq-prod",
    "inventory.dlq.exists": "careervp-vpr-jobs-dlq-prod",
    "inventory.submit.timeout": "30",
    "inventory.status.memory": "128",
    "inventory.worker.reserved_concurrency": "",
    "inventory.failed_jobs_filter.dimension_values": PUBLISHED_BY,
    **{f"inventory.{one.lower()}.role_own": "is shared with" for one in FUNCTIONS},
    **{f"inventory.{one.lower()}.log_retention": "1" for one in FUNCTIONS},
}
"""Check, and what its reason names."""


def told(contract: dict[str, Any], **names: str) -> Params:
    """Production's parameters with this contract and these names."""
    folder = params_dir()
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    service = params.service
    kpi = service.contract.model_dump()["kpi"]
    for id, more in contract.get("kpi", {}).items():
        kpi[id] |= more
    said = Contract.model_validate({**contract, "kpi": kpi})
    return params.model_copy(
        update={"service": service.model_copy(update={"contract": said, "names": {**service.names, **names}})}
    )


def as_it_is(params: Params, step: str = "async") -> dict[str, Any]:
    """The sandbox's template with the settings of the real service."""
    template = build(params, step)
    resources = template["Resources"]
    resources["Queue"]["Properties"]["VisibilityTimeout"] = 300
    resources["Submit"]["Properties"]["Timeout"] = 30
    resources["Status"]["Properties"]["MemorySize"] = 128
    for one in FUNCTIONS:
        resources[one]["Properties"]["Role"] = {"Fn::GetAtt": ["WorkerRole", "Arn"]}
        resources[f"{one}Logs"]["Properties"]["RetentionInDays"] = 1
    return template


class Real:
    """The stack, deployed once."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws, self.params = aws, told(REAL_SERVICE, dlq=DLQ)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "build", as_it_is)
            self.sandbox: Sandbox = deploy(aws, self.params)
        worker, logs = self.params.name("worker"), aws.client("logs")
        aws.client("lambda").delete_function_concurrency(FunctionName=worker)
        limits = {"rateLimit": "2", "burstLimit": "10"}
        aws.client("apigateway").update_stage(
            restApiId=self.sandbox.outputs["ApiId"],
            stageName=self.params.service.api.stage,
            patchOperations=[
                {"op": "replace", "path": f"/*/*/throttling/{key}", "value": value} for key, value in limits.items()
            ],
        )
        line = json.loads(self.params.service.failure_line) | {"service": PUBLISHED_BY, "job_id": "one"}
        group = {"logGroupName": f"/aws/lambda/{worker}", "logStreamName": "2025/06/16/[1]real"}
        logs.create_log_stream(**group)
        at = int(aws.now().timestamp() * 1000)
        logs.put_log_events(**group, logEvents=[{"timestamp": at, "message": json.dumps(line)}])

    def smoked(self, params: Params) -> list[SmokeStep]:
        return smoke(
            self.sandbox.api_url,
            probe_id="real",
            deadline_s=4,
            routes=params.service.api.routes,
            contract=params.service.contract,
            behind=Behind(self.aws, params),
        )


@pytest.fixture(scope="module")
def real() -> Iterator[Real]:
    with EmbeddedAws() as aws:
        yield Real(aws)


def failing(checks: list[Check]) -> dict[str, str]:
    return {one.id: one.reason for one in checks if one.verdict is not Verdict.PASS}


def test_every_deviation_is_given_and_no_false_one(real: Real) -> None:
    found = failing(inspect(real.aws, told({})))
    assert set(found) == set(DEVIATIONS), found
    assert {id: found[id] for id, said in DEVIATIONS.items() if said not in found[id]} == {}


def test_what_is_told_in_the_parameters_is_a_deviation_no_more(real: Real) -> None:
    params = told({**REAL_SERVICE, "kpi": {"jobs_failed": {"dimensions": {"service": PUBLISHED_BY}}}}, dlq=DLQ)
    line = json.dumps(json.loads(params.service.failure_line) | {"service": PUBLISHED_BY})
    params = params.model_copy(update={"service": params.service.model_copy(update={"failure_line": line})})
    known = {"inventory.dlq.exists", "inventory.queue.redrive_target", "inventory.failed_jobs_filter.dimension_values"}
    assert set(failing(inspect(real.aws, params))) == set(DEVIATIONS) - known


def test_a_throttle_of_two_a_second_is_shown_and_fails_the_phase_that_it_is_too_narrow_for(real: Real) -> None:
    shown = {one.id: one for one in inspect(real.aws, real.params)}["inventory.api.throttle"]
    assert shown.ok and "2 requests/s, burst 10" in shown.reason
    limits, peak = read_limits(real.aws, real.params), Peak(per_minute=30, per_hour=600, per_day=3000)
    ten, all_ = (
        {one.id: one.verdict for one in door_checks(limits, peak, percent, manner(real.params))}
        for percent in (10, 100)
    )
    assert (ten["door.stage"], all_["door.stage"]) == (Verdict.PASS, Verdict.FAIL)


def test_the_smoke_test_passes_with_the_contract_told_and_names_what_is_not(real: Real) -> None:
    assert [(one.id, one.detail) for one in real.smoked(real.params) if not one.ok] == []
    untold = {one.id: one.detail for one in real.smoked(told({}, dlq=DLQ)) if not one.ok}
    assert set(untold) == {"poll", "download", "unknown"}
    assert "then say `told_by: table`" in untold["poll"] and "(contract.status.unknown)" in untold["unknown"]
