"""What a rollback looks at: guards that fire, who still calls the async route, jobs that are still under way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.tagged import plain
from runbook_lib.base.window import Window, parse
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.params import item
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params


def firing(cloudwatch: Any, params: Params) -> list[str]:
    """Names of the guard alarms that are in ALARM.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    names = [alarm_name(alarm, params) for alarm in params.policy.alarms if alarm.guard]
    with aws_errors("reading the guard alarms (cloudwatch:DescribeAlarms)"):
        found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    return sorted(one["AlarmName"] for one in found if one["StateValue"] == "ALARM")


@dataclass(frozen=True)
class Calls:
    """Requests to both routes in whole minutes, from `window.start` on; None: no data, which is not zero."""

    window: Window
    asynchronous: float | None
    synchronous: float | None
    errors: float | None
    """Synchronous requests that were answered 5xx."""
    partial: bool
    answers: fetch.Answers


def calls(cloudwatch: Any, params: Params, start: dt.datetime, now: dt.datetime) -> Calls:
    """Counts the requests to each route since `start`, as far as CloudWatch can know them at `now`.

    A metric that has no points while the other route has some is 0: the gateway was there, and nobody called.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    end = now - dt.timedelta(seconds=params.policy.metric_delay_s)
    window = Window(start, max(start, end)).inward(60)
    if window.empty:
        return Calls(window, None, None, None, False, fetch.Answers.from_raw([]))
    names = ("async_requests", "sync_requests", "sync_5xx")
    asked = [Ask(name, window, "Sum", label=name) for name in names]
    answers = fetch.fetch(cloudwatch, params, asked, now)
    found = {name: answers.total(name) for name in names}
    if any(found[name] is not None for name in names[:2]):
        found = {name: value or 0.0 for name, value in found.items()}
    partial = any(answers.partial(name) for name in names[:2] if answers.points(name))
    return Calls(window, found[names[0]], found[names[1]], found[names[2]], partial, answers)


class Open(Frozen):
    """A job that has not ended."""

    job_id: str
    status: str
    created_at: dt.datetime
    probe: bool = False


def unfinished(dynamodb: Any, params: Params, since: dt.datetime, until: dt.datetime) -> list[Open]:
    """Jobs created in [since, until) that are PENDING or PROCESSING now, oldest first.

    Reads the whole table, as every census does (`observe/jobs/census.py`).

    Raises:
        AwsError: DynamoDB refused or did not answer.
    """
    contract = params.service.contract
    names = item.projected(("job_id", "status", "created_at", "source"), contract)
    under_way = (*contract.table.pending, *contract.table.running)
    open_words = {f":s{place}": {"S": word} for place, word in enumerate(under_way)}
    request: dict[str, Any] = {
        "TableName": params.name("table"),
        "FilterExpression": f"#status IN ({', '.join(open_words)}) AND #created_at >= :low",
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            **open_words,
            ":low": item.bounds(since, since, contract)[0],
        },
        "Limit": params.policy.census_page_size,
    }
    found: list[Open] = []
    with aws_errors(f"looking for jobs under way in {params.name('table')} (dynamodb:Scan)"):
        while True:
            page = dynamodb.scan(**request)
            jobs = (item.own(plain(each), contract) for each in page.get("Items", []))
            found += [one for job in jobs if (one := _open(job)) is not None]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return sorted((one for one in found if since <= one.created_at < until), key=lambda one: one.created_at)


def _open(job: dict[str, Any]) -> Open | None:
    try:
        created = parse(str(job["created_at"]))
    except (KeyError, ValueError):
        return None
    id, status = str(job.get("job_id", "")), str(job.get("status", ""))
    return Open(job_id=id, status=status, created_at=created, probe=item.is_probe(job))
