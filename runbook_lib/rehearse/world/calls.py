"""The metrics of one HTTP response and one Lambda invocation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.rows import Floats, Rows

GATEWAY_MS = 4.0
"""The gateway's own share of the latency."""
LOG_BYTES = 1800.0
"""Bytes that an invocation writes to its log: the platform's START, END and REPORT, and some structured lines."""


def responses(
    route: str, at: Floats, waited: Floats, broken: NDArray[np.bool_], wrong: NDArray[np.bool_] | None = None
) -> list[Rows]:
    """Metrics of answers given at `at` after `waited` seconds; `broken` means 5xx, `wrong` 4xx. Shape (n,) each."""
    ms = np.round(waited * 1000)
    told: dict[str, Floats | float] = {
        f"{route}_count": 1.0,
        f"{route}_4xx": 0.0 if wrong is None else wrong.astype(float),
        f"{route}_5xx": broken.astype(float),
        f"{route}_latency": ms,
        f"{route}_integration": np.maximum(ms - GATEWAY_MS, 1.0),
    }
    return [Rows.beside(told, at)]


def invocations(
    function: str, start: Floats, took: Floats, failed: NDArray[np.bool_], concurrent: Floats
) -> list[Rows]:
    """Metrics of invocations begun at `start`; Lambda stamps them with the start, and sends them at the end."""
    told: dict[str, Floats | float] = {
        f"{function}_invocations": 1.0,
        f"{function}_errors": failed.astype(float),
        f"{function}_throttles": 0.0,
        f"{function}_duration": np.round(took * 1000),
        f"{function}_concurrent": concurrent,
        f"{function}_log_bytes": LOG_BYTES,
    }
    return [Rows.beside(told, start + took, start)]
