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
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import HOUR_S, Arrivals, Floats, draw
from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.calls import invocations, responses
from runbook_lib.rehearse.world.gauges import Gauges
from runbook_lib.rehearse.world.jobs import (
    THROTTLED_TRIES,
    Answer,
    Attempt,
    Failure,
    Job,
    Row,
    Settings,
    attempt,
    polls,
    throttled,
)
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario

GATEWAY_TIMEOUT_S = 29.0
SYNC_TIMEOUT_S = 60.0
SUBMIT_SIGMA = 0.485  # p95 / median = exp(1.645 * 0.485) = 2.2
TOKEN_SIGMA = 0.08
CLIENT, OLD_CLIENTS = "careervp-web/2.0", ("careervp-web/1.9", "careervp-cli/0.4")
CALLERS_OWN, GATEWAY_BROKEN, DOUBLED = 400, 503, 207
"""Statuses: a caller's mistake, the gateway's own 5xx; and, inside, a submission that makes two jobs."""
SWALLOWED, REPEATED = 299, 200
"""Accepted, and no job is written; a repeated submission, answered with the job that there is."""
_AT_THE_DOOR = (
    ("gateway_4xx", 429), ("gateway_403", 403), ("gateway_5xx", GATEWAY_BROKEN), ("caller_4xx", CALLERS_OWN),
    ("accepted_lost", SWALLOWED), ("resubmitted", REPEATED), ("job_duplicated", DOUBLED),
)  # fmt: skip
_KINDS = {429: "THROTTLED", 403: "WAF_FILTERED", GATEWAY_BROKEN: "DEFAULT_5XX", 504: "INTEGRATION_TIMEOUT"}


class Requests(NamedTuple):
    """The truth about requests, in order of arrival; shape (n,) each."""

    at: Floats
    is_async: NDArray[np.bool_]
    ok: NDArray[np.bool_]
    """Sync: answered within the gateway's patience. Async: the submission was accepted."""
    refused: NDArray[np.bool_]
    """The route was not there any more: 403."""
    status: NDArray[np.int64]
    """What the gateway answered."""
    number: NDArray[np.int64]
    """Of the job that it made; 0: none."""
    mistake: NDArray[np.bool_]
    """The caller's own: no user of the service."""


@dataclass
class WorldStep:
    """What came to pass in [start, end)."""

    start: float
    end: float
    rows: Rows
    jobs: list[Job]
    """Copies of the jobs whose status at `end` is another one than in the step before."""
    failures: list[Failure]
    requests: Requests
    answers: list[Answer] = field(default_factory=list)
    """Requests answered 4xx or 5xx, where the world writes an access log."""
    used: dict[str, float] = field(default_factory=dict)
    """Signal to the sum of its values: what was used, whether AWS is told or not."""


@dataclass
class _State:
    """What is carried from step to step."""

    now: float
    gauges: Gauges
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
    jobs: int = 0


