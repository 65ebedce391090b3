"""The load test: locust in a process of its own, and its users' results. gevent never enters this process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from runbook_lib.base import scratch
from runbook_lib.base.errors import RunbookError
from runbook_lib.base.held import held
from runbook_lib.base.json_body import filled_body, parts
from runbook_lib.base.output import GOES_ON, lines_of
from runbook_lib.base.process import LOOPBACK, free_port
from runbook_lib.base.redact import Pieces, redact_lines, redact_text
from runbook_lib.judge.planning.load import Met
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.contract import JOB, Answers, Contract
from runbook_lib.params.service import JOB as JOB_IN_PATH
from runbook_lib.params.service import Routes

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
PARENT = "RUNBOOK_PARENT"
"""As in `locustfile.py`, like the two below: it is never imported here; a test compares them."""
GIVEN = "RUNBOOK_LOAD_PLAN"
PLACE = "@@%s@@"
PROGRAM = (sys.executable, "-m", "locust")
_TAIL = 20
_MARGIN_S = 60.0
"""Additional seconds for locust to end by itself."""
_DATA = re.compile(r"^.*\bwindow\.templateArgs = .*$", re.MULTILINE)


class LoadError(RunbookError):
    """The load test could not run, or left no result."""


class LoadPlan(Frozen):
    """`params/load.yaml`."""

    users: int = Field(ge=1)
    """Number of users at the same time, each with one job."""
    spawn_per_s: float = Field(gt=0)
    """Users that start per second."""
    generation_s: float = Field(gt=0)
    """Seconds that one report takes, roughly."""
    warm_up: int = Field(default=4, ge=0)
    """Requests of each kind at once before the first user; they create no job."""
    max_s: float = Field(default=1800, gt=0)
    """Seconds after which the test ends, whatever is left."""
    drain_factor: float = Field(default=1.2, ge=1)
    """The queue may take this many times as long to drain as the jobs need."""
    drain_slack_s: float = Field(default=2, ge=0)
    """Additional seconds for draining."""
    processes: int = Field(default=0, ge=0)
    """More than 0: this many locust processes on this machine."""
    expect_workers: int = Field(default=0, ge=0)
    """More than 0: a master that waits for this many workers on other machines; it overrides `processes`."""


@dataclass(frozen=True)
class Loaded:
    """The results of the test."""

    met: tuple[Met, ...]
    began: float
    """Start in epoch seconds by this machine's clock, like all times of the users."""
    seconds: float
    statistics: bytes
    """locust's own statistics: CSV, one line per request name."""
    report: str
    """locust's own report: HTML, redacted; empty if it wrote none."""


def arguments(plan: LoadPlan, host: str, folder: Path) -> list[str]:
    """locust's command line (after the program), without the contract, whose headers may be secrets.

    Args:
        folder: folder for its report, `load.html`.
    """
    given = [
        *("-f", str(LOCUSTFILE), "--headless", "--host", host, "--only-summary", "--loglevel", "WARNING"),
        *("--html", str(folder / "load.html")),
        *("--users", str(plan.users), "--spawn-rate", f"{plan.spawn_per_s:g}", "--run-time", f"{plan.max_s:g}s"),
        *("--exit-code-on-error", "0"),
    ]
    if plan.expect_workers:
        given += ["--master", "--expect-workers", str(plan.expect_workers)]
    elif plan.processes:
        # A port of its own: otherwise two tests on one machine share their workers. Remote workers know port 5557.
        port = str(free_port())
        given += ["--processes", str(plan.processes), "--master-bind-host", LOOPBACK, "--master-bind-port", port]
        given += ["--master-host", LOOPBACK, "--master-port", port]
    return given


