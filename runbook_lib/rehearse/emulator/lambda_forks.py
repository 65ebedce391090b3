"""Lambda's Python processes without their boot: one process imports what handlers import, and each worker forks it.

MiniStack starts a Python process for every concurrent invocation. Booting it, boto3 and the models of the services
takes a third of a second of processor time, which is most of what the sandbox's functions cost; a fork takes a few
milliseconds. The fork runs MiniStack's own worker script with the environment, the folder and the pipes that the
process would have had. POSIX only.

The process that forks is `lambda_nursery.py`, which also says how it is spoken to.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SCRIPT = "_worker.py"
"""What MiniStack calls the script of a function's process."""
_LONGEST = 1 << 20
_NURSERY = Path(__file__).with_name("lambda_nursery.py")


class Child:
    """A process that another one forked, with what is used of a `Popen`; how its end is seen is the subclass's."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended; its exit status, or 0 where nobody knows it.

        Raises:
            TimeoutExpired: it has not within `timeout` seconds.
        """
        raise NotImplementedError

    def poll(self) -> int | None:
        """The exit code as `wait` gives it; None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM, if it runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL, if it runs."""
        self.send_signal(signal.SIGKILL)


class Forked(Child):
    """A worker's process: the end of a pipe that it holds tells that it has ended, and nobody asks how."""

    def __init__(self, channel: socket.socket, argv: Sequence[str], cwd: Any, env: dict[str, str]) -> None:
        (its_in, ours_in), (ours_out, its_out), (ours_err, its_err), (self._lives, its) = (os.pipe() for _ in range(4))
        theirs = [its_in, its_out, its_err, its]
        try:
            order = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": env}).encode()
            socket.send_fds(channel, [order], theirs)
            answer = channel.recv(64)
        finally:
            for one in theirs:
                os.close(one)
        self.stdin = os.fdopen(ours_in, "w", buffering=1, encoding="utf-8")
        self.stdout, self.stderr = (os.fdopen(one, encoding="utf-8", errors="replace") for one in (ours_out, ours_err))
        if not answer:
            raise OSError("the process that forks Lambda's workers has ended")
        self.pid = int(answer)
        self.returncode: int | None = None

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self._lives)

    def wait(self, timeout: float | None = None) -> int:
        """See `Child.wait`."""
        if self.returncode is None:
            if not select.select([self._lives], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(SCRIPT, timeout or 0.0)
            self.returncode = 0
        return self.returncode


_turn = threading.Lock()


def popen(argv: Sequence[str], **given: Any) -> Any:
    """As `subprocess.Popen`; a function's Python worker is a fork.

    Raises:
        OSError: the process that forks has ended.
    """
    if argv[0] != sys.executable or Path(argv[1]).name != SCRIPT:
        return subprocess.Popen(argv, **given)
    with _turn:
        return Forked(_server(), argv[1:], given["cwd"], given["env"])


@functools.cache
def _server() -> socket.socket:
    """The channel to the process that forks. In the emulator's group of processes, with which it is ended."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
    with its:
        subprocess.Popen([sys.executable, "-P", str(_NURSERY)], stdin=its.fileno())
    return ours


def install() -> None:
    """MiniStack's workers are forks from here on."""
    from ministack.core import lambda_runtime

    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": popen})


PROCESSES = 6
"""Most processes of each function; the worker's reserved concurrency (5) must fit in."""

Execute = Callable[..., Any]


def bounded(execute: Execute, processes: int = PROCESSES) -> Execute:
    """`execute(function, event, ...)` with at most this many simultaneous calls for each function's ARN."""
    turn = threading.Lock()
    seats: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(processes))

    def waiting(function: dict[str, Any], *rest: Any) -> Any:
        config = function.get("config") or function
        with turn:
            seat = seats[str(config.get("FunctionArn") or config.get("FunctionName"))]
        with seat:
            return execute(function, *rest)

    return waiting


def limit() -> None:
    """Puts the limit in front of MiniStack's own executor, which starts a process for every concurrent invocation.

    On AWS a new execution environment takes nobody's CPU; here they share two cores, and a burst would stop everything
    (docs/emulator.md: 100 submits, 25 s). A call's waiting time is part of the latency that its client sees. A function
    that invokes itself would wait for ever: the sandbox has none.
    """
    from ministack.services import lambda_svc

    lambda_svc._execute_function_warm = bounded(lambda_svc._execute_function_warm)
