"""Scenarios: how the simulated service behaves, what goes wrong when, and how that should end. Data, read from YAML."""

from __future__ import annotations

import math
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.judge.model import Frozen
from runbook_lib.params.load import read_yaml, validated
from runbook_lib.rehearse.world.rows import ID

FAILURE = "LLMError: the answer is not valid JSON"
"""What the few jobs say that fail on a healthy day."""
FOLDER = Path(__file__).parent / "scenarios"
Begin = Literal["06", "07", "08", "migration", "09"]
"""What a fault can wait for: a phase's weight by the number of its notebook; `migration`: `/api/vpr` is asynchronous;
`09`: the old handler is gone, and the first week has begun."""
_PHASES = ("06", "07", "08")
Caught = Literal["06", "07", "08", "10"]
"""Number of the notebook that finds it; `10`: in the first week."""


class Finite(Frozen):
    """A declaration whose numbers are numbers: nothing takes infinitely long."""

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
    """The same for the idempotency index, whose throttling holds up the table's writes."""
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


RAMP_STEPS = 12
"""Pieces of equal length that a ramp is made of."""
HORIZON_H = 400.0
"""How far ahead pulses and nights are laid out, in hours from the fault's start."""


class Fault(Finite):
    """From hour `start` to hour `end` (None: for ever) numbers of `Behaviour` are other ones.

    The hours are those of the world's life; with `after`, those since that came about: before, the fault is off.
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
    """Signals (`rows.SIGNALS`) that CloudWatch is never told."""
    dropped: dict[str, float] = Field(default_factory=dict)
    """Signal to the share of its minutes that never arrive."""
    scaled: dict[str, float] = Field(default_factory=dict)
    """Signal to the factor by which its values are wrong."""
    stuck: tuple[str, ...] = ()
    """Signals that go on saying what they said first."""
    set: dict[str, float] = Field(default_factory=dict)
    times: dict[str, float] = Field(default_factory=dict)
    reason: str = ""
    """What failed jobs say while this fault is on; empty: what they always say."""

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
                    f"fault '{self.name}' drops {share:g} of the minutes of '{name}': wants a share, 0 to 1"
                )
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
        """Whether it is on at `hour`; the end is not included."""
        return self.level(hour) > 0

    @cached_property
    def pieces(self) -> tuple[tuple[float, float, float], ...]:
        """(from hour, to hour, how much of it: 0 to 1) of its life, in order."""
        end = math.inf if self.end is None else self.end
        last = min(end, self.start + HORIZON_H)
        match self.shape:
            case "step":
                return ((self.start, end, 1.0),)
            case "ramp":
                width = self.ramp_h / RAMP_STEPS
                steps = [(self.start + width * k, self.start + width * (k + 1), (k + 1) / RAMP_STEPS)
                         for k in range(RAMP_STEPS - 1)]  # fmt: skip
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
        """How much of it is in force at `hour`: 0 to 1."""
        if self.after is not None:
            return 0.0
        return next((level for low, high, level in self.pieces if low <= hour < high), 0.0)

    def counted_from(self, hour: float) -> Fault:
        """The same fault, its hours counted from `hour` of the world's life."""
        end = None if self.end is None else self.end + hour
        moved = self.model_copy(update={"after": None, "start": self.start + hour, "end": end})
        moved.__dict__.pop("pieces", None)  # a copy carries what was reckoned of the original
        return moved


class Expected(Finite):
    """How a scenario should end. Where chance has a say, several ends are right, and all of them are named."""

    decisions: tuple[Literal["PROMOTE", "HOLD", "ROLLBACK"], ...] = Field(min_length=1)
    phases: tuple[Caught, ...] = ()
    """Where it is caught; empty: nowhere, the rollout goes through."""
    rollback: tuple[Literal[1, 2, 3], ...] = ()
    """The rollback scenarios that a ROLLBACK may name."""
    recovers: str = ""
    """What turns the curve, in words; empty: nothing in the rollback does."""

    @model_validator(mode="after")
    def _whole(self) -> Expected:
        if ("PROMOTE" in self.decisions) != (not self.phases) or ("ROLLBACK" in self.decisions) != bool(self.rollback):
            raise ValueError("PROMOTE is caught in no phase, HOLD and ROLLBACK in one, and ROLLBACK names its scenario")
        return self


