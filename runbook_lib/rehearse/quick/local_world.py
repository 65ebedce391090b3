"""The world of one seed in this process, and AWS as far as a look and a guard need it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.base.window import Window
from runbook_lib.observe.jobs import access_log
from runbook_lib.params.load import Params
from runbook_lib.rehearse.quick.local_aws import LocalMetrics, LocalTable
from runbook_lib.rehearse.quick.local_flags import LocalFlags, LocalGuards
from runbook_lib.rehearse.world import publish
from runbook_lib.rehearse.world.jobs import Answer
from runbook_lib.rehearse.world.outbox import Outbox
from runbook_lib.rehearse.world.own import Own, Told
from runbook_lib.rehearse.world.rows import ID, Rows
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.step import WorldStep
from runbook_lib.rehearse.world.targets import targets
from runbook_lib.rehearse.world.truth import Truth
from runbook_lib.rehearse.world.world import settings

START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
BEFORE = dt.timedelta(hours=24)
"""The day before the first hour of the world, for the synchronous route's history."""
WATCH_S = 300.0
"""Seconds between two looks of AppConfig at the guards during a bake."""
STEP_S = 3600.0
"""Length of the world's steps. It is the same in steps of any length; so a step is lived before the guards are asked
about each five minutes of it, and lived again up to where one fires."""
MEMORY_MB = {"submit": 256, "worker": 1024, "status": 256}


@dataclass
class Local:
    """The world of one seed, and AWS as far as a look and a guard need it."""

    params: Params
    scenario: Scenario
    seed: int
    flags: LocalFlags = field(default_factory=LocalFlags)

    def __post_init__(self) -> None:
        origin = START.timestamp()
        self.flags.bakes = self.params.service.traffic.kind == "appconfig"
        self.service = Service(
            self.scenario,
            settings(self.params),
            self.seed,
            (START - BEFORE).timestamp(),
            self.params.service.workers,
            origin,
        )
        self.outbox, self.truth = Outbox(), Truth(self.params.service.job_deadline_s)
        self.metrics = LocalMetrics(targets(self.params))
        self.own = Own(self.params, self.scenario, self.seed)
        self.table = LocalTable(self.params)
        self.guards = LocalGuards(self.params, self.metrics)
        self.most_waiting, self.throttled = 0, 0.0
        """Greatest length of the queue, and throttled requests so far: the symptoms of the remedies."""
        self.answered: list[Answer] = []
        """Lines of the access log."""
        self.levels: dict[str, int] = {"queue_visible": 0, "queue_in_flight": 0, "dlq_visible": 0}

    @property
    def now(self) -> dt.datetime:
        """The time up to which the world has lived."""
        return dt.datetime.fromtimestamp(self.service.now, dt.UTC)

    def live(self, until: dt.datetime) -> None:
        """Lets time pass; a guard that fires during a bake takes the weight back by itself."""
        end = until.timestamp()
        while self.service.now < end:
            self.service.set_weight(self.flags.weight / 100)
            self.service.set_routes(migrated=self.flags.migrated, temporary=self.flags.temporary)
            stops = self._stops(end)
            before = (self.service.fork(), self.outbox.fork()) if len(stops) > 1 else None
            step, told = self._run(stops[-1])
            stop, alarm = self._published(told, self.own.tell(step, self.service.scenario, self.service.origin), stops)
            if before and stop < step.end:
                self.service, self.outbox = before
                step, _ = self._run(stop)
            self.truth.add(step)
            self.answered += step.answers
            self.throttled += sum(step.used.get(f"{part}_write_throttles", 0.0) for part in ("table", "gsi"))
            self.table.put(step.jobs)
            self._levels(step.rows)
            self.flags.tick(self.now)
            if alarm:
                self.flags.take_back(self.now, alarm)

    def _stops(self, end: float) -> list[float]:
        """The moments up to the end of the next step at which AppConfig looks at the guards, and that end."""
        now, bake_ends = self.service.now, self.flags.bake_ends
        last = min(end, (now // STEP_S + 1) * STEP_S)
        if bake_ends is None:
            return [last]
        stops = [now]
        while stops[-1] < last and stops[-1] < bake_ends:
            stops.append(min(last, (stops[-1] // WATCH_S + 1) * WATCH_S))
        return stops[1:]

    def _run(self, until: float) -> tuple[WorldStep, Rows]:
        """A step of the service, and what CloudWatch gets of it."""
        step = self.service.run(until)
        return step, self.outbox.send(step.rows, self.service.scenario, self.service.origin, step.end)

    def _published(self, told: Rows, own: Sequence[Told], stops: Sequence[float]) -> tuple[float, str]:
        """Tells CloudWatch what is known at each stop; the stop at which a guard takes the weight back (else the last
        one), and that guard's name.
        """
        alarm, before, bake_ends = "", -math.inf, self.flags.bake_ends or -math.inf
        watched = self.guards.watched[told.signal]
        mine = told.where(watched)
        for stop in stops:
            self.metrics.put(mine.where((mine.emit >= before) & (mine.emit < stop)))
            self.metrics.put_own(one.between(before, stop) for one in own)
            before = stop
            if stop < bake_ends and (firing := self.guards.firing(stop, self.flags.percent)):
                alarm = firing[0]
                break
        self.metrics.put(told.where(~watched & (told.emit < before)))
        return before, alarm

    def _levels(self, rows: Rows) -> None:
        for name in self.levels:
            mine = rows.signal == ID[name]
            if len(value := rows.value[mine]):
                self.levels[name] = int(value[rows.emit[mine].argmax()])
                if name == "queue_visible":
                    self.most_waiting = max(self.most_waiting, int(value.max()))

    def access_log(self, params: Params, window: Window) -> dict[str, Any] | None:
        """The answer of `observe.access_log.read`."""
        if not self.scenario.access_log:
            return None
        mine = self._lines(params, window, lambda one: 400 <= one.status < 500)
        told = {"counts": access_log.counted(mine, params, window), "cut": len(mine) >= access_log.MAX_LINES}
        return told if mine else None

    def clients(self, params: Params, window: Window) -> dict[str, Any] | None:
        """The answer of `observe.access_log.read_clients`."""
        if not self.scenario.access_log or not self.flags.state().only_old_clients:
            return None
        mine = self._lines(params, window, lambda one: one.path == "sync")
        told = {"counts": access_log.clients(mine, params, window), "cut": len(mine) >= access_log.MAX_LINES}
        return told if mine else None

    def _lines(self, params: Params, window: Window, wanted: Callable[[Answer], bool]) -> list[str]:
        paths = publish.submitted(params)
        if self.flags.migrated:  # the parameters are as routed: jobs are submitted at the formerly synchronous route
            paths = {"sync": paths["submit"], "submit": paths["sync"]}
        low, high = window.start.timestamp(), window.end.timestamp()
        return [publish.access_line(one, paths) for one in self.answered if low <= one.at < high and wanted(one)]

    def live_levels(self) -> dict[str, Any]:
        """The answer of `observe.live.read`."""
        receives = self.params.service.max_receives
        first, crew = {**self.levels, "dlq_in_flight": 0}, self.params.service.crew[1:]
        more = {
            key.replace("queue", post.queue, 1).replace("dlq", post.dlq, 1): messages
            for post in crew  # each job goes through every worker
            for key, messages in first.items()
        }
        memory = {**MEMORY_MB, **{post.worker: MEMORY_MB["worker"] for post in crew}}
        return {**first, **more, "max_receives": receives, "memory_mb": memory}
