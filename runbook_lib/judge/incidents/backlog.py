"""How long a backlog takes to drain, at present and after each option, and whether its curve has turned.

A station of c workers that take S seconds a job finishes at most X = c / S jobs a second while no worker is idle
(Little's law for the workers themselves, N = X S with N = c: J. D. C. Little, "A Proof for the Queuing Formula
L = lambda W", Operations Research 9 (1961), 383-387; as the utilisation law in E. D. Lazowska et al., "Quantitative
System Performance" (1984), ch. 3). A backlog of Q jobs with lambda arriving a second is then a fluid (L. Kleinrock,
"Queueing Systems" vol. 2 (1976), sec. 2.7):

    Q(t) = max(0, Q + (lambda - X) t),    empty after Q / (X - lambda) seconds if X > lambda, else never.

The forecast is a mean: by chance a single queue is longer or shorter, by about sqrt(Q) jobs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from runbook_lib.judge import numbers
from runbook_lib.judge.gates.statistics import poisson_interval
from runbook_lib.judge.terms import Frozen

Points = Sequence[tuple[float, float]]
"""(seconds, jobs) in the order of time."""
FEW = 1.0
"""A backlog of less than this many jobs is drained."""


class Load(Frozen):
    """The queue as it was measured."""

    waiting: float = Field(ge=0, le=numbers.LARGEST)
    """Jobs that wait, without those in work."""
    arrivals_per_s: float = Field(ge=0, le=numbers.LARGEST)
    service_s: float = Field(gt=0, le=numbers.LARGEST)
    """Mean seconds of one job on a worker, from the worker's own duration."""
    workers: int = Field(ge=0)


class Option(Frozen):
    """One thing that could be done about it."""

    id: str
    title: str
    workers: int = Field(ge=0)
    arrivals: float = Field(default=1.0, ge=0, le=1)
    """Share of the arrivals that continue."""
    llm_slots: float | None = Field(default=None, gt=0)
    """Jobs at a time that the LLM's rate limit allows; None: it is not known, and was not reached so far."""


class Forecast(Frozen):
    """What an option would make of the backlog."""

    option: Option
    capacity_per_s: float
    arrivals_per_s: float
    drain_s: float
    """Seconds until the queue is empty; infinite if it never is."""
    waiting: float

    @property
    def drains(self) -> bool:
        """Whether the backlog ever ends."""
        return math.isfinite(self.drain_s)

    @property
    def turns(self) -> bool:
        """Whether the curve goes down, or nothing waits."""
        return self.waiting < FEW or self.capacity_per_s > self.arrivals_per_s

    def level(self, after_s: float) -> float:
        """Jobs waiting `after_s` seconds from now; never negative."""
        return max(0.0, self.waiting + (self.arrivals_per_s - self.capacity_per_s) * max(0.0, after_s))


def most_arrivals_per_s(arrived: int, seconds: float, confidence: float) -> float:
    """The most jobs a second that may arrive where `arrived` came in `seconds`: the exact one-sided Poisson bound.

    The count of ten minutes varies by about sqrt(arrived) jobs: workers that are removed after a quiet ten minutes are
    missing in the next.

    Raises:
        ValueError: no count, no time, or a confidence that is not between 0.5 and 1.
    """
    numbers.positive(seconds=seconds)
    return poisson_interval(arrived, 2 * confidence - 1)[1] / seconds


def capacity_per_s(workers: int, service_s: float, llm_slots: float | None = None) -> float:
    """Jobs a second that `workers` finish at most, none of them idle; workers beyond `llm_slots` add nothing.

    Raises:
        ValueError: `service_s` or `llm_slots` is not positive, or `workers` negative.
    """
    if not numbers.SMALLEST <= service_s <= numbers.LARGEST:
        raise ValueError(f"service_s is {service_s}, expects more than 0 s")
    numbers.count(workers=workers)
    if llm_slots is not None:
        numbers.positive(llm_slots=llm_slots)
    busy = float(workers) if llm_slots is None else min(float(workers), llm_slots)
    return busy / service_s


def forecast(load: Load, option: Option) -> Forecast:
    """The course of `load` under `option`, as a fluid."""
    capacity = capacity_per_s(option.workers, load.service_s, option.llm_slots)
    arrivals = load.arrivals_per_s * option.arrivals
    drain = 0.0
    if load.waiting >= FEW:
        drain = load.waiting / (capacity - arrivals) if capacity > arrivals else math.inf
    return Forecast(
        option=option, capacity_per_s=capacity, arrivals_per_s=arrivals, drain_s=drain, waiting=load.waiting
    )


def options(load: Load, raised: int, *, llm_slots: float | None = None) -> tuple[Option, ...]:
    """The options of the requirement, in its order: nothing, more workers, Step Functions, back to the sync endpoint.

    A Step Functions map runs any number of jobs at a time, but calls the same worker Lambda, with the same reserved
    concurrency, and the same LLM. So it finishes as many jobs as `raised` workers do.
    """
    return (
        Option(id="nothing", title=f"nothing: {load.workers} workers", workers=load.workers, llm_slots=llm_slots),
        Option(id="workers", title=f"{raised} workers", workers=max(raised, load.workers), llm_slots=llm_slots),
        Option(
            id="step_functions",
            title=f"Step Functions map over {raised} jobs",
            workers=max(raised, load.workers),
            llm_slots=llm_slots,
        ),
        Option(id="switch_off", title=f"async off, {load.workers} workers", workers=load.workers, arrivals=0.0),
    )


def curve(found: Forecast, horizon_s: float, step_s: float = 60.0) -> list[tuple[float, float]]:
    """(seconds from now, jobs waiting) from 0 to `horizon_s`; the moment at which the queue is empty is included.

    Raises:
        ValueError: no horizon or no step.
    """
    numbers.finite(0.0, horizon_s=horizon_s)
    numbers.positive(step_s=step_s)
    times = [step_s * i for i in range(math.ceil(horizon_s / step_s))] + [horizon_s]
    if found.drains and 0 < found.drain_s < horizon_s:
        times = sorted({*times, found.drain_s})
    return [(at, found.level(at)) for at in times]


class Turn(Frozen):
    """What a measured curve did after an action."""

    peak: float
    """Highest number of jobs since the action."""
    peak_s: float
    last: float
    last_s: float
    turned_s: float | None
    """Seconds until it was below its peak and stayed there to the end; None: it did not turn."""
    drained: bool


def turn(points: Points, *, steady: int = 3, few: float = FEW) -> Turn | None:
    """The turn of the curve: its last `steady` points are all below the highest one, and it never came back to that.

    Args:
        points: measured levels since the action, at second 0; without any the result is None. A negative or infinite
            level is left out.
        steady: points that must agree: one lower point is noise.
        few: a level up to this counts as drained (a healthy queue is seldom exactly empty).
    """
    points = [(at, level) for at, level in points if 0 <= level < math.inf]
    if not points:
        return None
    peak = max(level for _, level in points)
    # The last time at its peak: a curve that goes down and comes all the way back has not turned.
    place = max(i for i, (_, level) in enumerate(points) if level == peak)
    after = points[place + 1 :]
    last_s, last = points[-1]
    tail = [level for _, level in points[-steady:]]
    drained = len(tail) == steady and max(tail) <= few
    turned = after[0][0] if len(after) >= steady else None
    if drained and peak <= few:
        turned = points[0][0]
    return Turn(peak=peak, peak_s=points[place][0], last=last, last_s=last_s, turned_s=turned, drained=drained)
