"""Worlds at random, for the fuzzer: traffic, faults of every kind, looks at any time. Pure; the seed says it all."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from runbook_lib.judge.model import Frozen
from runbook_lib.rehearse.scenario import Behaviour, Fault, Scenario

Where = Literal["06", "07", "08", "migration"]
PHASES: tuple[Where, ...] = ("06", "07", "08", "migration")
WEIGHT = {"06": 0.1, "07": 0.5, "08": 1.0, "migration": 1.0}
MOST_JOBS = 6_000.0
"""Asynchronous requests a day that a play simulates at most: traffic is drawn up to that, by the phase's weight."""

HARM = (
    "refused_429", "refused_403", "gateway_5xx", "submit_crash", "caught", "accepted_lost",
    "crash", "loss", "quota", "slow_llm", "backlog", "throttled_table", "throttled_index",
)  # fmt: skip
"""Kinds of fault that users feel."""
BLIND = ("late", "silent", "dropped", "scaled", "stuck", "dead_guard")
"""Kinds that spoil what is seen."""
HARMLESS = ("duplicate", "cost", "no_tokens")
KINDS = (*HARM, *BLIND, *HARMLESS)

_SEEN = (
    *(f"{route}_{what}" for route in ("submit", "sync", "status") for what in ("count", "5xx", "4xx", "latency")),
    *(f"{name}_{what}" for name in ("submit", "worker", "status") for what in ("invocations", "errors", "duration")),
    *("queue_visible", "queue_sent", "dlq_visible", "table_writes", "jobs_created", "jobs_completed", "jobs_failed"),
)


class Drawn(Frozen):
    """One fault as drawn."""

    kind: str
    size: float
    start: float
    """Hours after the shift."""
    length: float | None
    shape: Literal["step", "ramp", "pulse", "nightly"]
    signal: str = ""

    def fault(self, begin: Where) -> Fault:
        """As the world knows it."""
        more = _fault(self)
        end = None if self.length is None else self.start + self.length
        ramp = min(12.0, self.length or 12.0)
        return Fault(name=self.kind, start=self.start, end=end, after=begin, shape=self.shape, ramp_h=ramp, **more)


class Play(Frozen):
    """One play of the fuzzer: a soak of one phase in one world."""

    seed: int
    where: Where
    requests_per_day: float
    quick: float
    """How often the synchronous endpoint succeeds."""
    caller: float
    access_log: bool
    late_h: float
    watch_min: float
    peak: float
    """How much higher the day's busiest hour is than its quietest."""
    faults: tuple[Drawn, ...]

    def scenario(self) -> Scenario:
        """The world."""
        hours = [1 + (self.peak - 1) * (1 - math.cos(2 * math.pi * (h - 2) / 24)) / 2 for h in range(24)]
        return Scenario(
            name=f"fuzz-{self.seed}", title="drawn at random", requests_per_day=self.requests_per_day,
            profile=tuple(hours), behaviour=Behaviour(quick=self.quick, caller_4xx=self.caller),
            access_log=self.access_log, late_h=self.late_h, watch_min=self.watch_min,
            faults=tuple(one.fault(self.where) for one in self.faults),
        )  # fmt: skip

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of its faults."""
        return tuple(one.kind for one in self.faults)


def _fault(one: Drawn) -> dict[str, Any]:  # noqa: PLR0911 (a table of kinds)
    size = one.size
    knob = {
        "refused_429": "gateway_4xx", "refused_403": "gateway_403", "gateway_5xx": "gateway_5xx",
        "submit_crash": "submit_5xx", "caught": "job_failed", "crash": "job_crash", "loss": "job_lost",
        "accepted_lost": "accepted_lost", "duplicate": "job_duplicated", "quota": "llm_quota",
        "throttled_table": "table_throttled", "throttled_index": "index_throttled", "no_tokens": "no_token_usage",
    }.get(one.kind)  # fmt: skip
    if knob:
        return {"set": {knob: size}}
    match one.kind:
        case "slow_llm":
            return {"times": {"llm_time": 1 + 6 * size}}
        case "backlog":
            return {"set": {"worker_limit": math.floor(5 * (1 - size))}}
        case "cost":
            return {"times": {"tokens": 1 + 20 * size}}
        case "late":
            return {"set": {"metrics_late_s": 6 * 3600 * size}}
        case "silent":
            return {"silent": (one.signal,)}
        case "dropped":
            return {"dropped": {one.signal: size}}
        case "scaled":
            return {"scaled": {one.signal: 0.001 if size < 0.5 else 1000.0}}
        case "stuck":
            return {"stuck": (one.signal,)}
        case "dead_guard":
            return {"silent": ("jobs_failed",)}
    raise ValueError(f"fault '{one.kind}' is none that the fuzzer knows")


def play(seed: int) -> Play:
    """The play of a seed."""
    rng = np.random.default_rng([20261127, seed])
    where = PHASES[int(rng.integers(len(PHASES)))]
    most = min(300_000.0, MOST_JOBS / WEIGHT[where])
    count = int(rng.choice([0, 1, 2, 3], p=[0.2, 0.5, 0.2, 0.1]))
    names = [str(name) for name in rng.choice(KINDS, size=count, replace=False)]
    return Play(
        seed=seed, where=where, requests_per_day=float(np.exp(rng.uniform(math.log(20), math.log(most)))),
        quick=float(rng.choice([0.04, 0.04, 0.5, 0.95, 0.99])), caller=float(rng.choice([0.0, 0.0, 0.01, 0.05])),
        access_log=bool(rng.random() < 0.5), late_h=float(rng.choice([0.0, 0.0, rng.uniform(0, 30)])),
        watch_min=float(rng.choice([120.0, 360.0, 720.0, 0.0])), peak=float(rng.uniform(1, 12)),
        faults=tuple(_drawn(rng, name) for name in names),
    )  # fmt: skip


def _drawn(rng: np.random.Generator, kind: str) -> Drawn:
    shape: Any = "step" if kind in BLIND else str(rng.choice(["step", "step", "ramp", "pulse", "nightly"]))
    length = None if rng.random() < 0.5 else float(np.exp(rng.uniform(math.log(0.5), math.log(40))))
    return Drawn(
        kind=kind, size=float(np.exp(rng.uniform(math.log(0.001), 0.0))), shape=shape, length=length,
        start=float(rng.choice([0.0, rng.uniform(0, 50)])), signal=str(rng.choice(_SEEN)),
    )  # fmt: skip
