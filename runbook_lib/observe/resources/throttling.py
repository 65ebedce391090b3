"""Throttle events and consumed units of the jobs table and its index, minute by minute; and DynamoDB's own errors."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.judge.incidents.capacity import Demand, peak
from runbook_lib.observe.metrics.fetch import Answers, Ask, fetch
from runbook_lib.params.load import Params

PARTS = {"table": "jobs table", "gsi": "idempotency index"}
SIDES = {"reads": "read_throttles", "writes": "write_throttles"}
ERRORS = ("system_errors_put", "system_errors_get", "system_errors_update", "system_errors_query")


@dataclass(frozen=True)
class Pressure:
    """Consumed units and throttle events of table and index in one window."""

    window: Window
    answers: Answers

    def points(self, metric: str) -> list[tuple[float, float]]:
        """(epoch seconds of the minute, value) of a metric of the catalogue."""
        return [(when.timestamp(), value) for when, value in self.answers.points(f"{metric}:Sum")]

    def demand(self, part: str, side: str) -> Demand:
        """The busiest minute of `reads` or `writes` of `table` or `gsi`."""
        return peak(self.points(f"{part}_{side}"), self.points(f"{part}_{SIDES[side]}"))

    def events(self, start: dt.datetime | None = None) -> dict[str, float]:
        """Throttle events from `start` on, by part and side in words; without those that have none."""
        since = start.timestamp() if start else 0.0
        found = {
            f"{side} of the {words}": sum(value for at, value in self.points(f"{part}_{SIDES[side]}") if at >= since)
            for part, words in PARTS.items()
            for side in SIDES
        }
        return {name: count for name, count in found.items() if count > 0}

    def series(self) -> dict[str, list[tuple[float, float]]]:
        """Throttle events minute by minute, by part and side in words."""
        return {
            f"{side} of the {words}": self.points(f"{part}_{SIDES[side]}")
            for part, words in PARTS.items()
            for side in SIDES
        }

    def used(self, start: dt.datetime, end: dt.datetime) -> bool:
        """Whether the table was written to in the window: then no throttle event means none (trap 5)."""
        return any(start.timestamp() <= at < end.timestamp() and value > 0 for at, value in self.points("table_writes"))

    def server_errors(self, start: dt.datetime) -> float | None:
        """HTTP 500s of DynamoDB since `start` (SystemErrors over all operations); None: no data."""
        found = [value for metric in ERRORS for at, value in self.points(metric) if at >= start.timestamp()]
        return sum(found) if found else None


def read(cloudwatch: Any, params: Params, window: Window, now: dt.datetime) -> Pressure:
    """Reads everything about the table's capacity in `window` in one batch.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    names = [f"{part}_{what}" for part in PARTS for what in (*SIDES, *SIDES.values())]
    asks = [Ask(name, window) for name in (*names, *ERRORS)]
    return Pressure(window, fetch(cloudwatch, params, asks, now))
