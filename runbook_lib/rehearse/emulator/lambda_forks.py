"""Lambda's Python processes without their boot: one process imports what handlers import, and each worker forks it.

MiniStack starts a Python process for every concurrent invocation. Booting it, boto3 and the models of the services
takes a third of a second of processor time, which is most of what the sandbox's functions cost; a fork takes a few
milliseconds. The fork runs MiniStack's own worker script with the environment, the folder and the pipes that the
process would have had. POSIX only.

Protocol: a message on the standard input of the process that forks, which is a socket, carries the order as JSON and
four descriptors: the worker's standard streams, and the end of a pipe that is closed when the worker ends. The answer
is its process id. This file is run by its path, so it imports nothing of the library.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SCRIPT = "_worker.py"
"""What MiniStack calls the script of a function's process."""
SERVICES = ("dynamodb", "s3", "sqs")
"""Whose models the sandbox's handlers need."""
_LONGEST = 1 << 20
_STREAMS = 3


class Forked:
    """A worker's process, with what MiniStack uses of a `Popen`."""

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

    def poll(self) -> int | None:
        """None while it runs, then 0: nobody asks how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended.

        Raises:
            TimeoutExpired: it has not within `timeout` seconds.
        """
        if self.returncode is None:
            if not select.select([self._lives], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(SCRIPT, timeout or 0.0)
            self.returncode = 0
        return self.returncode

    def terminate(self) -> None:
        """Sends SIGTERM, if it runs."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL, if it runs."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


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
        subprocess.Popen([sys.executable, "-P", __file__], stdin=its)
    return ours


def install() -> None:
    """MiniStack's workers are forks from here on."""
    from ministack.core import lambda_runtime

    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": popen})


def main() -> None:
    """Imports what handlers import, then forks for each order, until the emulator has ended."""
    _import()
    gc.collect()
    gc.freeze()  # no worker's collector visits what was imported, which would copy its pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            text, descriptors, _, _ = socket.recv_fds(orders, _LONGEST, _STREAMS + 1)
            if not text:
                return
            pid = os.fork()
            if pid == 0:
                orders.detach()
                _become(json.loads(text), descriptors)
            for one in descriptors:
                os.close(one)
            orders.sendall(str(pid).encode())


def _import() -> None:
    """boto3, and the models of `SERVICES`, which botocore reads from its files once and not again in each worker."""
    import boto3
    from botocore import loaders

    read = functools.cache(loaders.JSONFileLoader().load_file)
    loaders.JSONFileLoader.load_file = lambda _, path: read(path)
    session = boto3.session.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106
    for service in SERVICES:
        session.client(service)
    session.resource("dynamodb")


def _become(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """In the fork: the worker, until it ends."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place, descriptor in enumerate(descriptors[:_STREAMS]):
            os.dup2(descriptor, place)
            os.close(descriptor)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv = list(order["argv"])
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
