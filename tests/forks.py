"""The sandbox's infrastructure tool and the embedded AWS without their boot: forks of a process that imported them.

Every run of a phase asks the tool for its diff, as a command of its own, and a hundred modules start an embedded AWS;
booting Python and importing is most of what that costs. The fork has the command's own arguments, environment, folder
and pipes, and nothing of the test: the process that forks is a new one, in which nothing was patched. Of the embedded
AWS it has imported only what MiniStack imports: MiniStack itself reads its settings when it is imported, in the fork.
Other commands are started as ever.

Protocol: a message on the standard input, which is a socket, carries the order as JSON, and four descriptors: the
command's standard streams, and a socket on which its process id and then its exit status are told, a line each.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
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
EMULATOR = "runbook_lib.rehearse.emulator.launcher"
_OF_MINISTACK = (
    *("cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.hazmat.primitives.keywrap", "cryptography.x509"),
    *("defusedxml.ElementTree", "email.mime.multipart", "gzip", "hypercorn.asyncio", "hypercorn.config", "jsonata"),
    *("smtplib", "tarfile", "xml.sax.saxutils", "yaml", "runbook_lib.base.process"),
)
"""What the launcher, MiniStack and its services for the sandbox import of others."""
ROOT = Path(__file__).parents[1]
"""Whatever the folder of the test that asks first."""
_LONGEST = 1 << 20
_LOOK_S = 0.05


class Forked(Child):
    """A command that runs, with the face of a `subprocess.Popen`."""

    def __init__(self, argv: Sequence[str], module: str, cwd: Any, env: dict[str, str], streams: Sequence[int]) -> None:
        self.args, self.returncode = argv, None
        self._told, its = socket.socketpair()
        with its:
            words = list(argv[argv.index(module) + 1 :])
            order = json.dumps({"module": module, "argv": words, "cwd": str(cwd), "env": env}).encode()
            socket.send_fds(_server(), [order], [*streams, its.fileno()])
        self._turn = threading.Lock()
        self._lines = self._told.makefile("r")
        self.pid = int(self._lines.readline())

    stdin: Any = None
    stdout: Any = None
    stderr: Any = None
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """See `Child.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            with self._turn:  # whoever stops a command waits for it as well
                if self.returncode is None and select.select([self._told], [], [], 0)[0]:
                    self.returncode = int(self._lines.readline() or 0)  # or who knows it is gone
                    break
            left = _LOOK_S if end is None else end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            select.select([self._told], [], [], min(left, _LOOK_S))
        assert self.returncode is not None
        return self.returncode


def popen(argv: Sequence[str], **given: Any) -> Any:
    """As `subprocess.Popen`; the infrastructure tool, and the embedded AWS, is a fork."""
    if list(argv[:3]) == [sys.executable, "-m", MODULE] and given.get("stderr") == subprocess.STDOUT:
        return _tool(argv, given)
    if list(argv[:4]) == [sys.executable, "-P", "-m", EMULATOR]:
        return _emulator(argv, given)
    return subprocess.Popen(argv, **given)


def _tool(argv: Sequence[str], given: dict[str, Any]) -> Forked:
    read, write = os.pipe()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    try:
        started = Forked(argv, MODULE, given["cwd"], given["env"], (nowhere, write, write))
    finally:
        os.close(nowhere)
        os.close(write)
    started.stdout = os.fdopen(read, "rb")
    return started


def _emulator(argv: Sequence[str], given: dict[str, Any]) -> Forked:
    (its_in, ours_in), (ours_out, its_out) = os.pipe(), os.pipe()
    try:
        started = Forked(argv, EMULATOR, given["cwd"], given["env"], (its_in, its_out, given["stderr"].fileno()))
    finally:
        os.close(its_in)
        os.close(its_out)
    started.stdin, started.stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")
    return started


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
    """Forks for each order, after it has imported what the first order of its kind needs."""
    orders = socket.socket(fileno=0)
    while True:
        text, descriptors, _, _ = socket.recv_fds(orders, _LONGEST, 4)
        if not text:
            return
        order = json.loads(text)
        _ready(order["module"])
        if os.fork() == 0:
            orders.close()
            _watch(order, *descriptors)
        for one in descriptors:
            os.close(one)
        with contextlib.suppress(ChildProcessError):  # of those before
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


@functools.cache
def _ready(module: str) -> None:
    """Imports what its forks have at once."""
    if module == MODULE:
        runpy.run_module(MODULE)
        loaded(nursery.SERVICES)
        _read_files()
    else:
        for name in _OF_MINISTACK:
            importlib.import_module(name)
        sys.modules["pytest"] = None  # type: ignore[assignment]  # see the launcher
        importlib.import_module("time_machine")
        del sys.modules["pytest"]
        # MiniStack's Cognito makes a key of its own at each start, which nobody asks for.
        rsa: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
        rsa.generate_private_key = functools.cache(rsa.generate_private_key)
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
    gc.collect()
    gc.freeze()


def _read_files() -> None:
    """The texts of the parameter files and of the template are parsed here, once; a fork reads its own files again."""
    for env in ENVIRONMENTS:
        template.build(params_of(env, "any"))


def _watch(order: dict[str, Any], *descriptors: int) -> None:
    """In a fork: runs the command in another, and tells how it ended."""
    *streams, told = descriptors
    with socket.socket(fileno=told) as channel:
        pid = os.fork()
        if pid == 0:
            channel.detach()
            os.close(told)
            _become(order, streams)
        for one in streams:
            os.close(one)
        channel.sendall(f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(OSError):  # nobody listens any more
            channel.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(order: dict[str, Any], streams: Sequence[int]) -> None:
    """In a fork of the fork: the command, until it ends."""
    code: Any = 1
    try:
        os.setsid()
        for place, descriptor in enumerate(streams):
            os.dup2(descriptor, place)
        for descriptor in streams:
            os.close(descriptor)
        if order["module"] == EMULATOR:
            order["argv"][-1] = str(os.getppid())  # it ends with its parent
            sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv = [order["module"], *order["argv"]]
        sys.modules.pop(order["module"], None)
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
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
