"""The parameters given to a notebook, read from its cells. Light, because the engine loads it."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

from runbook_lib.base.errors import NO_PYTHON, UsageError


def parameters(nb: Any) -> dict[str, Any]:
    """The literal values in the parameters cell and in papermill's injected cell; the latter win.

    Raises:
        UsageError: papermill was given a name that no cell can assign, such as `a b`.
    """
    for name in nb.metadata.get("papermill", {}).get("parameters") or {}:
        if not str(name).isidentifier() or iskeyword(str(name)):
            raise UsageError(f"'{name}' cannot be the name of a parameter")
    found: dict[str, Any] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in nb.cells:
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", []):
                found |= literals(cell.source)
    return found


def assigned(source: str) -> Iterator[tuple[str, ast.expr | None]]:
    """Each name that a cell assigns, with the expression; nothing for a cell that is not Python."""
    with contextlib.suppress(*NO_PYTHON):  # a cell with a magic
        for node in ast.parse(source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            yield from ((one.id, value) for one in targets if isinstance(one, ast.Name))


def literals(source: str) -> dict[str, Any]:
    """The names that a cell assigns a literal value, with it."""
    found: dict[str, Any] = {}
    for name, value in assigned(source):
        if value is not None:
            with contextlib.suppress(ValueError):
                found[name] = ast.literal_eval(value)
    return found
