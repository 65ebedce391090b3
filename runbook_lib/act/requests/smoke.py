"""Smoke requests: the API contract, once through, over real HTTP. Marked as probes, so they never count as users."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.template import filled
from runbook_lib.base.waiting import steady, until
from runbook_lib.params.service import Routes

PROBE_HEADER = "X-Runbook-Probe"
STEPS = {
    "submit": "submit",
    "duplicate": "submit again: same job",
    "invalid": "invalid payload: refused",
    "poll": "poll to COMPLETED",
    "download": "download the report",
    "unknown": "unknown job: not found",
    "sync": "synchronous route answers",
}
"""Id and title of each step, in order."""
_POLL_S = 0.05
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class SmokeStep:
    """One thing that was tried."""

    name: str
    ok: bool
    detail: str
    seconds: float
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is its JSON object, or `{"text": ...}`."""

    status: int
    body: dict[str, Any]


class _Failed(Exception):
    """What was answered instead of what the contract says."""


def smoke(
    api_url: str, *, probe_id: str, deadline_s: float = 10.0, poll_s: float = _POLL_S, routes: Routes | None = None
) -> list[SmokeStep]:
    """Submit, submit again, submit nonsense, poll to COMPLETED, download, an unknown job, and the synchronous route.

    Args:
        api_url: address of the API's stage.
        probe_id: goes into each job's `source` (`probe:<id>`), by which the census leaves it out.
        deadline_s: real seconds that the job may take to COMPLETED.
        poll_s: seconds between two questions for its status.
        routes: paths; default those of `service.yaml` as delivered.

    Returns:
        A step for each, in order; one that depends on a failed one says so. A bad answer or none raises nothing.
    """
    paths = routes or Routes(sync="/api/vpr", submit="/api/vpr-async", status="/api/vpr/status/{job_id}")
    conversation = Conversation(api_url, paths, probe_id, deadline_s, poll_s)
    return [attempt(id, title, act) for (id, title), act in zip(STEPS.items(), conversation.steps(), strict=True)]


def sync_answer(api_url: str, path: str, probe_id: str) -> SmokeStep:
    """One request to the synchronous route, marked as a probe: ok if it is answered as ever, 200 or 504."""
    routes = Routes(sync=path, submit="", status="")
    return attempt("sync", STEPS["sync"], Conversation(api_url, routes, probe_id, 0, 0).sync)


def attempt(id: str, name: str, act: Callable[[], str]) -> SmokeStep:
    """`act` as a step: what it says, or why it failed; a bad answer or none raises nothing."""
    begun = time.monotonic()
    try:
        ok, detail = True, act()
    except _Failed as failure:
        ok, detail = False, str(failure)
    except (OSError, ValueError, KeyError) as error:
        ok, detail = False, f"{type(error).__name__}: {error}"
    return SmokeStep(name, ok, detail, time.monotonic() - begun, id)


class Conversation:
    """One client's dealings with the API; each act says what was answered."""

    def __init__(self, url: str, paths: Routes, probe_id: str, deadline_s: float, poll_s: float) -> None:
        self.url, self.paths, self.probe_id, self.deadline_s, self.poll_s = (
            url.rstrip("/"),
            paths,
            probe_id,
            deadline_s,
            poll_s,
        )
        self.payload = {"application_id": f"smoke-{probe_id}", "idempotency_key": f"smoke-{probe_id}-{uuid.uuid4()}"}
        self.job_id = ""
        self.link = ""

    def steps(self) -> tuple[Callable[[], str], ...]:
        return (self.submit, self.again, self.invalid, self.poll, self.download, self.unknown, self.sync)

    def call(self, method: str, path: str, payload: object = None) -> Answer:
        data = None if payload is None else json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", PROBE_HEADER: self.probe_id}
        return _open(urllib.request.Request(self.url + path, data, headers, method=method))  # noqa: S310

    def submit(self) -> str:
        answer = _expect(self.call("POST", self.paths.submit, self.payload), 202)
        self.job_id = answer.body["job_id"]
        return f"202, job {self.job_id}"

    def again(self) -> str:
        self._needs_job()
        answer = _expect(self.call("POST", self.paths.submit, self.payload), 200)
        if answer.body["job_id"] != self.job_id:
            raise _Failed(f"another job, {answer.body['job_id']}")
        return "200, the same job"

    def invalid(self) -> str:
        _expect(self.call("POST", self.paths.submit, ["not", "a", "report"]), 400)
        return "400"

    def poll(self) -> str:
        self._needs_job()
        polls = 0

        def ask() -> Answer:
            nonlocal polls
            polls += 1
            return self.call("GET", filled(self.paths.status, {"job_id": self.job_id}))

        answer = until(ask, lambda said: said.status != 202, limit_s=self.deadline_s, pause=steady(self.poll_s))
        if answer.status == 202:
            raise _Failed(f"still {answer.body.get('status')} after {self.deadline_s:g} s")
        _expect(answer, 200)
        if answer.body["status"] != "COMPLETED":
            raise _Failed(f"{answer.body['status']}: {answer.body.get('error')}")
        self.link = answer.body["result_url"]
        return f"COMPLETED after {polls} polls"

    def download(self) -> str:
        if not self.link:
            raise _Failed("no link to download")
        report = _expect(_open(urllib.request.Request(self.link)), 200)  # noqa: S310
        if report.body.get("job_id") != self.job_id or not report.body.get("report"):
            raise _Failed("the document is not this job's report")
        return "200, this job's report"

    def unknown(self) -> str:
        _expect(self.call("GET", filled(self.paths.status, {"job_id": str(uuid.uuid4())})), 404)
        return "404"

    def sync(self) -> str:
        answer = self.call("POST", self.paths.sync, self.payload)
        # In production the gateway gives up after 29 s: 504 is that baseline's usual answer, and an answer.
        if answer.status not in (200, 504):
            raise _Failed(_said(answer))
        return str(answer.status)

    def _needs_job(self) -> None:
        if not self.job_id:
            raise _Failed("no job was made")


def _expect(answer: Answer, status: int) -> Answer:
    if answer.status != status:
        raise _Failed(f"{_said(answer)}, expects {status}")
    return answer


def _said(answer: Answer) -> str:
    return f"{answer.status} {json.dumps(answer.body)[:200]}"


_OPENER = urllib.request.build_opener()
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _open(request: urllib.request.Request) -> Answer:
    """Sends it; an error status is an answer, too. A proxy is never asked for this machine's own address."""
    opener = _LOOPBACK if request.host.split(":")[0] in ("127.0.0.1", "localhost") else _OPENER
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return Answer(response.status, _object(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _object(error.read()))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(raw)
    except ValueError:
        loaded = None
    return loaded if isinstance(loaded, dict) else {"text": raw.decode(errors="replace")[:200]}
