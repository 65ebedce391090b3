"""The service, simulated request by request; pure: no I/O, no clock, no random numbers beyond those of `arrivals`.

`Service.run(until)` lives up to `until` and returns what came to pass: rows (signal, stamp, value) that CloudWatch
would be given, jobs whose item changed, jobs that failed, and the truth about each request. What is under way at
`until` (calls, jobs, polls) is carried over, so that one run of 24 h equals 24 runs of 1 h, bit by bit.
"""

from __future__ import annotations

import copy
import heapq
import math
import uuid
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.arrivals import HOUR_S, Arrivals, Floats, draw
from runbook_lib.rehearse.rows import Rows
from runbook_lib.rehearse.scenario import Behaviour, Scenario

GATEWAY_TIMEOUT_S = 29.0
SYNC_TIMEOUT_S = 60.0
WORKER_TIMEOUT_S = 300.0
SUBMIT_SIGMA = 0.485  # p95 / median = exp(1.645 * 0.485) = 2.2
TOKEN_SIGMA = 0.08
GAUGE_S = 60.0
IDLE_GAUGE_S = 300.0
EMPTY_RECEIVES_PER_S = 5 / 20.0  # five pollers of the event source, long polls of 20 s
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Settings:
    """The service's own settings, from `service.yaml`, and the prices that its cost metric uses (USD a token)."""

    client_poll_s: float = 60.0
    poll_every_s: float = 5.0
    job_deadline_s: float = 300.0
    visibility_timeout_s: float = 660.0
    max_receives: int = 3
    input_tokens: int = 7500
    output_tokens: int = 2200
    usd_per_input_token: float = 3e-6
    usd_per_output_token: float = 15e-6

    @property
    def max_polls(self) -> int:
        """Polls after which the client gives up."""
        return int(self.job_deadline_s // self.poll_every_s)


@dataclass
class Job:
    """One asynchronous job; times are epoch seconds, infinite where not known yet."""

    job_id: str
    idempotency_key: str
    created: float
    enqueued: float
    llm_s: float
    """Before the fault's factor."""
    u_failed: float
    u_crash: float
    u_poll: float
    input_tokens: int
    output_tokens: int
    started: float = math.inf
    finished: float = math.inf
    gone: float = math.inf
    """When its message was deleted, or moved to the DLQ."""
    failed: bool = False
    error: str = ""
    receives: int = 0
    next_poll: int = 1
    written: str = ""
    """The status last handed out in a `Step`."""

    def status(self, at: float) -> str:
        """What its item says at `at`; a job that crashed its worker stays PROCESSING."""
        if self.finished <= at:
            return "FAILED" if self.failed else "COMPLETED"
        return "PROCESSING" if self.started <= at else "PENDING"


class Requests(NamedTuple):
    """The truth about requests, in order of arrival; shape (n,) each."""

    at: Floats
    is_async: NDArray[np.bool_]
    ok: NDArray[np.bool_]
    """Sync: answered within the gateway's patience. Async: the submission was accepted."""


class Failure(NamedTuple):
    """A job that the worker marked FAILED: what its log line says."""

    at: float
    job_id: str
    reason: str


@dataclass
class Step:
    """What came to pass in [start, end)."""

    start: float
    end: float
    rows: Rows
    jobs: list[Job]
    """Copies of the jobs whose status at `end` is another one than in the step before."""
    failures: list[Failure]
    requests: Requests


@dataclass
class _State:
    """What is carried from step to step."""

    now: float
    waiting: list[tuple[float, int, Job]] = field(default_factory=list)
    """Heap of (time from which it can be received, number, job)."""
    running: list[float] = field(default_factory=list)
    """Heap of the times at which the busy workers become free."""
    active: list[Job] = field(default_factory=list)
    """Jobs whose item may still change, or whose client still polls."""
    failures: list[Failure] = field(default_factory=list)
    pending: Rows = field(default_factory=Rows.empty)
    """Rows of the future: the ends of what is under way."""
    sync_ends: Floats = field(default_factory=lambda: np.empty(0))
    visible: float = 0.0
    in_flight: float = 0.0
    dead: float = 0.0
    dlq_touched: float = 0.0
    jobs: int = 0


class Service:
    """The simulated service.

    Args:
        scenario: traffic, behaviour, faults.
        settings: the service's settings.
        seed: of the random numbers.
        start: beginning of its life, epoch seconds; the hours are counted from the full hour before.
        workers: concurrent workers at first.
    """

    def __init__(self, scenario: Scenario, settings: Settings, seed: int, start: float, workers: int = 5) -> None:
        self.scenario, self.settings, self.seed = scenario, settings, seed
        self.origin = start // HOUR_S * HOUR_S
        self.workers = workers
        self._weights: list[tuple[float, float]] = [(-math.inf, 0.0)]
        self._state = _State(now=start, dlq_touched=start)
        self._edges = scenario.edges()
        self._behaviours = [scenario.at(hour) for hour in (0.0, *self._edges)]
        self._hours: dict[int, Arrivals] = {}
        self._out: list[Rows] = []

    @property
    def now(self) -> float:
        """Epoch seconds up to which it has lived."""
        return self._state.now

    @property
    def backlog(self) -> int:
        """Jobs whose item may still change."""
        return len(self._state.active)

    def set_weight(self, share: float) -> None:
        """From now on the flags say `share` (0 to 1); each client sees it when it reads them next."""
        if share != self._weights[-1][1]:
            self._weights.append((self.now, share))

    def fork(self) -> Service:
        """A copy that can live on by itself, to look ahead."""
        twin = copy.copy(self)
        twin._state = copy.deepcopy(self._state)
        twin._weights = list(self._weights)
        twin._out = []
        return twin

    def run(self, until: float) -> Step:
        """Live up to `until` with the present flags and workers."""
        state, start = self._state, self._state.now
        requests = self._arrive(start, until)
        self._work(until)
        self._poll(until)
        rows = Rows.concatenate([state.pending, *self._out])
        self._out = []
        done, state.pending = rows.split(until)
        changed = []
        ages = np.array([(job.enqueued, job.gone) for job in state.active]).reshape(-1, 2)
        for job in state.active:
            if job.created < until and (status := job.status(until)) != job.written:
                job.written = status
                changed.append(copy.copy(job))
        # A lost job (crashed three times) stays until its client has given up polling.
        state.active = [
            job
            for job in state.active
            if job.finished > until and (job.gone > until or job.next_poll <= self.settings.max_polls)
        ]
        failures = sorted(failure for failure in state.failures if failure.at < until)
        state.failures = [failure for failure in state.failures if failure.at >= until]
        published = self._gauges(done, start, until, ages)
        state.now = until
        return Step(start, until, published, changed, failures, requests)

    def _emit(self, signal: str, emit: Floats, value: Floats | float, stamp: Floats | None = None) -> None:
        if len(emit):
            self._out.append(Rows.of(signal, emit, value, stamp))

    def _knob(self, name: str, at: Floats) -> Floats:
        values = np.array([getattr(behaviour, name) for behaviour in self._behaviours])
        return values[np.searchsorted(self._edges, (at - self.origin) / HOUR_S, side="right")]

    def _behaviour(self, at: float) -> Behaviour:
        return self._behaviours[bisect_right(self._edges, (at - self.origin) / HOUR_S)]

    def _arrive(self, start: float, until: float) -> Requests:
        first, last = int((start - self.origin) // HOUR_S), math.ceil((until - self.origin) / HOUR_S)
        seen = []
        for hour in range(first, last):
            if hour not in self._hours:
                # Only the present hour is kept; a twin that looks ahead shares it.
                self._hours = {h: a for h, a in self._hours.items() if h >= first - 1}
                self._hours[hour] = draw(self.scenario, self.seed, hour, self.origin)
            seen.append(self._serve(self._hours[hour].between(start, until)))
        return Requests(*(np.concatenate(column) for column in zip(*seen, strict=True))) if seen else _NOBODY

    def _serve(self, who: Arrivals) -> Requests:
        """Split the arrivals as the clients do: by the flags as each of them saw them last."""
        times = np.array([at for at, _ in self._weights])
        shares = np.array([share for _, share in self._weights])
        read_at = who.at - who.u_lag * self.settings.client_poll_s
        share = shares[np.searchsorted(times, read_at, side="right") - 1]
        is_async = (who.u_split < share) & (who.u_adopt < self._knob("adoption", who.at))
        ok = np.zeros(len(who), dtype=bool)
        ok[~is_async] = self._sync(_take(who, ~is_async))
        ok[is_async] = self._submit(_take(who, is_async))
        return Requests(who.at, is_async, ok)

    def _llm_s(self, who: Arrivals) -> Floats:
        quick = who.u_quick < self._knob("quick", who.at)
        return np.where(quick, 18 + 10 * who.u_llm, 30 + 30 * who.u_llm)

    def _sync(self, who: Arrivals) -> NDArray[np.bool_]:
        """The gateway gives up after 29 s; the Lambda goes on, is paid for, and so are its tokens."""
        if not len(who):
            return np.zeros(0, dtype=bool)
        wanted = self._llm_s(who) * self._knob("llm_time", who.at) + 0.3
        took = np.minimum(wanted, SYNC_TIMEOUT_S)
        ok = took < GATEWAY_TIMEOUT_S
        waited = np.where(ok, took, GATEWAY_TIMEOUT_S + 0.02 * who.u_poll)
        self._response("sync", who.at + waited, waited, ~ok)
        ends = who.at + took
        self._invocation("sync", who.at, took, wanted > SYNC_TIMEOUT_S)
        self._emit("sync_concurrent", ends, self._concurrency(who.at, ends), who.at)
        made = wanted <= SYNC_TIMEOUT_S
        tokens = self._tokens(who)
        cost = tokens[0] * self.settings.usd_per_input_token + tokens[1] * self.settings.usd_per_output_token
        self._emit("vpr_generated", ends[made], 1.0)
        self._emit("vpr_generation_ms", ends[made], np.round(took[made] * 1000))
        self._emit("vpr_cost_usd", ends[made], np.round(cost[made], 4))
        return ok

    def _concurrency(self, starts: Floats, ends: Floats) -> Floats:
        """Calls under way at each start, itself included."""
        state = self._state
        carried, mine = np.sort(state.sync_ends), np.sort(ends)
        before = len(carried) - np.searchsorted(carried, starts, side="right")
        among = np.arange(1, len(starts) + 1) - np.searchsorted(mine, starts, side="right")
        both = np.concatenate([carried, mine])
        state.sync_ends = both[both > starts[-1]]
        return np.asarray(before + among, dtype=float)

    def _tokens(self, who: Arrivals) -> tuple[Floats, Floats]:
        factor = self._knob("tokens", who.at)
        return (
            np.round(self.settings.input_tokens * factor * np.exp(TOKEN_SIGMA * who.z_input)),
            np.round(self.settings.output_tokens * factor * np.exp(TOKEN_SIGMA * who.z_output)),
        )

    def _submit(self, who: Arrivals) -> NDArray[np.bool_]:
        """Accepted submissions become jobs; the idempotency key is looked up in the index first."""
        if not len(who):
            return np.zeros(0, dtype=bool)
        waited = np.round(self._knob("submit_latency_s", who.at) * np.exp(SUBMIT_SIGMA * who.z_submit), 3)
        broken = who.u_submit_5xx < self._knob("submit_5xx", who.at)
        answered = who.at + waited
        self._response("submit", answered, waited, broken)
        self._invocation("submit", who.at, waited * 0.85, broken)
        created = np.round(who.at + waited * 0.6, 3)
        self._emit("gsi_reads", created, 0.5)
        self._emit("table_writes", created[~broken], 1.0)
        self._emit("gsi_writes", created[~broken], 1.0)
        self._emit("jobs_created", created[~broken], 1.0)
        self._emit("queue_sent", answered[~broken], 1.0)
        self._emit("d_visible", answered[~broken], 1.0)
        llm, (read, written) = self._llm_s(who), self._tokens(who)
        for i in np.flatnonzero(~broken):
            high, low = int(who.key[i, 0]), int(who.key[i, 1])
            job = Job(
                job_id=str(uuid.UUID(int=high << 64 | low, version=4)),
                idempotency_key=f"{low:016x}{high:016x}",
                created=float(created[i]),
                enqueued=float(answered[i]),
                llm_s=float(llm[i]),
                u_failed=float(who.u_failed[i]),
                u_crash=float(who.u_crash[i]),
                u_poll=float(who.u_poll[i]),
                input_tokens=int(read[i]),
                output_tokens=int(written[i]),
            )
            self._state.jobs += 1
            heapq.heappush(self._state.waiting, (job.enqueued, self._state.jobs, job))
            self._state.active.append(job)
        return np.asarray(~broken)

    def _work(self, until: float) -> None:
        """Give messages to free workers, first come first served, while one can start before `until`."""
        state = self._state
        waiting, running, floor = state.waiting, state.running, state.now
        while waiting and self.workers > 0:
            at = max(waiting[0][0], floor)
            free = bisect_count(running, at)
            if (short := len(running) - free - self.workers + 1) > 0:
                at = heapq.nsmallest(free + short, running)[-1]
            if at >= until:
                break
            while running and running[0] <= at:
                heapq.heappop(running)
            _, number, job = heapq.heappop(waiting)
            again = self._attempt(job, at)
            if again is not None:
                heapq.heappush(waiting, (again, number, job))

    def _attempt(self, job: Job, at: float) -> float | None:
        """One delivery to a worker at `at`; the time from which it can be delivered again, if it crashed."""
        now, settings, rows = self._behaviour(at), self.settings, self._out
        job.receives += 1
        job.started = at
        took = round(job.llm_s * now.llm_time + 0.6, 3)
        crash = took > WORKER_TIMEOUT_S or (job.u_crash + GOLDEN * job.receives) % 1.0 < now.job_crash
        took = min(took, WORKER_TIMEOUT_S)
        end = at + took
        heapq.heappush(self._state.running, end)
        concurrent = float(len(self._state.running))
        hidden_until = at + settings.visibility_timeout_s
        one: list[tuple[str, float, float, float]] = [
            ("queue_received", at, at, 1.0),
            ("d_visible", at, at, -1.0),
            ("d_in_flight", at, at, 1.0),
            ("table_writes", at, at, 1.0),
            ("gsi_writes", at, at, 1.0),
            ("worker_invocations", end, at, 1.0),
            ("worker_errors", end, at, float(crash)),
            ("worker_throttles", end, at, 0.0),
            ("worker_duration", end, at, round(took * 1000)),
            ("worker_concurrent", end, at, concurrent),
        ]
        again = None
        if crash:
            one.append(("d_in_flight", hidden_until, hidden_until, -1.0))
            if job.receives < settings.max_receives:
                one.append(("d_visible", hidden_until, hidden_until, 1.0))
                again = hidden_until
            else:
                one.append(("d_dlq", hidden_until, hidden_until, 1.0))
                job.gone = hidden_until
        else:
            job.finished = job.gone = round(end, 3)
            job.failed = job.u_failed < now.job_failed
            one += [("d_in_flight", end, end, -1.0), ("queue_deleted", end, end, 1.0)]
            one += [("table_writes", end, end, 1.0), ("gsi_writes", end, end, 1.0)]
            if job.failed:
                job.error = self.scenario.reason((at - self.origin) / HOUR_S)
                self._state.failures.append(Failure(job.finished, job.job_id, job.error))
                one.append(("jobs_failed", end, end, 1.0))
            else:
                one += [
                    ("jobs_completed", end, end, 1.0),
                    ("input_tokens", end, end, float(job.input_tokens)),
                    ("output_tokens", end, end, float(job.output_tokens)),
                ]
        rows.append(Rows.many(one))
        return again

    def _poll(self, until: float) -> None:
        """The clients' polls: up to `until`, or up to the one that sees the end, where the end is known."""
        every, most = self.settings.poll_every_s, self.settings.max_polls
        spans: list[tuple[float, int, int, float, float, bool]] = []
        for job in self._state.active:
            done = job.finished < math.inf
            horizon = job.finished if done else until
            last = math.ceil((horizon - job.enqueued) / every) - (0 if done else 1)
            last = min(max(last, 1 if done else 0), most)
            if last >= job.next_poll:
                spans.append((job.enqueued, job.next_poll, last, job.u_poll, job.finished, job.failed))
                job.next_poll = most + 1 if done else last + 1
        if not spans:
            return
        enqueued, first, last_, u, finished, failed = (np.array(column) for column in zip(*spans, strict=True))
        n = last_ - first + 1
        who = np.repeat(np.arange(len(n)), n)
        k = np.arange(len(who)) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
        at = enqueued[who] + k * every
        # A low-discrepancy sequence per job: no generator to carry over, the same numbers in any cut of time.
        waited = np.round(0.025 + 0.12 * ((u[who] + GOLDEN * k) % 1.0) ** 4, 3)
        ends = at + waited
        self._response("status", ends, waited, np.zeros(len(at), dtype=bool))
        self._invocation("status", at, waited * 0.8, np.zeros(len(at), dtype=bool))
        self._emit("table_reads", at, 0.5)
        self._emit("status_query", ends, 1.0)
        over = finished[who] <= at
        self._emit("status_completed", ends[over & ~failed[who]], 1.0)
        self._emit("status_failed", ends[over & failed[who]], 1.0)

    def _response(self, route: str, at: Floats, waited: Floats, broken: NDArray[np.bool_]) -> None:
        ms = np.round(waited * 1000)
        self._emit(f"{route}_count", at, 1.0)
        self._emit(f"{route}_4xx", at, 0.0)
        self._emit(f"{route}_5xx", at, broken.astype(float))
        self._emit(f"{route}_latency", at, ms)
        self._emit(f"{route}_integration", at, np.maximum(ms - 4, 1))

    def _invocation(self, function: str, start: Floats, took: Floats, failed: NDArray[np.bool_]) -> None:
        """Lambda stamps its metrics with the start of the invocation, and sends them at its end."""
        ends = start + took
        self._emit(f"{function}_invocations", ends, 1.0, start)
        self._emit(f"{function}_errors", ends, failed.astype(float), start)
        self._emit(f"{function}_throttles", ends, 0.0, start)
        self._emit(f"{function}_duration", ends, np.round(took * 1000), start)
        if function != "sync":
            self._emit(f"{function}_concurrent", ends, 1.0, start)

    def _gauges(self, done: Rows, start: float, until: float, ages: NDArray[np.float64]) -> Rows:
        """Replace the queue's ups and downs by what SQS shows: levels on the full minute.

        AWS shows them every minute. Here an empty queue is shown every five minutes and one with messages waiting
        every minute: the same curve for a fifth of the points.
        """
        state = self._state
        grid = np.arange(math.ceil(start / GAUGE_S) * GAUGE_S, until, GAUGE_S)
        levels = {}
        for name in ("visible", "in_flight", "dlq"):
            rows = done.only(f"d_{name}")
            order = np.argsort(rows.emit, kind="stable")
            moves = np.concatenate([[0.0], np.cumsum(rows.value[order])])
            attribute = "dead" if name == "dlq" else name
            base: float = getattr(state, attribute)
            levels[name] = base + moves[np.searchsorted(rows.emit[order], grid, side="right")]
            setattr(state, attribute, base + float(moves[-1]))
            if name == "dlq" and len(rows):
                state.dlq_touched = float(rows.emit.max())
        full = grid % IDLE_GAUGE_S == 0
        show = full | (levels["visible"] > 0)
        oldest = _oldest(ages, grid)
        nothing = np.zeros(int(full.sum()))
        lively = (levels["dlq"] > 0) | (grid - state.dlq_touched < self.scenario.idle_queue_hours * HOUR_S)
        dlq = full & lively
        shown = [
            Rows.of("queue_visible", grid[show], levels["visible"][show]),
            Rows.of("queue_in_flight", grid[show], levels["in_flight"][show]),
            Rows.of("queue_age", grid[show], oldest[show]),
            Rows.of("queue_empty", grid[full], IDLE_GAUGE_S * EMPTY_RECEIVES_PER_S),
            *(Rows.of(f"queue_{what}", grid[full], nothing) for what in ("sent", "received", "deleted")),
            Rows.of("dlq_visible", grid[dlq], levels["dlq"][dlq]),
            Rows.of("dlq_in_flight", grid[dlq], np.zeros(int(dlq.sum()))),
            Rows.of("dlq_age", grid[dlq], np.where(levels["dlq"] > 0, grid - state.dlq_touched, 0.0)[dlq]),
        ]
        return Rows.concatenate([done.public(), *shown])


def bisect_count(heap: list[float], at: float) -> int:
    """How many of the (few) times in `heap` are not after `at`."""
    return sum(end <= at for end in heap)


def _oldest(ages: NDArray[np.float64], grid: Floats) -> Floats:
    """Age at each moment of `grid` of the oldest message not deleted; `ages` is (n, 2): sent, gone."""
    if not len(ages) or not len(grid):
        return np.zeros(len(grid))
    by_end = ages[np.argsort(ages[:, 1])]
    earliest = np.concatenate([np.minimum.accumulate(by_end[::-1, 0])[::-1], [np.inf]])
    sent = earliest[np.searchsorted(by_end[:, 1], grid, side="right")]
    return np.asarray(np.floor(np.maximum(grid - sent, 0.0)))


def _take(who: Arrivals, mask: NDArray[np.bool_]) -> Arrivals:
    return Arrivals(**{name: column[mask] for name, column in vars(who).items()})


_NOBODY = Requests(np.empty(0), np.empty(0, dtype=bool), np.empty(0, dtype=bool))
