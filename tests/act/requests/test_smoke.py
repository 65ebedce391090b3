"""Smoke requests against the real handlers, and against a server that breaks the contract."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from runbook_lib.act.requests.smoke import SmokeStep, smoke
from runbook_lib.params.service import Routes
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox

ROUTES = Routes(sync="/api/vpr", submit="/api/vpr-async", status="/api/vpr/status/{job_id}")
STEPS = [
    "submit",
    "submit again: same job",
    "invalid payload: refused",
    "poll to COMPLETED",
    "download the report",
    "unknown job: not found",
    "synchronous route answers",
]


def test_everything_answers_as_the_contract_says(sandbox: Sandbox) -> None:
    steps = smoke(sandbox.api_url, routes=ROUTES, probe_id="first")
    assert [step.name for step in steps] == STEPS
    assert all(step.ok for step in steps), steps


def test_its_jobs_are_marked_as_probes_and_complete_with_the_llms_full_time(
    embedded: EmbeddedAws, sandbox: Sandbox
) -> None:
    submitted = smoke(sandbox.api_url, routes=ROUTES, probe_id="marked")[0].detail
    job_id = submitted.rsplit(" ", 1)[-1]
    table = sandbox.params.name("table")
    job = embedded.client("dynamodb").get_item(TableName=table, Key={"job_id": {"S": job_id}})["Item"]
    assert job["source"] == {"S": "probe:marked"}
    assert job["status"] == {"S": "COMPLETED"}
    assert job["created_at"]["S"] <= job["started_at"]["S"] < job["completed_at"]["S"]
    assert job["completed_at"]["S"][:10] < time.strftime("%Y-%m-%d"), "the time is AWS's, not the handlers'"


class Broken(BaseHTTPRequestHandler):
    """Answers everything with one status and body."""

    status: ClassVar[int] = 500
    body: ClassVar[bytes] = b"{}"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


@pytest.fixture
def broken() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _failed(steps: list[SmokeStep]) -> dict[str, str]:
    return {step.name: step.detail for step in steps if not step.ok}


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"<html>"), (502, b'{"message": "Internal server error"}'), (200, b"[]"), (202, b"{}")],
)
def test_a_server_that_breaks_the_contract_fails_and_raises_nothing(
    broken: str, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    monkeypatch.setattr(Broken, "status", status)
    monkeypatch.setattr(Broken, "body", body)
    failed = _failed(smoke(broken, routes=ROUTES, probe_id="x", deadline_s=0.2))
    assert set(STEPS[:6]) <= set(failed)
    assert failed[STEPS[4]] == "no link to download"


def test_a_job_that_never_finishes_fails_at_the_deadline(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broken, "status", 202)
    monkeypatch.setattr(Broken, "body", json.dumps({"job_id": "stuck", "status": "PENDING"}).encode())
    failed = _failed(smoke(broken, routes=ROUTES, probe_id="x", deadline_s=0.2))
    assert failed["poll to COMPLETED"] == "still PENDING after 0.2 s"


def test_a_failed_job_says_why(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"job_id": "bad", "status": "FAILED", "error": "the model is overloaded"}
    monkeypatch.setattr(Broken, "body", json.dumps(answer).encode())
    for status, step, detail in ((202, "poll to COMPLETED", "still FAILED"), (200, "submit", "expects 202")):
        monkeypatch.setattr(Broken, "status", status)
        assert detail in _failed(smoke(broken, routes=ROUTES, probe_id="x", deadline_s=0.1))[step]


def test_nobody_there_is_a_failed_step(broken: str) -> None:
    nobody = "http://127.0.0.1:9"
    assert set(_failed(smoke(nobody, routes=ROUTES, probe_id="x", deadline_s=0.1))) == set(STEPS)
