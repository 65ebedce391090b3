"""Scenarios: how the simulated service behaves, and what goes wrong when. Data, read from YAML."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from runbook_lib.errors import UsageError
from runbook_lib.judge.model import Frozen
from runbook_lib.params import read_yaml, validated

FAILURE = "LLMError: the answer is not valid JSON"
"""What the few jobs say that fail on a healthy day."""
FOLDER = Path(__file__).parent / "scenarios"


class Behaviour(Frozen):
    """The service at one moment. A fault sets or multiplies any of these numbers."""

    traffic: float = Field(default=1.0, ge=0)
    """Multiplies the arrivals; looked up once an hour, at its start."""
    quick: float = Field(default=0.04, ge=0, le=1)
    """Share of generations that take less than the gateway's 29 s (18-28 s); the others take 30-60 s."""
    llm_time: float = Field(default=1.0, gt=0)
    """Multiplies the seconds of a generation."""
    tokens: float = Field(default=1.0, ge=0)
    """Multiplies the tokens of a generation."""
    submit_latency_s: float = Field(default=0.18, gt=0)
    """Median latency of a submission, lognormal with sigma 0.485: p95 is 2.2 times the median."""
    submit_5xx: float = Field(default=0.0, ge=0, le=1)
    """Share of submissions that crash the submit Lambda: 5xx, no job."""
    job_failed: float = Field(default=0.002, ge=0, le=1)
    """Share of jobs that the worker catches and marks FAILED; its Lambda reports success."""
    job_crash: float = Field(default=0.0, ge=0, le=1)
    """Share of deliveries that crash the worker; the message comes back after the visibility timeout."""
    adoption: float = Field(default=1.0, ge=0, le=1)
    """Share of clients that obey the flags; the others stay on the synchronous route."""
    table_throttled: float = Field(default=0.0, ge=0, le=1)
    """Share of requests that the jobs table turns away, every retry included: no job, or a job that fails."""
    index_throttled: float = Field(default=0.0, ge=0, le=1)
    """The same for the idempotency index, whose throttling holds up the table's writes."""
    units_needed: float = Field(default=60.0, ge=0)
    """Provisioned units a second, of the table and of the index each, from which on neither turns anything away."""
    llm_slots: float = Field(default=1000.0, ge=0)
    """Jobs at a time that the LLM's rate limit lets through; one more is refused at once, and its job fails."""


class Fault(Frozen):
    """From hour `start` to hour `end` (None: for ever) of the world's life, numbers of `Behaviour` are other ones."""

    name: str
    start: float = Field(default=0.0, ge=0)
    end: float | None = None
    set: dict[str, float] = Field(default_factory=dict)
    times: dict[str, float] = Field(default_factory=dict)
    reason: str = ""
    """What failed jobs say while this fault is on; empty: what they always say."""

    @model_validator(mode="after")
    def _whole(self) -> Fault:
        unknown = sorted((set(self.set) | set(self.times)) - set(Behaviour.model_fields))
        if unknown:
            raise ValueError(f"fault '{self.name}' turns unknown knob '{unknown[0]}'")
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"fault '{self.name}' ends at hour {self.end}, before its start {self.start}")
        return self

    def on(self, hour: float) -> bool:
        """Whether it is on at `hour`; the end is not included."""
        return self.start <= hour and (self.end is None or hour < self.end)


class Scenario(Frozen):
    """A world: how much traffic, spread how over the day, behaving how, with which faults."""

    name: str
    title: str
    requests_per_day: float = Field(default=3000.0, ge=0)
    profile: tuple[float, ...] = (
        *(0.25, 0.2, 0.2, 0.2, 0.25, 0.4, 0.7, 1.0, 1.4, 1.6, 1.7, 1.7),
        *(1.6, 1.7, 1.7, 1.6, 1.5, 1.4, 1.2, 1.1, 0.9, 0.7, 0.5, 0.4),
    )
    """Weight of each hour of the day (UTC); only the proportions count."""
    idle_queue_hours: float = Field(default=6.0, ge=0)
    """SQS stops publishing for a queue that nothing touched for so long (the DLQ, on healthy days)."""
    behaviour: Behaviour = Behaviour()
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Scenario:
        if len(self.profile) != 24 or min(self.profile) < 0 or sum(self.profile) <= 0:
            raise ValueError("profile wants 24 weights, none negative, not all zero")
        for hour in (0.0, *self.edges()):
            self.at(hour)
        return self

    def per_hour(self, hour_of_day: int) -> float:
        """Expected arrivals in that hour of the day, before any fault."""
        return self.requests_per_day * self.profile[hour_of_day] / sum(self.profile)

    def edges(self) -> tuple[float, ...]:
        """Hours at which a fault starts or ends, in order."""
        return tuple(sorted({x for f in self.faults for x in (f.start, f.end) if x is not None}))

    def at(self, hour: float) -> Behaviour:
        """The behaviour at `hour` of the world's life; later faults of the list lie over earlier ones.

        Raises:
            ValueError: a fault takes a number out of its range.
        """
        values = self.behaviour.model_dump()
        for fault in self.faults:
            if fault.on(hour):
                values.update(fault.set)
                values.update({knob: values[knob] * factor for knob, factor in fault.times.items()})
        return Behaviour.model_validate(values)

    def reason(self, hour: float) -> str:
        """What a job that fails at `hour` says."""
        said = [fault.reason for fault in self.faults if fault.reason and fault.on(hour)]
        return said[-1] if said else FAILURE


def load(name: str | Path) -> Scenario:
    """The scenario called `name` (a file of `scenarios/`), or the one in the YAML file given as a `Path`.

    Raises:
        UsageError: there is none, or it is wrong; one sentence names file, key and value.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(f"no scenario '{name}'; there are {', '.join(names())}")
    return validated(Scenario, read_yaml(path), path.name)


def names() -> list[str]:
    """Names of the scenarios that come along."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
