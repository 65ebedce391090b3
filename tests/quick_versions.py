"""Each run names the project's commit and the versions of packages, which stay the same while tests run.

Asking git and reading what is installed takes 20 ms of processor time, and the tests make more than a thousand runs. In
the tests' own processes and the kernels forked for them; kernels that boot by themselves ask each time.
"""

from __future__ import annotations

import functools
import subprocess
from importlib import metadata
from types import SimpleNamespace
from typing import Any

from runbook_lib.run import command


def install() -> None:
    """From here on, in this process and its forks, each is asked once."""
    known: dict[tuple[str, ...], Any] = {}

    def run(argv: list[str], *, check: bool, **given: Any) -> Any:
        if tuple(argv) not in known:
            known[tuple(argv)] = subprocess.run(argv, check=check, **given)
        return known[tuple(argv)]

    command.subprocess = SimpleNamespace(run=run, SubprocessError=subprocess.SubprocessError)  # type: ignore[assignment]
    asked = {"version": functools.cache(metadata.version), "PackageNotFoundError": metadata.PackageNotFoundError}
    command.metadata = SimpleNamespace(**asked)  # type: ignore[assignment]
