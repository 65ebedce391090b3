"""Judges a load test: was everything accepted, quickly, unthrottled; was no job lost; was it drained in time.

The expected time of the drain is computed: c workers that are never idle while a job waits finish N jobs of s seconds,
which arrived at once, after ceil(N / c) s. For many jobs that is N s / c (Little's law for a queue that is never empty:
throughput c / s). Jobs that arrive one after the other are followed one by one.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbook_lib.judge import numbers, words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.statistics import quantile_rank
from runbook_lib.judge.model import Gate
from runbook_lib.judge.terms import Frozen

ACCEPTED, THROTTLED = 202, 429
FINISHED = ("COMPLETED", "FAILED")
SHOWN = 3


class Met(Frozen):
    """The experience of one user. Times are epoch seconds and seconds, of the users' machine."""

    at: float
    job_id: str = ""
    submit_s: float = 0.0
    submit_status: int = 0
    """HTTP status of the submission; 0: no answer."""
    accepted: bool | None = None
    """Whether the answer meant that a job was created; None, in older records: 202 meant it."""
    poll_status: int = 0
    """HTTP status of the last poll, if that was not 202; 0: no answer, or never polled."""
    polls: int = 0
    outcome: str = ""
    """How it ended: COMPLETED, FAILED, `gave up`, or the kind of error; empty: it was refused."""
    waited_s: float = 0.0
    """Seconds from the beginning to the end of the conversation."""
    downloaded: bool = False

    @property
    def taken(self) -> bool:
        """Whether the submission was accepted."""
        return self.submit_status == ACCEPTED if self.accepted is None else self.accepted

    @property
    def turned_away(self) -> bool:
        """Whether it was throttled, or refused by an overloaded gateway (429, 5xx)."""
        return any(status == THROTTLED or status >= 500 for status in (self.submit_status, self.poll_status))


class Job(Frozen):
    """A submitted job as in table and bucket. Times are epoch seconds of AWS's clock."""

    status: str
    created: float | None = None
    started: float | None = None
    completed: float | None = None
    """Generation time by the worker; in a rehearsal with the LLM's full seconds."""
    stored: float | None = None
    """When its report was written to the bucket, by S3's own clock; None: it is not there."""
    probe: bool = True
    """Whether its item has the mark of a probe, so that the users' figures leave it out."""

    @property
    def finished(self) -> bool:
        """Whether the job is over."""
        return self.status in FINISHED


