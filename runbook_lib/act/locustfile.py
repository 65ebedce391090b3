"""The users of the load test; run by locust in a process of its own, never imported by the runbook.

Each submits one job, polls as the real client does, downloads the report, and then stays until the last one is done, so
that all of them are there at once. What happened to each goes to the file of the plan; workers send it to the master.
"""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import HttpUser, events, task

PLAN: dict[str, Any] = json.loads(os.environ["RUNBOOK_LOAD"])
DONE: list[dict[str, Any]] = []
"""What this process's users met; on a master, that of all workers."""
UNSENT: list[dict[str, Any]] = []
HEADERS = {"X-Runbook-Probe": PLAN["probe"]}


class Applicant(HttpUser):
    """One applicant with one report to be written."""

    @task
    def apply(self) -> None:
        """The whole conversation."""
        met: dict[str, Any] = {"at": time.time(), "job_id": "", "polls": 0, "outcome": "", "downloaded": False}
        try:
            self._conversation(met)
        except Exception as error:  # locust would begin the conversation anew, with a second job
            met["outcome"] = f"{type(error).__name__}: {error}"[:200]
        UNSENT.append(met)
        if not is_worker(self.environment):
            take(self.environment, [met])
        while True:
            gevent.sleep(1)

    def _conversation(self, met: dict[str, Any]) -> None:
        key = f"load-{PLAN['probe']}-{uuid.uuid4()}"
        began = met["at"]
        payload = {"application_id": key, "idempotency_key": key}
        with self.client.post(
            PLAN["submit"], json=payload, headers=HEADERS, name="POST submit", catch_response=True
        ) as answer:
            met["submit_s"], met["submit_status"] = time.time() - began, answer.status_code
            if answer.status_code != 202:
                answer.failure(f"{answer.status_code}, wants 202")
                return
            met["job_id"] = answer.json()["job_id"]
        link = self._poll(met)
        met["waited_s"] = time.time() - began
        if link:
            # The link is a secret for an hour: its name in the statistics says nothing of it.
            got = self.client.get(link, name="GET report")
            met["downloaded"] = got.status_code == 200 and met["job_id"] in got.text

    def _poll(self, met: dict[str, Any]) -> str:
        """The link to the report; empty if there is none."""
        path = PLAN["status"].replace("{job_id}", met["job_id"])
        for _ in range(PLAN["max_polls"]):
            gevent.sleep(PLAN["poll_s"])
            met["polls"] += 1
            with self.client.get(path, headers=HEADERS, name="GET status", catch_response=True) as answer:
                if answer.status_code == 202:
                    answer.success()
                    continue
                met["poll_status"] = answer.status_code
                if answer.status_code != 200:
                    answer.failure(f"{answer.status_code}, wants 202 or 200")
                    return ""
                body = answer.json()
                met["outcome"] = body.get("status", "")
                return str(body.get("result_url") or "")
        met["outcome"] = "gave up"
        return ""


def is_worker(environment: Any) -> bool:
    """Whether this process reports to a master."""
    return type(environment.runner).__name__ == "WorkerRunner"


def take(environment: Any, met: list[dict[str, Any]]) -> None:
    """Keeps what was met; the last one ends the test."""
    DONE.extend(met)
    print(f"{len(DONE)} of {PLAN['users']} users done", flush=True)
    if len(DONE) >= PLAN["users"]:
        gevent.spawn_later(0.1, environment.runner.quit)


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def send(data: dict[str, Any], **_: Any) -> None:
    """A worker's report."""
    data["met"], UNSENT[:] = list(UNSENT), []


@events.worker_report.add_listener  # type: ignore[untyped-decorator]
def receive(data: dict[str, Any], **_: Any) -> None:
    """What a master gets of it."""
    if data.get("met"):
        take(ENVIRONMENT[0], data["met"])


ENVIRONMENT: list[Any] = []


@events.init.add_listener  # type: ignore[untyped-decorator]
def remember(environment: Any, **_: Any) -> None:
    """Keeps the environment for the listeners that are not given it."""
    ENVIRONMENT.append(environment)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def write(environment: Any, **_: Any) -> None:
    """The plan's file, written by the process that has it all."""
    if not is_worker(environment):
        Path(PLAN["out"]).write_text(json.dumps(DONE), encoding="utf-8")
