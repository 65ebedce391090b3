"""Rows of signals: the one table that the simulation fills and the publisher reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUTE = ("count", "4xx", "5xx", "latency", "integration")
_FUNCTION = ("invocations", "errors", "throttles", "duration", "concurrent", "log_bytes")
SIGNALS: tuple[str, ...] = (
    # Changes of the queues come first: they never leave the simulation (see `Rows.public`).
    *(f"d_{name}" for name in ("visible", "in_flight", "dlq")),
    # Tokens that were paid for, whatever the call's result: only the LLM's provider knows them all.
    *(f"d_paid_{path}_{side}" for path in ("async", "sync") for side in ("input", "output")),
    # By path: `sync` is the synchronous route, whatever answers there, and `submit` the async one.
    *(f"{route}_{what}" for route in ("sync", "submit", "status") for what in _ROUTE),
    *("nowhere_count", "nowhere_4xx"),
    *(f"{function}_{what}" for function in ("sync", "submit", "worker", "status") for what in _FUNCTION),
    *(f"queue_{what}" for what in ("visible", "in_flight", "age", "sent", "received", "deleted", "empty")),
    *(f"dlq_{what}" for what in ("visible", "in_flight", "age")),
    *("table_reads", "table_writes", "gsi_reads", "gsi_writes"),
    *("table_write_throttles", "gsi_write_throttles"),
    *("jobs_created", "jobs_completed", "jobs_failed", "input_tokens", "output_tokens"),
    *("vpr_generated", "generation_ms", "vpr_cost_usd"),
    *("status_query", "status_completed", "status_failed"),
)
ID: dict[str, int] = {name: i for i, name in enumerate(SIGNALS)}
_PUBLIC = 7


@dataclass(frozen=True)
class Rows:
    """n values; shape (n,) each."""

    signal: NDArray[np.int64]
    """Index into `SIGNALS`."""
    emit: Floats
    """Epoch seconds at which the value becomes known."""
    stamp: Floats
    """Epoch seconds under which it is filed; never after `emit`."""
    value: Floats

    def __len__(self) -> int:
        return len(self.signal)

    @staticmethod
    def empty() -> Rows:
        """No rows."""
        nothing = np.empty(0)
        return Rows(np.empty(0, dtype=np.int64), nothing, nothing, nothing)

    @staticmethod
    def of(signal: str, emit: Floats, value: Floats | float, stamp: Floats | None = None) -> Rows:
        """Rows of one signal; `value` may be one number for all."""
        emit = np.asarray(emit, dtype=float)
        filled = value if isinstance(value, np.ndarray) and value.dtype == float else np.full(len(emit), value, float)
        return Rows(np.full(len(emit), ID[signal]), emit, emit if stamp is None else stamp, filled)

    @staticmethod
    def beside(values: Mapping[str, Floats | float], emit: Floats, stamp: Floats | None = None) -> Rows:
        """Rows of several signals at the same times, one signal after the other."""
        n, many = len(emit), np.concatenate([emit] * len(values))
        value = np.empty((len(values), n))
        for place, one in enumerate(values.values()):
            value[place] = one
        ids = np.array([ID[name] for name in values])
        stamps = many if stamp is None else np.concatenate([stamp] * len(values))
        return Rows(ids.repeat(n), many, stamps, value.ravel())

    @staticmethod
    def many(rows: Sequence[tuple[str, float, float, float]]) -> Rows:
        """Makes rows from (signal, emit, stamp, value)."""
        names, emit, stamp, value = zip(*rows, strict=True)
        return Rows(np.array([ID[name] for name in names]), np.array(emit), np.array(stamp), np.array(value))

    @staticmethod
    def concatenate(parts: Sequence[Rows]) -> Rows:
        """All parts, one after the other."""
        if not parts:
            return Rows.empty()
        return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__annotations__))

    def where(self, mask: NDArray[np.bool_]) -> Rows:
        """The rows for which `mask` (n,) is true."""
        return Rows(self.signal[mask], self.emit[mask], self.stamp[mask], self.value[mask])

    def split(self, until: float) -> tuple[Rows, Rows]:
        """The rows known before `until`, and the others."""
        early = self.emit < until
        return self.where(early), self.where(~early)

    def only(self, signal: str) -> Rows:
        """The rows of one signal."""
        return self.where(self.signal == ID[signal])

    def public(self) -> Rows:
        """The rows without the signals that only the simulation knows."""
        return self.where(self.signal >= _PUBLIC)

    def totals(self) -> dict[str, float]:
        """Sum of the values of each signal that occurs."""
        sums = np.bincount(self.signal, weights=self.value, minlength=len(SIGNALS))
        return {SIGNALS[k]: float(sums[k]) for k in np.unique(self.signal)}

    def total(self, signal: str) -> float:
        """Sum of one signal's values."""
        return float(self.value[self.signal == ID[signal]].sum())


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
