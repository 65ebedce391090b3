"""The four handlers on their own, on moto: the API contract, the job's states, what is logged. No emulator needed."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.rehearse.sandbox.spoken import environment

HANDLERS = Path(__file__).parents[3] / "runbook_lib" / "rehearse" / "sandbox" / "handlers"
ENV = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE": "jobs",
    "INDEX": "idempotency-key-index",
    "BUCKET": "results",
    "JOB_TTL_S": "86400",
    "LLM_SECONDS": "45",
    "TIME_SCALE": "0.0001",
    "INPUT_TOKENS": "7500",
    "OUTPUT_TOKENS": "2200",
}
CREATED = 1_763_000_000.25
CREATED_AT = "2025-11-13T02:13:20.250Z"
PAYLOAD = {"application_id": "a-1", "idempotency_key": "k-1"}


class Backend:
    """Table, queue and bucket, and the handlers loaded against them."""

    def __init__(self, params: Params | None = None) -> None:
        self.params = params or load_file(params_dir() / "prod.yaml")
        said = self.params.service.contract.table
        self.table = boto3.resource("dynamodb").create_table(
            TableName="jobs",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": said.job_id, "AttributeType": "S"},
                {"AttributeName": said.idempotency_key, "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": said.job_id, "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "idempotency-key-index",
                    "KeySchema": [{"AttributeName": said.idempotency_key, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        self.s3, self.sqs = boto3.client("s3"), boto3.client("sqs")
        self.s3.create_bucket(Bucket="results")
        self.queue = self.sqs.create_queue(QueueName="jobs")["QueueUrl"]
        os.environ["QUEUE_URL"] = self.queue

    def load(self, name: str) -> ModuleType:
        os.environ["CONTRACT"] = environment(self.params, name)
        spec = importlib.util.spec_from_file_location(f"handler_{name}", HANDLERS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.table.get_item(Key={"job_id": job_id})["Item"]
        return found

    def message(self) -> dict[str, Any]:
        """The record that the queue's event source would hand to the worker for the next message."""
        body = self.sqs.receive_message(QueueUrl=self.queue)["Messages"][0]["Body"]
        first = str(int((CREATED + 2) * 1000))
        attributes = {"SentTimestamp": first, "ApproximateFirstReceiveTimestamp": first}
        return {"Records": [{"messageId": "m", "body": body, "attributes": attributes}]}


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    for name in ("QUEUE_URL", "CONTRACT"):
        monkeypatch.setenv(name, "")
    with mock_aws():
        yield Backend()


def _rest(body: object = PAYLOAD, **more: Any) -> dict[str, Any]:
    raw = body if isinstance(body, str) or body is None else json.dumps(body)
    return {"body": raw, "headers": {}, "requestContext": {"requestTimeEpoch": int(CREATED * 1000)}, **more}


def _http(body: object, probe: str) -> dict[str, Any]:
    """The same request as an HTTP API hands it over: other names, lower-case headers, perhaps base64."""
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "isBase64Encoded": True,
        "headers": {"x-runbook-probe": probe},
        "requestContext": {"timeEpoch": int(CREATED * 1000)},
    }


