"""The longest safe move of time: up to where a guard alarm could change, and in fine steps from there on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from runbook_lib.judge.threshold import Threshold
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.rows import Floats, Rows

# The signal behind each metric that a guard may watch (the names are those of `gates.yaml`).
SIGNAL = {
    "jobs_failed": "jobs_failed",
    "worker_errors": "worker_errors",
    "submit_errors": "submit_errors",
    "async_5xx": "submit_5xx",
    "async_4xx": "submit_4xx",
    "queue_visible": "queue_visible",
    "queue_oldest_age": "queue_age",
    "dlq_visible": "dlq_visible",
}


@dataclass
class Guard:
    """One guard alarm, reduced to the question of the steps: when could it be in ALARM?

    A sum is followed exactly; for any other statistic a single breaching value counts, so that time is at worst moved
    too finely, never too coarsely.
    """

    signal: str
    is_sum: bool
    window_s: float
    threshold: Threshold
    _at: Floats = field(default_factory=lambda: np.empty(0))
    _value: Floats = field(default_factory=lambda: np.empty(0))

    def _with(self, rows: Rows) -> tuple[Floats, Floats]:
        mine = rows.only(self.signal)
        mine = mine.where(mine.value > 0)
        at, value = np.append(self._at, mine.emit), np.append(self._value, mine.value)
        order = np.argsort(at, kind="stable")
        return at[order], value[order]

    def breaches(self, rows: Rows) -> float:
        """The first moment, epoch seconds, at which it breaches with `rows`; infinite if there is none."""
        at, value = self._with(rows)
        if self.is_sum:
            upto = np.cumsum(value)
            before = np.concatenate([[0.0], upto])[np.searchsorted(at, at - self.window_s, side="right")]
            value = upto - before
        late = np.flatnonzero([self.threshold.holds(v) for v in value])
        return float(at[late[0]]) if len(late) else math.inf

    def remember(self, rows: Rows, now: float) -> None:
        """Adds published rows, and drops those that have left the window that ends at `now`."""
        at, value = self._with(rows)
        # One more minute: the window slides over full minutes.
        kept = at > now - self.window_s - 60
        self._at, self._value = at[kept], value[kept]


@dataclass
class LookAhead:
    """All guards of the policy."""

    guards: Sequence[Guard]
    blind: bool
    """Whether a guard watches an unknown metric: then every step is a fine one."""

    @staticmethod
    def of(params: Params) -> LookAhead:
        """Makes one from the alarms declared in `gates.yaml`."""
        # Every count that any phase may put in force: time is at worst moved too finely.
        counts = [None, *params.policy.phases]
        alarms = list(
            {
                (one.id, one.threshold, one.period_s): one
                for alarm in params.policy.alarms
                if alarm.guard
                for one in map(alarm.at, counts[1:] if alarm.phases else counts[:1])
            }.values()
        )
        known = [alarm for alarm in alarms if alarm.metric in SIGNAL and alarm.op in (">", ">=")]
        guards = [
            Guard(
                signal=SIGNAL[alarm.metric or ""],
                is_sum=alarm.stat == "Sum",
                window_s=float(alarm.period_s * alarm.periods),
                threshold=Threshold(op=alarm.op, limit=params.policy.threshold(alarm)),
            )
            for alarm in known
        ]
        return LookAhead(guards, blind=len(known) < len(alarms))

    def breaches(self, rows: Rows) -> float:
        """The first moment at which any guard breaches with `rows`; infinite if there is none."""
        return min((guard.breaches(rows) for guard in self.guards), default=math.inf)

    def remember(self, rows: Rows, now: float) -> None:
        """Adds the rows published up to `now`."""
        for guard in self.guards:
            guard.remember(rows, now)
