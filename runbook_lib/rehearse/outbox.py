"""What CloudWatch is told, and when: on a bad day some metrics never come, and others come late."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from runbook_lib.rehearse.arrivals import HOUR_S
from runbook_lib.rehearse.rows import ID, Rows
from runbook_lib.rehearse.scenario import Scenario


class Outbox:
    """Rows on their way to CloudWatch; what is late waits here."""

    def __init__(self) -> None:
        self._held = Rows.empty()

    def send(self, rows: Rows, scenario: Scenario, origin: float, until: float) -> Rows:
        """Of `rows` and of those that waited, the ones that CloudWatch knows by `until` (epoch seconds).

        Args:
            scenario: which signals are silent, and how late the others are.
            origin: epoch seconds from which the hours of the scenario are counted.
        """
        hour = (rows.emit - origin) / HOUR_S
        told = np.ones(len(rows), dtype=bool)
        for fault in scenario.faults:
            if fault.silent and fault.after is None:
                end = math.inf if fault.end is None else fault.end
                mute = np.isin(rows.signal, [ID[name] for name in fault.silent])
                told &= ~(mute & (hour >= fault.start) & (hour < end))
        edges = scenario.edges()
        late = np.array([scenario.at(at).metrics_late_s for at in (0.0, *edges)])
        if late.any():
            due = rows.emit + late[np.searchsorted(edges, hour, side="right")]
            rows = dataclasses.replace(rows, emit=due)
        elif told.all() and not len(self._held):
            return rows
        known, self._held = Rows.concatenate([self._held, rows.where(told)]).split(until)
        return known
