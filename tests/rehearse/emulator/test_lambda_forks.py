"""A forked worker behaves as the process that MiniStack would have started, for whatever its script does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.rehearse.emulator import lambda_forks
from runbook_lib.rehearse.emulator.lambda_forks import PROCESSES, SCRIPT, bounded, popen
from runbook_lib.rehearse.play.stage import params_of
from tests.gone import gone

SHOWN = """
import json, os, sys
print(json.dumps([sys.argv, sys.path[0], os.getcwd(), dict(os.environ), __name__]), flush=True)
print("gone wrong", file=sys.stderr)
for line in sys.stdin:
    print(line.upper(), end="", flush=True)
"""
NEVER = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"
FAILS = "raise SystemError('on purpose')\n"
Start = Callable[[list[str]], Any]


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """The process that forks; at the end nobody listens to it any more, so it ends."""
    lambda_forks._server.cache_clear()
    yield
    lambda_forks._server().close()
    lambda_forks._server.cache_clear()


def started(how: Start, folder: Path, text: str, **env: str) -> Any:
    script = folder / SCRIPT
    script.write_text(text)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return how([sys.executable, str(script)], cwd=folder, env={"PATH": os.environ["PATH"], **env}, text=True, **streams)  # type: ignore[call-arg]


def said(process: Any, *lines: str) -> tuple[Any, list[str], str]:
    process.stdin.write("".join(lines))
    process.stdin.close()
    first, *rest = process.stdout.read().splitlines()
    process.wait(10)
    return json.loads(first), rest, process.stderr.read()


@pytest.mark.slow
def test_a_fork_says_what_the_process_would_have_said(tmp_path: Path) -> None:
    both = [said(started(how, tmp_path, SHOWN, A="ä"), "one\n", "zwölf\n") for how in (popen, subprocess.Popen)]
    for shown, *_ in both:
        shown[3].pop("LC_CTYPE", None)  # Python's own, of a process that booted without a locale
    assert both[0] == both[1]
    assert both[0][1:] == (["ONE", "ZWÖLF"], "gone wrong\n")


def test_what_a_script_raises_is_told_and_it_ends(tmp_path: Path) -> None:
    process = started(popen, tmp_path, FAILS)
    assert "SystemError: on purpose" in process.stderr.read()
    process.wait(10)
    assert process.poll() is not None and process.stdout.read() == ""


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_worker_that_goes_on_is_ended(end: str, tmp_path: Path) -> None:
    process = started(popen, tmp_path, NEVER)
    assert process.stdout.readline() == "up\n" and process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    getattr(process, end)()
    process.wait(10)
    getattr(process, end)()  # nobody may have its number by now


def test_workers_are_of_one_another_independent(tmp_path: Path) -> None:
    """The end of one is seen though others live that were forked while it did."""
    one, other = (started(popen, tmp_path, NEVER) for _ in range(2))
    one.kill()
    one.wait(10)
    assert other.poll() is None
    other.kill()
    other.wait(10)


def test_other_commands_are_processes_as_ever(tmp_path: Path) -> None:
    script = tmp_path / "other.py"
    script.write_text("print(1)")
    process = popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert isinstance(process, subprocess.Popen)
    assert process.communicate()[0] == b"1\n"


def test_with_whoever_asks_the_process_that_forks_ends_and_the_workers_see_the_end_of_their_input(
    tmp_path: Path,
) -> None:
    (tmp_path / SCRIPT).write_text("import sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    asks = (
        "import os, sys\nfrom runbook_lib.rehearse.emulator.lambda_forks import popen\n"
        f"one = popen([sys.executable, {str(tmp_path / SCRIPT)!r}], cwd='/', env={{}})\n"
        "one.stdout.readline()\nprint(one.pid, os.getpid(), flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    worker = int(done.stdout.split()[0])
    end = time.monotonic() + 10
    while not gone(worker) and time.monotonic() < end:
        time.sleep(0.01)
    assert gone(worker)


class Busy:
    """Counts the calls that are under way, by function."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.turn = threading.Lock()

    def __call__(self, function: dict[str, Any], event: Any) -> Any:
        name = function["config"]["FunctionArn"]
        with self.turn:
            self.now[name] = self.now.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.now[name])
        time.sleep(0.02)
        with self.turn:
            self.now[name] -= 1
        if event == "bad":
            raise RuntimeError("handler")
        return event


def function(name: str) -> dict[str, Any]:
    return {"config": {"FunctionArn": name}}


def test_every_call_is_served_and_never_more_at_once_than_allowed() -> None:
    busy = Busy()
    execute = bounded(busy, 3)
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda n: execute(function("ab"[n % 2]), n), range(40)))
    assert done == list(range(40))
    assert busy.most == {"a": 3, "b": 3}


def test_a_call_that_fails_gives_its_place_back() -> None:
    execute = bounded(Busy(), 1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            execute(function("a"), "bad")
    assert execute(function("a"), "good") == "good"


def test_the_workers_fit_in() -> None:
    """Else the sandbox would drain more slowly than its reserved concurrency says."""
    assert params_of("staging", "x").service.workers <= PROCESSES
