"""The terms of a harm forecast: the requests, and what would notice that they fail. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge import numbers
from runbook_lib.judge.model import Gate, Look, bad_side

Floats = NDArray[np.float64]

PART_S, LONG_PART_S = 10.0, 60.0
"""Seconds of a part of the course, and of a longer part for much traffic; evidence is at least as fine as the first."""
HOURS = 24
_MANY_PARTS = 3_000
"""Most parts with a request in one play: with more, the parts are longer."""


@dataclass(frozen=True)
class Watch:
    """What would notice a failure, and how: the soak of one phase as declared."""

    gate: Gate
    """The gate on the users' success."""
    looks: tuple[Look, ...]
    every_min: float
    """Minutes between two looks of the people who watch; 0: nobody watches."""
    guards: tuple[tuple[int, float], ...]
    """(failures, seconds): a guard fires at this many within a sliding window."""
    alpha_early: float
    prior: tuple[float, float]
    confidence: float
    settle_s: float
    """Seconds until a request can be judged: its metrics are available, its job is over."""
    delay_s: float
    """Seconds until an alarm sees a failure."""
    clear_s: float
    """Seconds until the last client has read that the weight is 0."""

    def __post_init__(self) -> None:
        """Refuses impossible values.

        Raises:
            ValueError: one is impossible; with its name and value.
        """
        if self.gate.kind != "rate" or not self.looks:
            raise ValueError("a harm forecast expects a gate of kind rate, and at least one declared look")
        numbers.chance(alpha_early=self.alpha_early, confidence=self.confidence)
        for least, window_s in self.guards:
            numbers.count(1, least=least)
            numbers.positive(window_s=window_s)
        times = {"every_min": self.every_min, "settle_s": self.settle_s, "delay_s": self.delay_s}
        numbers.finite(0.0, **times, clear_s=self.clear_s)

    @property
    def limit(self) -> float:
        """The share of failures at the alert limit."""
        line = bad_side(self.gate).limit
        return 1 - line if self.gate.higher_is_better else line

    @property
    def end_s(self) -> float:
        """Seconds until the last declared look is taken."""
        return self.looks[-1].hours * 3600 + self.settle_s


@dataclass(frozen=True)
class Traffic:
    """The requests of both routes, and the shares of them that fail anyway."""

    per_s: tuple[float, ...]
    """Requests a second in each hour of the day (UTC), or one number for all hours."""
    weight: float
    """Share of the requests that is asynchronous, 0..1."""
    from_hour: float = 0.0
    """Hour of the day (UTC) of the shift."""
    failing: float = 0.002
    """Share of failing requests of a healthy service."""
    baseline: float | None = None
    """Share of failing requests of the synchronous endpoint."""

    def __post_init__(self) -> None:
        """Refuses impossible values.

        Raises:
            ValueError: one is impossible; with its name and value.
        """
        if len(self.per_s) not in (1, HOURS):
            raise ValueError(f"per_s expects 1 or {HOURS} rates, has {len(self.per_s)}")
        numbers.finite(0.0, **{f"per_s {hour}": rate for hour, rate in enumerate(self.per_s)})
        numbers.share(weight=self.weight, failing=self.failing, baseline=self.baseline or 0.0)
        numbers.finite(0.0, from_hour=self.from_hour)

    def expected(self, seconds: float) -> tuple[Floats, float]:
        """Asynchronous requests expected in each part, from the shift on; and the length of a part in seconds."""
        rates = np.broadcast_to(np.asarray(self.per_s, dtype=float), HOURS)
        for part_s in (PART_S, LONG_PART_S):
            at = np.arange(0.0, seconds, part_s) / 3600 + self.from_hour
            found = np.asarray(rates[(at % HOURS).astype(int)] * self.weight * part_s, dtype=float)
            if np.sum(-np.expm1(-found)) <= _MANY_PARTS:
                break
        return found, part_s


def late(watch: Watch) -> float:
    """The hour of a late failure, after half of the soak, whose good hours hide it."""
    return watch.looks[0].hours / 2
