"""locust in a process of its own: its command line, what its users leave behind, and a small load on the sandbox."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.act.requests import load
from runbook_lib.act.requests.load import Loaded, LoadError, LoadPlan, arguments, run_load
from runbook_lib.base.aws import Aws
from runbook_lib.base.json_body import at, texts, with_value
from runbook_lib.judge.planning import load as judged
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.jobs.load_census import census
from runbook_lib.params.contract import Contract
from runbook_lib.params.load import params_dir, read_yaml
from runbook_lib.params.service import Routes
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import Sandbox
from tests.contracts import contracts

ROUTES = Routes(sync="/api/vpr", submit="/api/vpr-async", status="/api/vpr/status/{job_id}")
PLAN = LoadPlan(users=10, spawn_per_s=20, generation_s=45, warm_up=0, max_s=40)


def option(argv: list[str], name: str) -> str | None:
    return argv[argv.index(name) + 1] if name in argv else None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"--users": "10", "--spawn-rate": "20", "--run-time": "40s", "--processes": None}),
        ({"processes": 4}, {"--processes": "4", "--expect-workers": None}),
        ({"expect_workers": 3}, {"--expect-workers": "3", "--processes": None}),
        ({"expect_workers": 3, "processes": 4}, {"--expect-workers": "3", "--processes": None}),
    ],
)
def test_the_command_line(change: dict[str, Any], expected: dict[str, str | None], tmp_path: Path) -> None:
    argv = arguments(PLAN.model_copy(update=change), "http://api", tmp_path)
    assert {name: option(argv, name) for name in expected} == expected
    assert ("--master" in argv) is ("expect_workers" in change)
    assert {"--headless", "--host", "http://api"} <= set(argv)
    assert "--runbook-plan" not in argv, "its headers may be secrets, and a command line is seen by everybody"


def test_the_delivered_load_is_what_the_requirement_asks_for() -> None:
    plan = LoadPlan.model_validate(read_yaml(params_dir() / "load.yaml"))
    assert plan.users >= 100
    assert plan.drain_factor == 1.2


@pytest.mark.slow
def test_gevent_stays_out_of_this_process() -> None:
    """It patches the whole process; a kernel would not survive it."""
    code = "import runbook_lib.steps.phase.staging, sys; sys.exit('gevent' in sys.modules or 'locust' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_secrets_are_taken_out_of_the_reports_data_alone() -> None:
    link = "http://s3/b/k?X-Amz-Signature=0123456789abcdef&x=1"
    page = f'<script>let a = \'&Signature=abc\';</script>\n window.templateArgs = {{"failure": "{link}"}}\n</html>'
    clean = load.without_secrets(page)
    assert "0123456789abcdef" not in clean and "window.templateArgs" in clean
    assert clean.splitlines()[0] == page.splitlines()[0]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print('no such host')", "no such host"),
        ("pass", "it said nothing"),
        ("import time; time.sleep(60)", "left no"),
    ],
)
def test_a_test_without_a_result_is_an_error(script: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "arguments", lambda *_: ["-c", script])
    monkeypatch.setattr(load, "_MARGIN_S", 0.5)
    monkeypatch.setattr(load, "PROGRAM", (sys.executable,))
    plan = PLAN.model_copy(update={"max_s": 0.5})
    with pytest.raises(LoadError, match=said):
        run_load(plan, "http://127.0.0.1:1", ROUTES, probe="p", poll_s=0.1, max_polls=1)


def test_what_it_leaves_behind_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of locust's that outlives it has its output, too."""
    told = tmp_path / "pid"
    script = (
        f"import subprocess; open({str(told)!r}, 'w').write(str(subprocess.Popen(['sleep', '40']).pid)); print('no')"
    )
    monkeypatch.setattr(load, "arguments", lambda *_: ["-c", script])
    monkeypatch.setattr(load, "PROGRAM", (sys.executable,))
    begun = time.monotonic()
    try:
        with pytest.raises(LoadError, match=r"left no result: no$"):
            run_load(PLAN, "http://127.0.0.1:1", ROUTES, probe="p", poll_s=0.1, max_polls=1)
    finally:
        os.kill(int(told.read_text()), signal.SIGKILL)
    assert time.monotonic() - begun < 20


