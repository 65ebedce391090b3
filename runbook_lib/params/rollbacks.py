"""The limits in `gates.yaml` of the rollback scenarios (when each applies, what it does) and of a release."""

from __future__ import annotations

from pydantic import Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.judge.threshold import Comparison, Threshold


class Backlog(Frozen):
    """When a queue counts as a backlog, and what is done about it (scenario 2)."""

    depth: Comparison
    """Number of waiting messages: the requirement's symptom."""
    workers: int = Field(gt=0)
    """Worker concurrency of the mitigation."""
    keep_unreserved: int = Field(ge=0)
    """Executions that must stay unreserved in the account; AWS refuses to go below 100."""
    window_min: float = Field(gt=0)
    """Minutes over which arrivals, service time and the LLM's errors are measured."""
    llm_limited: Comparison
    """Share of ended jobs that the LLM's rate limit may refuse: beyond it more workers make things worse."""
    steady: int = Field(gt=1)
    """Points in a row that show that the curve has turned, or that the queue is drained."""
    enough_jobs: int = Field(default=20, gt=0)
    """Jobs that must end after the queue is drained before their duration is judged."""


class Throttling(Frozen):
    """When DynamoDB counts as throttling, and which capacity is provisioned (scenario 3)."""

    units: int = Field(gt=0)
    """Least read and write units of table and index."""
    times_peak: float = Field(ge=1)
    """Units as a multiple of the busiest minute, if that is more."""
    peak_h: float = Field(gt=0)
    """Hours in which the busiest minute is searched."""
    window_min: float = Field(gt=0)
    """Minutes in which throttle events count as present."""
    settle_min: float = Field(ge=0)
    """Minutes after the table is ACTIVE that are not judged: refused requests are retried then."""
    backs_a_day: int = Field(gt=0)
    """How often in 24 h AWS lets a table return to on demand."""


class Rollback(Frozen):
    """One rollback scenario. It needs no earlier record: only account and confirmation may stop it."""

    title: str
    """Name of the scenario for people."""
    envs: tuple[str, ...]
    """Environments in which it may be applied."""
    limit_min: float = Field(gt=0)
    """Minutes from the decision to the effect that the requirement allows, exclusive."""
    quiet_min: float = Field(default=0, ge=0)
    """Minutes to watch after the effect before the scenario counts as resolved."""
    notify: bool = True
    """Whether people are told (`service.yaml`, `notify`)."""
    lowers: bool = False
    """Whether it only lowers exposure: then not even a full disk stops it. A mitigation that raises something is
    recorded first, or not made.
    """
    backlog: Backlog | None = None
    throttling: Throttling | None = None


class VersionErrors(Frozen):
    """Errors of the new version among its invocations."""

    target: Comparison = Threshold(op="<", limit=0.01)
    """Limit that the share of errors must meet."""
    alert: Comparison = Threshold(op=">", limit=0.05)
    """Share of errors beyond which the gate fails."""
    min_samples: int = Field(default=100, ge=1)
    """Fewest invocations for a verdict."""


class VersionDuration(Frozen):
    """Duration of the new version's invocations, in seconds."""

    quantile: float = Field(default=0.95, gt=0, lt=1)
    """The quantile that is judged."""
    target: Comparison = Threshold(op="<", limit=90.0)
    """Limit that it must meet, seconds."""
    alert: Comparison = Threshold(op=">", limit=120.0)
    """Value beyond which the gate fails, seconds."""
    min_samples: int = Field(default=60, ge=1)
    """Fewest invocations for a verdict."""
    implausible: Comparison = Threshold(op="<", limit=0.001)
    """A value for which this holds is not data."""


class ReleaseLimits(Frozen):
    """Limits of a release (`runbook release`), beside the service's own gates; they are written into its gates.yaml."""

    version_errors: VersionErrors = VersionErrors()
    version_duration: VersionDuration = VersionDuration()
