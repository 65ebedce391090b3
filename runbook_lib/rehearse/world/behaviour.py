"""The service's behaviour, and how a fault changes it: size, beginning, length, shape."""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from runbook_lib.base.nearest import hint
from runbook_lib.judge.terms import Frozen
from runbook_lib.rehearse.world.rows import ID

FAILURE = "LLMError: the answer is not valid JSON"
"""Error text of the few jobs that fail on a healthy day."""


class Finite(Frozen):
    """A declaration with finite numbers only."""

    model_config = ConfigDict(allow_inf_nan=False)


class Behaviour(Finite):
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
    """Share of requests that the idempotency index turns away; its throttling also blocks the table's writes."""
    writes_retried: float = Field(default=0.0, ge=0, le=1)
    """Share of the table's writes that it throttles once; the SDK's next try gets through, and nobody notices."""
    units_needed: float = Field(default=60.0, ge=0)
    """Provisioned units a second, of the table and of the index each, from which on neither turns anything away."""
    poison: float = Field(default=0.0, ge=0, le=1)
    """Share of submissions whose message crashes every worker that it is delivered to."""
    worker_limit: float = Field(default=1000.0, ge=0)
    """Workers that take messages at most, whatever concurrency is reserved; 0: the event source is off."""
    concurrency: float = Field(default=1000.0, ge=0)
    """Concurrency that the worker has at most, whatever is reserved; 0: each receive is throttled, and counts."""
    written_units: float = Field(default=1.0, ge=0)
    """Write units, of the table and of the index each, that the worker spends on a job's end."""
    metrics_late_s: float = Field(default=0.0, ge=0)
    """Metrics reach CloudWatch so much later than they should, under the time that they are about."""
    gateway_4xx: float = Field(default=0.0, ge=0, le=1)
    """Share of the asynchronous submissions that our own gateway refuses (429): counted, and no job."""
    gateway_403: float = Field(default=0.0, ge=0, le=1)
    """Share of them that the WAF forbids (403)."""
    gateway_5xx: float = Field(default=0.0, ge=0, le=1)
    """Share of them that the gateway answers 5xx without calling the submit Lambda."""
    sync_4xx_gateway: float = Field(default=0.0, ge=0, le=1)
    """Share of the synchronous requests that the gateway refuses (429)."""
    caller_4xx: float = Field(default=0.0, ge=0, le=1)
    """Share of the requests at both routes that are the callers' own mistakes (400): no job, and no failure."""
    accepted_lost: float = Field(default=0.0, ge=0, le=1)
    """Share of the submissions answered 202 of which no job is ever written."""
    resubmitted: float = Field(default=0.0, ge=0, le=1)
    """Share of the submissions that repeat an earlier one: answered 200, no job of their own, their users served."""
    job_lost: float = Field(default=0.0, ge=0, le=1)
    """Share of the jobs whose message vanishes: the item stays PENDING for ever."""
    job_duplicated: float = Field(default=0.0, ge=0, le=1)
    """Share of the submissions that make a second job under the same idempotency key."""
    llm_quota: float = Field(default=0.0, ge=0, le=1)
    """Share of the jobs that the LLM refuses with 429, and that fail."""
    no_token_usage: float = Field(default=0.0, ge=0, le=1)
    """Share of the jobs whose item does not say how many tokens they took."""
    llm_slots: float = Field(default=1000.0, ge=0)
    """Jobs at a time that the LLM's rate limit lets through; one more is refused at once, and its job fails."""


def _begin(name: str) -> str:
    if not re.fullmatch(r"0[678]([a-z]?|[a-z]?_[a-z0-9_]+)|migration|09", name):
        raise ValueError("expects 06, 07 or 08, a step of gates.yaml such as 06a_phase1_5_percent, migration or 09")
    return name


Begin = Annotated[str, AfterValidator(_begin)]
"""What a fault can wait for: a phase's weight, by its notebook's number (the first step that has it) or by the step's
own name; `migration`: the synchronous route is asynchronous; `09`: the old handler is gone, and the first week has
begun."""


def begins(begin: str, what: str) -> bool:
    """Whether a fault that waits for `begin` begins with `what`: a step, a notebook, or `migration`."""
    return what == begin or what.startswith(f"{begin}_") or (begin.isdecimal() and what.startswith(begin))


RAMP_STEPS = 12
"""Number of equal pieces of a ramp."""


HORIZON_H = 400.0
"""Hours from the fault's start for which pulses and nights are laid out."""


