"""Writes down the name of each call to AWS: one line each, in the file that the variable RUNBOOK_CALLS names.

    RUNBOOK_CALLS=calls.txt runbook run 06 --env prod
    sort -u calls.txt

With it a team that writes its own role sees the calls that a run really makes. Only the names are written: no
request, no answer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = "RUNBOOK_CALLS"
_told: set[tuple[str, str]] = set()
"""File and call that this process has written already: a call is made thousands of times."""


def listen(client: Any) -> None:
    """From now on writes down each call of `client`, if RUNBOOK_CALLS is set."""
    if os.environ.get(FILE):
        client.meta.events.register("before-call", _heard)


def _heard(model: Any, **_: Any) -> None:
    note(f"{model.service_model.service_name}.{model.name}")


def note(call: str) -> None:
    """Appends `call` (`service.Call`) to the file. A file that cannot be written stops nothing."""
    file = os.environ.get(FILE, "")
    if not file or (file, call) in _told:
        return
    _told.add((file, call))
    with suppress(OSError), Path(file).open("a", encoding="utf-8") as out:
        out.write(f"{call}\n")


def heard(file: Path) -> frozenset[str]:
    """The names of the calls in such a file.

    >>> heard(Path(os.devnull))
    frozenset()
    """
    return frozenset(file.read_text("utf-8").split()) if file.exists() else frozenset()
