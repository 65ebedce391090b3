"""Another user than the one who runs the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def another_person() -> Iterator[None]:
    """What a person does who owns nothing here; root may read everything, whatever the mode says."""
    before = os.geteuid()
    if before == 0:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if before == 0:
            os.setresuid(0, 0, 0)
