"""The sandbox's infrastructure tool without its boot: each `python -m ...iac` is a fork of a process that imported it.

Every run of a phase asks the tool for its diff, as a command of its own; booting Python, boto3 and the models is nearly
all of what that costs. The fork has the command's own arguments, environment, folder and pipes, and nothing of the
test: the process that forks is a new one, in which nothing was patched. Other commands are started as ever.

Protocol: a message on the standard input, which is a socket, carries the order as JSON, and two descriptors: where the
command's output goes, and a socket on which its process id and then its exit status are told, a line each.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runbook_lib.rehearse.emulator.lambda_forks import Child
from runbook_lib.rehearse.emulator.lambda_nursery import loaded
from runbook_lib.rehearse.play import nursery
from runbook_lib.rehearse.play.stage import ENVIRONMENTS, params_of
from runbook_lib.rehearse.sandbox import template

MODULE = "runbook_lib.rehearse.sandbox.iac"
ROOT = Path(__file__).parents[1]
"""Whatever the folder of the test that asks first."""
_LONGEST = 1 << 20
_LOOK_S = 0.05


class Forked(Child):
    """A command that runs, with the face of a `subprocess.Popen` whose standard error goes where its output goes."""

    def __init__(self, argv: Sequence[str], cwd: Any, env: dict[str, str]) -> None:
        self.args, self.returncode = argv, None
        read, write = os.pipe()
        self._told, its = socket.socketpair()
        with its:
            order = json.dumps({"argv": list(argv[3:]), "cwd": str(cwd), "env": env}).encode()
            socket.send_fds(_server(), [order], [write, its.fileno()])
        os.close(write)
        self._turn = threading.Lock()
        self._lines = self._told.makefile("r")
        self.pid = int(self._lines.readline())
        self.stdout = os.fdopen(read, encoding="utf-8", errors="replace")

    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """See `Child.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            with self._turn:  # whoever stops a command waits for it as well
                if self.returncode is None and select.select([self._told], [], [], 0)[0]:
                    self.returncode = int(self._lines.readline())
                    break
            left = _LOOK_S if end is None else end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            select.select([self._told], [], [], min(left, _LOOK_S))
        assert self.returncode is not None
        return self.returncode


def popen(argv: Sequence[str], **given: Any) -> Any:
    """As `subprocess.Popen`; the infrastructure tool is a fork."""
    if list(argv[:3]) == [sys.executable, "-m", MODULE] and given.get("stderr") == subprocess.STDOUT:
        return Forked(argv, given["cwd"], given["env"])
    return subprocess.Popen(argv, **given)


processes = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
"""What stands for the module `subprocess` where commands are run."""


@functools.cache
def _server() -> socket.socket:
    """The channel to the process that forks; it ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
    with its:
        process = subprocess.Popen([sys.executable, "-m", __name__], stdin=its, cwd=ROOT, start_new_session=True)

    def close() -> None:
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)  # a kernel that outlives its test holds this end too
        ours.close()
        process.wait()

    atexit.register(close)
    return ours


def main() -> None:
    """Imports the tool, then forks for each order."""
    runpy.run_module(MODULE)
    loaded(nursery.SERVICES)
    _read_files()
    gc.collect()
    gc.freeze()
    orders = socket.socket(fileno=0)
    while True:
        text, descriptors, _, _ = socket.recv_fds(orders, _LONGEST, 2)
        if not text:
            return
        if os.fork() == 0:
            orders.close()
            _watch(json.loads(text), *descriptors)
        for one in descriptors:
            os.close(one)
        with contextlib.suppress(ChildProcessError):  # of those before
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _read_files() -> None:
    """The texts of the parameter files and of the template are parsed here, once; a fork reads its own files again."""
    for env in ENVIRONMENTS:
        template.build(params_of(env, "any"))


def _watch(order: dict[str, Any], out: int, told: int) -> None:
    """In a fork: runs the command in another, and tells how it ended."""
    with socket.socket(fileno=told) as channel:
        pid = os.fork()
        if pid == 0:
            channel.detach()
            os.close(told)
            _become(order, out)
        os.close(out)
        channel.sendall(f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(OSError):  # nobody listens any more
            channel.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(order: dict[str, Any], out: int) -> None:
    """In a fork of the fork: the command, until it ends."""
    code: Any = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDONLY)
        for place, descriptor in enumerate((nowhere, out, out)):
            os.dup2(descriptor, place)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv = [MODULE, *order["argv"]]
        sys.modules.pop(MODULE, None)
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


if __name__ == "__main__":
    main()
