"""What became of every submitted job: table and bucket, asked for exactly those ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.base.tagged import plain
from runbook_lib.base.waiting import steady, until
from runbook_lib.base.window import parse
from runbook_lib.judge.planning.load import Job
from runbook_lib.observe.resources import live
from runbook_lib.params.item import PROBE, is_probe, own, result_key
from runbook_lib.params.load import Params

PAGE = 100
"""BatchGetItem takes this many keys (Amazon DynamoDB API reference)."""
_TRIES = 10
EMPTY_LOOKS = 2
"""After more looks than this at an empty queue the wait ends."""


def census(aws: Aws, params: Params, ids: Sequence[str], mark: str = "") -> dict[str, Job]:
    """The jobs by id; a job that is not in the table is left out.

    Args:
        mark: the run's own mark; a probe without it does not count as one.

    Raises:
        AwsError: AWS refused, did not answer, or kept on leaving keys unprocessed.
    """
    contract = params.service.contract
    found = (own(plain(one), contract) for one in _items(aws.client("dynamodb"), params, ids))
    items = {str(one["job_id"]): one for one in found}
    keys = {id: result_key(one, contract) for id, one in items.items()}
    stored = _stored(aws.client("s3"), params, [key for key in keys.values() if key])
    return {
        id: Job(
            status=str(one.get("status", "")),
            created=_instant(one, "created_at"),
            started=_instant(one, "started_at"),
            completed=_instant(one, "completed_at"),
            stored=stored.get(keys[id]),
            probe=is_probe(one) and mark in one["source"].removeprefix(PROBE),
        )
        for id, one in items.items()
    }


def settled(
    aws: Aws,
    params: Params,
    ids: Sequence[str],
    *,
    limit_s: float,
    poll_s: float,
    mark: str = "",
    out: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Job]:
    """Waits until every job has finished, the queue stays empty or the time is up, then returns the census.

    It waits longer than a user would: a job is lost only if it never ends.

    Args:
        limit_s: seconds to wait, at most.
        poll_s: seconds between two looks.
        mark: as for `census`.

    Raises:
        AwsError: AWS refused or did not answer.
    """
    empty = 0

    def look() -> dict[str, Job]:
        jobs = census(aws, params, ids, mark)
        if out is not None:
            out(f"{sum(job.finished for job in jobs.values())} of {len(ids)} jobs finished")
        return jobs

    def enough(jobs: dict[str, Job]) -> bool:
        nonlocal empty
        if sum(job.finished for job in jobs.values()) == len(ids):
            return True
        levels = live.read(aws.client("sqs"), aws.client("lambda"), params)
        # SQS's depths are approximate: several empty looks in a row count, one does not.
        empty = empty + 1 if not live.held(levels, "queue") else 0
        return empty > EMPTY_LOOKS

    return until(look, enough, limit_s=limit_s, pause=steady(poll_s), sleep=sleep, clock=clock)


def _items(dynamodb: Any, params: Params, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    table, key = params.name("table"), params.service.contract.table.job_id
    with aws_errors("looking up the submitted jobs (dynamodb:BatchGetItem)"):
        for start in range(0, len(ids), PAGE):
            wanted = {table: {"Keys": [{key: {"S": id}} for id in ids[start : start + PAGE]]}}
            for _ in range(_TRIES):
                answer = dynamodb.batch_get_item(RequestItems=wanted)
                yield from answer["Responses"].get(table, [])
                wanted = answer.get("UnprocessedKeys") or {}
                if not wanted:
                    break
            else:
                raise AwsError(f"looking up the submitted jobs: {table} leaves keys unprocessed; it is throttled")


def _stored(s3: Any, params: Params, keys: Sequence[str]) -> dict[str, float]:
    """Epoch seconds at which each of `keys` was put into the results bucket; lists each prefix once."""
    with aws_errors("looking for the reports (s3:ListBuckets, s3:ListObjectsV2)"):
        prefix = params.name("bucket_prefix")
        names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith(prefix)]
        if len(names) != 1:
            raise AwsError(f"there are {len(names)} buckets '{prefix}…', expects exactly one")
        wanted, found = set(keys), dict[str, float]()
        # A key without a folder is at the top: an empty prefix lists it, with all others.
        for folder in {"".join(key.rpartition("/")[:2]) for key in keys}:
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=names[0], Prefix=folder):
                there = (item for item in page.get("Contents", []) if item["Key"] in wanted)
                found |= {item["Key"]: item["LastModified"].timestamp() for item in there}
    return found


def _instant(item: dict[str, Any], name: str) -> float | None:
    """A field's time in epoch seconds; None: there is none, or it cannot be read."""
    try:
        return parse(str(item.get(name, ""))).timestamp()
    except (ValueError, OverflowError):
        return None
