"""Kernels without their boot: one process imports the modules of every notebook, and each kernel is a fork of it.

A rehearsal runs some forty notebooks; booting a kernel for each costs a second and a half of processor time, a fork
costs none. The forks are ordinary ipykernels with an environment and a working folder of their own. POSIX only.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from runbook_lib.base.process import INLINE
from runbook_lib.rehearse.emulator.lambda_forks import Child

PRELOAD = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",  # a hundred modules that each kernel looks into, though nobody debugs it
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "matplotlib.pyplot",
    "PIL.JpegImagePlugin",
    "pandas",
    "psutil",
    "rfc8785",
    "runbook_lib.judge.special",
    "boto3",
    "jinja2",
    "rich.console",
    "rich.table",
    "runbook_lib.base.credential_process",
    "runbook_lib.params.sane",
    "runbook_lib.record.home.folder",
    "runbook_lib.run.run",
    "runbook_lib.steps.step",
    "runbook_lib.steps.phase.phase",
    "runbook_lib.steps.post_deployment",
    "runbook_lib.record.report",
    "runbook_lib.show.charts",
)
SERVICES = (
    *("sts", "cloudwatch", "sqs", "lambda", "dynamodb", "appconfig", "apigateway", "apigatewayv2"),
    *("cloudformation", "iam", "s3", "sns", "logs"),
)
_QUIET = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""The debugger that ipykernel imports warns of modules that are frozen into Python: four lines above what is done."""
_SELDOM = (100_000, 20, 100)
"""How rarely a kernel's collector looks: it lives for one notebook."""


class Nursery:
    """The process that forks. It ends with this one, and takes its kernels along."""

    def __init__(self, modules: Sequence[str] = PRELOAD) -> None:
        env = {**os.environ, "MPLBACKEND": INLINE, **_QUIET}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
            start_new_session=True,
        )
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(OSError, ValueError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()

    def fork(self, argv: Sequence[str], env: dict[str, str], cwd: str) -> Forked:
        """A new kernel with the command line `argv` (after the program), its environment and its working folder.

        Raises:
            OSError: the process that forks has ended.
        """
        with self._turn:
            assert self._process.stdin and self._process.stdout  # noqa: S101
            self._process.stdin.write(json.dumps({"argv": list(argv), "env": env, "cwd": cwd}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise OSError("the process that forks kernels has ended")
        return Forked(int(answer))

    def provisioner(self, manager: Any) -> Any:
        """The object with which a kernel manager starts its kernel."""
        made = Provisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
        made.nursery = self
        return made


class Forked(Child):
    """A child process of the nursery, which alone knows its exit status."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self, timeout: float | None = None) -> int:
        """See `Child.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        while _lives(self.pid):
            if end is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.01)
        return 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Provisioner(LocalProvisioner):
    """Starts a kernel by a fork of the nursery instead of a new process."""

    nursery: Nursery

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Forks a kernel; `cmd` is the usual command line: a program, its module, and the arguments of the kernel."""
        arguments = cmd[cmd.index("-f") :]
        cwd = str(kwargs.get("cwd") or os.getcwd())  # noqa: PTH109 - it is handed on as text
        forked = self.nursery.fork(arguments, dict(kwargs.get("env") or os.environ), cwd)
        self.process, self.pid, self.pgid = forked, forked.pid, forked.pid  # type: ignore[assignment]
        self.cwd = cwd
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """Sends SIGKILL; returns when the process is gone, for which the manager would look every 0.1 s."""
        await super().kill(restart=restart)
        end = time.monotonic() + 1.0
        while self.process and self.process.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.002)


def main(modules: Sequence[str]) -> None:
    """Imports `modules`, then forks a kernel for each line on stdin until it is closed."""
    import importlib

    from runbook_lib.rehearse.emulator.lambda_nursery import loaded

    for module in modules:
        importlib.import_module(module)
    loaded(SERVICES)  # once, not again in each kernel
    # The objects of the imports stay: no kernel's collector needs to visit them, which would copy their pages.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        print(pid, flush=True)


def _become(order: dict[str, Any]) -> None:
    """Turns the child into an ipykernel, until it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]
    # A kernel ends when its parent does: that is the nursery now, and the environment was read at import.
    sys.argv = ["ipykernel_launcher", *order["argv"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    from ipykernel import kernelapp

    try:
        kernelapp.launch_new_instance()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
