"""The world of one seed in this process, and AWS as far as a look and a guard need it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
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
from runbook_lib.rehearse.world.own import Own
from runbook_lib.rehearse.world.rows import ID, Rows
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.targets import targets
from runbook_lib.rehearse.world.truth import Truth
from runbook_lib.rehearse.world.world import settings

START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
BEFORE = dt.timedelta(hours=24)
"""The day before the first hour of the world, for the synchronous route's history."""
STEP_S = 300.0
"""Seconds between two stops during a bake: guards are evaluated, and flags obeyed."""
CALM_S = 3600.0
"""Seconds between two stops while AppConfig watches nothing. The world is the same in steps of any length."""
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
            width = STEP_S if self.flags.baking else CALM_S
            step = self.service.run(min(end, (self.service.now // width + 1) * width))
            self.truth.add(step)
            self.answered += step.answers
            self.throttled += sum(step.used.get(f"{part}_write_throttles", 0.0) for part in ("table", "gsi"))
            self.table.put(step.jobs)
            told = self.outbox.send(step.rows, self.service.scenario, self.service.origin, step.end)
            self.metrics.put(told)
            self.metrics.put_own(self.own.tell(step, self.service.scenario, self.service.origin))
            self._levels(step.rows)
            self.flags.tick(self.now)
            if self.flags.baking and (firing := self.guards.firing(step.end, self.flags.percent)):
                self.flags.take_back(self.now, firing[0])

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
