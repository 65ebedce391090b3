"""The real events of the simulated world: for tests that compare the runbook's estimates with them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.jobs import Job
from runbook_lib.rehearse.world.rows import Floats
from runbook_lib.rehearse.world.step import GATEWAY_BROKEN, NOBODY, REPEATED, Requests, WorldStep


@dataclass(frozen=True)
class Tally:
    """Counts of one window: requests by arrival, jobs by creation."""

    sync: int
    sync_ok: int
    submitted: int
    submit_5xx: int
    refused: int
    """Requests to a removed route: 403."""
    created: int
    completed: int
    """Jobs completed in time for the client."""
    late: int
    failed: int
    unfinished: int
    """Jobs in flight at the end of the simulation, or lost."""
    input_tokens: int
    output_tokens: int
    """Tokens of the jobs completed in time."""

    @property
    def split(self) -> float:
        """Share of the requests that took the async route; NaN without requests."""
        total = self.sync + self.submitted
        return self.submitted / total if total else math.nan

    @property
    def success(self) -> float:
        """Share of the jobs that completed in time; NaN without jobs."""
        return self.completed / self.created if self.created else math.nan


class Users(NamedTuple):
    """The results of one window's users: `submitted` is the sum of the five ends."""

    submitted: int
    succeeded: int
    refused: int
    """Refused by the gateway, before the submit Lambda was called: 429, 403, or its own 5xx."""
    failed: int
    """The submit Lambda broke, or the job was marked FAILED."""
    late: int
    """A report came after the client had given up."""
    lost: int
    """Accepted without a visible end: lost, or still under way."""
    own_mistakes: int
    """Requests by callers who are no users of the service, and not in `submitted`."""


_FAILED, _LATE, _GOOD = 1, 2, 3
"""The end of a submission's jobs; of two jobs the better end counts. 0: no end yet."""
_TURNED_AWAY = (429, 403, GATEWAY_BROKEN)


@dataclass
class Truth:
    """The truth so far; it grows with every step."""

    job_deadline_s: float = 300.0
    jobs: dict[str, Job] = field(default_factory=dict)
    """Jobs by id, as of the last step that changed them."""
    data: int = 0
    """Number of metric data put so far."""
    items: int = 0
    """Number of job items written so far."""
    _requests: list[Requests] = field(default_factory=list)
    _used: list[tuple[float, float, dict[str, float]]] = field(default_factory=list)
    _end: NDArray[np.int8] = field(default_factory=lambda: np.zeros(1024, dtype=np.int8))
    """Best end of a submission's jobs, by its number. 0 is no job's number."""
    _users: list[tuple[Floats, NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)
    """Users in order of arrival: when, number, status. Joined into one part at the first use."""

    def add(self, step: WorldStep) -> None:
        """Adds the events of a step."""
        self._requests.append(step.requests)
        self._used.append((step.start, step.end, step.used))
        self.jobs.update((job.job_id, job) for job in step.jobs)
        seen = step.requests
        mine = seen.is_async & ~seen.mistake
        if mine.any():
            self._users.append((seen.at[mine], seen.number[mine], seen.status[mine]))
        top = max((job.number for job in step.jobs), default=0)
        if top >= len(self._end):
            self._end = np.concatenate([self._end, np.zeros(top + 1, dtype=np.int8)])
        for job in step.jobs:
            if job.number and job.finished < math.inf:
                timely = job.finished - job.created <= self.job_deadline_s
                end = _FAILED if job.failed else _GOOD if timely else _LATE
                self._end[job.number] = max(self._end[job.number], end)

    def requests(self) -> Requests:
        """All requests, in order of arrival."""
        if not self._requests:
            return NOBODY
        return Requests(*(np.concatenate(column) for column in zip(*self._requests, strict=True)))

    def served(self, start: float = -math.inf, end: float = math.inf) -> tuple[Floats, NDArray[np.bool_]]:
        """Users who arrive in [start, end), in order: (n,) epoch seconds, and whether each got a report in time.

        A user is a request that took the asynchronous path and is no caller's mistake; a refused one is a user, too.
        A report that is still pending counts as not served.
        """
        at, end_of, status = self._window(start, end)
        return at, (end_of == _GOOD) | (status == REPEATED)

    def _window(self, start: float, end: float) -> tuple[Floats, NDArray[np.int8], NDArray[np.int64]]:
        """Users who arrive in [start, end), in order: when, how their jobs ended, and the gateway's answer."""
        if not self._users:
            return np.zeros(0), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int64)
        if len(self._users) > 1:
            self._users = [tuple(np.concatenate(column) for column in zip(*self._users, strict=True))]  # type: ignore[list-item]
        at, number, status = self._users[0]
        window = slice(*np.searchsorted(at, [start, end]))
        number = number[window]
        # The number of a job that no step has shown yet may be beyond the known ones.
        return at[window], self._end[np.where(number < len(self._end), number, 0)], status[window]

    def users(self, start: float = -math.inf, end: float = math.inf) -> tuple[int, int]:
        """(submitted, succeeded) of [start, end)."""
        at, ok = self.served(start, end)
        return len(at), int(ok.sum())

    def account(self, start: float = -math.inf, end: float = math.inf) -> Users:
        """The results of the users of [start, end)."""
        at, end_of, status = self._window(start, end)
        good = (end_of == _GOOD) | (status == REPEATED)
        refused = np.isin(status, _TURNED_AWAY)
        failed = (status == 502) | (end_of == _FAILED)
        late = end_of == _LATE
        lost = ~(good | refused | failed | late)
        seen = self.requests()
        mine = seen.mistake & seen.is_async & (seen.at >= start) & (seen.at < end)
        return Users(len(at), *(int(which.sum()) for which in (good, refused, failed, late, lost, mine)))

    def used(self, start: float = -math.inf, end: float = math.inf) -> dict[str, float]:
        """The usage in the steps that lie completely in [start, end): signal to the sum of its values.

        `d_paid_*` are the tokens of every call of the LLM, also of failed, retried and interrupted ones.
        """
        sums: dict[str, float] = {}
        for first, last, used in self._used:
            if start <= first and last <= end:
                for signal, value in used.items():
                    sums[signal] = sums.get(signal, 0.0) + value
        return sums

    def between(self, start: float = -math.inf, end: float = math.inf) -> Tally:
        """The counts of the window [start, end), epoch seconds."""
        seen = self.requests()
        inside = (seen.at >= start) & (seen.at < end)
        is_async, ok, refused = seen.is_async[inside], seen.ok[inside], seen.refused[inside]
        jobs = [job for job in self.jobs.values() if start <= job.created < end]
        done = [job for job in jobs if job.written == "COMPLETED"]
        timely = [job for job in done if job.finished - job.created <= self.job_deadline_s]
        failed = sum(job.written == "FAILED" for job in jobs)
        return Tally(
            sync=int((~is_async).sum()),
            sync_ok=int((~is_async & ok).sum()),
            submitted=int(is_async.sum()),
            submit_5xx=int((is_async & ~ok & ~refused).sum()),
            refused=int(refused.sum()),
            created=len(jobs),
            completed=len(timely),
            late=len(done) - len(timely),
            failed=failed,
            unfinished=len(jobs) - len(done) - failed,
            input_tokens=sum(job.input_tokens for job in timely),
            output_tokens=sum(job.output_tokens for job in timely),
        )
