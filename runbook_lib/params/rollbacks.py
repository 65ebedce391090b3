"""What `gates.yaml` declares of the rollback scenarios: when each applies, and what it does."""

from __future__ import annotations

from pydantic import Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.judge.threshold import Comparison


class Backlog(Frozen):
    """When a backlog is one, and what is done about it (scenario 2)."""

    depth: Comparison
    """Messages waiting: the requirement's symptom."""
    workers: int = Field(gt=0)
    """Worker concurrency of the mitigation."""
    keep_unreserved: int = Field(ge=0)
    """Executions that must stay unreserved in the account; AWS refuses to go below 100."""
    window_min: float = Field(gt=0)
    """Minutes over which arrivals, service time and the LLM's errors are measured."""
    llm_limited: Comparison
    """Share of the jobs ended that the LLM's rate limit may refuse: beyond it the cure is the disease."""
    steady: int = Field(gt=1)
    """Points in a row by which the curve is said to have turned, or to be drained."""
    enough_jobs: int = Field(default=20, gt=0)
    """Jobs that must have ended since the queue was drained before their time is judged."""


class Throttling(Frozen):
    """When DynamoDB throttles, and what capacity is provisioned (scenario 3)."""

    units: int = Field(gt=0)
    """Read and write units of table and index at least."""
    times_peak: float = Field(ge=1)
    """Or this many times the busiest minute, whichever is more."""
    peak_h: float = Field(gt=0)
    """Hours in which the busiest minute is looked for."""
    window_min: float = Field(gt=0)
    """Minutes in which throttle events count as present."""
    settle_min: float = Field(ge=0)
    """Minutes after the table is ACTIVE that are not judged: retries of what was turned away before."""
    backs_a_day: int = Field(gt=0)
    """How often in 24 h AWS lets a table go back to on demand."""


class Rollback(Frozen):
    """One rollback scenario. It needs no record before it: nothing but account and confirmation may hold it up."""

    title: str
    """The scenario as people read it."""
    envs: tuple[str, ...]
    """Environments in which it may be applied."""
    limit_min: float = Field(gt=0)
    """Minutes from the decision to the effect that the requirement allows, exclusive."""
    quiet_min: float = Field(default=0, ge=0)
    """Minutes that are watched after the effect before the scenario counts as resolved."""
    notify: bool = True
    """People are told (`service.yaml`, `notify`)."""
    lowers: bool = False
    """It only lowers exposure: then not even a full disk holds it up. A mitigation that raises something is recorded
    first, or not made.
    """
    backlog: Backlog | None = None
    throttling: Throttling | None = None
