"""The values for CloudWatch, and their times: on a bad day some metrics never come, and others come late."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import HOUR_S
from runbook_lib.rehearse.world.behaviour import Fault
from runbook_lib.rehearse.world.jobs import GOLDEN
from runbook_lib.rehearse.world.rows import ID, Floats, Rows
from runbook_lib.rehearse.world.scenario import Scenario


class Outbox:
    """Rows on their way to CloudWatch; late ones wait here."""

    def __init__(self) -> None:
        self._held = Rows.empty()
        self._first: dict[tuple[str, str], float] = {}
        self._known: Scenario | None = None
        self._edges: tuple[float, ...] = ()
        self._late: Floats = np.zeros(1)

    def fork(self) -> Outbox:
        """A copy that can go on by itself."""
        twin = copy.copy(self)
        twin._first = dict(self._first)
        return twin

    def send(self, rows: Rows, scenario: Scenario, origin: float, until: float) -> Rows:
        """The rows, new or waiting, that CloudWatch knows by `until` (epoch seconds).

        Args:
            scenario: tells which signals are silent, and how late the others are.
            origin: epoch seconds from which the hours of the scenario are counted.
        """
        hour = (rows.emit - origin) / HOUR_S
        rows = self._spoilt(rows, hour, scenario)
        told = np.ones(len(rows), dtype=bool)
        for fault in scenario.faults:
            if (fault.silent or fault.dropped) and fault.after is None:
                on = _on(fault, hour)
                told &= ~(on & np.isin(rows.signal, [ID[name] for name in fault.silent]))
                for name, share in fault.dropped.items():
                    minute = rows.stamp // 60
                    told &= ~(on & (rows.signal == ID[name]) & ((minute * GOLDEN) % 1.0 < share))
        if scenario is not self._known:
            self._known, self._edges = scenario, scenario.edges()
            self._late = np.array([scenario.at(at).metrics_late_s for at in (0.0, *self._edges)])
        edges, late = self._edges, self._late
        if late.any():
            due = rows.emit + late[np.searchsorted(edges, hour, side="right")]
            rows = dataclasses.replace(rows, emit=due)
        elif told.all() and not len(self._held):
            return rows
        known, self._held = Rows.concatenate([self._held, rows.where(told)]).split(until)
        return known

    def _spoilt(self, rows: Rows, hour: Floats, scenario: Scenario) -> Rows:
        """`rows` with the values of mis-scaled or stuck signals."""
        value = rows.value
        for fault in scenario.faults:
            if not (fault.scaled or fault.stuck) or fault.after is not None:
                continue
            on, value = _on(fault, hour), value.copy()
            for name, factor in fault.scaled.items():
                value[on & (rows.signal == ID[name])] *= factor
            for name in fault.stuck:
                mine = np.flatnonzero(on & (rows.signal == ID[name]))
                if len(mine):
                    first = self._first.setdefault((fault.name, name), float(value[mine[0]]))
                    value[mine] = first
        return rows if value is rows.value else dataclasses.replace(rows, value=value)


def _on(fault: Fault, hour: Floats) -> NDArray[np.bool_]:
    """Whether the fault is on, at the hours of the world's life; shape (n,)."""
    on = np.zeros(len(hour), dtype=bool)
    for low, high, _ in fault.pieces:
        on |= (hour >= low) & (hour < high)
    return on
