"""Scenarios: the simulated service's behaviour, what goes wrong when, and the expected end. Data, read from YAML."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import read_yaml, validated
from runbook_lib.rehearse.world.behaviour import FAILURE, Begin, Behaviour, Fault, Finite, begins

FOLDER = Path(__file__).parent / "scenarios"
_PHASES = ("06", "07", "08")
Caught = Literal["06", "07", "08", "10"]
"""Number of the notebook that finds it; `10`: in the first week."""


class Expected(Finite):
    """The expected end of a scenario. If chance has a part, several ends are right, and all of them are named."""

    decisions: tuple[Literal["PROMOTE", "HOLD", "ROLLBACK"], ...] = Field(min_length=1)
    phases: tuple[Caught, ...] = ()
    """Number of the notebook that catches it; empty: none, the rollout goes through."""
    rollback: tuple[Literal[1, 2, 3], ...] = ()
    """The rollback scenarios that a ROLLBACK may name."""
    recovers: str = ""
    """What turns the curve, in words; empty: nothing in the rollback does."""
    within_min: float | None = Field(default=None, gt=0)
    """Minutes within which half of the plays find it, by the figures of docs/verdicts.md; None: not declared."""

    @model_validator(mode="after")
    def _whole(self) -> Expected:
        if ("PROMOTE" in self.decisions) != (not self.phases) or ("ROLLBACK" in self.decisions) != bool(self.rollback):
            raise ValueError("PROMOTE is caught in no phase, HOLD and ROLLBACK in one, and ROLLBACK names its scenario")
        return self


class Scenario(Finite):
    """A world: amount and daily profile of the traffic, behaviour, and faults."""

    name: str
    title: str
    explanation: str = ""
    """What happens in it, for a reader of `runbook rehearse --list`."""
    expected: Expected | None = None
    """The expected end; None: a world for other tests, not to be played to an end."""
    watch_min: float = Field(default=60.0, ge=0)
    """Minutes between two looks of a watch, beside the declared looks; 0: nobody but AppConfig watches the soak."""
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
    """Hours after which SQS stops publishing for a queue that nothing touched (the DLQ, on healthy days)."""
    behaviour: Behaviour = Behaviour()
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Scenario:
        if 0 < self.watch_min < 1:
            raise ValueError(f"watch_min is {self.watch_min:g}: expects 0 (nobody looks), or 1 minute and more")
        if len(self.profile) != 24 or min(self.profile) < 0 or sum(self.profile) <= 0:
            raise ValueError("profile expects 24 weights, none negative, not all zero")
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
        """Number of the last possible start phase: later, a fault that comes with a phase would never begin."""
        return min((_within(fault.after) for fault in self.faults if fault.after), default="08")

    @property
    def notebooks_only(self) -> bool:
        """Whether it is found after phase 3, which only the notebooks play."""
        return self.expected is not None and "10" in self.expected.phases

    @property
    def in_a_soak(self) -> bool:
        """Whether it goes wrong while a phase soaks, and is found there."""
        found = self.expected is not None and bool(self.expected.phases) and not self.notebooks_only
        return found and not any(self.waits_for(begin) for begin in ("migration", "09"))

    def starts_at(self, phase: str) -> None:
        """Checks that it can be played from `phase` on (06, 07, 08; empty: from the beginning).

        Raises:
            UsageError: the phase does not exist, or its fault would never begin.
        """
        if phase not in ("", *_PHASES):
            raise UsageError(f"start phase '{phase}': expects one of {', '.join(_PHASES)}")
        if phase > self.last_start:
            raise UsageError(
                f"start phase '{phase}': what goes wrong in '{self.name}' comes with phase {self.last_start}; "
                f"start there or before"
            )

    def fits(self, phases: Iterable[str]) -> None:
        """Checks that a rollout of these phases, in their order, reaches everything that a fault waits for.

        Raises:
            UsageError: a fault waits for something else, and would never begin.
        """
        known = list(phases)
        for fault in self.faults:
            if fault.after in (None, "migration", "09") or any(begins(fault.after, phase) for phase in known):
                continue
            close = get_close_matches(fault.after, known, n=1)
            guess = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(known)}"
            raise UsageError(
                f"scenario '{self.name}': fault '{fault.name}' comes after '{fault.after}', which is not a phase of "
                f"gates.yaml{guess}"
            )

    def waits_for(self, begin: str) -> bool:
        """Whether a fault begins with that."""
        return any(fault.after is not None and begins(fault.after, begin) for fault in self.faults)

    def per_hour(self, hour_of_day: int) -> float:
        """Expected arrivals in that hour of the day, before any fault."""
        return self.requests_per_day * self.profile[hour_of_day] / sum(self.profile)

    def begun(self, phase: str, hour: float) -> Scenario:
        """A copy after `phase` (a step, or `migration`) has happened at `hour`: its faults begin now."""
        due = [fault.after is not None and begins(fault.after, phase) for fault in self.faults]
        faults = [f.counted_from(hour) if now else f for f, now in zip(self.faults, due, strict=True)]
        return self.model_copy(update={"faults": tuple(faults)})

    def silent(self, hour: float) -> frozenset[str]:
        """Signals that CloudWatch does not get at `hour`."""
        return frozenset(name for fault in self.faults if fault.on(hour) for name in fault.silent)

    def edges(self) -> tuple[float, ...]:
        """Hours at which a fault starts or ends, in order."""
        known = [fault for fault in self.faults if fault.after is None]
        return tuple(sorted({x for f in known for low, high, _ in f.pieces for x in (low, high) if x < math.inf}))

    def at(self, hour: float) -> Behaviour:
        """The behaviour at `hour` of the world's life; later faults of the list override earlier ones.

        Raises:
            ValueError: a fault takes a number out of its range.
        """
        values = self.behaviour.model_dump()
        for fault in self.faults:
            if level := fault.level(hour):
                values = _with(values, fault, level)
        return Behaviour.model_validate(values)

    def reason(self, hour: float) -> str:
        """Error text of a job that fails at `hour`."""
        said = [fault.reason for fault in self.faults if fault.reason and fault.on(hour)]
        return said[-1] if said else FAILURE


def _within(begin: Begin) -> str:
    """Number of the phase to start from, so that this event happens."""
    return "08" if begin in ("migration", "09") else begin[:2]


def _with(values: dict[str, float], fault: Fault, level: float = 1.0) -> dict[str, float]:
    """`values` with this level of `fault`."""
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
    """The scenario with that name, or in the YAML file with the path `name`.

    Raises:
        UsageError: there is none, or it is wrong.
    """
    return load(Path(name) if name.endswith((".yaml", ".yml")) else name)


def names() -> list[str]:
    """Names of the delivered scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def played() -> list[Scenario]:
    """The scenarios with a declared end: the healthy ones first."""
    known = [scenario for scenario in map(load, names()) if scenario.expected is not None]
    return sorted(known, key=lambda one: (one.expected is not None and bool(one.expected.phases), one.name))
