"""A load test judged: was everything accepted, quickly, unthrottled; was no job lost; was it drained in time.

How long the drain should take follows from arithmetic, not from a wish: N jobs of s seconds on c workers take at least
N s / c (work conservation; Little's law gives the same for a queue that is never empty), and never less than the
arrivals themselves last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbook_lib.judge.checks import Check, check
from runbook_lib.judge.model import Frozen, Gate

THROTTLED = (429, 502, 503)
"""Answers by which a gateway or a Lambda out of concurrency turns a client away."""
SHOWN = 3


class Met(Frozen):
    """What one user met. Times: epoch seconds and seconds."""

    at: float
    job_id: str = ""
    submit_s: float = 0.0
    submit_status: int = 0
    poll_status: int = 0
    polls: int = 0
    outcome: str = ""
    waited_s: float | None = None
    downloaded: bool = False


class Job(Frozen):
    """A submitted job as table and bucket know it. Times: epoch seconds of the service's clock."""

    status: str
    created: float | None = None
    started: float | None = None
    completed: float | None = None
    stored: bool = False
    """Its report is in the bucket."""


@dataclass(frozen=True)
class Drain:
    """How long the backlog took, and how long it should take."""

    jobs: int
    service_s: float
    """Mean time of one job on a worker."""
    taken_s: float
    predicted_s: float
    workers: int


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least a share `q` of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def served(met: Sequence[Met], users: int, submit: Gate) -> list[Check]:
    """Accepted, fast enough, not throttled."""
    accepted = sum(one.submit_status == 202 for one in met)
    times = [one.submit_s for one in met if one.submit_status]
    p95 = quantile(times, submit.quantile or 0.95) if times else None
    turned = sum(one.submit_status in THROTTLED or one.poll_status in THROTTLED for one in met)
    found = "–" if p95 is None else f"{p95:.2f} s"
    told = f"p95 of {len(times)} submissions is {found}, target {submit.target} s"
    return [
        check(
            "load.accepted", "Every submission accepted", accepted == users,
            f"{accepted} of {users} submissions were answered 202", expected=f"{users}", found=f"{accepted}",
        ),
        check(
            "load.submit_p95", "p95 of the submission", None if p95 is None else submit.target.holds(p95), told,
            expected=f"{submit.target} s", found=found, p95_s=p95,
        ),
        check(
            "load.throttles", "Nothing throttled", not turned if met else None,
            f"{turned} of {len(met)} users were turned away (429, 502, 503)", expected="0", found=f"{turned}",
        ),
    ]  # fmt: skip


def none_lost(met: Sequence[Met], jobs: Mapping[str, Job]) -> Check:
    """Every accepted submission is COMPLETED in the table and has its report in the bucket."""
    ids = [one.job_id for one in met if one.job_id]
    wrong = [id for id in ids if id not in jobs or jobs[id].status != "COMPLETED" or not jobs[id].stored]
    shown = ", ".join(f"{id} ({_state(jobs.get(id))})" for id in wrong[:SHOWN])
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    reason = f"of {len(ids)} accepted jobs {len(wrong)} are lost: {shown}{more}" if wrong else (
        f"all {len(ids)} accepted jobs are COMPLETED and have their report"
    )  # fmt: skip
    return check(
        "load.none_lost", "No job lost", not wrong if ids else None, reason, expected=f"{len(ids)}",
        found=f"{len(ids) - len(wrong)}", lost=wrong,
    )  # fmt: skip


def _state(job: Job | None) -> str:
    if job is None:
        return "not in the table"
    return job.status if job.status != "COMPLETED" else "COMPLETED without a report"


def drain(jobs: Mapping[str, Job], workers: int, unslept_s: float = 0.0) -> Drain | None:
    """From the first submission to the last report; None where the table does not tell.

    Args:
        workers: concurrency of the worker.
        unslept_s: seconds of each job that the service's clock counts and that did not pass (a rehearsal's LLM).
    """
    times = [
        (job.created, job.started, max(0.0, job.completed - job.started - unslept_s))
        for job in jobs.values()
        if job.created is not None and job.started is not None and job.completed is not None
    ]
    if not times or workers < 1:
        return None
    service = math.fsum(spent for *_, spent in times) / len(times)
    first, last = min(created for created, *_ in times), max(created for created, *_ in times)
    end = max(started + spent for _, started, spent in times)
    predicted = max(len(times) * service / workers, last - first + service)
    return Drain(len(times), service, end - first, predicted, workers)


def drained(seen: Drain | None, factor: float) -> Check:
    """Whether the drain took no more than `factor` times what it should."""
    title = f"Drained within {factor:g} x the predicted time"
    if seen is None:
        return check("load.drained", title, None, "the table does not tell when the jobs began and ended")
    rule = f"{seen.jobs} jobs of {seen.service_s:.2f} s on {seen.workers} workers should take {seen.predicted_s:.1f} s"
    return check(
        "load.drained", title, seen.taken_s <= factor * seen.predicted_s, f"{rule}; they took {seen.taken_s:.1f} s",
        expected=f"<= {factor * seen.predicted_s:.1f} s", found=f"{seen.taken_s:.1f} s",
    )  # fmt: skip


def clients_wait(jobs: int, service_s: float, workers: int, deadline_s: float) -> Check:
    """How many clients give up before their job's turn comes, at production's pace, and what would serve them all.

    The k-th job of a burst is done after ceil(k / workers) service times; a client waits `deadline_s`.
    """
    rounds = math.floor(deadline_s / service_s) if service_s else 0
    served_jobs = min(jobs, rounds * workers)
    late = jobs - served_jobs
    enough = math.ceil(jobs / rounds) if rounds else None
    total = jobs * service_s / workers
    reason = (
        f"a burst of {jobs} jobs of {service_s:.0f} s takes {workers} workers {total / 60:.0f} min; clients give up "
        f"after {deadline_s:g} s, {late} of them unserved"
    )
    if late:
        reason += f"; {enough} workers would serve all of them" if enough else "; no concurrency would do"
    return check(
        "load.clients_wait", "A burst as the clients see it", not late, reason, required=False,
        expected="nobody gives up", found=f"{late} of {jobs} give up", workers_enough=enough,
    )  # fmt: skip