class Fault(Finite):
    """Changes numbers of `Behaviour` from hour `start` to hour `end` (None: for ever).

    The hours are those of the world's life; with `after`, those since that event: before, the fault is off.
    """

    name: str
    start: float = Field(default=0.0, ge=0)
    end: float | None = None
    after: Begin | None = None
    shape: Literal["step", "ramp", "pulse", "nightly"] = "step"
    """`ramp` grows evenly over `ramp_h` hours; `pulse` is on for `pulse_min` minutes every `every_h` hours; `nightly`
    is on from `from_hour` to `to_hour` of each day of the world's life."""
    ramp_h: float = Field(default=12.0, gt=0)
    pulse_min: float = Field(default=30.0, gt=0)
    every_h: float = Field(default=4.0, gt=0)
    from_hour: float = Field(default=0.0, ge=0, lt=24)
    to_hour: float = Field(default=6.0, gt=0, le=24)
    silent: tuple[str, ...] = ()
    """Signals (`rows.SIGNALS`) that CloudWatch never gets."""
    dropped: dict[str, float] = Field(default_factory=dict)
    """Signal to the share of its minutes that never arrive."""
    scaled: dict[str, float] = Field(default_factory=dict)
    """Signal to the factor by which its values are wrong."""
    stuck: tuple[str, ...] = ()
    """Signals that repeat their first value."""
    set: dict[str, float] = Field(default_factory=dict)
    times: dict[str, float] = Field(default_factory=dict)
    measures: dict[str, float | None] = Field(default_factory=dict)
    """Measure of gates.yaml to what it is meanwhile: a rate's failing share, or the level in its gate's unit; null:
    nothing is published."""
    reason: str = ""
    """Error text of failed jobs while this fault is on; empty: the usual one."""

    @model_validator(mode="after")
    def _whole(self) -> Fault:
        unknown = sorted((set(self.set) | set(self.times)) - set(Behaviour.model_fields))
        if unknown:
            raise ValueError(
                f"fault '{self.name}' turns unknown knob '{unknown[0]}'; {hint(unknown[0], Behaviour.model_fields)}"
            )
        named = {*self.silent, *self.dropped, *self.scaled, *self.stuck}
        for name, share in self.dropped.items():
            if not 0 <= share <= 1:
                raise ValueError(
                    f"fault '{self.name}' drops {share:g} of the minutes of '{name}': expects a share, 0 to 1"
                )
        for name, level in self.measures.items():
            if level is not None and level < 0:
                raise ValueError(f"fault '{self.name}' sets measure '{name}' to {level:g}: expects 0 or more, or null")
        if strangers := sorted(named - set(ID)):
            raise ValueError(f"fault '{self.name}' names unknown signal '{strangers[0]}'; {hint(strangers[0], ID)}")
        if self.shape == "nightly" and self.to_hour <= self.from_hour:
            raise ValueError(f"fault '{self.name}': to_hour {self.to_hour:g} is not after from_hour {self.from_hour:g}")
        if self.shape == "pulse" and self.pulse_min >= 60 * self.every_h:
            raise ValueError(
                f"fault '{self.name}': a pulse of {self.pulse_min:g} min every {self.every_h:g} h never ends"
            )
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"fault '{self.name}' ends at hour {self.end}, before its start {self.start}")
        return self

    def on(self, hour: float) -> bool:
        """Whether the fault is on at `hour`; the end is not included."""
        return self.level(hour) > 0

    @cached_property
    def pieces(self) -> tuple[tuple[float, float, float], ...]:
        """(from hour, to hour, level: 0 to 1) of its life, in order."""
        end = math.inf if self.end is None else self.end
        last = min(end, self.start + HORIZON_H)
        match self.shape:
            case "step":
                return ((self.start, end, 1.0),)
            case "ramp":
                width = self.ramp_h / RAMP_STEPS
                steps = [
                    (self.start + width * k, self.start + width * (k + 1), (k + 1) / RAMP_STEPS)
                    for k in range(RAMP_STEPS - 1)
                ]
                found = [*steps, (self.start + width * (RAMP_STEPS - 1), end, 1.0)]
            case "pulse":
                count = math.ceil((last - self.start) / self.every_h)
                begins = [self.start + self.every_h * k for k in range(count)]
                found = [(at, at + self.pulse_min / 60, 1.0) for at in begins]
            case "nightly":
                days = range(int(self.start // 24), int(last // 24) + 1)
                found = [(24.0 * day + self.from_hour, 24.0 * day + self.to_hour, 1.0) for day in days]
        cut = [(max(low, self.start), min(high, end), level) for low, high, level in found]
        return tuple(piece for piece in cut if piece[0] < piece[1])

    def level(self, hour: float) -> float:
        """Level of the fault at `hour`: 0 to 1."""
        if self.after is not None:
            return 0.0
        return next((level for low, high, level in self.pieces if low <= hour < high), 0.0)

    def counted_from(self, hour: float) -> Fault:
        """The fault with its hours counted from `hour` of the world's life."""
        end = None if self.end is None else self.end + hour
        moved = self.model_copy(update={"after": None, "start": self.start + hour, "end": end})
        moved.__dict__.pop("pieces", None)  # a copy has the cached values of the original
        return moved
