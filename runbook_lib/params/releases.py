"""What `gates.yaml` declares of the release of one function's version: the limits that it is held against."""

from __future__ import annotations

from pydantic import Field

from runbook_lib.judge.terms import Frozen
from runbook_lib.judge.threshold import Comparison, Threshold


class VersionErrors(Frozen):
    """Errors of the new version among its invocations."""

    target: Comparison = Threshold(op="<", limit=0.01)
    """What the share of errors must meet."""
    alert: Comparison = Threshold(op=">", limit=0.05)
    """Beyond this share it is failed."""
    min_samples: int = Field(default=100, ge=1)
    """Invocations without which nothing is said."""


class VersionDuration(Frozen):
    """How long the new version takes, in seconds."""

    quantile: float = Field(default=0.95, gt=0, lt=1)
    """The quantile that is judged."""
    target: Comparison = Threshold(op="<", limit=90.0)
    """What it must meet, seconds."""
    alert: Comparison = Threshold(op=">", limit=120.0)
    """Beyond this it is failed, seconds."""
    min_samples: int = Field(default=60, ge=1)
    """Invocations without which nothing is said."""
    implausible: Comparison = Threshold(op="<", limit=0.001)
    """A value for which this holds is not data."""


class ReleaseLimits(Frozen):
    """Limits of a release (`runbook release`), beside the service's own gates; they are written into its gates.yaml."""

    version_errors: VersionErrors = VersionErrors()
    version_duration: VersionDuration = VersionDuration()
