"""Dial, switch and guards in this process: the automatic actions of AppConfig and CloudWatch alarms.

The rules are AppConfig's (docs/domain.md, "AppConfig: what bites"): a deployment bakes, and a monitored alarm that
goes to ALARM meanwhile takes it back to the version before, which is 0, since each shift steps over 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from runbook_lib.base.window import iso
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.traffic.state import Deployment, Event, TrafficState
from runbook_lib.params.load import Params
from runbook_lib.rehearse.emulator import alarm_clock
from runbook_lib.rehearse.quick.local_aws import LocalMetrics, statistics
from runbook_lib.rehearse.world.own_metrics import Key, key_of
from runbook_lib.rehearse.world.rows import SIGNALS

BAKE = dt.timedelta(hours=24)


@dataclass
class LocalFlags:
    """The two flags with their history."""

    switch_on: bool = True
    switch_since: str | None = None
    deployments: list[Deployment] = field(default_factory=list)
    """The dial's deployments, oldest first."""
    bakes: bool = True
    """Whether the home of the weight watches the guards for a day after a shift: AppConfig alone does."""
    migrated: bool = False
    """Whether the synchronous route is asynchronous: dial and switch move nothing, and AppConfig guards nothing."""
    temporary: bool = True
    """Whether the temporary route exists."""
    migrated_since: str | None = None
    """Time at which the migration was complete."""

    @property
    def percent(self) -> float:
        """The dial's value in force."""
        return next((one.percent or 0.0 for one in reversed(self.deployments) if one.in_force), 0.0)

    @property
    def weight(self) -> float:
        """Percentage of the requests that clients send to async."""
        return self.percent if self.switch_on else 0.0

    @property
    def baking(self) -> bool:
        """Whether AppConfig watches the guards."""
        return bool(self.deployments) and self.deployments[-1].state == "BAKING"

    @property
    def bake_ends(self) -> float | None:
        """Epoch seconds at which AppConfig stops watching the guards; None: it does not watch them."""
        if not self.baking:
            return None
        return (dt.datetime.fromisoformat(self.deployments[-1].started_at or "") + BAKE).timestamp()

    def shift(self, percent: float, now: dt.datetime, description: str, *, over: float = 0) -> None:
        """Steps over `over` (0 unless it is done by hand) and bakes at `percent`."""
        self.set(over if self.bakes else percent, now, description)
        if not self.bakes:
            return
        number = len(self.deployments) + 1
        bake = BAKE.total_seconds() / 60
        self.deployments.append(
            Deployment(
                number=number,
                state="BAKING",
                percent=percent,
                bake_minutes=bake,
                description=description,
                started_at=iso(now),
            )
        )

    def set(self, percent: float, now: dt.datetime, description: str) -> None:
        """Sets the dial at once, without a bake."""
        self.tick(now)
        number, at = len(self.deployments) + 1, iso(now)
        self.deployments.append(
            Deployment(
                number=number,
                state="COMPLETE",
                percent=percent,
                description=description,
                started_at=at,
                completed_at=at,
            )
        )

    def move(self, now: dt.datetime, description: str) -> None:
        """Makes the synchronous route asynchronous, and sets the dial to 0."""
        self.migrated = True
        self.set(0, now, description)

    def move_back(self) -> None:
        """Restores the infrastructure's step before: the synchronous route and the temporary one exist again."""
        self.migrated, self.temporary = False, True

    def remove_temporary(self, now: dt.datetime) -> None:
        """Removes the temporary route, the last step of the migration."""
        self.temporary, self.migrated_since = False, iso(now)

    def tick(self, now: dt.datetime) -> None:
        """Completes a bake whose time is over."""
        if self.bake_ends is not None and now.timestamp() >= self.bake_ends:
            self.deployments[-1] = self.deployments[-1].model_copy(
                update={"state": "COMPLETE", "completed_at": iso(now)}
            )

    def take_back(self, now: dt.datetime, alarm: str) -> None:
        """Takes the dial back because of `alarm`, as AppConfig does."""
        said = f"Rollback initiated by alarm:{alarm}"
        event = Event(type="ROLLBACK_COMPLETED", triggered_by="CLOUDWATCH_ALARM", description=said, at=iso(now))
        self.deployments[-1] = self.deployments[-1].model_copy(
            update={"state": "ROLLED_BACK", "completed_at": iso(now), "events": (event,)}
        )

    def switch_off(self, now: dt.datetime) -> None:
        """Turns the switch off (scenario 1)."""
        self.switch_on, self.switch_since = False, iso(now)

    def state(self) -> TrafficState:
        """The state in the form of `observe.traffic.read`."""
        newest = self.deployments[-1] if self.deployments else None
        since = None if newest is None else newest.started_at if newest.in_force else newest.taken_back_at
        return TrafficState(
            dial_percent=self.percent,
            switch_on=self.switch_on,
            weight=100.0 if self.migrated else self.weight,
            migrated=self.migrated,
            migrated_since=self.migrated_since,
            temporary_route=self.temporary,
            dial_deployment=newest,
            history=tuple(reversed(self.deployments)),
            dial_since=since,
            switch_since=self.switch_since,
        )


class LocalGuards:
    """The guard alarms of the policy, evaluated by CloudWatch's rules (`alarm_clock`)."""

    def __init__(self, params: Params, metrics: LocalMetrics) -> None:
        guards = [alarm for alarm in params.policy.alarms if alarm.guard]
        phases = (None, *params.policy.phases)
        made = {phase: [realise(alarm, params, phase) for alarm in guards] for phase in phases}
        self._alarms = {phase: [(one, key_of(one)) for one in alarms] for phase, alarms in made.items()}
        self._phase, self._metrics = partial(params.policy.guard_phase, params.env), metrics
        self.watched = np.zeros(len(SIGNALS), dtype=bool)
        """Whether a guard counts each signal."""
        self.watched[
            [place for alarms in self._alarms.values() for _, key in alarms for place in metrics.behind(key)]
        ] = 1

    def firing(self, now: float, percent: float = 0.0) -> Sequence[str]:
        """Names of the guards in ALARM at `now` (epoch seconds), with the counts of the phase for a weight."""
        alarms = self._alarms[self._phase(percent)]
        states = ((one, alarm_clock.state(one, self._values(one, key, now))) for one, key in alarms)
        return [one["AlarmName"] for one, state in states if state == "ALARM"]

    def _values(self, alarm: dict[str, Any], key: Key, now: float) -> list[float | None]:
        """The statistic of each of the alarm's periods, newest first."""
        stamp, value = self._metrics.series(key)
        known = int(stamp.searchsorted(now, side="right"))
        end = alarm_clock.window_end(now, float(stamp[known - 1]) if known else None)
        period, periods = float(alarm["Period"]), int(alarm["EvaluationPeriods"])
        edges = stamp[:known].searchsorted([end - period * back for back in range(periods + 1)]).tolist()
        parts = [value[edges[place + 1] : edges[place]] for place in range(periods)]
        first, stat = np.zeros(1, dtype=np.intp), alarm["Statistic"]
        return [float(statistics(part, first, stat)[0]) if len(part) else None for part in parts]
