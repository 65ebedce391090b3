"""How a run ended, read from its notebook and its journal: completed, failed, cancelled or died, and why.

Also the signals that end a run.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from runbook_lib.base.held import comes_again, heard, runs, waits

if TYPE_CHECKING:
    from runbook_lib.record.record import Problem, Status


def outcome_of(nb: Any, staging: Path) -> tuple[Status, Problem | None]:
    """The end of a run whose kernel lived to the end: completed if the notebook closed it, even with a red verdict."""
    from runbook_lib.record.journal import read_events
    from runbook_lib.record.record import Problem

    problem = _cell_error(nb)
    if problem is not None and problem.type != "RedVerdict":
        return "failed", problem
    events = {event["event"] for event in read_events(staging)}
    if "closed" in events:
        return "completed", None
    did = "closing the run it opened" if "opened" in events else "opening a run"
    return "failed", Problem(type="NotClosed", sentence=f"the notebook ended without {did}")


_TIMEOUT = "the run took a cell longer than papermill's --execution-timeout allows,"


def cut_short(nb: Any, error: BaseException) -> tuple[Status, Problem]:
    """The end of a run that was interrupted."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from runbook_lib.record.record import Problem

    cell, where = running(nb)
    if isinstance(error, (Terminated, KeyboardInterrupt)):
        by = f"terminated ({error.name})" if isinstance(error, Terminated) else "interrupted (SIGINT)"
        return "cancelled", Problem(type="Cancelled", sentence=f"papermill was {by} {where}", cell=cell)
    if type(error).__name__ == "NoKernel":
        return "failed", Problem(type="NoKernel", sentence=str(error))
    if isinstance(error, DeadKernelError):
        return "died", Problem(type="DeadKernelError", sentence=f"the kernel died {where}", cell=cell)
    if isinstance(error, CellTimeoutError):  # nbclient's text quotes the cell
        return "failed", Problem(type="CellTimeoutError", sentence=f"{_TIMEOUT} {where}", cell=cell)
    return "failed", Problem(type=type(error).__name__, sentence=str(error) or f"papermill stopped {where}", cell=cell)


def running(nb: Any) -> tuple[int | None, str]:
    """The running cell: its number by order among the code cells, and a phrase for it."""
    code = _code(nb)
    for number, cell in enumerate(code, start=1):
        if cell.metadata.get("papermill", {}).get("status") == "failed":
            return number, f"while code cell {number} of {len(code)} ran"
    ran = begun(nb)
    if ran == 0:
        return None, "before the first cell ran"
    return None, "after the last cell" if ran == len(code) else f"between code cells {ran} and {ran + 1} of {len(code)}"


def begun(nb: Any) -> int:
    """Number of code cells that have begun to run."""
    return sum(bool(cell.metadata.get("papermill", {}).get("start_time")) for cell in _code(nb))


def _code(nb: Any) -> list[Any]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def _cell_error(nb: Any) -> Problem | None:
    from runbook_lib.record.record import Problem
    from runbook_lib.record.redact_notebook import redact_text

    for number, cell in enumerate(_code(nb), start=1):
        for output in cell.outputs:
            # As in papermill: an exit without a code is no error.
            if output.output_type == "error" and (output.ename, output.evalue or "0") != ("SystemExit", "0"):
                return Problem(type=output.ename, sentence=redact_text(output.evalue) or output.ename, cell=number)
    return None


class Terminated(SystemExit):
    """SIGTERM or SIGHUP asked the process to end; the exit code is 143 or 129, as in a shell."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


def asks_to_end() -> list[int]:
    """The signals that ask a process to end: SIGTERM, and SIGHUP if it exists and `nohup` does not ignore it."""
    lost: int | None = getattr(signal, "SIGHUP", None)
    return [int(signal.SIGTERM), *([lost] if lost is not None and signal.getsignal(lost) != signal.SIG_IGN else [])]


def never_lost(rearm: Callable[[], None] = lambda: None) -> Callable[[Any], object]:
    """From now on a signal comes once more where Python drops the error that it raised: in a finalizer, or a weak
    reference's callback. The command would go on, and nobody would know. Returns the hook that was there before.

    Args:
        rearm: called before that.
    """
    before = sys.unraisablehook

    def hook(given: Any) -> None:
        error = given.exc_value
        if not isinstance(error, (KeyboardInterrupt, Terminated)):
            before(given)
            return
        rearm()
        told = heard.pop() if heard else int(signal.SIGINT)
        number = signal.Signals[error.name] if isinstance(error, Terminated) else told
        comes_again(number, runs(hook))  # raised in it, it would be lost again

    sys.unraisablehook = hook
    return before


@contextlib.contextmanager
def deferring_signals() -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Delays SIGTERM, SIGHUP and SIGINT: they end a run only where it allows, and wait while it seals.

    Yields a context manager inside which a signal raises at once. Only the main thread can do this; in another thread
    nothing is delayed, and the next sweep finds a process that ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield contextlib.nullcontext
        return
    armed = over = inside = False
    late, before = list[int](), dict[int, Any]()

    def stop(number: int, frame: FrameType | None = None) -> None:
        nonlocal armed
        if not armed and not over:
            late.append(number)
            return
        if waits(number, frame):
            return
        armed = False
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    @contextlib.contextmanager
    def interruptible() -> Iterator[None]:
        nonlocal armed, inside
        armed = inside = True
        try:
            yield
        finally:
            armed = inside = False

    def rearm() -> None:
        nonlocal armed
        armed = inside

    hook = never_lost(rearm)

    try:
        for number in (*asks_to_end(), signal.SIGINT):
            before[number] = signal.getsignal(number)
            signal.signal(number, stop)
        yield interruptible
    finally:
        sys.unraisablehook = hook
        over = True  # one that comes between two lines here leaves `stop` in the place of some handler
        for number, handler in before.items():
            signal.signal(number, handler)
    if late:
        raise KeyboardInterrupt if late[0] == signal.SIGINT else Terminated(late[0])
