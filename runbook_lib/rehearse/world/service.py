"""The service, simulated request by request; pure: no I/O, no clock, no random numbers beyond those of `arrivals`.

`Service.run(until)` lives up to `until` and returns the events: rows (signal, stamp, value) for CloudWatch, jobs whose
item changed, jobs that failed, and the truth about each request. What is under way at `until` (calls, jobs, polls) is
carried over, so that one run of 24 h equals 24 runs of 1 h, bit by bit.
The parts are `gateway`, `sync_route`, `async_route` and `workers`; they share `inside`.
"""

from __future__ import annotations

import copy
import math

import numpy as np

from runbook_lib.rehearse.world.arrivals import HOUR_S, Arrivals, draw
from runbook_lib.rehearse.world.async_route import submitted
from runbook_lib.rehearse.world.gateway import note, take
from runbook_lib.rehearse.world.gauges import Gauges
from runbook_lib.rehearse.world.inside import Course, Inside, State
from runbook_lib.rehearse.world.jobs import Settings, polls
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.step import CALLERS_OWN, NOBODY, Requests, WorldStep
from runbook_lib.rehearse.world.sync_route import answered
from runbook_lib.rehearse.world.workers import work


class Service:
    """The simulated service.

    Args:
        scenario: traffic, behaviour, faults.
        settings: the service's settings.
        seed: of the random numbers.
        start: beginning of its life, epoch seconds; the hours count from the full hour before.
        workers: number of concurrent workers at first.
        origin: epoch seconds from which the hours count; None: from the start. Before it the world is as at it.
    """

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        seed: int,
        start: float,
        workers: int = 5,
        origin: float | None = None,
    ) -> None:
        self.seed, self.workers = seed, workers
        self.origin = (start if origin is None else origin) // HOUR_S * HOUR_S
        self._weights: list[tuple[float, float]] = [(-math.inf, 0.0)]
        self._routes = (False, True)
        state = State(now=start, gauges=Gauges(start, scenario.idle_queue_hours * HOUR_S))
        self._inside = Inside(settings, Course(scenario, self.origin), state)
        self._hours: dict[int, Arrivals] = {}

    @property
    def scenario(self) -> Scenario:
        """The present scenario."""
        return self._inside.course.scenario

    @property
    def now(self) -> float:
        """Epoch seconds up to which it has lived."""
        return self._inside.state.now

    @property
    def share(self) -> float:
        """The flags' present share, 0 to 1."""
        return self._weights[-1][1]

    @property
    def waiting(self) -> int:
        """Number of messages that no worker has taken yet."""
        return len(self._inside.state.waiting)

    @property
    def backlog(self) -> int:
        """Number of jobs whose item may still change."""
        return len(self._inside.state.active)

    @property
    def hour(self) -> float:
        """Hour of its life."""
        return (self.now - self.origin) / HOUR_S

    def live_by(self, scenario: Scenario) -> None:
        """Replaces the scenario from now on."""
        self._inside.course, self._hours = Course(scenario, self.origin), {}

    def set_weight(self, share: float) -> None:
        """Sets the flags' share (0 to 1) from now on; each client sees it at its next read."""
        if share != self._weights[-1][1]:
            self._weights.append((self.now, share))

    def set_routes(self, *, migrated: bool, temporary: bool) -> None:
        """Sets from now on whether the synchronous route is asynchronous and whether the temporary route exists; the
        gateway obeys at once.
        """
        self._routes = (migrated, temporary)

    def set_units(self, *, table: float | None, index: float | None) -> None:
        """Sets the write units per second of table and index from now on; None: on demand."""
        self._inside.units = (table, index)

    def fork(self) -> Service:
        """A copy that can live on by itself, to look ahead."""
        twin = copy.copy(self)
        twin._inside, twin._weights = self._inside.fork(), list(self._weights)
        return twin

    def run(self, until: float) -> WorldStep:
        """Lives up to `until` with the present flags and workers."""
        inside, state = self._inside, self._inside.state
        start = state.now
        requests = self._arrive(start, until)
        work(inside, until, self.workers)
        if inside.told:
            # All deliveries at once: an array for each would cost more than the delivery itself.
            inside.out.append(Rows.many(inside.told))
        inside.out += polls(state.active, until, inside.settings)
        rows = Rows.concatenate([state.pending, *inside.out])
        answers, inside.answers, inside.out, inside.told = inside.answers, [], [], []
        done, state.pending = rows.split(until)
        changed = []
        ages = np.array([(job.enqueued, job.gone) for job in state.active]).reshape(-1, 2)
        for job in state.active:
            status = job.status(until)
            if job.created < until and (status, job.started) != (job.written, job.written_start):
                job.written, job.written_start = status, job.started
                changed.append(job.copy())
        # A lost job (crashed three times) stays until its client has given up polling.
        state.active = [
            job
            for job in state.active
            if job.finished > until and (job.gone > until or job.next_poll <= inside.settings.max_polls)
        ]
        failures = sorted(failure for failure in state.failures if failure.at < until)
        state.failures = [failure for failure in state.failures if failure.at >= until]
        published = state.gauges.show(done, start, until, ages)
        state.now = until
        used = done.totals() | {"queue_empty": published.total("queue_empty")}
        return WorldStep(start, until, published, changed, failures, requests, answers, used)

    def _arrive(self, start: float, until: float) -> Requests:
        first, last = math.floor((start - self.origin) / HOUR_S), math.ceil((until - self.origin) / HOUR_S)
        seen = []
        for hour in range(first, last):
            if hour not in self._hours:
                # Only the present hour is kept; a copy that looks ahead shares it.
                self._hours = {h: a for h, a in self._hours.items() if h >= first - 1}
                self._hours[hour] = draw(self.scenario, self.seed, hour, self.origin)
            if len(who := self._hours[hour].between(start, until)):
                seen.append(self._serve(who))
        if len(seen) == 1:
            return seen[0]
        return Requests(*(np.concatenate(column) for column in zip(*seen, strict=True))) if seen else NOBODY

    def _serve(self, who: Arrivals) -> Requests:
        """Splits the arrivals as the clients do: by the flags as each client last saw them.

        The client chooses the path; the gateway chooses what answers there.
        """
        inside = self._inside
        times = np.array([at for at, _ in self._weights])
        shares = np.array([share for _, share in self._weights])
        read_at = who.at - who.u_lag * inside.settings.client_poll_s
        share = shares[np.searchsorted(times, read_at, side="right") - 1]
        elsewhere = (who.u_split < share) & (who.u_adopt < inside.knob("adoption", who.at))
        migrated, temporary = self._routes
        refused = elsewhere & (not temporary)
        is_async = elsewhere | migrated
        paths = [(elsewhere & ~refused, "submit"), *([(~elsewhere, "sync")] if migrated else [])]
        n = len(who)
        ok, status, number = np.zeros(n, dtype=bool), np.full(n, 200), np.zeros(n, dtype=np.int64)
        status[refused] = 403
        if not migrated:
            left = take(who, ~elsewhere)
            ok[~elsewhere], status[~elsewhere] = found = answered(inside, left)
            note(inside, left, "sync", found[1], whole=share[~elsewhere] >= 1)
        for mask, path in paths:
            ok[mask], status[mask], number[mask] = submitted(inside, take(who, mask), path)
        inside.emit("nowhere_count", who.at[refused], 1.0)
        inside.emit("nowhere_4xx", who.at[refused], 1.0)
        return Requests(who.at, is_async, ok, refused, status, number, status == CALLERS_OWN)
