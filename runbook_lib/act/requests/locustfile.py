"""The users of the load test; run by locust in a process of its own, never imported by the runbook.

Each submits one job, polls as the real client does, downloads the report, and then stays until the last one is done,
so that none is replaced. The plan names a file for each user's events; workers send theirs to the master, which
sends them the plan: `locust -f locustfile.py --worker --master-host HOST` is all that another machine needs.
"""

import contextlib
import csv
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent  # type: ignore[import-untyped]
import gevent.pool  # type: ignore[import-untyped]
import requests
from locust import FastHttpUser, events, task
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV

DONE: list[dict[str, Any]] = []
"""The events of this process's users; on a master, of all workers."""
UNSENT: list[dict[str, Any]] = []
ENVIRONMENT: list[Any] = []
PARENT = "RUNBOOK_PARENT"
"""Environment variable with the id of the process that started the test, if it is to be watched."""
GIVEN = "RUNBOOK_LOAD_PLAN"
"""Environment variable with the plan: its headers may be secrets, and everybody can see a command line."""
SUBMIT = "POST submit"
"""Name of a submission in the statistics, whatever its method."""
PLACE = "@@%s@@"
"""Form of a placeholder in a request of the plan."""
OUTCOMES = {"completed": "COMPLETED", "failed": "FAILED"}
_QUITS_S = 5
_WARM_TIMEOUT_S = 30


class Applicant(FastHttpUser):
    """One applicant who needs one report."""

    insecure = False  # locust's default would accept any certificate

    @task
    def apply(self) -> None:
        """Holds the whole conversation once, and keeps its events even if it is interrupted."""
        met: dict[str, Any] = {"at": time.time(), "job_id": "", "polls": 0, "outcome": "", "downloaded": False}
        try:
            self._conversation(plan(self.environment), met)
        except Exception as error:  # locust would start again, with a second job
            met["outcome"] = f"error: {type(error).__name__}"  # its text may contain the link to the report
        finally:
            met["waited_s"] = time.time() - met["at"]
            UNSENT.append(met)
            if not is_worker(self.environment):
                take(self.environment, [met])
        while True:
            gevent.sleep(1)

    def _conversation(self, given: dict[str, Any], met: dict[str, Any]) -> None:
        submit, met["accepted"] = filled(given["submit"]), False
        with self.client.request(**submit, name=SUBMIT, catch_response=True) as answer:
            met["submit_s"], met["submit_status"] = time.time() - met["at"], answer.status_code
            body = body_of(answer)
            if not fits(answer.status_code, body, given["accepted"]):
                answer.failure(f"{answer.status_code}, expects {given['accepted']['told']}")
                return
            answer.success()
            met["accepted"], id = True, at(body, given["job_id"])
            if id is None:
                raise LookupError("accepted, without a job id")
            met["job_id"] = str(id)
        report = self._poll(given, met)
        if report:
            # The link is a secret for an hour: neither its name in the statistics nor a failure may show it.
            with self.client.request(**report, name="GET report", catch_response=True) as got:
                met["downloaded"] = got.status_code == 200 and (not given["named"] or met["job_id"] in (got.text or ""))
                if not met["downloaded"]:
                    got.failure(f"{got.status_code}, expects 200 and this job's report")

    def _poll(self, given: dict[str, Any], met: dict[str, Any]) -> dict[str, Any]:
        """Polls until the report is ready; the request for the report, empty if there is none."""
        route = filled(given["result"], met["job_id"]) if given["result"] else {}
        if given["status"] is None:  # the API has no such route: the result tells, or nothing by HTTP
            return self._looked_for(given, met, route) if given["told_by"] == "result" and route else {}
        ask = filled(given["status"], met["job_id"])
        for _ in range(given["max_polls"]):
            gevent.sleep(given["poll_s"])
            met["polls"] += 1
            with self.client.request(**ask, name="GET status", catch_response=True) as answer:
                body = body_of(answer)
                state = next((name for name, one in given["states"] if fits(answer.status_code, body, one)), None)
                if state == "running":
                    answer.success()
                    if given["told_by"] == "result" and route and self._there(route):
                        met["outcome"] = OUTCOMES["completed"]
                        return route
                    continue
                met["poll_status"] = answer.status_code
                if state not in OUTCOMES:
                    answer.failure(f"{answer.status_code}, expects {given['told']}")
                    return {}
                answer.success()
                met["outcome"] = OUTCOMES[state]
                link = str(at(body, given["link"]) or "")
                return (route or (link and {"method": "GET", "url": link}) or {}) if state == "completed" else {}
        met["outcome"] = "gave up"
        return {}

    def _looked_for(self, given: dict[str, Any], met: dict[str, Any], route: dict[str, Any]) -> dict[str, Any]:
        """The request for the report, once its route has it; empty if it never does."""
        for _ in range(given["max_polls"]):
            gevent.sleep(given["poll_s"])
            if self._there(route):
                met["outcome"] = OUTCOMES["completed"]
                return route
        met["outcome"] = "gave up"
        return {}

    def _there(self, route: dict[str, Any]) -> bool:
        """Whether the result's route has the result; a result that is not there yet is no failure."""
        with self.client.request(**route, name="GET result", catch_response=True) as answer:
            answer.success()
            return bool(answer.status_code == 200)


