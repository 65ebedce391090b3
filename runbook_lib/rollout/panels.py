"""The charts of a phase as data: which series, in which unit, against which gate."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from runbook_lib.base.window import Window
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.params.load import Params
from runbook_lib.show.points import Grid

PERIOD_S = 900
"""Points of a chart: 15 minutes, 96 a day."""


@dataclass(frozen=True)
class Line:
    """One series of a chart; `scale` turns the metric's unit into the chart's."""

    name: str
    metric: str
    stat: str
    scale: float = 1.0

    @property
    def label(self) -> str:
        """Name of the answer in the fetch."""
        return f"chart:{self.metric}:{self.stat}"


@dataclass(frozen=True)
class Panel:
    """One chart. `gate` names the gate whose thresholds are drawn in."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    gate: str | None = None
    kind: Literal["line", "step", "bar"] = "line"

    @property
    def counts(self) -> tuple[str, ...]:
        """Names of the lines that count: a period without a point is 0."""
        return tuple(line.name for line in self.lines if line.stat in ("Sum", "SampleCount"))


SERIES: tuple[Panel, ...] = (
    Panel(
        "Requests",
        "requests / 15 min",
        (Line("sync", "sync_requests", "Sum"), Line("async", "async_requests", "Sum")),
        kind="step",
    ),
    Panel(
        "Jobs",
        "jobs / 15 min",
        (
            Line("created", "jobs_created", "Sum"),
            Line("completed", "jobs_completed", "Sum"),
            Line("failed", "jobs_failed", "Sum"),
        ),
        kind="step",
    ),
    Panel(
        "Gateway errors (5xx)",
        "% of requests",
        (Line("sync", "sync_5xx", "Average", 100.0), Line("async", "async_5xx", "Average", 100.0)),
        gate="error_rate",
    ),
    Panel("P95 submit latency", "s", (Line("async", "async_latency", "p95", 0.001),), gate="submit_latency"),
    Panel("P95 worker duration", "s", (Line("worker", "worker_duration", "p95", 0.001),), gate="generation_time"),
    Panel(
        "Queue and DLQ depth",
        "messages",
        (Line("queue", "queue_visible", "Maximum"), Line("DLQ", "dlq_visible", "Maximum")),
        gate="queue_depth",
        kind="step",
    ),
    Panel(
        "Lambda errors",
        "errors / 15 min",
        (
            Line("submit", "submit_errors", "Sum"),
            Line("worker", "worker_errors", "Sum"),
            Line("status", "status_fn_errors", "Sum"),
        ),
        kind="step",
    ),
)


def grid(start: dt.datetime, now: dt.datetime, params: Params, period_s: float = PERIOD_S) -> Grid:
    """The periods from `start` to the last one whose metrics have arrived by `now`."""
    return Grid(period_s, start, now - dt.timedelta(seconds=params.policy.metric_delay_s))


def asks(window: Window) -> list[Ask]:
    """The questions that all charts need."""
    lines = {line.label: line for panel in SERIES for line in panel.lines}
    return [Ask(line.metric, window, stat=line.stat, period_s=PERIOD_S, label=label) for label, line in lines.items()]
