"""The metric catalogue: each metric's meaning, its place in CloudWatch, and its dimensions.

The rows are in `metrics.yaml` beside this file; a service adds its own under `metrics:` of its `service.yaml`, and a
measure of `gates.yaml` may describe one itself. `Params.metric` knows them all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import close, hint
from runbook_lib.base.project import read_yaml
from runbook_lib.judge.terms import Frozen

Kind = Literal["count", "gauge", "latency"]
STATISTICS = ("Sum", "Average", "Maximum", "Minimum", "SampleCount")
_PERCENTILE = re.compile(r"p(?:0?[1-9]|[1-9]\d)(?:\.\d{1,10})?|p0?0\.0{0,9}[1-9]\d{0,9}|p100", re.ASCII)
"""Percentiles above 0, which is the minimum."""


class Metric(Frozen):
    """One CloudWatch metric.

    The values of `dimensions` are templates: their `{field}`s are the resource names of `service.yaml`, and `env`,
    `stage`, `route_submit`, `route_status`, `route_sync`, the same with `method_`, `kpi_namespace` and `kpi_service`.
    `http_name` and `http_dimensions` replace name and dimensions if the API in front is an HTTP API.
    """

    title: str = ""
    """Name of the metric for people, on charts."""
    unit: str = ""
    """Unit of one point: `requests`, `ms`."""
    namespace: str = Field(min_length=1)
    """Namespace in CloudWatch."""
    name: str = Field(min_length=1)
    """Name in CloudWatch."""
    dimensions: dict[str, str] = Field(default_factory=dict, max_length=30)
    """Dimension to value; the values are templates."""
    stat: str = "Sum"
    """The default statistic."""
    period_s: int = Field(default=60, ge=60, multiple_of=60)
    """The shortest period with which it is published, seconds."""
    kind: Kind = "count"
    """Meaning of the points: a `count` adds up, a `gauge` has a level, a `latency` has quantiles and never adds up."""
    http_name: str | None = None
    """Name if the API is an HTTP API; None: the same."""
    http_dimensions: dict[str, str] | None = None
    """Dimensions if the API is an HTTP API; None: the same."""

    @model_validator(mode="after")
    def _statistic(self) -> Metric:
        if wrong := fault(self.stat):
            raise ValueError(wrong)
        return self


_SHORT = {"avg": "Average", "mean": "Average", "max": "Maximum", "min": "Minimum", "count": "SampleCount"}
"""Other tools' names of statistics."""


def fault(stat: str) -> str:
    """What is wrong with a statistic, as a sentence; empty: nothing. CloudWatch has more than this runbook supports."""
    if is_statistic(stat):
        return ""
    small = stat.strip().casefold()
    meant = next((one for one in STATISTICS if one.casefold() == small), _SHORT.get(small))
    meant = meant or (small if is_statistic(small) else None)
    there = f"there are {', '.join(STATISTICS)}, and percentiles such as p95"
    return f"stat '{stat}' is none that is asked for here; " + (
        f"did you mean '{meant}'?" if meant else close(stat, STATISTICS) or there
    )


def is_statistic(stat: str) -> bool:
    """Whether CloudWatch has the statistic, and this runbook supports it."""
    return stat in STATISTICS or _PERCENTILE.fullmatch(stat) is not None


METRICS: dict[str, Metric] = {
    id: Metric.model_validate(row) for id, row in read_yaml(Path(__file__).with_name("metrics.yaml"))["metrics"].items()
}


def metric(id: str) -> Metric:
    """The metric of the runbook's own catalogue called `id`.

    Raises:
        UsageError: no metric has that name.
    """
    try:
        return METRICS[id]
    except KeyError:
        raise UsageError(f"the metric catalogue has no '{id}'; {hint(id, METRICS)}") from None