class Service:
    """The simulated service.

    Args:
        scenario: traffic, behaviour, faults.
        settings: the service's settings.
        seed: of the random numbers.
        start: beginning of its life, epoch seconds; the hours are counted from the full hour before.
        workers: concurrent workers at first.
        origin: epoch seconds from which the hours are counted; None: from the start. Before it the world is as then.
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
        self.scenario, self.settings, self.seed = scenario, settings, seed
        self.origin = (start if origin is None else origin) // HOUR_S * HOUR_S
        self.workers = workers
        self._weights: list[tuple[float, float]] = [(-math.inf, 0.0)]
        self._routes = (False, True)
        self._units: tuple[float | None, float | None] = (None, None)
        self._state = _State(now=start, gauges=Gauges(start, scenario.idle_queue_hours * HOUR_S))
        self._out: list[Rows] = []
        self._told: list[Row] = []
        self._answers: list[Answer] = []
        self.live_by(scenario)

    @property
    def now(self) -> float:
        """Epoch seconds up to which it has lived."""
        return self._state.now

    @property
    def share(self) -> float:
        """What the flags say now, 0 to 1."""
        return self._weights[-1][1]

    @property
    def waiting(self) -> int:
        """Messages that no worker has taken yet."""
        return len(self._state.waiting)

    @property
    def backlog(self) -> int:
        """Jobs whose item may still change."""
        return len(self._state.active)

    @property
    def hour(self) -> float:
        """Hour of its life."""
        return (self.now - self.origin) / HOUR_S

    def live_by(self, scenario: Scenario) -> None:
        """From now on the world is this one."""
        self.scenario, self._edges = scenario, scenario.edges()
        self._behaviours = [scenario.at(hour) for hour in (0.0, *self._edges)]
        self._hours: dict[int, Arrivals] = {}
        self._values: dict[str, Floats] = {}

    def set_weight(self, share: float) -> None:
        """From now on the flags say `share` (0 to 1); each client sees it when it reads them next."""
        if share != self._weights[-1][1]:
            self._weights.append((self.now, share))

    def set_routes(self, *, migrated: bool, temporary: bool) -> None:
        """From now on `/api/vpr` is asynchronous or not, and `/api/vpr-async` is there or not; the gateway obeys at
        once.
        """
        self._routes = (migrated, temporary)

    def set_units(self, *, table: float | None, index: float | None) -> None:
        """From now on table and index have so many write units a second; None: on demand."""
        self._units = (table, index)

    def fork(self) -> Service:
        """A copy that can live on by itself, to look ahead."""
        twin = copy.copy(self)
        twin._state = copy.deepcopy(self._state)
        twin._weights = list(self._weights)
        twin._out, twin._told, twin._answers = [], [], []
        return twin

    def run(self, until: float) -> WorldStep:
        """Live up to `until` with the present flags and workers."""
        state, start = self._state, self._state.now
        requests = self._arrive(start, until)
        self._work(until)
        if self._told:
            # All deliveries at once: an array for each would cost more than the delivery itself.
            self._out.append(Rows.many(self._told))
            self._told = []
        self._out += polls(state.active, until, self.settings)
        rows = Rows.concatenate([state.pending, *self._out])
        self._out = []
        done, state.pending = rows.split(until)
        changed = []
        ages = np.array([(job.enqueued, job.gone) for job in state.active]).reshape(-1, 2)
        for job in state.active:
            status = job.status(until)
            if job.created < until and (status, job.started) != (job.written, job.written_start):
                job.written, job.written_start = status, job.started
                changed.append(copy.copy(job))
        # A lost job (crashed three times) stays until its client has given up polling.
        state.active = [
            job
            for job in state.active
            if job.finished > until and (job.gone > until or job.next_poll <= self.settings.max_polls)
        ]
        failures = sorted(failure for failure in state.failures if failure.at < until)
        state.failures = [failure for failure in state.failures if failure.at >= until]
        published = state.gauges.show(done, start, until, ages)
        state.now = until
        used = done.totals() | {"queue_empty": published.total("queue_empty")}
        answers, self._answers = self._answers, []
        return WorldStep(start, until, published, changed, failures, requests, answers, used)

    def _emit(self, signal: str, emit: Floats, value: Floats | float, stamp: Floats | None = None) -> None:
        if len(emit):
            self._out.append(Rows.of(signal, emit, value, stamp))

    def _knob(self, name: str, at: Floats) -> Floats:
        values = self._values.get(name)
        if values is None:
            values = self._values[name] = np.array([getattr(behaviour, name) for behaviour in self._behaviours])
        if len(values) == 1:
            return np.repeat(values, len(at))
        return values[np.searchsorted(self._edges, (at - self.origin) / HOUR_S, side="right")]

    def _arrive(self, start: float, until: float) -> Requests:
        first, last = math.floor((start - self.origin) / HOUR_S), math.ceil((until - self.origin) / HOUR_S)
        seen = []
        for hour in range(first, last):
            if hour not in self._hours:
                # Only the present hour is kept; a twin that looks ahead shares it.
                self._hours = {h: a for h, a in self._hours.items() if h >= first - 1}
                self._hours[hour] = draw(self.scenario, self.seed, hour, self.origin)
            seen.append(self._serve(self._hours[hour].between(start, until)))
        return Requests(*(np.concatenate(column) for column in zip(*seen, strict=True))) if seen else NOBODY

    def _serve(self, who: Arrivals) -> Requests:
        """Split the arrivals as the clients do: by the flags as each of them saw them last.

        Which path a client takes is its own doing; what answers there is the gateway's.
        """
        times = np.array([at for at, _ in self._weights])
        shares = np.array([share for _, share in self._weights])
        read_at = who.at - who.u_lag * self.settings.client_poll_s
        share = shares[np.searchsorted(times, read_at, side="right") - 1]
        elsewhere = (who.u_split < share) & (who.u_adopt < self._knob("adoption", who.at))
        migrated, temporary = self._routes
        refused = elsewhere & (not temporary)
        is_async = elsewhere | migrated
        paths = [(elsewhere & ~refused, "submit"), *([(~elsewhere, "sync")] if migrated else [])]
        n = len(who)
        ok, status, number = np.zeros(n, dtype=bool), np.full(n, 200), np.zeros(n, dtype=np.int64)
        status[refused] = 403
        if not migrated:
            left = _take(who, ~elsewhere)
            ok[~elsewhere], status[~elsewhere] = answered = self._sync(left)
            self._note(left, "sync", answered[1], whole=share[~elsewhere] >= 1)
        for mask, path in paths:
            ok[mask], status[mask], number[mask] = self._submit(_take(who, mask), path)
        self._emit("nowhere_count", who.at[refused], 1.0)
        self._emit("nowhere_4xx", who.at[refused], 1.0)
        return Requests(who.at, is_async, ok, refused, status, number, status == CALLERS_OWN)

    def _llm_s(self, who: Arrivals) -> Floats:
        quick = who.u_quick < self._knob("quick", who.at)
        return np.where(quick, 18 + 10 * who.u_llm, 30 + 30 * who.u_llm)

    def _note(
        self, who: Arrivals, path: str, status: NDArray[np.int64], whole: NDArray[np.bool_] | None = None
    ) -> None:
        """The access log's lines that somebody reads: what was answered 4xx or 5xx, and all where `whole`."""
        if not self.scenario.access_log:
            return
        for k in np.flatnonzero(status >= 400 if whole is None else (status >= 400) | whole):
            code = int(status[k])
            old = OLD_CLIENTS[int(who.u_quick[k] * len(OLD_CLIENTS))]
            client = old if whole is not None and whole[k] else CLIENT
            self._answers.append(Answer(float(who.at[k]), path, code, _KINDS.get(code, ""), client))

    def _turned_away(self, who: Arrivals, path: str, status: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which the gateway answers by itself: counted, and no Lambda is called."""
        away = np.isin(status, (429, 403, GATEWAY_BROKEN))
        if away.any():
            waited = np.full(int(away.sum()), 0.004)
            code = status[away]
            self._out += responses(path, who.at[away] + waited, waited, code >= 500, code < 500)
        return np.asarray(away)

    def _sync(self, who: Arrivals) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """The gateway gives up after 29 s; the Lambda goes on, is paid for, and so are its tokens."""
        n = len(who)
        ok, status = np.zeros(n, dtype=bool), np.full(n, 200)
        if not n:
            return ok, status
        u = _second(who, 0)
        refused = self._knob("sync_4xx_gateway", who.at)
        mistaken = refused + self._knob("caller_4xx", who.at)
        status[u < mistaken], status[u < refused] = CALLERS_OWN, 429
        away = self._turned_away(who, "sync", status)
        mistakes = status == CALLERS_OWN
        if mistakes.any():
            took = np.full(int(mistakes.sum()), 0.05)
            none = np.zeros(len(took), dtype=bool)
            at = who.at[mistakes]
            self._out += responses("sync", at + took, took, none, ~none)
            self._out += invocations("sync", at, took, none, np.ones(len(took)))
        kept = ~away & ~mistakes
        ok[kept] = self._generate(_take(who, kept))
        status[kept & ~ok] = 504
        return ok, status

    def _generate(self, who: Arrivals) -> NDArray[np.bool_]:
        """The synchronous Lambda at work; which were answered in time."""
        if not len(who):
            return np.zeros(0, dtype=bool)
        wanted = self._llm_s(who) * self._knob("llm_time", who.at) + 0.3
        took = np.minimum(wanted, SYNC_TIMEOUT_S)
        ok = took < GATEWAY_TIMEOUT_S
        waited = np.where(ok, took, GATEWAY_TIMEOUT_S + 0.02 * who.u_poll)
        ends = who.at + took
        self._out += responses("sync", who.at + waited, waited, ~ok)
        self._out += invocations("sync", who.at, took, wanted > SYNC_TIMEOUT_S, self._concurrency(who.at, ends))
        made = wanted <= SYNC_TIMEOUT_S
        tokens = self._tokens(who)
        cost = tokens[0] * self.settings.usd_per_input_token + tokens[1] * self.settings.usd_per_output_token
        self._emit("d_paid_sync_input", ends, tokens[0])
        self._emit("d_paid_sync_output", ends, tokens[1])
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

    def _submit(self, who: Arrivals, path: str) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """What the gateway lets through is accepted, refused by the Lambda, or breaks it: (accepted, status, job)."""
        n = len(who)
        ok, status, number = np.zeros(n, dtype=bool), np.full(n, 202), np.zeros(n, dtype=np.int64)
        if not n:
            return ok, status, number
        u, at = _second(who, 0), who.at
        # One uniform number, cut into pieces; later ones of the list give way where the shares exceed 1.
        edge = np.zeros(n)
        for knob, code in _AT_THE_DOOR:
            low, edge = edge, edge + self._knob(knob, at)
            status[(u >= low) & (u < edge)] = code
        away = self._turned_away(who, path, status)
        kept = ~away
        if kept.all():
            ok, status, number = self._accept(who, path, status)
        elif kept.any():
            ok[kept], status[kept], number[kept] = self._accept(_take(who, kept), path, status[kept])
        self._note(who, path, status)
        return ok, status, number

    def _accept(
        self, who: Arrivals, path: str, status: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """Accepted submissions become jobs; the idempotency key is looked up in the index first."""
        status = status.copy()
        waited = np.round(self._knob("submit_latency_s", who.at) * np.exp(SUBMIT_SIGMA * who.z_submit), 3)
        mistake = status == CALLERS_OWN
        broken = self._broken(who) & ~mistake
        answered = who.at + waited
        self._out += responses(path, answered, waited, broken, mistake)
        status[broken] = 502
        made = (status == 202) | (status == DOUBLED)
        self._out += invocations("submit", who.at, waited * 0.85, broken, np.ones(len(who)))
        created = np.round(who.at + waited * 0.6, 3)
        self._emit("gsi_reads", created, 0.5)
        lost = made & (_second(who, 1) < self._knob("job_lost", who.at))
        for copies in (made, status == DOUBLED):
            self._emit("table_writes", created[copies], 1.0)
            self._emit("gsi_writes", created[copies], 1.0)
            self._emit("jobs_created", created[copies], 1.0)
            self._emit("queue_sent", answered[copies], 1.0)
            self._emit("d_visible", answered[copies], 1.0)
        self._emit("d_visible", answered[lost], -1.0)
        llm, (read, written) = self._llm_s(who), self._tokens(who)
        poisoned = who.u_crash < self._knob("poison", who.at)
        number = np.zeros(len(who), dtype=np.int64)
        quota, untold = _second(who, 2), _second(who, 3) < self._knob("no_token_usage", who.at)
        twice = [(i, 0) for i in np.flatnonzero(made).tolist()]
        if (status == DOUBLED).any():
            twice = sorted([*twice, *((i, 1) for i in np.flatnonzero(status == DOUBLED).tolist())])
        # Plain Python from here: element access to numpy arrays would cost more than the jobs themselves.
        keys, begun, sent, seconds, ins, outs = (
            column.tolist() for column in (who.key, created, answered, llm, read, written)
        )
        u_failed, u_crash, u_poll = who.u_failed.tolist(), who.u_crash.tolist(), who.u_poll.tolist()
        for i, copied in twice:
            high, low = keys[i]
            job = Job(
                job_id=str(uuid.UUID(int=(high ^ copied) << 64 | low, version=4)),
                idempotency_key=f"{low:016x}{high:016x}",
                created=begun[i],
                enqueued=sent[i],
                llm_s=seconds[i],
                u_failed=u_failed[i],
                u_crash=u_crash[i],
                u_poll=u_poll[i],
                poison=bool(poisoned[i]),
                u_quota=float(quota[i]),
                untold=bool(untold[i]),
                input_tokens=int(ins[i]),
                output_tokens=int(outs[i]),
            )
            self._state.jobs += 1
            job.number = int(number[i]) or self._state.jobs
            number[i] = number[i] or job.number
            if lost[i] and not copied:
                job.gone = job.enqueued
            else:
                heapq.heappush(self._state.waiting, (job.enqueued, self._state.jobs, job))
            self._state.active.append(job)
        status[status == DOUBLED] = 202
        return np.asarray(~broken & ~mistake), status, number

    def _broken(self, who: Arrivals) -> NDArray[np.bool_]:
        """Submissions that crash the submit Lambda: by themselves, or because table or index turn the write away."""
        crashed = self._knob("submit_5xx", who.at)
        by_table = crashed + (1 - crashed) * self._throttled("table", who.at)
        by_index = by_table + (1 - by_table) * self._throttled("index", who.at)
        turned_away = (who.u_submit_5xx >= crashed) & (who.u_submit_5xx < by_index)
        at_table = turned_away & (who.u_submit_5xx < by_table)
        self._emit("table_write_throttles", who.at[at_table], THROTTLED_TRIES)
        self._emit("gsi_write_throttles", who.at[turned_away & ~at_table], THROTTLED_TRIES)
        retried = who.u_submit_5xx > 1 - self._knob("writes_retried", who.at)
        self._emit("table_write_throttles", who.at[retried], 1.0)
        return np.asarray(who.u_submit_5xx < by_index)

    def _throttled(self, part: Literal["table", "index"], at: Floats) -> Floats:
        """Share turned away at each time: none where the provisioned units are enough."""
        units = self._units[0 if part == "table" else 1]
        share = self._knob(f"{part}_throttled", at)
        return share if units is None else np.where(units >= self._knob("units_needed", at), 0.0, share)

    def _eased(self, now: Behaviour) -> Behaviour:
        """`now` without the throttling that the provisioned units end."""
        enough = [units is not None and units >= now.units_needed for units in self._units]
        if not any(enough) or not (now.table_throttled or now.index_throttled):
            return now
        update = {f"{part}_throttled": 0.0 for part, ok in zip(("table", "index"), enough, strict=True) if ok}
        return now.model_copy(update=update)

    def _work(self, until: float) -> None:
        """Give messages to free workers, first come first served, while one can start before `until`."""
        state = self._state
        waiting, running, floor = state.waiting, state.running, state.now
        while waiting:
            at = max(waiting[0][0], floor)
            now = self._behaviours[bisect_right(self._edges, (at - self.origin) / HOUR_S)]
            if not now.worker_limit:
                floor = self._edge_after(at)
                if floor >= until:
                    break
                continue
            concurrency = min(self.workers, now.concurrency)
            if concurrency < 1:
                if at >= until:
                    break
                _, number, job = heapq.heappop(waiting)
                self._back(number, job, throttled(job, at, self.settings))
                continue
            workers = int(min(concurrency, now.worker_limit))
            free = sum(end <= at for end in running)
            if (short := len(running) - free - workers + 1) > 0:
                at = heapq.nsmallest(free + short, running)[-1]
            if at >= until:
                break
            while running and running[0] <= at:
                heapq.heappop(running)
            _, number, job = heapq.heappop(waiting)
            hour = (at - self.origin) / HOUR_S
            now, reason = self._behaviours[bisect_right(self._edges, hour)], self.scenario.reason(hour)
            made = attempt(job, at, self._eased(now), reason, len(running) + 1, self.settings)
            heapq.heappush(running, made.end)
            if job.failed:
                state.failures.append(Failure(job.finished, job.job_id, job.error))
            self._back(number, job, made)

    def _back(self, number: int, job: Job, made: Attempt) -> None:
        """What a delivery leaves behind, and its message in the queue again if it is not done with."""
        self._told += made.rows
        if made.again is not None:
            heapq.heappush(self._state.waiting, (made.again, number, job))

    def _edge_after(self, at: float) -> float:
        """The next moment after `at` at which the behaviour changes; infinite if it does not any more."""
        later = [edge for edge in self._edges if self.origin + edge * HOUR_S > at]
        return self.origin + later[0] * HOUR_S if later else math.inf


def _second(who: Arrivals, part: int) -> Floats:
    """Further uniform numbers of each request, from the bits of its key: 32 for each `part`, 0 to 3."""
    bits = (who.key[:, part // 2] >> np.uint64(32 * (part % 2))) & np.uint64(0xFFFFFFFF)
    return bits.astype(float) / 2.0**32


def _take(who: Arrivals, mask: NDArray[np.bool_]) -> Arrivals:
    return Arrivals(**{name: column[mask] for name, column in vars(who).items()})


_NO = np.empty(0, dtype=bool)
_NONE = np.empty(0, dtype=np.int64)
NOBODY = Requests(np.empty(0), _NO, _NO, _NO, _NONE, _NONE, _NO)
