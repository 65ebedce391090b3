"""The arrivals, and every random number that a request will ever need: drawn hour by hour, up front.

An hour's numbers depend on (seed, hour of the world's life) alone, so a day comes out the same for any division of
time into steps, and whatever the runbook does in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.scenario import Scenario

Floats = NDArray[np.float64]
HOUR_S = 3600.0


@dataclass(frozen=True)
class Arrivals:
    """n requests in order of arrival; every field has the shape (n,). `u_*` are uniform in [0, 1)."""

    at: Floats
    """Epoch seconds."""
    u_split: Floats
    u_lag: Floats
    u_adopt: Floats
    u_quick: Floats
    u_llm: Floats
    u_submit_5xx: Floats
    u_failed: Floats
    u_crash: Floats
    u_poll: Floats
    z_submit: Floats
    """Standard normal, for the submission's latency; so are the other `z_*`, for the tokens."""
    z_input: Floats
    z_output: Floats
    key: NDArray[np.uint64]
    """Shape (n, 2): the 128 bits for job id and idempotency key."""

    def __len__(self) -> int:
        return len(self.at)

    def between(self, start: float, end: float) -> Arrivals:
        """The arrivals in [start, end)."""
        low, high = np.searchsorted(self.at, [start, end])
        if low == high:
            return NO_ARRIVALS
        return Arrivals(**{name: column[low:high] for name, column in vars(self).items()})


_NONE: dict[str, NDArray[Any]] = dict.fromkeys(Arrivals.__annotations__, np.empty(0))
NO_ARRIVALS = Arrivals(**_NONE | {"key": np.empty((0, 2), dtype=np.uint64)})
_UNIFORM = tuple(name for name in Arrivals.__annotations__ if name.startswith("u_"))
_NORMAL = tuple(name for name in Arrivals.__annotations__ if name.startswith("z_"))


def draw(scenario: Scenario, seed: int, hour: int, start: float) -> Arrivals:
    """The arrivals of the `hour`-th hour of the world's life, which began at `start` (epoch seconds, a full hour).

    Poisson in number, uniform within the hour: a Poisson process that is constant for an hour at a time.
    """
    generator = np.random.default_rng([seed, hour % 2**32])
    begins = start + hour * HOUR_S
    expected = scenario.per_hour(int(begins // HOUR_S) % 24) * scenario.at(hour).traffic
    n = int(generator.poisson(expected))
    uniform = generator.random((1 + len(_UNIFORM), n))
    normal = generator.standard_normal((len(_NORMAL), n))
    # Floor to the millisecond, the resolution of every time that the service writes down.
    at = np.sort(np.floor(uniform[0] * HOUR_S * 1000) / 1000) + begins
    columns = dict(zip((*_UNIFORM, *_NORMAL), (*uniform[1:], *normal), strict=True))
    return Arrivals(at=at, **columns, key=generator.integers(0, 2**64, (n, 2), dtype=np.uint64))