def _answer(handler: ModuleType, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    result = handler.handler(event, None)
    return result["statusCode"], json.loads(result["body"])


def _said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _ask(job_id: str, at: float = CREATED + 60) -> dict[str, Any]:
    return {"pathParameters": {"job_id": job_id}, "requestContext": {"requestTimeEpoch": int(at * 1000)}}


def test_submit_makes_a_pending_job_and_a_message(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    status, body = _answer(backend.load("submit"), _rest())
    assert (status, [*body]) == (202, ["job_id"])
    assert backend.job(body["job_id"]) == {
        "job_id": body["job_id"],
        "status": "PENDING",
        "created_at": CREATED_AT,
        "idempotency_key": "k-1",
        "ttl": int(CREATED) + 86400,
        "source": "client",
    }
    message = json.loads(backend.message()["Records"][0]["body"])
    assert message == {"job_id": body["job_id"], "payload": PAYLOAD}
    (said,) = _said(capsys)
    assert (said["VPRJobCreated"], said["service"]) == (1, "careervp")
    assert said["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "careervp_kpi"


def test_a_repeated_key_is_the_same_job_and_no_second_message(backend: Backend) -> None:
    submit = backend.load("submit")
    _, first = _answer(submit, _rest())
    status, second = _answer(submit, _rest())
    assert (status, second["job_id"]) == (200, first["job_id"])
    backend.message()
    assert "Messages" not in backend.sqs.receive_message(QueueUrl=backend.queue)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "{",
        [],
        3,
        {},
        {"application_id": "a"},
        {"idempotency_key": "k"},
        {"application_id": 1, "idempotency_key": "k"},
        {"application_id": "a", "idempotency_key": "  "},
    ],
)
def test_an_invalid_payload_is_400_and_leaves_nothing(backend: Backend, body: object) -> None:
    assert _answer(backend.load("submit"), _rest(body))[0] == 400
    assert backend.table.scan()["Count"] == 0


def test_a_probe_is_marked_in_whatever_case_its_header_comes(backend: Backend) -> None:
    submit = backend.load("submit")
    _, rest = _answer(submit, _rest(headers={"X-Runbook-Probe": "p1"}))
    _, http = _answer(submit, _http({**PAYLOAD, "idempotency_key": "k-2"}, "p2"))
    assert [backend.job(one["job_id"])["source"] for one in (rest, http)] == ["probe:p1", "probe:p2"]
    assert backend.job(http["job_id"])["created_at"] == CREATED_AT


def test_the_worker_completes_a_job_dated_by_the_queues_clock(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """45 s of LLM are slept as 4.5 ms, and dated as 45 s."""
    _, job = _answer(backend.load("submit"), _rest())
    capsys.readouterr()
    assert backend.load("worker").handler(backend.message(), None) is None
    done = backend.job(job["job_id"])
    assert (done["status"], done["result_key"]) == ("COMPLETED", f"results/{job['job_id']}.json")
    assert done["token_usage"] == {"input": 7500, "output": 2200}
    assert done["started_at"] == "2025-11-13T02:13:22.250Z"
    assert "2025-11-13T02:14:07.250Z" <= done["completed_at"] < "2025-11-13T02:14:17Z"
    report = json.loads(backend.s3.get_object(Bucket="results", Key=done["result_key"])["Body"].read())
    assert report["job_id"] == job["job_id"]
    (said,) = _said(capsys)
    assert (said["VPRJobCompleted"], said["VPRInputTokens"], said["VPROutputTokens"]) == (1, 7500, 2200)


def test_a_failing_worker_marks_the_job_and_returns_normally(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/domain.md, trap 1: no exception, hence no Lambda error, no retry, nothing in the DLQ. Job and log say it."""
    _, job = _answer(backend.load("submit"), _rest())
    backend.s3.delete_bucket(Bucket="results")
    capsys.readouterr()
    assert backend.load("worker").handler(backend.message(), None) is None
    failed = backend.job(job["job_id"])
    assert failed["status"] == "FAILED"
    assert "NoSuchBucket" in failed["error"]
    assert failed["started_at"] <= failed["completed_at"] < "2025-11-13T02:13:40Z"
    assert "result_key" not in failed
    (said,) = _said(capsys)
    assert (said["message"], said["service"], said["level"]) == ("VPRJobFailed", "careervp", "ERROR")
    assert (said["job_id"], said["error"]) == (job["job_id"], failed["error"])


def test_a_message_that_is_no_job_is_an_error_of_the_function(backend: Backend) -> None:
    """It has no job to mark, so it goes the way of the queue: three receives, then the DLQ."""
    backend.sqs.send_message(QueueUrl=backend.queue, MessageBody="not json")
    with pytest.raises(ValueError):
        backend.load("worker").handler(backend.message(), None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attributes", "at", "status", "shown"),
    [
        ({"status": "PENDING"}, 60, 202, {"status": "PENDING"}),
        ({"status": "PROCESSING"}, 60, 202, {"status": "PROCESSING"}),
        ({"status": "FAILED", "error": "why"}, 60, 200, {"status": "FAILED", "error": "why"}),
        ({"status": "COMPLETED", "result_key": "results/j.json"}, 60, 200, {"status": "COMPLETED"}),
        ({"status": "COMPLETED", "result_key": "results/j.json"}, 90_000, 410, {}),
        ({"status": "PENDING"}, 90_000, 410, {}),
    ],
)
def test_status(backend: Backend, attributes: dict[str, Any], at: float, status: int, shown: dict[str, str]) -> None:
    backend.table.put_item(Item={"job_id": "j", "created_at": CREATED_AT, "ttl": int(CREATED) + 86400, **attributes})
    code, body = _answer(backend.load("status"), _ask("j", CREATED + at))
    assert code == status
    assert shown.items() <= body.items()


def test_a_report_is_linked_for_an_hour(backend: Backend) -> None:
    item = {"job_id": "j", "status": "COMPLETED", "result_key": "results/j.json", "ttl": int(CREATED) + 86400}
    backend.table.put_item(Item=item)
    _, body = _answer(backend.load("status"), _ask("j"))
    assert "results/j.json" in body["result_url"]
    assert "X-Amz-Expires=3600" in body["result_url"]


@pytest.mark.parametrize("event", [_ask("nobody"), {"pathParameters": None, "requestContext": {}}])
def test_an_unknown_job_is_404(backend: Backend, event: dict[str, Any]) -> None:
    assert _answer(backend.load("status"), event)[0] == 404


def test_sync_answers_with_the_report(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    status, body = _answer(backend.load("sync"), _rest())
    assert (status, body["application_id"]) == (200, "a-1")
    assert body["report"]
    assert _said(capsys)[0]["VPRGenerated"] == 1


@pytest.mark.parametrize("body", [None, "{", [], {}])
def test_sync_refuses_an_invalid_payload(backend: Backend, body: object) -> None:
    assert _answer(backend.load("sync"), _rest(body))[0] == 400
