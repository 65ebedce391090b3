"""The kernel that a notebook runs in: starting, watching, and starting one ahead where time matters.

Heavy (papermill, jupyter_client): import it when a notebook is about to run, not before.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import copy
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient

from runbook_lib.base import scratch
from runbook_lib.base.foreign import one_line, terminal
from runbook_lib.base.process import INLINE, homeless
from runbook_lib.base.redact import Pieces, redact_text
from runbook_lib.record.allowance import Allowance, without_unfinished
from runbook_lib.record.kernel_stderr import Stderr
from runbook_lib.record.redact_notebook import redact_output, redact_outputs

homeless()
_SOCKET_PATH = 100
ANSWERS_S = 30.0
"""Seconds for the answer of a kernel that said that it is done with the cell."""
_OUTPUTS = ("stream", "display_data", "execute_result", "update_display_data", "error")


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, which also redacts a cell's whole output before it is saved, and marks the cell where a run
    ended for a reason other than an error of the cell (papermill says completed).

    One message is not enough to find a secret: a password, or a key printed line by line, comes in several. Anything
    saved or logged in the middle of a cell is a redacted copy (`without_secrets`, `log_output_message`).
    """

    def __init__(self, *args: Any, allowance: Allowance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._allowance = allowance
        self._updated = set[str]()
        """Displays that were updated since they were redacted."""
        self.nb_man.settle = self.settle

    def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
        kind, content = msg["msg_type"], msg["content"]
        if kind == "clear_output":
            self._allowance.cleared()
        elif kind in _OUTPUTS or kind.startswith("comm"):  # a comm tells a widget's state, which the notebook keeps
            display = (content.get("transient") or {}).get("display_id") or ""
            if not self._allowance.take(content, str(display)):
                return None
            if kind == "update_display_data":
                self._updated.add(str(display))
        return super().process_message(msg, *args, **kwargs)

    def settle(self) -> None:
        """Redacts what updates put into the outputs of cells that were redacted before: once, before it is saved, as a
        display may be updated thousands of times.
        """
        for display in self._updated:
            for at, outputs in self._display_id_map.get(display, {}).items():
                for number in outputs:
                    redact_output(self.nb.cells[at]["outputs"][number])
        self._updated.clear()

    async def _async_poll_for_reply(self, msg_id: str, cell: Any, timeout: Any, output: Any, alive: Any) -> Any:
        """As nbclient's, but a kernel that is done with a cell and does not answer is not waited for without end: it
        failed at the cell itself, as at code that is too deep to compile.
        """
        reply = asyncio.ensure_future(super()._async_poll_for_reply(msg_id, cell, timeout, output, alive))
        try:
            await asyncio.wait({reply, output}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reply}, timeout=ANSWERS_S if output.done() else None)
            if reply.done():
                return reply.result()
        finally:
            reply.cancel()
        alive.cancel()
        raise NoAnswer("the kernel could not run a cell's code, and gave no answer")

    def log_output_message(self, output: Any) -> None:
        shown = copy.deepcopy(output)
        redact_output(shown, self._logged)
        super().log_output_message(shown)

    def execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
        self._logged = Pieces()
        self._allowance.begin(sum(one.cell_type == "code" for one in self.nb.cells[: cell_index + 1]))
        try:
            return super().execute_cell(cell, cell_index, **kwargs)
        except CellExecutionError as error:
            outputs = cell.setdefault("outputs", [])
            # IPython prints a group of exceptions as text.
            if all(one.get("output_type") != "error" for one in outputs):
                told = new_output("error", ename=error.ename, evalue=error.evalue, traceback=[])  # type: ignore[no-untyped-call]
                outputs.append(told)
            raise
        except BaseException:
            self.nb_man.cell_exception(cell, cell_index)
            raise
        finally:
            redact_outputs(cell.get("outputs", []))
            self.settle()
            self._allowance.dropped(without_unfinished(cell.get("outputs", [])))


@contextlib.contextmanager
def without_secrets(cell: Any) -> Iterator[None]:
    """Replaces a running cell's outputs by a redacted copy inside the block, and puts the originals back afterwards."""
    outputs = cell.get("outputs")
    if not outputs:
        yield
        return
    cell["outputs"] = copy.deepcopy(outputs)
    redact_outputs(cell["outputs"])
    without_unfinished(cell["outputs"])
    try:
        yield
    finally:
        cell["outputs"] = outputs


class Channels(AsyncKernelClient):
    """Ready once the kernel's answer came on both channels; the original then listens 0.2 s for silence."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Waits until the kernel answers and its output arrives here.

        Raises:
            RuntimeError: the kernel died, or did not answer within `timeout` seconds.
        """
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            asked = self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.get_shell_msg(timeout=1)
                if reply["msg_type"] == "kernel_info_reply" and await self._heard(asked):
                    self._handle_kernel_info_reply(reply)
                    return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it answered")
            if time.monotonic() > end:
                raise RuntimeError(f"the kernel did not answer in {timeout:g} s")

    async def _heard(self, asked: str) -> bool:
        """Whether the output channel carries the answer to the request: it connects later than the other channel."""
        while True:
            try:
                told = await self.get_iopub_msg(timeout=0.2)
            except Empty:
                return False
            if told["parent_header"].get("msg_id") == asked and told["content"].get("execution_state") == "idle":
                return True


class NoKernel(RuntimeError):
    """The kernel could not start, or ended before the first cell: the sentence has the last line of its stderr."""

    @classmethod
    def because(cls, error: Exception, said: str = "") -> NoKernel:
        """The error for a kernel that could not start.

        Args:
            said: the last line of its stderr.
        """
        return cls(f"the kernel could not start: {'; '.join(filter(None, (one_line(error), said)))}")


