"""Random worlds for the fuzzer: traffic, faults of every kind, looks at any time. Pure; the seed decides everything."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from runbook_lib.judge.terms import Frozen
from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.scenario import Scenario

Where = Literal["06", "07", "08", "migration"]
PHASES: tuple[Where, ...] = ("06", "07", "08", "migration")
WEIGHT = {"06": 0.1, "07": 0.5, "08": 1.0, "migration": 1.0}
LEAST_TRAFFIC, MOST_TRAFFIC = 20.0, 300_000.0
"""Requests per day."""
MOST_JOBS = 6_000.0
"""Most asynchronous requests per day in the usual play: traffic is drawn up to that, by the phase's weight."""
GENERATION_S = 45.0
WORKERS = 5
"""Workers in service.yaml."""
HIGH = 0.01
"""Share of the plays with traffic between that and the most: each takes as long as dozens of the others."""
HIDDEN = 0.5
"""Share of the plays with several faults in which one spoils exactly the signals that would show another."""

HARM = (
    "refused_429",
    "refused_403",
    "gateway_5xx",
    "submit_crash",
    "caught",
    "accepted_lost",
    "poison",
    "llm_slots",
    "crash",
    "loss",
    "quota",
    "slow_llm",
    "backlog",
    "throttled_table",
    "throttled_index",
)
"""Kinds of fault that users feel."""
BLIND = ("late", "silent", "dropped", "scaled", "stuck", "dead_guard")
"""Kinds that spoil the signals."""
HARMLESS = ("duplicate", "cost", "no_tokens", "resubmitted", "slow_submit", "old_clients", "sync_refused")
KINDS = (*HARM, *BLIND, *HARMLESS)

_SEEN = (
    *(f"{route}_{what}" for route in ("submit", "sync", "status") for what in ("count", "5xx", "4xx", "latency")),
    *(f"{name}_{what}" for name in ("submit", "worker", "status") for what in ("invocations", "errors", "duration")),
    *("queue_visible", "queue_sent", "dlq_visible", "table_writes", "jobs_created", "jobs_completed", "jobs_failed"),
)


_TELLS = {
    "refused_429": ("submit_4xx", "submit_count"),
    "refused_403": ("submit_4xx", "submit_count"),
    "gateway_5xx": ("submit_5xx", "submit_count"),
    "submit_crash": ("submit_5xx", "submit_errors"),
    "caught": ("jobs_failed", "jobs_completed"),
    "accepted_lost": ("jobs_created", "queue_sent"),
    "poison": ("worker_errors", "dlq_visible"),
    "llm_slots": ("jobs_failed", "jobs_completed"),
    "crash": ("worker_errors", "dlq_visible"),
    "loss": ("queue_sent", "jobs_completed"),
    "quota": ("jobs_failed", "jobs_completed"),
    "slow_llm": ("worker_duration", "queue_visible"),
    "backlog": ("queue_visible", "worker_invocations"),
    "throttled_table": ("submit_5xx", "submit_errors"),
    "throttled_index": ("submit_5xx", "submit_errors"),
}
"""Kind of fault that users feel to the signals that show it: a second fault must spoil these to hide it."""


class Drawn(Frozen):
    """One drawn fault."""

    kind: str
    size: float
    start: float
    """Hours after the shift."""
    length: float | None
    shape: Literal["step", "ramp", "pulse", "nightly"]
    signal: str = ""
    pulse_min: float = 30.0
    every_h: float = 4.0
    from_hour: float = 0.0
    to_hour: float = 6.0

    def fault(self, begin: Where) -> Fault:
        """The fault in the form of the world."""
        end = None if self.length is None else self.start + self.length
        form = {
            "pulse_min": self.pulse_min,
            "every_h": self.every_h,
            "from_hour": self.from_hour,
            "to_hour": self.to_hour,
            "ramp_h": min(12.0, self.length or 12.0),
        }
        asked = {"pulse": ("pulse_min", "every_h"), "nightly": ("from_hour", "to_hour"), "ramp": ("ramp_h",)}
        more = _fault(self) | {name: form[name] for name in asked.get(self.shape, ())}
        return Fault(name=self.kind, start=self.start, end=end, after=begin, shape=self.shape, **more)


class Burst(Frozen):
    """More traffic for some hours."""

    start: float
    """Hours after the shift."""
    hours: float
    times: float

    def fault(self, begin: Where) -> Fault:
        """The burst in the form of the world."""
        end = self.start + self.hours
        return Fault(name="burst", start=self.start, end=end, after=begin, times={"traffic": self.times})


class Play(Frozen):
    """One play of the fuzzer: a soak of one phase in one world."""

    seed: int
    where: Where
    requests_per_day: float
    quick: float
    """Success rate of the synchronous endpoint."""
    caller: float
    access_log: bool
    late_h: float
    watch_min: float
    profile: tuple[float, ...]
    """Weight of each hour of the day."""
    bursts: tuple[Burst, ...]
    faults: tuple[Drawn, ...]

    def scenario(self) -> Scenario:
        """The scenario of this play."""
        return Scenario(
            name=f"fuzz-{self.seed}",
            title="drawn at random",
            requests_per_day=self.requests_per_day,
            profile=self.profile,
            behaviour=Behaviour(quick=self.quick, caller_4xx=self.caller),
            access_log=self.access_log,
            late_h=self.late_h,
            watch_min=self.watch_min,
            faults=(*(one.fault(self.where) for one in self.faults), *(one.fault(self.where) for one in self.bursts)),
        )

    @property
    def workers(self) -> int:
        """Number of workers: as in service.yaml or, if the mean traffic needs more, a fifth more than it needs."""
        busy = self.requests_per_day * WEIGHT[self.where] * GENERATION_S / 86_400
        return max(WORKERS, math.ceil(1.2 * busy))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the play's faults."""
        return tuple(one.kind for one in self.faults)


