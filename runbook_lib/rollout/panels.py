"""The charts around a phase's gates as data: series and units. The gates' own charts are in `gate_charts.py`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from runbook_lib.base.window import Window
from runbook_lib.observe.metrics.fetch import Answers, Ask
from runbook_lib.params.load import Params
from runbook_lib.show.points import Grid

PERIOD_S = 900
"""Seconds between a chart's points: 15 minutes, 96 points a day."""


@dataclass(frozen=True)
class Line:
    """One series of a chart; `scale` turns the metric's unit into the chart's."""

    name: str
    metric: str
    stat: str
    scale: float = 1.0

    @property
    def label(self) -> str:
        """Label of the series' question in the fetch."""
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
        """Names of the lines that count things, so that a period without a point is 0."""
        return tuple(line.name for line in self.lines if line.stat in ("Sum", "SampleCount"))


REQUESTS = Panel(
    "Requests",
    "requests / 15 min",
    (Line("sync", "sync_requests", "Sum"), Line("async", "async_requests", "Sum")),
    kind="step",
)
JOBS = Panel(
    "Jobs",
    "jobs / 15 min",
    (
        Line("created", "jobs_created", "Sum"),
        Line("completed", "jobs_completed", "Sum"),
        Line("failed", "jobs_failed", "Sum"),
    ),
    kind="step",
)
QUEUES = Panel(
    "Queue and DLQ depth",
    "messages",
    (Line("queue", "queue_visible", "Maximum"), Line("DLQ", "dlq_visible", "Maximum")),
    gate="queue_depth",
    kind="step",
)
CONTEXT: tuple[Panel, ...] = (
    REQUESTS,
    JOBS,
    Panel(
        "Gateway errors (5xx) of both sides",
        "% of requests",
        (Line("sync", "sync_5xx", "Average", 100.0), Line("async", "async_5xx", "Average", 100.0)),
    ),
    Panel(
        "P95 worker duration, without the wait in the queue", "s", (Line("worker", "worker_duration", "p95", 0.001),)
    ),
)
"""Panels that a phase draws around its gates, from before the shift on."""


def grid(start: dt.datetime, now: dt.datetime, params: Params, period_s: float = PERIOD_S) -> Grid:
    """The periods from `start` to the last one whose metrics have arrived by `now`."""
    return Grid(period_s, start, now - dt.timedelta(seconds=params.policy.metric_delay_s))


def asks(window: Window) -> list[Ask]:
    """The questions for the panels of `CONTEXT`."""
    lines = {line.label: line for panel in CONTEXT for line in panel.lines}
    return [Ask(line.metric, window, stat=line.stat, period_s=PERIOD_S, label=label) for label, line in lines.items()]


def drawn(
    panel: Panel, answers: Answers, gates: dict[str, Any], names: dict[str, str], periods: Grid
) -> dict[str, Any]:
    """A panel with its points, as `show.charts.timelines` takes it; in a partial answer a missing point is not 0."""
    series = {
        names.get(line.name, line.name): [(at, value * line.scale) for at, value in answers.points(line.label)]
        for line in panel.lines
    }
    return {
        "series": series,
        "title": panel.title,
        "unit": panel.unit,
        "gate": gates.get(panel.gate or ""),
        "kind": panel.kind,
        "grid": periods,
        "counts": [
            names.get(line.name, line.name)
            for line in panel.lines
            if line.name in panel.counts and not answers.partial(line.label)
        ],
    }