def test_a_signal_that_comes_as_it_begins_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = subprocess.Popen, list[Any]()

    def then_interrupted(*words: Any, **given: Any) -> Any:
        begun.append(real(*words, **given))
        signal.raise_signal(signal.SIGINT)
        return begun[0]

    monkeypatch.setattr(load, "arguments", lambda *_: ["-c", "import time; time.sleep(30)"])
    monkeypatch.setattr(load, "PROGRAM", (sys.executable,))
    monkeypatch.setattr(subprocess, "Popen", then_interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_load(PLAN, "http://127.0.0.1:1", ROUTES, probe="p", poll_s=0.1, max_polls=1)
    assert begun[0].wait(10) < 0


class _Api(BaseHTTPRequestHandler):
    """An API that answers each user in a way of its own, by the number of its submission."""

    count: ClassVar[int] = 0
    KINDS: ClassVar[tuple[str, ...]] = ("done", "throttled", "failed", "stuck", "gone", "expired", "no-json")

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.KINDS[type(self).count % len(self.KINDS)]
        type(self).count += 1
        status = 429 if kind == "throttled" else 202
        self._say(status, b"not json" if kind == "no-json" else json.dumps({"job_id": kind}).encode())

    def do_GET(self) -> None:
        kind = self.path.partition("?")[0].rsplit("/", 1)[-1]
        link = f"http://{self.headers['Host']}/report/{kind}?X-Amz-Signature=topsecret"
        if self.path.startswith("/report/"):
            return self._say(403 if kind == "expired" else 200, json.dumps({"job_id": kind}).encode())
        said: dict[str, tuple[int, dict[str, str]]] = {
            "failed": (200, {"status": "FAILED"}),
            "stuck": (202, {"status": "PENDING"}),
            "gone": (404, {}),
        }
        status, body = said.get(kind, (200, {"status": "COMPLETED", "result_url": link}))
        return self._say(status, json.dumps(body).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def met() -> Iterator[tuple[Loaded, list[str]]]:
    """One user of each kind."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said: list[str] = []
        plan = PLAN.model_copy(update={"users": len(_Api.KINDS), "spawn_per_s": 50})
        host = f"http://127.0.0.1:{server.server_port}/"
        yield run_load(plan, host, ROUTES, probe="p", poll_s=0.2, max_polls=6, out=said.append), said
        server.shutdown()


@pytest.mark.slow
def test_what_each_user_met_is_told(met: tuple[Loaded, list[str]]) -> None:
    found = {one.job_id or str(one.submit_status): one for one in met[0].met}
    assert set(found) == {"done", "429", "failed", "stuck", "gone", "expired", "202"}
    outcomes = {key: (one.outcome, one.downloaded) for key, one in found.items()}
    assert outcomes["done"] == ("COMPLETED", True)
    assert outcomes["failed"] == ("FAILED", False)
    assert outcomes["stuck"] == ("gave up", False) and found["stuck"].polls == 6
    assert outcomes["expired"] == ("COMPLETED", False)
    assert found["gone"].poll_status == 404
    assert outcomes["429"] == ("", False) and found["429"].turned_away
    assert found["202"].outcome.startswith("error: ")
    assert all(one.waited_s >= one.submit_s for one in met[0].met)


class _Astray(_Api):
    """An API that redirects each request to no address."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", "http://[")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.mark.slow
def test_a_first_request_that_leads_nowhere_takes_no_progress_away() -> None:
    """Its error ended the listener that tells the progress, and its traceback was printed instead."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Astray) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said: list[str] = []
        plan = PLAN.model_copy(update={"users": 2, "spawn_per_s": 1, "warm_up": 1})
        host = f"http://127.0.0.1:{server.server_port}/"
        loaded = run_load(plan, host, ROUTES, probe="p", poll_s=0.2, max_polls=1, out=said.append)
        server.shutdown()
    assert [one.accepted for one in loaded.met] == [False, False]
    assert any("users here" in line for line in said) and not any("Traceback" in line for line in said)


@pytest.mark.slow
def test_progress_is_told_and_links_are_not(met: tuple[Loaded, list[str]]) -> None:
    loaded, said = met
    assert any("users here" in line for line in said)
    kept = "\n".join([*said, load.events(loaded.met).decode(), loaded.statistics.decode(), loaded.report])
    assert "topsecret" not in kept and "GET report" in loaded.statistics.decode() and "GET report" in loaded.report


KILLED = """
import json, os, signal, sys
from runbook_lib.act.requests import load
plan = load.LoadPlan(users=3, spawn_per_s=20, generation_s=45, warm_up=0, max_s=60, processes=int(sys.argv[2]))
routes = load.Routes(sync="/api/vpr", submit="/api/vpr-async", status="/stuck/{job_id}")
def told(line):
    if "3 of 3 users" in line:
        os.kill(os.getpid(), signal.SIGKILL)
load.run_load(plan, sys.argv[1], routes, probe="p", poll_s=0.1, max_polls=500, out=told)
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [0, 2])
def test_it_ends_with_a_run_that_is_killed(processes: int) -> None:
    """Else its users go on for as long as the plan lasts, and nobody looks at what they meet."""
    asked: list[float] = []

    class Stuck(_Api):
        KINDS = ("stuck",)

        def do_GET(self) -> None:
            asked.append(time.monotonic())
            self._say(202, b"{}")

    with ThreadingHTTPServer(("127.0.0.1", 0), Stuck) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        killed = subprocess.run([sys.executable, "-c", KILLED, host, str(processes)], check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL and asked
        deadline = time.monotonic() + 20
        while asked[-1] > time.monotonic() - 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        server.shutdown()


def test_the_users_know_their_parent_by_the_same_name() -> None:
    text = load.LOCUSTFILE.read_text(encoding="utf-8")
    assert f'PARENT = "{load.PARENT}"' in text and f'GIVEN = "{load.GIVEN}"' in text


def of_locustfile(*names: str) -> dict[str, Any]:
    """Functions and constants of locust's own file, which is never imported."""
    tree = ast.parse(load.LOCUSTFILE.read_text(encoding="utf-8"))
    named = [
        one
        for one in tree.body
        if (isinstance(one, ast.FunctionDef) and one.name in names)
        or (isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id in names)
    ]
    assert len(named) == len(names)
    found: dict[str, Any] = {"json": json, "time": time, "uuid": uuid, "Any": Any, "quote": quote}
    exec(compile(ast.Module(named, []), "locustfile", "exec"), found)
    return found


@pytest.mark.slow
@given(contracts(), st.integers(200, 204) | st.sampled_from((400, 404, 410)), st.text(max_size=3))
def test_the_users_understand_any_contract_as_the_runbook_does(contract: Contract, code: int, id: str) -> None:
    theirs = of_locustfile("PLACE", "filled", "at", "fits")
    given_to = json.loads(json.dumps(load.spoken(contract, ROUTES, "p")))
    bodies: list[Any] = [None, [], {}]
    for _, answers in contract.status.states():
        body: dict[str, Any] = {}
        for path, values in answers.where.items():
            body = with_value(body, path, values[0])
        bodies.append(with_value(body, contract.submit.job_id, id))
    for body in bodies:
        states = [name for name, one in given_to["states"] if theirs["fits"](code, body, one)]
        assert (states or [None])[0] == contract.status.state(code, body)
        assert theirs["fits"](code, body, given_to["accepted"]) == contract.submit.accepted.fit(code, body)
        assert theirs["at"](body, given_to["job_id"]) == at(body, contract.submit.job_id)
    sent, again = theirs["filled"](given_to["submit"]), theirs["filled"](given_to["submit"])
    assert "@@" not in json.dumps(sent) and "{" not in "".join(text for _, text in texts(sent))
    assert (sent == again) == ("{uuid}" not in json.dumps(contract.submit.valid))
    assert theirs["filled"](given_to["status"], "j k/ü")["url"] == ROUTES.status_of("j k/ü")


def test_the_users_fetch_a_result_as_the_smoke_test_does() -> None:
    told = {
        "status": {"headers": {"X-Api-Key": "k", "X-Job": "{job_id}"}},
        "result": {"fetched": "route", "path": "/doc/{job_id}"},
        "probe": {"headers": {"X-Mark": "{probe}"}},
    }
    spoken = load.spoken(Contract.model_validate(told), ROUTES, "p")
    assert of_locustfile("PLACE", "filled")["filled"](spoken["result"], "a b") == {
        "method": "GET",
        "url": "/doc/a%20b",
        "headers": {"X-Api-Key": "k", "X-Job": "a b", "X-Mark": "p"},
    }


def test_two_load_tests_on_one_machine_do_not_take_each_others_workers(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"processes": 2})
    ports = set()
    for _ in range(5):
        argv = arguments(plan, "http://api", tmp_path)
        listens, asked = argv[argv.index("--master-bind-port") + 1], argv[argv.index("--master-port") + 1]
        assert listens == asked
        ports.add(listens)
    assert "5557" not in ports and len(ports) > 1