def run_load(
    plan: LoadPlan,
    host: str,
    routes: Routes,
    *,
    probe: str,
    poll_s: float,
    max_polls: int,
    contract: Contract | None = None,
    out: Callable[[str], None] | None = None,
) -> Loaded:
    """Runs the test to its end, with live progress.

    Args:
        host: address of the API's stage.
        probe: mark of the jobs, so that no users' figure counts them.
        poll_s, max_polls: seconds between two polls of a client, and the polls after which it gives up.
        contract: how to talk to the service; default: that of `service.yaml` as delivered.
        out: called with each line of progress.

    Raises:
        LoadError: locust cannot start, or ended without a result.
    """
    with scratch.folder("load") as folder:
        what = {
            "out": str(folder / "met.json"),
            "statistics": str(folder / "load.csv"),
            "users": plan.users,
            "warm_up": plan.warm_up,
            "poll_s": poll_s,
            "max_polls": max_polls,
            **spoken(contract or Contract(), routes, probe),
        }
        began = time.time()
        argv = [*PROGRAM, *arguments(plan, host.rstrip("/"), folder)]
        tail = _run(argv, plan.max_s + _MARGIN_S, out, what)
        seconds = time.time() - began
        try:
            found = json.loads((folder / "met.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            said = next((line for line in reversed(tail) if line.strip()), "it said nothing")
            raise LoadError(f"the load test left no result: {said}") from None
        csv, page = folder / "load.csv", folder / "load.html"
        statistics = csv.read_bytes() if csv.is_file() else b""
        report = without_secrets(page.read_text(encoding="utf-8")) if page.is_file() else ""
        return Loaded(tuple(Met.model_validate(one) for one in found), began, seconds, statistics, report)


def spoken(contract: Contract, routes: Routes, probe: str) -> dict[str, Any]:
    """The contract as JSON for `locustfile.py`: requests with placeholders, and answers."""
    said = {**{name: PLACE % name for name in JOB}, "probe": probe}
    submit, status, result = contract.submit, contract.status, contract.result

    def request(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        return {"method": method, "url": path, "headers": filled_body({**headers, **contract.probe.headers}, said)}

    def answers(of: Answers) -> dict[str, Any]:
        where = [[parts(path), list(values)] for path, values in of.where.items()]
        return {"codes": list(of.codes), "where": where, "told": of.told()}

    sent = request(submit.method, routes.submit, submit.headers)
    return {
        "submit": {**sent, "json": filled_body(submit.valid, said)},
        "warm": {**sent, "json": filled_body(submit.invalid, said)},
        "accepted": answers(submit.accepted),
        "job_id": parts(submit.job_id),
        "status": request(status.method, JOB_IN_PATH.sub(PLACE % "job_id", routes.status), status.headers)
        if routes.status
        else None,
        "states": [[state, answers(one)] for state, one in status.states()],
        "told": status.told(),
        "told_by": status.told_by,
        "link": parts(result.link),
        "result": request("GET", JOB_IN_PATH.sub(PLACE % "job_id", result.path), status.headers)
        if result.fetched == "route"
        else None,
        "named": bool(result.job_id),
    }


def without_secrets(report: str) -> str:
    """locust's HTML with its data redacted; its script, on other lines, stays as it is."""
    return _DATA.sub(lambda line: redact_text(line[0]), report)


def _run(argv: list[str], limit_s: float, out: Callable[[str], None] | None, what: Mapping[str, Any]) -> list[str]:
    """Runs locust with the plan of `locustfile.py` in its environment: everybody can see a command line."""
    tail: list[str] = []
    pieces = Pieces()
    process: subprocess.Popen[bytes] | None = None

    def stop() -> None:
        if process is not None and process.poll() is None:
            process.kill()

    timer = threading.Timer(limit_s, stop)
    try:
        with held():  # a signal does not come between its beginning and its name
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, PARENT: str(os.getpid()), GIVEN: json.dumps(what)},
            )
        timer.start()
        for line in lines_of(process):
            if line == GOES_ON:
                continue
            tail = [*tail, pieces(line.rstrip())][-_TAIL:]
            if out is not None:
                out(tail[-1])
        process.wait()
    finally:
        timer.cancel()
        stop()
    return redact_lines(tail)


def events(met: tuple[Met, ...]) -> bytes:
    """The users' own events as bytes for the record."""
    rows: list[dict[str, Any]] = [one.model_dump(mode="json") for one in met]
    return json.dumps(rows).encode()
