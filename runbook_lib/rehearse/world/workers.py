"""The workers: free ones get messages, which return to the queue if they are not completed."""

from __future__ import annotations

import heapq

from runbook_lib.rehearse.world.behaviour import Behaviour
from runbook_lib.rehearse.world.inside import Inside
from runbook_lib.rehearse.world.jobs import Attempt, Failure, Job, attempt, throttled


def work(inside: Inside, until: float, most: int) -> None:
    """Gives messages to free workers, first come first served, while one can start before `until`."""
    state = inside.state
    waiting, running, floor = state.waiting, state.running, state.now
    while waiting:
        at = max(waiting[0][0], floor)
        now = inside.course.at(at)
        if not now.worker_limit:
            floor = inside.course.change_after(at)
            if floor >= until:
                break
            continue
        concurrency = min(most, now.concurrency)
        if concurrency < 1:
            if at >= until:
                break
            _, number, job = heapq.heappop(waiting)
            _back(inside, number, job, throttled(job, at, inside.settings))
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
        now, reason = inside.course.at(at), inside.course.reason(at)
        made = attempt(job, at, _eased(inside, now), reason, len(running) + 1, inside.settings)
        heapq.heappush(running, made.end)
        if job.failed:
            state.failures.append(Failure(job.finished, job.job_id, job.error))
        _back(inside, number, job, made)


def _back(inside: Inside, number: int, job: Job, made: Attempt) -> None:
    """Records the result of a delivery, and returns its message to the queue if it is not completed."""
    inside.told += made.rows
    if made.again is not None:
        heapq.heappush(inside.state.waiting, (made.again, number, job))


def _eased(inside: Inside, now: Behaviour) -> Behaviour:
    """`now` without the throttling that the provisioned units end."""
    enough = [units is not None and units >= now.units_needed for units in inside.units]
    if not any(enough) or not (now.table_throttled or now.index_throttled):
        return now
    update = {f"{part}_throttled": 0.0 for part, ok in zip(("table", "index"), enough, strict=True) if ok}
    return now.model_copy(update=update)
