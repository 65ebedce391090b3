"""Finds names that are no parameters: papermill accepts `-p atempt 2`, and the run goes on as attempt 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_lib.base.nearest import close
from runbook_lib.params.load import FLAT_NAMES
from runbook_lib.record.given import assigned

_INJECTED = "# Parameters"
"""First line of the cell that papermill injects."""


def unknown_parameters(namespace: Mapping[str, Any]) -> list[str]:
    """A sentence for each name that a parameters cell sets and that is no parameter.

    Args:
        namespace: a notebook's `globals()`; its `In` has the cells: papermill's counts, and each one that sets a
            parameter.
    """
    said: dict[str, str] = {}
    for source in namespace.get("In", ()):
        names = [name for name, _ in assigned(source)]
        if source.startswith(_INJECTED) or any(name in FLAT_NAMES for name in names):
            said |= {name: _sentence(name) for name in names if name not in FLAT_NAMES and not name.startswith("_")}
    return list(said.values())


def _sentence(name: str) -> str:
    near = close(name, FLAT_NAMES)
    return f"'{name}' is not a parameter and has no effect" + (f"; {near}" if near else "")
