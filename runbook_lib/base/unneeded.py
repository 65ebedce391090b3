"""Hides parts of packages that are not needed here, to make an import faster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

GRAMMARS = "rfc3987_syntax"
"""jsonschema, which comes with papermill and JupyterLab, compiles 39 grammars of internationalised addresses for a
format that no notebook's schema has: more than a second of processor time in each process."""


@contextmanager
def without(module: str) -> Iterator[None]:
    """Imports inside the block do not find `module`."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(module, None)  # another thread may have removed it