@pytest.mark.slow
def test_a_master_hands_the_plan_to_its_workers() -> None:
    """Two processes of locust: what their users met comes together in the master."""
    _Api.count = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        plan = PLAN.model_copy(update={"users": 7, "spawn_per_s": 50, "processes": 2})
        host = f"http://127.0.0.1:{server.server_port}"
        found = run_load(plan, host, ROUTES, probe="p", poll_s=0.1, max_polls=3)
        server.shutdown()
    assert len(found.met) == 7
    assert sum(one.downloaded for one in found.met) == 1


@pytest.mark.emulator
@pytest.mark.slow
def test_a_small_load_on_the_sandbox_loses_nothing_and_a_lost_job_is_found(
    embedded: EmbeddedAws, sandbox: Sandbox
) -> None:
    params, said = sandbox.params, list[str]()
    loaded = run_load(PLAN, sandbox.api_url, ROUTES, probe="load-test", poll_s=0.5, max_polls=60, out=said.append)
    assert sum(one.submit_status == 202 for one in loaded.met) == PLAN.users
    assert all(one.downloaded for one in loaded.met)
    ids = [one.job_id for one in loaded.met]
    with only(embedded.env):
        aws = Aws(params.region)
        jobs = census(aws, params, ids)
        assert judged.none_lost(loaded.met, jobs).verdict is Verdict.PASS
        seen = judged.drain(jobs, params.service.workers)
        assert seen is not None and seen.jobs == PLAN.users and seen.full_s > 45 > seen.service_s

        items = embedded.client("dynamodb")
        first = items.get_item(TableName=params.name("table"), Key={"job_id": {"S": ids[0]}})["Item"]
        assert first["source"]["S"] == "probe:load-test", "a job of ours would be counted as a user's"
        items.delete_item(TableName=params.name("table"), Key={"job_id": {"S": ids[0]}})
        key = f"results/{ids[1]}.json"
        embedded.client("s3").delete_object(Bucket=sandbox.outputs["BucketName"], Key=key)
        found = judged.none_lost(loaded.met, census(aws, params, ids))
    assert found.verdict is Verdict.FAIL and found.facts["lost"] == ids[:2]
    assert f"{ids[0]} (not in the table)" in found.reason
    assert f"{ids[1]} (COMPLETED without a report)" in found.reason
    assert not re.search(r"X-Amz-Signature=(?!\[)", "\n".join([*said, loaded.report]))