class Scenario(Finite):
    """A world: how much traffic, spread how over the day, behaving how, with which faults."""

    name: str
    title: str
    explanation: str = ""
    """What happens in it, for a reader of `runbook rehearse --list`."""
    expected: Expected | None = None
    """None: a world for other tests, not to be played to an end."""
    watch_min: float = Field(default=60.0, ge=0)
    """Minutes between two looks of whoever watches, beside the declared looks; 0: AppConfig is alone with the soak."""
    looks_h: tuple[Annotated[float, Field(gt=0)], ...] = (1, 3, 8, 13, 18, 29, 34)
    """Hours after each shift at which somebody looks who plays it with the notebooks, beside the declared looks."""
    requests_per_day: float = Field(default=3000.0, ge=0, le=5_000_000)
    profile: tuple[float, ...] = (
        *(0.25, 0.2, 0.2, 0.2, 0.25, 0.4, 0.7, 1.0, 1.4, 1.6, 1.7, 1.7),
        *(1.6, 1.7, 1.7, 1.6, 1.5, 1.4, 1.2, 1.1, 0.9, 0.7, 0.5, 0.4),
    )
    """Weight of each hour of the day (UTC); only the proportions count."""
    access_log: bool = False
    """The stage writes access logs, so that refusals can be told from the callers' own mistakes."""
    late_h: float = Field(default=0.0, ge=0, le=720)
    """Hours by which the declared looks are taken late."""
    by_hand: bool = False
    """The shift is made at AppConfig's console in the phase's name, with no step over 0; else by the notebook."""
    idle_queue_hours: float = Field(default=6.0, ge=0)
    """SQS stops publishing for a queue that nothing touched for so long (the DLQ, on healthy days)."""
    behaviour: Behaviour = Behaviour()
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Scenario:
        if 0 < self.watch_min < 1:
            raise ValueError(f"watch_min is {self.watch_min:g}: wants 0 (nobody looks), or 1 minute and more")
        if len(self.profile) != 24 or min(self.profile) < 0 or sum(self.profile) <= 0:
            raise ValueError("profile wants 24 weights, none negative, not all zero")
        for fault in self.faults:
            # Also the faults that no phase has begun yet.
            try:
                Behaviour.model_validate(_with(self.behaviour.model_dump(), fault))
            except ValidationError as error:
                first = error.errors()[0]
                what = f"fault '{fault.name}': '{first['loc'][0]}' is {first['input']:g}: {first['msg']}"
                raise ValueError(what) from None
        for hour in (0.0, *self.edges()):
            self.at(hour)
        return self

    @property
    def first_phase(self) -> str:
        """Number of the phase before which nothing of it happens."""
        return min((_within(fault.after) if fault.after else "06" for fault in self.faults), default="06")

    @property
    def last_start(self) -> str:
        """Number of the last phase to start from: later, a fault that comes with a phase would never begin."""
        return min((_within(fault.after) for fault in self.faults if fault.after), default="08")

    @property
    def notebooks_only(self) -> bool:
        """It is found after phase 3, and what comes then is in the notebooks alone."""
        return self.expected is not None and "10" in self.expected.phases

    def starts_at(self, phase: str) -> None:
        """Whether it can be played from `phase` on (06, 07, 08; empty: from the beginning).

        Raises:
            UsageError: no such phase, or its fault would never begin.
        """
        if phase not in ("", *_PHASES):
            raise UsageError(f"start phase '{phase}': wants one of {', '.join(_PHASES)}")
        if phase > self.last_start:
            raise UsageError(
                f"start phase '{phase}': what goes wrong in '{self.name}' comes with phase {self.last_start}; "
                f"start there or before"
            )

    def waits_for(self, begin: str) -> bool:
        """Whether a fault begins with that."""
        return any(fault.after is not None and begin.startswith(fault.after) for fault in self.faults)

    def per_hour(self, hour_of_day: int) -> float:
        """Expected arrivals in that hour of the day, before any fault."""
        return self.requests_per_day * self.profile[hour_of_day] / sum(self.profile)

    def begun(self, phase: str, hour: float) -> Scenario:
        """The same world once `phase` (a notebook, or `migration`) has come about at `hour`: its faults begin now."""
        due = [fault.after is not None and phase.startswith(fault.after) for fault in self.faults]
        faults = [f.counted_from(hour) if now else f for f, now in zip(self.faults, due, strict=True)]
        return self.model_copy(update={"faults": tuple(faults)})

    def silent(self, hour: float) -> frozenset[str]:
        """Signals that CloudWatch is not told at `hour`."""
        return frozenset(name for fault in self.faults if fault.on(hour) for name in fault.silent)

    def edges(self) -> tuple[float, ...]:
        """Hours at which a fault starts or ends, in order."""
        known = [fault for fault in self.faults if fault.after is None]
        return tuple(sorted({x for f in known for low, high, _ in f.pieces for x in (low, high) if x < math.inf}))

    def at(self, hour: float) -> Behaviour:
        """The behaviour at `hour` of the world's life; later faults of the list lie over earlier ones.

        Raises:
            ValueError: a fault takes a number out of its range.
        """
        values = self.behaviour.model_dump()
        for fault in self.faults:
            if level := fault.level(hour):
                values = _with(values, fault, level)
        return Behaviour.model_validate(values)

    def reason(self, hour: float) -> str:
        """What a job that fails at `hour` says."""
        said = [fault.reason for fault in self.faults if fault.reason and fault.on(hour)]
        return said[-1] if said else FAILURE


def _within(begin: Begin) -> str:
    """Number of the phase to start from, for that to come about."""
    return "08" if begin in ("migration", "09") else begin


def _with(values: dict[str, float], fault: Fault, level: float = 1.0) -> dict[str, float]:
    """`values` under so much of `fault`."""
    if level == 1.0:
        values = {**values, **fault.set}
        return {**values, **{knob: values[knob] * factor for knob, factor in fault.times.items()}}
    whole = _with(values, fault)
    return {knob: value + level * (whole[knob] - value) for knob, value in values.items()}


def load(name: str | Path) -> Scenario:
    """The scenario called `name` (a file of `scenarios/`), or the one in the YAML file given as a `Path`.

    Raises:
        UsageError: there is none, or it is wrong; one sentence names file, key and value.
    """
    path = name if isinstance(name, Path) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        if isinstance(name, Path):
            raise UsageError(f"--scenario: there is no file '{name}'")
        close = get_close_matches(str(name), names(), n=1)
        guess = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(names())}"
        raise UsageError(f"no scenario '{name}'{guess}")
    return validated(Scenario, read_yaml(path), path.name)


def find(name: str) -> Scenario:
    """The scenario of that name, or of the YAML file that `name` is the path of.

    Raises:
        UsageError: there is none, or it is wrong.
    """
    return load(Path(name) if name.endswith((".yaml", ".yml")) else name)


def names() -> list[str]:
    """Names of the scenarios that come along."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def played() -> list[Scenario]:
    """The scenarios that say how they should end: the healthy ones first."""
    known = [scenario for scenario in map(load, names()) if scenario.expected is not None]
    return sorted(known, key=lambda one: (one.expected is not None and bool(one.expected.phases), one.name))
