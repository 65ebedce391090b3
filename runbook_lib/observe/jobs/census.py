"""The census of jobs: what became of every job, from the jobs table itself (docs/domain.md, trap 1).

No metric tells failed, lost and in flight apart. Success is COMPLETED within the deadline after submission, because the
client stops asking then. A job younger than the deadline is left to the next look, finished or not: counting only the
quick ones among the young would flatter the rate. So a segment counts the jobs created in [start, end_settled).
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.tagged import plain
from runbook_lib.base.window import Window, parse, utc
from runbook_lib.observe.jobs.llm import PATTERN
from runbook_lib.observe.jobs.logs import signature
from runbook_lib.observe.jobs.segment import STEPS_A_MINUTE, Segment, joined, ordered
from runbook_lib.params import item
from runbook_lib.params.item import is_probe
from runbook_lib.params.load import Params

STEP_S = 60 // STEPS_A_MINUTE
"""Length in seconds of the steps in which the census keeps when jobs came; it keeps the order of failures too."""
_FIELDS = ("job_id", "status", "created_at", "completed_at", "error", "token_usage", "idempotency_key", "source")
"""Fields that the census reads, in the runbook's own words (`params/item.py`)."""


def take(
    dynamodb: Any,
    params: Params,
    window: Window,
    now: dt.datetime,
    *,
    since: dt.datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Segment:
    """Takes a census of the jobs table; reads at most `census_reads_per_s` units a second on average.

    Items older than their TTL may be deleted, good and bad ones alike: that part of the window is a gap and not
    counted.

    Args:
        since: from when on to look for jobs that were lost for good; None: from the window's start. The scan reads
            the whole table either way.

    Raises:
        AwsError: DynamoDB refused or did not answer.
    """

    def read(span: Window) -> tuple[list[dict[str, Any]], float]:
        units, jobs = 0.0, list[dict[str, Any]]()
        for page in _pages(dynamodb, params, span):
            consumed = float(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
            units += consumed
            jobs += (item.own(plain(one), params.service.contract) for one in page.get("Items", []))
            if "LastEvaluatedKey" in page:
                sleep(consumed / params.policy.census_reads_per_s)
        return jobs, units

    return taken(read, params, window, now, since=since)


def taken(
    read: Callable[[Window], tuple[list[dict[str, Any]], float]],
    params: Params,
    window: Window,
    now: dt.datetime,
    *,
    since: dt.datetime | None = None,
) -> Segment:
    """The census of `window` from what `read` returns: jobs created in a window, in the runbook's own words (others do
    no harm), and the read units.

    Arguments as for `take`.
    """
    settled = window.settled(now, params.service.job_deadline_s)
    alive = utc(now) - dt.timedelta(seconds=params.service.job_ttl_s)
    seen = settled.since(alive)
    first = min(seen.start, max(alive, utc(since))) if since else seen.start
    service = params.service
    jobs, units = read(Window(first, max(window.end, seen.start)))
    known = list(dated(jobs))
    counted = count(known, Window(seen.start, window.end), seen.end, service.job_deadline_s)
    gaps = ((settled.start, seen.start),) if settled.start < seen.start else ()
    over = utc(now) - dt.timedelta(seconds=service.max_receives * service.visibility_timeout_s)
    gone, of = vanished(known, Window(first, max(first, min(over, window.end))))
    more = {"start": settled.start, "read_units": units, "gaps": gaps, "vanished": gone, "vanished_of": of}
    return counted.model_copy(update=more)


_Dated = tuple[dt.datetime, dict[str, Any]]
"""Time of a job's creation, and the job."""


def dated(jobs: Iterable[dict[str, Any]]) -> Iterator[_Dated]:
    """Each job (a plain item in the runbook's own words) once, with the time of its creation; jobs without one are left
    out.
    """
    for job in once(jobs):
        created = _time(job.get("created_at"))
        if created is not None:
            yield created, job


def count(jobs: Iterable[_Dated], window: Window, end_settled: dt.datetime, deadline_s: float) -> Segment:
    """Counts jobs (`dated`) created in `window`. Pure.

    An item that is COMPLETED without a readable `completed_at`, or before its creation, is no success. Items under one
    idempotency key are one user, who is served if any of them is.
    """
    counts: Counter[str] = Counter()
    users: dict[str, _Fate] = {}
    for place, (created, job) in enumerate(jobs):
        if not window.start <= created < window.end:
            continue
        fate = _fate(job, created, deadline_s)
        if created >= end_settled:
            counts["in_flight"] += fate.name == "lost" and not is_probe(job)
            continue
        if is_probe(job):
            counts["probes"] += 1
            counts["probes_bad"] += fate.name != "completed"
            continue
        usage = job.get("token_usage")
        counts["untold"] += fate.name in ("completed", "late") and not isinstance(usage, dict)
        if isinstance(usage, dict):
            for side in ("input", "output"):
                counts[f"{side}_tokens"] += int(usage.get(side) or 0)
        key = str(job.get("idempotency_key") or f"item {place}")
        before = users.get(key)
        counts["duplicates"] += before is not None
        users[key] = fate if before is None else before.joined(fate)
    errors: Counter[str] = Counter()
    timed, quota_at = list[tuple[float, int]](), list[int]()
    for fate in users.values():
        counts[fate.name] += 1
        at = int(fate.created.timestamp() // STEP_S)
        if fate.seconds is not None:
            timed.append((fate.seconds, at))
        if fate.error is not None:
            errors[signature(fate.error)] += 1
            if PATTERN.search(fate.error):
                counts["quota"] += 1
                quota_at.append(at)
    timed.sort()
    course = ordered((fate.created.timestamp(), fate.name != "completed") for fate in users.values())
    return Segment(
        start=window.start,
        end=window.end,
        end_settled=end_settled,
        steps=joined(course, STEPS_A_MINUTE),
        generation_s=tuple(seconds for seconds, _ in timed),
        generation_at=tuple(at for _, at in timed),
        quota_at=tuple(sorted(quota_at)),
        errors=dict(sorted(errors.items(), key=lambda item: (-item[1], item[0]))),
        **counts,
    )


def once(jobs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each item once, even if the scan's pages have it twice."""
    seen: set[str] = set()
    for job in jobs:
        id = job.get("job_id")
        if id is None:
            yield job
        elif str(id) not in seen:
            seen.add(str(id))
            yield job


_BETTER = ("completed", "late", "failed", "lost")


class _Fate(NamedTuple):
    """What became of one item, or of all items of one user."""

    name: str
    """completed | late | failed | lost"""
    seconds: float | None
    """Seconds from creation to completion; None: it did not complete."""
    error: str | None
    created: dt.datetime
    """Creation of the first item."""

    def joined(self, other: _Fate) -> _Fate:
        """The better fate of two items of one user, with the earlier creation."""
        best = min(self, other, key=lambda one: _BETTER.index(one.name))
        return best._replace(created=min(self.created, other.created))


def vanished(jobs: Iterable[_Dated], window: Window) -> tuple[int, int]:
    """Jobs created in `window` that neither completed nor failed, and all jobs created in it; probes left out."""
    start, end = window.start, window.end
    mine = [job for created, job in jobs if start <= created < end and not is_probe(job)]
    return sum(job.get("status") not in ("COMPLETED", "FAILED") for job in mine), len(mine)


def _fate(job: dict[str, Any], created: dt.datetime, deadline_s: float) -> _Fate:
    if job.get("status") == "FAILED":
        return _Fate("failed", None, str(job.get("error") or "FAILED without an error"), created)
    if job.get("status") != "COMPLETED":
        return _Fate("lost", None, None, created)
    done = _time(job.get("completed_at"))
    if done is None or done < created:
        return _Fate("failed", None, "COMPLETED at a time that cannot be (none, or before its creation)", created)
    seconds = (done - created).total_seconds()
    return _Fate("completed" if seconds <= deadline_s else "late", seconds, None, created)


def _time(value: Any) -> dt.datetime | None:
    try:
        return _parsed(str(value))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 16)  # each job's creation is read for the count, for what vanished, and again at the next look
def _parsed(text: str) -> dt.datetime:
    return parse(text)


def _pages(dynamodb: Any, params: Params, window: Window) -> Iterator[dict[str, Any]]:
    contract = params.service.contract
    names = item.projected(_FIELDS, contract)
    low, high = item.bounds(window.start, window.end, contract)
    request = {
        "TableName": params.name("table"),
        "FilterExpression": "#created_at >= :low AND #created_at < :high",
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":low": low, ":high": high},
        "Limit": params.policy.census_page_size,
        "ReturnConsumedCapacity": "TOTAL",
    }
    with aws_errors(f"taking the census of {params.name('table')} (dynamodb:Scan)"):
        while True:
            page = dynamodb.scan(**request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
