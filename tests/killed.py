"""A process that is killed before one of its steps to the disk: for what has to survive that at any point."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _steps(at: int) -> Callable[..., Any]:
    count = 0

    def step(whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*args, **more)

        return call

    return step


def killed(do: Callable[[], object], at: int) -> bool:
    """Does it in a child of this process, which is killed before its step number `at`.

    Returns:
        Whether it came to its end before that.
    """
    child = os.fork()
    if child:
        return os.WIFEXITED(os.waitpid(child, 0)[1])
    step = _steps(at)
    try:
        for owner, name in ((os, "fsync"), (os, "truncate"), (shutil, "rmtree")):
            setattr(owner, name, step(getattr(owner, name)))
        for name in ("rename", "replace", "unlink", "write_bytes", "mkdir", "touch"):
            setattr(Path, name, step(getattr(Path, name)))
        do()
    finally:
        os._exit(0)
