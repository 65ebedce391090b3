"""Kernels by fork: they run cells, have an environment and a folder of their own, and do not outlive anybody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.record import kernel as kernels
from runbook_lib.rehearse.play.nursery import Forked, Nursery

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(["ipykernel.kernelapp"]) as made:
        yield made


def ask(kernel: kernels.Kernel, code: str) -> str:
    """What the kernel prints."""
    client = kernel.manager.blocking_client()
    client.load_connection_file(str(kernel.folder / "kernel.json"))
    client.start_channels()
    client.wait_for_ready(timeout=20)
    said: list[str] = []
    client.execute_interactive(
        code, timeout=20, output_hook=lambda message: said.append(message["content"].get("text", ""))
    )
    client.stop_channels()
    return "".join(said).strip()


def ended(process: Forked) -> bool:
    for _ in range(100):
        if process.poll() is not None:
            return True
        time.sleep(0.05)
    return False


def test_a_fork_runs_cells_in_the_environment_it_was_given(nursery: Nursery) -> None:
    env = {**os.environ, "ONLY_HERE": "yes"}
    kernel = kernels.start("python3", env, "run1", provisioner=nursery.provisioner)
    try:
        said = ask(kernel, "import os; print(os.environ['ONLY_HERE'], os.getcwd(), os.getpid())").split()
        assert said[:2] == ["yes", str(Path.cwd())]
        assert int(said[2]) == kernel.manager.provisioner.pid
    finally:
        process = kernel.manager.provisioner.process
        kernel.stop()
    assert ended(process)


def test_what_it_imports_says_nothing_to_the_person_at_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with Nursery(["ipykernel.kernelapp", "ipykernel.debugger"]) as made:
        kernels.start("python3", dict(os.environ), "run", provisioner=made.provisioner).stop()
    assert "ebugger" not in "".join(capfd.readouterr())


def test_two_forks_share_nothing(nursery: Nursery) -> None:
    one, two = (
        kernels.start("python3", dict(os.environ), f"run{number}", provisioner=nursery.provisioner) for number in (1, 2)
    )
    try:
        ask(one, "x = 1")
        assert "NameError" not in ask(one, "print(x)")
        assert ask(two, "print('x' in globals())") == "False"
        assert ask(two, "import random, uuid; print(uuid.uuid4())") != ask(one, "import uuid; print(uuid.uuid4())")
    finally:
        one.stop()
        two.stop()


def test_subprocesses_of_a_fork_have_an_exit_code(nursery: Nursery) -> None:
    kernel = kernels.start("python3", dict(os.environ), "run", provisioner=nursery.provisioner)
    try:
        code = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'raise SystemExit(3)']).returncode)"
        assert ask(kernel, code) == "3"
    finally:
        kernel.stop()


def test_a_killed_fork_is_seen_to_have_ended(nursery: Nursery) -> None:
    kernel = kernels.start("python3", dict(os.environ), "run", provisioner=nursery.provisioner)
    ask(kernel, "1")
    process = kernel.manager.provisioner.process
    process.send_signal(signal.SIGKILL)
    assert ended(process)
    kernel.stop()


def test_forks_end_with_the_process_that_wanted_them() -> None:
    code = (
        "import os\n"
        "from runbook_lib.record import kernel\n"
        "from runbook_lib.rehearse.play.nursery import Nursery\n"
        "nursery = Nursery(['ipykernel.kernelapp'])\n"
        "made = kernel.start('python3', dict(os.environ), 'run', provisioner=nursery.provisioner)\n"
        "print(made.manager.provisioner.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    fork = Forked(int(parent.stdout.readline()))
    time.sleep(1.0)  # the kernel begins to watch its parent once it has booted
    parent.kill()
    parent.wait()
    assert ended(fork)


def test_a_nursery_that_has_ended_says_so() -> None:
    nursery = Nursery(["json"])
    nursery.close()
    with pytest.raises((OSError, ValueError)):
        nursery.fork(["-f", "nowhere"], {}, "/")
