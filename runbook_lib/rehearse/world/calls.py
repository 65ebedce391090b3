"""What one HTTP response and one Lambda invocation leave in CloudWatch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.rows import Floats, Rows

GATEWAY_MS = 4.0
"""The gateway's own share of the latency."""
LOG_BYTES = 1800.0
"""What an invocation writes to its log: the platform's START, END and REPORT, and some structured lines."""


def responses(
    route: str, at: Floats, waited: Floats, broken: NDArray[np.bool_], wrong: NDArray[np.bool_] | None = None
) -> list[Rows]:
    """Answers given at `at` after `waited` seconds; those `broken` are 5xx, those `wrong` 4xx. Shape (n,) each."""
    ms = np.round(waited * 1000)
    return [
        Rows.of(f"{route}_count", at, 1.0),
        Rows.of(f"{route}_4xx", at, 0.0 if wrong is None else wrong.astype(float)),
        Rows.of(f"{route}_5xx", at, broken.astype(float)),
        Rows.of(f"{route}_latency", at, ms),
        Rows.of(f"{route}_integration", at, np.maximum(ms - GATEWAY_MS, 1.0)),
    ]


def invocations(
    function: str, start: Floats, took: Floats, failed: NDArray[np.bool_], concurrent: Floats
) -> list[Rows]:
    """Invocations begun at `start`; Lambda stamps its metrics with the start, and sends them at the end."""
    ends = start + took
    return [
        Rows.of(f"{function}_invocations", ends, 1.0, start),
        Rows.of(f"{function}_errors", ends, failed.astype(float), start),
        Rows.of(f"{function}_throttles", ends, 0.0, start),
        Rows.of(f"{function}_duration", ends, np.round(took * 1000), start),
        Rows.of(f"{function}_concurrent", ends, concurrent, start),
        Rows.of(f"{function}_log_bytes", ends, LOG_BYTES, start),
    ]