def filled(request: dict[str, Any], job_id: str = "") -> dict[str, Any]:
    """A request of the plan with its placeholders filled: a new UUID, the time and the job's id."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    text = json.dumps({**request, "url": request["url"].replace(PLACE % "job_id", quote(job_id, safe=""))})
    for name, value in (("uuid", str(uuid.uuid4())), ("now", now), ("job_id", job_id)):
        text = text.replace(PLACE % name, json.dumps(value)[1:-1])
    return dict(json.loads(text))


def body_of(answer: Any) -> Any:
    """The JSON body of an answer; None: it has none."""
    try:
        return json.loads(answer.text or "")
    except (ValueError, RecursionError):
        return None


def at(body: Any, path: list[str]) -> Any:
    """The value at a path of names; None if there is none."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def fits(code: int, body: Any, wanted: dict[str, Any]) -> bool:
    """Whether an answer has this code and meets the conditions, pairs of path and values."""
    return code in wanted["codes"] and all(at(body, path) in values for path, values in wanted["where"])


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def arguments(parser: Any, **_: Any) -> None:
    """Adds the plan as an argument of our own, so that a master passes it on to its workers."""
    said = "the load test's plan, as JSON"
    parser.add_argument("--runbook-plan", env_var=GIVEN, default="{}", include_in_web_ui=False, help=said)


def plan(environment: Any) -> dict[str, Any]:
    """The plan: out, statistics, users, warm_up, poll_s, max_polls, and the result of `act.requests.load.spoken`."""
    return dict(json.loads(environment.parsed_options.runbook_plan))


def is_worker(environment: Any) -> bool:
    """Whether this process reports to a master."""
    return type(environment.runner).__name__ == "WorkerRunner"


def take(environment: Any, met: list[dict[str, Any]]) -> None:
    """Keeps users' events; those of the last user end the test."""
    DONE.extend(met)
    if len(DONE) == plan(environment)["users"]:
        gevent.spawn_later(0.1, environment.runner.quit)


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def send(data: dict[str, Any], **_: Any) -> None:
    """Adds a worker's events to its report for the master."""
    data["met"], UNSENT[:] = list(UNSENT), []


@events.worker_report.add_listener  # type: ignore[untyped-decorator]
def receive(data: dict[str, Any], **_: Any) -> None:
    """Takes the events out of a worker's report."""
    if data.get("met"):
        take(ENVIRONMENT[0], data["met"])


@events.init.add_listener  # type: ignore[untyped-decorator]
def remember(environment: Any, **_: Any) -> None:
    """Keeps the environment for listeners that do not get it; the test ends when the run that started it does."""
    ENVIRONMENT.append(environment)
    if os.environ.get(PARENT):
        gevent.spawn(end_with, int(os.environ[PARENT]), environment)


def end_with(run: int, environment: Any) -> None:
    """Ends the users when nobody reads their events any more. Not in a thread, which gevent does not serve.

    A worker's parent is the master. If the parent ended before this starts, the id of the run tells.
    """
    parent = os.getppid()
    while os.getppid() == parent and lives(run):
        gevent.sleep(1)
    gevent.spawn_later(_QUITS_S, os._exit, 1)
    environment.runner.quit()


def lives(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Any, **_: Any) -> None:
    """Sends requests that create no job before the first user, to start functions; then progress, a line per second."""
    if is_worker(environment):
        return
    given = plan(environment)

    def one(_: int) -> None:
        with contextlib.suppress(requests.RequestException, ValueError):  # such as a redirect to no address
            asked = [filled(given["status"], str(uuid.uuid4()))] if given["status"] else []
            for ask in (filled(given["warm"]), *asked):
                requests.request(**{**ask, "url": environment.host + ask["url"]}, timeout=_WARM_TIMEOUT_S)

    pool = gevent.pool.Pool(max(1, given["warm_up"]))
    pool.map(one, range(given["warm_up"]))
    gevent.spawn(tell, environment, given["users"])


def tell(environment: Any, users: int) -> None:
    """Prints one line per second."""
    began = time.time()
    while True:
        gevent.sleep(1)
        submitted = environment.stats.get(SUBMIT, plan(environment)["submit"]["method"])
        print(
            f"{time.time() - began:4.0f} s: {environment.runner.user_count} of {users} users here, "
            f"{submitted.num_requests - submitted.num_failures} jobs accepted, {len(DONE)} users done",
            flush=True,
        )


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def write(environment: Any, **_: Any) -> None:
    """Writes the plan's files, in the process with all results. (`--csv` may miss the last second.)"""
    if is_worker(environment):
        return
    given = plan(environment)
    with Path(given["statistics"]).open("w", newline="", encoding="utf-8") as file:
        StatsCSV(environment, PERCENTILES_TO_REPORT).requests_csv(csv.writer(file))
    Path(given["out"]).write_text(json.dumps(DONE), encoding="utf-8")
