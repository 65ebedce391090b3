"""What is the same for the same arguments is made once for all workers of a run of the tests."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARED = "RUNBOOK_TESTS_SHARED"
"""Names the folder that the workers of one run of the tests share; `conftest.py` makes and removes it."""


def kept(
    make: Callable[..., Any], key: Callable[..., Any] = lambda *given, **named: (given, named)
) -> Callable[..., Any]:
    """`make`, which gives the same for the same `key` of its arguments, and makes it once for all workers."""

    def known(*given: Any, **named: Any) -> Any:
        asked = f"{make.__module__}.{make.__qualname__} {key(*given, **named)!r}"
        place = Path(os.environ[SHARED]) / hashlib.sha256(asked.encode()).hexdigest()
        if place.is_file():
            return pickle.loads(place.read_bytes())
        found = make(*given, **named)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(pickle.dumps(found))
        fresh.replace(place)
        return found

    return known


def forecast(make: Callable[..., Any]) -> Callable[..., Any]:
    """`judge.planning.harm.forecast`, made for the first traffic of each weight and policy: a second of each run."""
    return kept(make, lambda traffic, watch, **given: (traffic.weight, watch, given))
