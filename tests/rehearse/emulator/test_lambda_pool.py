"""Calls beyond a function's processes wait, and nobody else waits with them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runbook_lib.rehearse.emulator.lambda_pool import PROCESSES, bounded
from runbook_lib.rehearse.play.stage import params_of


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
