"""The shared state of the service's parts: settings, behaviour over time, what is under way, the rows of a step."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace

import numpy as np

from runbook_lib.rehearse.world.arrivals import HOUR_S, Arrivals, Floats
from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.gauges import Gauges
from runbook_lib.rehearse.world.jobs import Answer, Failure, Job, Row, Settings
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario

TOKEN_SIGMA = 0.08


class Course:
    """The behaviour that a scenario declares, at any time; `origin` is the epoch second at which its hours begin."""

    def __init__(self, scenario: Scenario, origin: float) -> None:
        self.scenario, self.origin, self._edges = scenario, origin, scenario.edges()
        self._steps = np.array(self._edges, dtype=float)
        self._behaviours = [scenario.at(hour) for hour in (0.0, *self._edges)]
        self._values: dict[str, Floats] = {}

    def knob(self, name: str, at: Floats) -> Floats:
        """The knob's value at each time."""
        values = self._values.get(name)
        if values is None:
            values = self._values[name] = np.array([getattr(behaviour, name) for behaviour in self._behaviours])
        if len(values) == 1:
            return np.full(len(at), values[0])
        return values[self._steps.searchsorted((at - self.origin) / HOUR_S, side="right")]

    def at(self, at: float) -> Behaviour:
        """All knobs at one time."""
        return self._behaviours[bisect_right(self._edges, (at - self.origin) / HOUR_S)]

    def reason(self, at: float) -> str:
        """Error text of jobs that fail then."""
        return self.scenario.reason((at - self.origin) / HOUR_S)

    def change_after(self, at: float) -> float:
        """The next moment after `at` at which the behaviour changes; infinite if there is none."""
        later = [edge for edge in self._edges if self.origin + edge * HOUR_S > at]
        return self.origin + later[0] * HOUR_S if later else math.inf


@dataclass
class State:
    """The state carried from step to step."""

    now: float
    gauges: Gauges
    waiting: list[tuple[float, int, Job]] = field(default_factory=list)
    """Heap of (time from which it can be received, number, job)."""
    running: list[float] = field(default_factory=list)
    """Heap of the times at which the busy workers become free."""
    active: list[Job] = field(default_factory=list)
    """Jobs whose item may still change, or whose client still polls."""
    failures: list[Failure] = field(default_factory=list)
    pending: Rows = field(default_factory=Rows.empty)
    """Future rows: the ends of what is under way."""
    sync_ends: Floats = field(default_factory=lambda: np.empty(0))
    jobs: int = 0

    def fork(self) -> State:
        """A copy that can live on by itself; rows and failures are never changed, so both have the same."""
        twins: dict[int, Job] = {}

        def twin(job: Job) -> Job:
            return twins.get(id(job)) or twins.setdefault(id(job), job.copy())

        return replace(
            self,
            gauges=replace(self.gauges),
            waiting=[(at, number, twin(job)) for at, number, job in self.waiting],
            running=list(self.running),
            active=list(map(twin, self.active)),
            failures=list(self.failures),
        )


@dataclass
class Inside:
    """The common data of the service's parts."""

    settings: Settings
    course: Course
    state: State
    units: tuple[float | None, float | None] = (None, None)
    """Write units of table and index; None: on demand."""
    out: list[Rows] = field(default_factory=list)
    told: list[Row] = field(default_factory=list)
    """Rows of deliveries, which come one by one."""
    answers: list[Answer] = field(default_factory=list)

    def fork(self) -> Inside:
        """A copy that can live on by itself, without rows."""
        return Inside(self.settings, self.course, self.state.fork(), self.units)

    def knob(self, name: str, at: Floats) -> Floats:
        """`Course.knob`."""
        return self.course.knob(name, at)

    def emit(self, signal: str, emit: Floats, value: Floats | float) -> None:
        """Adds one value at each time, if there are any times."""
        if len(emit):
            self.out.append(Rows.of(signal, emit, value))

    def llm_s(self, who: Arrivals) -> Floats:
        """The LLM's seconds for each request, before the fault's factor."""
        quick = who.u_quick < self.knob("quick", who.at)
        return np.where(quick, 18 + 10 * who.u_llm, 30 + 30 * who.u_llm)

    def tokens(self, who: Arrivals) -> tuple[Floats, Floats]:
        """Input and output tokens of each request."""
        factor = self.knob("tokens", who.at)
        return (
            np.round(self.settings.input_tokens * factor * np.exp(TOKEN_SIGMA * who.z_input)),
            np.round(self.settings.output_tokens * factor * np.exp(TOKEN_SIGMA * who.z_output)),
        )
