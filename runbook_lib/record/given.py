"""The parameters given to a notebook, read from its cells. Light, because the engine loads it."""

from __future__ import annotations

import ast
import contextlib
from typing import Any


def parameters(nb: Any) -> dict[str, Any]:
    """The literal values in the parameters cell and in papermill's injected cell; the latter win."""
    found: dict[str, Any] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in nb.cells:
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", []):
                found |= _literals(cell.source)
    return found


def _literals(source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with contextlib.suppress(SyntaxError):
        for node in ast.parse(source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
                    with contextlib.suppress(ValueError):
                        found[target.id] = ast.literal_eval(node.value)
    return found