class NoAnswer(NoKernel):
    """The kernel was done with a cell and gave no answer."""


@dataclass
class Kernel:
    """A running kernel and the settings it was started with."""

    manager: Any
    folder: Path
    """Folder of the connection file and the sockets; only this user can enter."""
    run_id: str
    errors: Stderr | None = None
    """stderr of its process, and of the programs that its cells start."""
    key: tuple[Any, ...] = field(default=(), compare=False)

    def stop(self) -> None:
        """Kills the kernel if it lives, and removes its sockets. The run's journal stays on disk."""
        with contextlib.suppress(Exception):
            if self.manager.has_kernel:
                run_sync(self.manager.shutdown_kernel)(now=True)
        told = self._errors()
        if told:
            print(told, file=sys.stderr, flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """The last line that the process wrote to stderr; empty: none. Once returned, it is not printed again."""
        lines = [line.strip() for line in self._errors().splitlines() if line.strip()]
        self.errors = None
        return one_line(lines[-1]) if lines else ""

    def _errors(self) -> str:
        told = self.errors.told().rstrip() if self.errors else ""
        return terminal(redact_text(told))  # what a cell's programs wrote is in it, and a CI system keeps its log


def start(
    kernel_name: str,
    env: Mapping[str, str],
    run_id: str,
    preload: str = "",
    provisioner: Callable[[Any], Any] | None = None,
) -> Kernel:
    """Starts a kernel and returns at once; the kernel boots in the background.

    Args:
        kernel_name: name of a kernel spec.
        env: its whole environment.
        run_id: id of the run that uses it.
        preload: Python that it executes while booting, such as imports.
        provisioner: makes the process starter from the kernel manager; default: a new process.

    Raises:
        NoKernel: no kernel spec has that name, or its process cannot start.
    """
    known = sorted(KernelSpecManager().find_kernel_specs())
    if kernel_name not in (*known, NATIVE_KERNEL_NAME):
        raise NoKernel(f"there is no kernel '{kernel_name}'; there are: {', '.join(known) or 'none'}")
    folder = scratch.made("kernel")
    # Sockets in a private folder instead of TCP ports: nobody else on the machine can listen or connect. A socket's
    # path must be short, and Windows has no such sockets.
    fits = os.name == "posix" and len(str(folder / "kernel-ipc-5")) < _SOCKET_PATH
    manager = AsyncKernelManager(
        kernel_name=kernel_name, transport="ipc" if fits else "tcp", connection_file=str(folder / "kernel.json")
    )
    manager.client_factory = Channels
    if provisioner is not None:
        manager.provisioner = provisioner(manager)
    # IPython looks for a library in the working folder first, where a team may have a file of that name.
    arguments = ["--HistoryManager.hist_file=:memory:"]
    arguments += ["--InteractiveShellApp.ignore_cwd=True", "--InteractiveShellApp.exec_PYTHONSTARTUP=False"]
    if preload:
        arguments.append(f"--IPKernelApp.exec_lines={preload}")
    kernel = Kernel(manager, folder, run_id)
    try:
        # Only stderr tells why a kernel cannot start; a custom provisioner handles it in its own way.
        kernel.errors = Stderr() if provisioner is None else None
        # To stdout ipykernel writes what programs print that a cell starts: it is in the cell's output, redacted.
        more = {"stderr": kernel.errors.to, "stdout": subprocess.DEVNULL} if kernel.errors else {}
        try:
            # What this user has set up for IPython and matplotlib is no part of a run, and a home may be missing.
            alone = {**env, "IPYTHONDIR": str(folder / "ipython"), "MPLBACKEND": INLINE}
            run_sync(manager.start_kernel)(env=alone, extra_arguments=arguments, **more)
        finally:
            if kernel.errors:
                kernel.errors.given()
    # Its command is missing, its spec is not JSON, or a file of its own cannot be kept from others (umask).
    except (OSError, ValueError, RuntimeError) as error:
        kernel.stop()
        raise NoKernel.because(error) from error
    except BaseException:
        kernel.stop()
        raise
    return kernel


_warm: list[Kernel] = []
_guard = threading.Lock()


def prestart(
    archive: Path,
    run_id: str,
    *,
    kernel_name: str = "python3",
    env: Mapping[str, str],
    preload: str = "",
    provisioner: Callable[[Any], Any] | None = None,
) -> None:
    """Starts a kernel ahead for the next run archived under `archive`, so that it boots in the background.

    `take` returns it only if everything that the kernel took from this process is still the same.
    """
    kernel = start(kernel_name, env, run_id, preload, provisioner)
    kernel.key = _key(archive, kernel_name)
    with _guard:
        _warm.append(kernel)


def take(archive: Path, kernel_name: str) -> Kernel | None:
    """A kernel started ahead for this archive, with the same working folder and environment; else None."""
    wanted = _key(archive, kernel_name)
    with _guard:
        for kernel in _warm:
            if kernel.key == wanted:
                _warm.remove(kernel)
                break
        else:
            return None
    if run_sync(kernel.manager.is_alive)():
        return kernel
    kernel.stop()
    return None


def drop_warm() -> None:
    """Stops every kernel that was started ahead and is unused."""
    with _guard:
        kernels, _warm[:] = list(_warm), []
    for kernel in kernels:
        kernel.stop()


def _key(archive: Path, kernel_name: str) -> tuple[Any, ...]:
    return (archive, kernel_name, Path.cwd(), frozenset(os.environ.items()))


atexit.register(drop_warm)