@dataclass(frozen=True)
class Drain:
    """The time that the backlog took, and should take."""

    jobs: int
    service_s: float
    """Mean seconds of one job on a worker, as measured in this test."""
    full_s: float
    """Mean seconds of one job by the worker's own figures: those of production."""
    taken_s: float
    predicted_s: float
    workers: int


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least the share `q` of the values does not exceed.

    Raises:
        ValueError: no values, one that is no number, or an impossible share.
    """
    if not len(values) or any(math.isnan(one) for one in values):
        raise ValueError("a quantile expects at least one value, and each a number")
    numbers.share(q=q)
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def at_once(met: Sequence[Met]) -> int:
    """The largest number of conversations at the same time."""
    ends = [*((one.at, 1) for one in met), *((one.at + one.waited_s, -1) for one in met)]
    most = now = 0
    for _, step in sorted(ends):
        now += step
        most = max(most, now)
    return most


def served(
    met: Sequence[Met],
    users: int,
    submit: Gate,
    *,
    throttled: float | None = None,
    alpha: float = 0.05,
) -> list[Check]:
    """The checks of the conversations: accepted, all at once, fast enough, not throttled, downloaded.

    Args:
        submit: the gate of the submission's latency: its quantile, target and alert limit.
        throttled: throttles of the functions during the test, from CloudWatch; None: it has no point (yet).
        alpha: error probability of the quantile's one-sided bound.
    """
    accepted = sum(one.taken for one in met)
    answers = Counter(one.submit_status for one in met if not one.taken)
    others = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(answers.items()))
    missing = f", {users - len(met)} users left no result" if len(met) < users else ""
    peak = at_once(met)
    told = [one for one in met if one.outcome == "COMPLETED"]
    without = [one.job_id for one in told if not one.downloaded]
    return [
        check(
            "load.accepted",
            "Every submission accepted",
            accepted == users,
            f"{accepted} of {users} submissions were accepted" + (f" ({others})" if others else "") + missing,
            expected=f"{users}",
            found=f"{accepted}",
        ),
        check(
            "load.concurrent",
            "All users at the same time",
            peak >= users if met else None,
            f"{peak} conversations were under way at once"
            + ("" if peak >= users else f", expects {users}; raise spawn_per_s in load.yaml"),
            expected=f"{users}",
            found=f"{peak}",
        ),
        _submit_p95([one.submit_s for one in met if one.submit_status], submit, alpha),
        _unthrottled(met, throttled),
        check(
            "load.downloaded",
            "Every finished report downloaded",
            not without if told else None,
            f"{len(told) - len(without)} of {len(told)} users who were told COMPLETED downloaded their report"
            + (f"; not {', '.join(without[:SHOWN])}" if without else ""),
            expected=f"{len(told)}",
            found=f"{len(told) - len(without)}",
        ),
    ]


def _submit_p95(times: Sequence[float], gate: Gate, alpha: float) -> Check:
    """Checks that the target is met and the quantile's upper bound (an order statistic) excludes the alert limit."""
    q, n = gate.quantile or 0.95, len(times)
    name, wants = f"p{q * 100:g}", words.comparison(gate.target, "s")
    id, title = "load.submit_p95", f"{name} of the submission"
    if not times:
        return check(id, title, None, "no submission was answered", expected=wants)
    value, rank = quantile(times, q), quantile_rank(n, q, alpha)
    found = words.number(value, "s", gate.target.limit)
    told = f"{name} of {n} submissions is {found}, target {wants}"
    if gate.implausible is not None and gate.implausible.holds(value):
        return check(id, title, None, f"{told}: not plausible; is the unit right?", expected=wants, found=found)
    if not gate.target.holds(value):
        return check(id, title, False, told, expected=wants, found=found, value_s=value)
    if rank is None:
        few = f"{told}; {n} submissions are too few for a bound"
        return check(id, title, None, few, expected=wants, found=found, value_s=value)
    bound = sorted(times)[rank - 1]
    told += f"; with {words.sure(1 - alpha)} it is at most {words.number(bound, 's')}"
    short = gate.alert is not None and gate.alert.holds(bound)
    told += ", which does not exclude the alert limit" if short else ""
    return check(id, title, not short, told, expected=wants, found=found, value_s=value, bound_s=bound)


def _unthrottled(met: Sequence[Met], throttled: float | None) -> Check:
    turned = sum(one.turned_away for one in met)
    counted = "has no point about throttles yet" if throttled is None else f"counts {throttled:g} throttled invocations"
    ok = not turned and not throttled
    return check(
        "load.throttles",
        "Nothing throttled",
        ok if met else None,
        f"{turned} of {len(met)} users were turned away (429, 5xx); CloudWatch {counted}",
        expected="0",
        found=f"{turned} users" + (f", {throttled:g} invocations" if throttled else ""),
    )