def _fault(one: Drawn) -> dict[str, Any]:  # noqa: PLR0911 (a table of kinds)
    size = one.size
    knob = {
        "refused_429": "gateway_4xx",
        "refused_403": "gateway_403",
        "gateway_5xx": "gateway_5xx",
        "submit_crash": "submit_5xx",
        "caught": "job_failed",
        "crash": "job_crash",
        "loss": "job_lost",
        "accepted_lost": "accepted_lost",
        "duplicate": "job_duplicated",
        "quota": "llm_quota",
        "throttled_table": "table_throttled",
        "throttled_index": "index_throttled",
        "no_tokens": "no_token_usage",
        "poison": "poison",
        "resubmitted": "resubmitted",
        "sync_refused": "sync_4xx_gateway",
    }.get(one.kind)
    if knob:
        return {"set": {knob: size}}
    match one.kind:
        case "slow_llm":
            return {"times": {"llm_time": 1 + 6 * size}}
        case "backlog":
            return {"set": {"worker_limit": math.floor(5 * (1 - size))}}
        case "llm_slots":
            return {"set": {"llm_slots": math.floor(5 * (1 - size))}}
        case "slow_submit":
            return {"times": {"submit_latency_s": 1 + 20 * size}}
        case "old_clients":
            return {"set": {"adoption": 1 - size}}
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
    """The play for a seed."""
    rng = np.random.default_rng([20261127, seed])
    where = PHASES[int(rng.integers(len(PHASES)))]
    usual = MOST_JOBS / WEIGHT[where]
    low, high = (usual, MOST_TRAFFIC) if rng.random() < HIGH else (LEAST_TRAFFIC, usual)
    late = float(rng.choice([0.0, rng.uniform(0, 30)]))
    count = int(rng.choice([0, 1, 2, 3], p=[0.2, 0.5, 0.2, 0.1]))
    names = [str(name) for name in rng.choice(KINDS, size=count, replace=False)]
    hidden = str(rng.choice(HARM)) if count > 1 and rng.random() < HIDDEN else ""
    if hidden:
        names[:2] = [hidden, str(rng.choice(("silent", "dropped", "scaled", "stuck")))]
        names = list(dict.fromkeys(names))
    return Play(
        seed=seed,
        where=where,
        requests_per_day=_log_uniform(rng, low, high),
        late_h=late,
        quick=float(rng.choice([0.04, 0.04, 0.5, 0.95, 0.99])),
        caller=float(rng.choice([0.0, 0.0, 0.01, 0.05])),
        access_log=bool(rng.random() < 0.5),
        watch_min=float(rng.choice([60.0, 120.0, 360.0, 720.0, 0.0])),
        profile=_profile(rng),
        bursts=tuple(_burst(rng) for _ in range(int(rng.choice([0, 1, 2], p=[0.7, 0.2, 0.1])))),
        faults=tuple(_drawn(rng, name, late, _TELLS.get(hidden, _SEEN)) for name in names),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _profile(rng: np.random.Generator) -> tuple[float, ...]:
    """A day with one busy time, anywhere, up to twelve times the quiet one, and smooth or rough."""
    peak, at, rough = rng.uniform(1, 12), rng.uniform(0, 24), float(rng.choice([0.0, 0.3, 0.7]))
    noise = np.exp(rng.normal(0, 1, 24) * rough)
    hours = (1 + (peak - 1) * (1 + np.cos(2 * math.pi * (np.arange(24) - at) / 24)) / 2) * noise
    return tuple(round(float(hour), 3) for hour in hours)


def _burst(rng: np.random.Generator) -> Burst:
    return Burst(start=float(rng.uniform(0, 50)), hours=float(rng.integers(1, 4)), times=_log_uniform(rng, 1.5, 10))


def _drawn(rng: np.random.Generator, kind: str, late_h: float, signals: tuple[str, ...]) -> Drawn:
    shape: Any = "step" if kind in BLIND else str(rng.choice(["step", "step", "ramp", "pulse", "nightly"]))
    length = None if rng.random() < 0.5 else _log_uniform(rng, 0.5, 40)
    # At the shift; at any time; or after the first declared look, for a look that is taken late.
    start = float(rng.choice([0.0, rng.uniform(0, 50), 23 + rng.uniform(0, max(3.0, late_h))]))
    every, begin = _log_uniform(rng, 1, 12), float(rng.integers(0, 21))
    return Drawn(
        kind=kind,
        size=_log_uniform(rng, 0.001, 1),
        shape=shape,
        length=length,
        start=start,
        signal=str(rng.choice(signals)),
        every_h=every,
        pulse_min=min(_log_uniform(rng, 5, 240), 45 * every),
        from_hour=begin,
        to_hour=min(24.0, begin + float(rng.integers(1, 9))),
    )
