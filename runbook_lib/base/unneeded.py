"""What comes with a package and is not needed here: an import that does without it is faster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

GRAMMARS = "rfc3987_syntax"
"""jsonschema, which comes with papermill and with JupyterLab, compiles 39 grammars of internationalised addresses for a
format that no notebook's schema has: that is more than a second of processor time in each process."""


@contextmanager
def without(module: str) -> Iterator[None]:
    """What is imported meanwhile does not find `module`."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(module, None)  # another run beside this one may have taken it away