def none_lost(met: Sequence[Met], jobs: Mapping[str, Job]) -> Check:
    """Checks that every accepted submission is its own job, COMPLETED in the table, with its report in the bucket."""
    ids = Counter(one.job_id for one in met if one.job_id)
    nameless = sum(one.taken and not one.job_id for one in met)
    total = sum(ids.values()) + nameless
    wrong = [id for id in ids if id not in jobs or jobs[id].status != "COMPLETED" or jobs[id].stored is None]
    shared = sum(count - 1 for count in ids.values())
    said = [f"{id} ({_state(jobs.get(id))})" for id in wrong[:SHOWN]]
    said += [f"{len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    said += [f"{nameless} accepted without a job id"] if nameless else []
    said += [f"{shared} answered with the job of another user"] if shared else []
    lost = len(wrong) + nameless + shared
    reason = (
        f"of {total} accepted jobs {lost} are lost: {', '.join(said)}"
        if lost
        else (f"all {total} accepted jobs are COMPLETED and have their report")
    )
    return check(
        "load.none_lost",
        "No job lost",
        not lost if total else None,
        reason if total else "no job was accepted",
        expected=f"{total}",
        found=f"{total - lost}",
        lost=wrong,
    )


def _state(job: Job | None) -> str:
    if job is None:
        return "not in the table"
    return job.status if job.status != "COMPLETED" else "COMPLETED without a report"


def predicted_drain(arrivals: Sequence[float], service_s: float, workers: int) -> float:
    """Seconds from the first arrival to the last end, if no worker is idle while a job waits and all keep their order.

    >>> predicted_drain([0.0] * 100, 45.0, 5)
    900.0

    Raises:
        ValueError: no arrival, no worker, or an impossible time.
    """
    if not len(arrivals):
        raise ValueError("without an arrival there is nothing to drain")
    numbers.finite(**{f"arrival {place}": at for place, at in enumerate(arrivals)})
    numbers.finite(0.0, service_s=service_s)
    numbers.count(1, workers=workers)
    free = [min(arrivals)] * workers
    for arrival in sorted(arrivals):
        heapq.heapreplace(free, max(arrival, free[0]) + service_s)
    return max(free) - min(arrivals)


def drain(jobs: Mapping[str, Job], workers: int) -> Drain | None:
    """The drain from the first submission to the last report; None where table and bucket do not show it.

    Args:
        workers: concurrency of the worker Lambda.
    """
    times = [
        (job.created, job.started, job.completed, job.stored)
        for job in jobs.values()
        if job.created is not None and job.started is not None and job.completed is not None and job.stored is not None
    ]
    if not times or workers < 1:
        return None
    # S3 has whole seconds only (on AWS), so that a difference may be a little below 0.
    service = math.fsum(max(0.0, stored - started) for _, started, _, stored in times) / len(times)
    full = math.fsum(max(0.0, completed - started) for _, started, completed, _ in times) / len(times)
    arrivals = [created for created, *_ in times]
    taken = max(stored for *_, stored in times) - min(arrivals)
    return Drain(len(times), service, full, taken, predicted_drain(arrivals, service, workers), workers)


def drained(seen: Drain | None, factor: float, slack_s: float = 0.0) -> Check:
    """Checks that the drain took at most `factor` times the expected time, plus `slack_s` for what is fixed."""
    title = f"Drained within {factor:g} x the predicted time"
    if seen is None:
        return check("load.drained", title, None, "table and bucket do not tell when the jobs began and ended")
    limit = factor * seen.predicted_s + slack_s
    service = words.number(seen.service_s, "s")
    taken = words.number(seen.taken_s, "s", limit)
    rule = f"{seen.jobs} jobs of {service} on {seen.workers} workers should take {words.number(seen.predicted_s, 's')}"
    return check(
        "load.drained",
        title,
        seen.taken_s <= limit,
        f"{rule}; they took {taken}{_scale(seen)}",
        expected=f"<= {words.number(limit, 's')}",
        found=taken,
        service_s=seen.service_s,
        full_s=seen.full_s,
        predicted_s=seen.predicted_s,
        taken_s=seen.taken_s,
    )


def _scale(seen: Drain) -> str:
    """Words for the drain at production's scale; empty where that is the scale of the test."""
    if seen.full_s < 2 * seen.service_s:
        return ""
    full = seen.jobs * seen.full_s / seen.workers
    return (
        f" (a rehearsal's scale: by the worker's own account a job takes {words.number(seen.full_s, 's')}, "
        f"and {seen.jobs} of them at once would take {full / 60:.0f} min)"
    )


def clients_wait(met: Sequence[Met], jobs: int, service_s: float, workers: int, deadline_s: float) -> Check:
    """Checks how many clients give up before their job is done, at production's pace, and what would serve them all.

    The k-th job of a burst is done after ceil(k / workers) service times; a client waits `deadline_s`. The check is
    advisory: it is about the burst, and the traffic of the soak is no burst.

    Raises:
        ValueError: no worker, or a time that cannot be.
    """
    numbers.count(jobs=jobs)
    numbers.count(1, workers=workers)
    numbers.finite(0.0, service_s=service_s, deadline_s=deadline_s)
    here = sum(one.outcome == "gave up" for one in met)
    rounds = math.floor(deadline_s / service_s) if service_s >= numbers.SMALLEST else None
    late = 0 if rounds is None else jobs - min(jobs, rounds * workers)
    enough = workers if rounds is None else math.ceil(jobs / rounds) if rounds else None
    total = math.ceil(jobs / workers) * service_s / 60
    reason = (
        f"{here} of {len(met)} users gave up in this test; at production's pace a burst of {jobs} jobs of "
        f"{round(service_s, 1):g} s takes {workers} workers {total:.0f} min, and clients give up after "
        f"{deadline_s:g} s: {late} of them unserved"
    )
    if late:
        reason += f"; {enough} workers would serve all of them" if enough else "; no concurrency would do"
    return check(
        "load.clients_wait",
        "A burst as the clients see it",
        not late and not here,
        reason,
        required=False,
        expected="nobody gives up",
        found=f"{late} of {jobs} give up",
        workers_enough=enough,
        gave_up=here,
    )
