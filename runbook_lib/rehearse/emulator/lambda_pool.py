"""Limits the processes of each sandbox function: further calls wait; runs inside the emulator's process.

MiniStack starts a Python process for every concurrent invocation. On AWS a new execution environment takes nobody's
CPU; here they share two cores, so a burst would have more of them than can serve, and stop everything
(docs/emulator.md: 100 submits, 25 s; `lambda_forks` has made each of them cheap since). The waiting time of a call is
part of the latency that its client sees. A function that invokes itself would wait for ever: the sandbox has none.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

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


def install() -> None:
    """Puts the limit in front of MiniStack's own executor."""
    from ministack.services import lambda_svc

    lambda_svc._execute_function_warm = bounded(lambda_svc._execute_function_warm)
