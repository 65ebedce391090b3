"""A service that no other test has: three workers, no status route, a bearer's token, a job id three names deep.

Its template is longer than a request may be. Smoke test, probes and load test follow each job in the table alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from runbook_lib.act.requests.load import LoadPlan, run_load
from runbook_lib.act.requests.probe import probe
from runbook_lib.act.requests.smoke import smoke
from runbook_lib.base.project import read_yaml
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.jobs.load_census import settled
from runbook_lib.observe.references import with_secrets
from runbook_lib.params.load import load_file, params_dir
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox import deploy as room
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy

pytestmark = pytest.mark.emulator
CONTRACT: dict[str, Any] = {
    "secrets": {"token": "ssm:/parcel/{env}/token"},
    "submit": {
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer {token}"},
        "valid": {"label": {"to": "{probe}", "ref": "rb-{probe}-{uuid}"}},
        "invalid": {"label": {}},
        "accepted": {"codes": [202], "where": {"meta.state": ["QUEUED"]}},
        "repeated": None,
        "refused": {"codes": [422]},
        "job_id": "meta.ticket.no",
        "idempotency_key": "label.ref",
    },
    "status": {"told_by": "table"},
    "result": {"fetched": "bucket", "key": "labels/{job_id}.json", "job_id": "", "required": ["pdf"]},
    "probe": {"headers": {}, "arrives_in": "ref", "prefix": "rb-"},
    "table": {
        **{"job_id": "ticket", "status": "state", "created_at": "queued", "started_at": "", "completed_at": "printed"},
        **{"idempotency_key": "ref", "result_key": "", "error": "why", "ttl": "", "times": "epoch_s"},
        **{"pending": ["QUEUED"], "running": ["DRAWING"], "completed": ["PRINTED"], "failed": ["TORN"]},
    },
    "message": {"job_id": "ticket", "body": {"ticket": "{job_id}"}},
    "tokens": {"told_by": "none"},
}
WORKERS = ("render", "mail", "bill")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedAws, Sandbox]]:
    folder = tmp_path_factory.mktemp("stranger")
    for path in params_dir().glob("*.yaml"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    said = read_yaml(folder / "service.yaml")
    del said["api"]["routes"]["status"]
    for name in ("status", "worker", "queue", "dlq"):
        del said["names"][name]
    said["contract"] = CONTRACT
    said["workers"] = [
        {
            "function": f"p-{one}-{{env}}",
            "queue": f"p-{one}-q-{{env}}",
            "dlq": f"p-{one}-dead-{{env}}",
            "concurrency": 2,
        }
        for one in WORKERS
    ]
    (folder / "service.yaml").write_text(yaml.safe_dump(said), "utf-8")
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    with EmbeddedAws() as aws, only(aws.env):
        yield aws, deploy(aws, params)


def test_a_template_beyond_a_request_is_read_from_a_bucket(stranger: tuple[EmbeddedAws, Sandbox]) -> None:
    aws, made = stranger
    (kept,) = aws.client("s3").list_objects_v2(Bucket=f"templates-of-the-sandbox-{made.params.account_id}")["Contents"]
    assert kept["Size"] > room.BODY_BYTES
    deploy(aws, made.params)  # again: neither an error nor a change


def test_smoke_test_probes_and_load_test_follow_each_job_in_the_table(stranger: tuple[EmbeddedAws, Sandbox]) -> None:
    aws, made = stranger
    service, behind = made.params.service, Behind(aws, made.params)
    contract = with_secrets(service.contract, aws, made.params.env)
    steps = smoke(
        made.api_url, probe_id="s", deadline_s=20, routes=service.api.routes, contract=contract, behind=behind
    )
    assert [one for one in steps if not one.ok] == []
    assert "not asked by HTTP: the API has no status route" in str(steps)
    done = probe(
        made.api_url,
        service.api.routes,
        3,
        per_minute=120,
        probe_id="p",
        deadline_s=20,
        poll_s=0.2,
        contract=contract,
        behind=behind,
    )
    assert [one.detail for one in done if not one.ok] == [] and len(done) == 3
    plan = LoadPlan(users=3, spawn_per_s=3, generation_s=1, warm_up=0, max_s=20)
    loaded = run_load(
        plan, made.api_url, service.api.routes, probe="load-x", poll_s=0.5, max_polls=20, contract=contract
    )
    ids = [one.job_id for one in loaded.met]
    jobs = settled(aws, made.params, ids, limit_s=20, poll_s=0.5, mark="load-x")  # type: ignore[arg-type]
    assert len(jobs) == 3 and all(job.finished and job.probe for job in jobs.values()), jobs
    assert all(one.taken for one in loaded.met)
