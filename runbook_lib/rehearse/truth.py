"""What really happened in the simulated world: for tests that hold the runbook's estimates against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.jobs import Job
from runbook_lib.rehearse.rows import Floats
from runbook_lib.rehearse.service_model import NOBODY, REPEATED, Requests, Step


@dataclass(frozen=True)
class Tally:
    """Counts of one window: requests by arrival, jobs by creation."""

    sync: int
    sync_ok: int
    submitted: int
    submit_5xx: int
    refused: int
    """Requests to a route that is not there any more: 403."""
    created: int
    completed: int
    """In time for the client."""
    late: int
    failed: int
    unfinished: int
    """In flight at the end of what was simulated, or lost."""
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


@dataclass
class Truth:
    """Grows with every step."""

    job_deadline_s: float = 300.0
    jobs: dict[str, Job] = field(default_factory=dict)
    """By id, as of the last step that changed it."""
    data: int = 0
    """Metric data put so far."""
    items: int = 0
    """Job items written so far."""
    _requests: list[Requests] = field(default_factory=list)
    _used: list[tuple[float, float, dict[str, float]]] = field(default_factory=list)
    _good: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1024, dtype=bool))
    """By number of the submission: whether a job of it ended in a report in time. 0 is no job's number."""
    _users: list[tuple[Floats, NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)
    """Users in order of arrival: when, number, status. Joined into one part when somebody asks."""

    def add(self, step: Step) -> None:
        """Take in what came to pass."""
        self._requests.append(step.requests)
        self._used.append((step.start, step.end, step.used))
        self.jobs.update((job.job_id, job) for job in step.jobs)
        seen = step.requests
        mine = seen.is_async & ~seen.mistake
        if mine.any():
            self._users.append((seen.at[mine], seen.number[mine], seen.status[mine]))
        top = max((job.number for job in step.jobs), default=0)
        if top >= len(self._good):
            self._good = np.concatenate([self._good, np.zeros(top + 1, dtype=bool)])
        for job in step.jobs:
            # A job in time stays so, and of two jobs of one submission one that is in time serves its user.
            if job.number and not job.failed and job.finished - job.created <= self.job_deadline_s:
                self._good[job.number] = True

    def requests(self) -> Requests:
        """All requests, in order of arrival."""
        if not self._requests:
            return NOBODY
        return Requests(*(np.concatenate(column) for column in zip(*self._requests, strict=True)))

    def served(self, start: float = -math.inf, end: float = math.inf) -> tuple[Floats, NDArray[np.bool_]]:
        """Users who arrive in [start, end), in order: (n,) epoch seconds, and whether each got a report in time.

        A user is a request that took the asynchronous path and is no mistake of the caller's own; a refused one is
        a user too. One that is still waited for counts as not served.
        """
        if not self._users:
            return np.zeros(0), np.zeros(0, dtype=bool)
        if len(self._users) > 1:
            at, number, status = (np.concatenate(column) for column in zip(*self._users, strict=True))
            self._users = [(at, number, status)]
        at, number, status = self._users[0]
        window = slice(*np.searchsorted(at, [start, end]))
        number = number[window]
        # The number of a job that no step has shown yet may lie beyond those known.
        good = self._good[np.where(number < len(self._good), number, 0)]
        return at[window], good | (status[window] == REPEATED)

    def users(self, start: float = -math.inf, end: float = math.inf) -> tuple[int, int]:
        """(submitted, succeeded) of [start, end)."""
        at, ok = self.served(start, end)
        return len(at), int(ok.sum())

    def used(self, start: float = -math.inf, end: float = math.inf) -> dict[str, float]:
        """What was used in the steps that lie wholly in [start, end): signal to the sum of its values.

        `d_paid_*` are the tokens of every call of the LLM, those of failed, retried and cut-off ones too.
        """
        sums: dict[str, float] = {}
        for first, last, used in self._used:
            if start <= first and last <= end:
                for signal, value in used.items():
                    sums[signal] = sums.get(signal, 0.0) + value
        return sums

    def between(self, start: float = -math.inf, end: float = math.inf) -> Tally:
        """The window [start, end), epoch seconds."""
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
