"""What a rollback looks at: guards that fire, who still calls the async route, jobs that are still under way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import Window, parse
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.metrics.fetch import Ask
from runbook_lib.observe.names import alarm_name
from runbook_lib.params.load import Params

MINUTE = dt.timedelta(minutes=1)


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
    """Of the synchronous ones, answered 5xx."""
    partial: bool
    answers: fetch.Answers


def calls(cloudwatch: Any, params: Params, start: dt.datetime, now: dt.datetime) -> Calls:
    """What came to each route since `start`, as far as CloudWatch can know it at `now`.

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
    names = {f"#{name}": name for name in ("job_id", "status", "created_at", "source")}
    request: dict[str, Any] = {
        "TableName": params.name("table"),
        "FilterExpression": "#status IN (:pending, :processing) AND #created_at >= :low",
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            ":pending": {"S": "PENDING"},
            ":processing": {"S": "PROCESSING"},
            ":low": {"S": f"{since:%Y-%m-%dT%H:%M:%S}"},
        },
        "Limit": params.policy.census_page_size,
    }
    found: list[Open] = []
    with aws_errors(f"looking for jobs under way in {params.name('table')} (dynamodb:Scan)"):
        while True:
            page = dynamodb.scan(**request)
            found += [one for item in page.get("Items", []) if (one := _open(item)) is not None]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return sorted((one for one in found if since <= one.created_at < until), key=lambda one: one.created_at)


def _open(item: dict[str, Any]) -> Open | None:
    text = {name: str(value.get("S", "")) for name, value in item.items()}
    try:
        created = parse(text["created_at"])
    except (KeyError, ValueError):
        return None
    probe = text.get("source", "").startswith("probe")
    return Open(job_id=text.get("job_id", ""), status=text.get("status", ""), created_at=created, probe=probe)
