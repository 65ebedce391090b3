"""Reads the present configuration of the resources that cost money: it turns seconds and units into a bill.

Nothing here may hold up a verdict about the users: `unread` names what cannot be read, and the bill says what it
assumes instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError, RunbookError
from runbook_lib.base.window import iso
from runbook_lib.params.load import Params

FUNCTIONS = ("submit", "worker", "status", "sync")
MADE_SO_S = 60.0
"""A table on demand within this many seconds of its creation was created so."""


def read(
    client: Callable[[str], Any], params: Params, provisioned_since: Callable[[], str | None] | None = None
) -> dict[str, Any]:
    """Reads the configuration, JSON-able.

    Its keys: `functions` (by name: `memory_mb`, `architecture`; one that does not exist is left out), `table` (`mode`,
    and provisioned `write_units` and `read_units` of table and index together; `since`, ISO, where it is known when the
    mode changed), `report_days` (from the bucket's lifecycle; None: reports never expire), `unread` (sentences).

    Args:
        client: gives the boto3 client of a service.
        provisioned_since: tells when a mitigation provisioned the table (ISO), which AWS does not; called only where it
            is provisioned.
    """
    found: dict[str, Any] = {"functions": {}, "unread": []}
    for name in (*FUNCTIONS, *(post.worker for post in params.service.crew if post.suffix)):
        one = _tried(found, lambda name=name: _function(client("lambda"), params.name(name)))  # type: ignore[misc]
        if one:
            found["functions"][name] = one
    table = _tried(found, lambda: _table(client("dynamodb"), params))
    if table:
        if table["mode"] == "PROVISIONED" and provisioned_since is not None:
            table |= _tried(found, lambda: {"since": provisioned_since()}) or {}
        found["table"] = table
    days = _tried(found, lambda: {"report_days": _lifecycle(client("s3"), params.name("bucket_prefix"))})
    return found | (days or {})


def _tried(found: dict[str, Any], ask: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return ask()
    except RunbookError as error:
        found["unread"].append(str(error))
        return None


def _function(functions: Any, name: str) -> dict[str, Any] | None:
    with aws_errors(f"reading the settings of {name} (lambda:GetFunctionConfiguration)"):
        try:
            one = functions.get_function_configuration(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            return None
    return {"memory_mb": int(one["MemorySize"]), "architecture": (one.get("Architectures") or ["x86_64"])[0]}


def _table(dynamodb: Any, params: Params) -> dict[str, Any]:
    name = params.name("table")
    with aws_errors(f"reading the billing mode of {name} (dynamodb:DescribeTable)"):
        table = dynamodb.describe_table(TableName=name)["Table"]
    summary = table.get("BillingModeSummary") or {}
    mode = summary.get("BillingMode", "PROVISIONED")
    parts = [table, *table.get("GlobalSecondaryIndexes", [])]
    throughputs = [part.get("ProvisionedThroughput") or {} for part in parts]
    since = summary.get("LastUpdateToPayPerRequestDateTime") if mode == "PAY_PER_REQUEST" else None
    if since and abs((since - table["CreationDateTime"]).total_seconds()) < MADE_SO_S:
        since = None
    return {
        "mode": mode,
        "write_units": sum(int(one.get("WriteCapacityUnits") or 0) for one in throughputs),
        "read_units": sum(int(one.get("ReadCapacityUnits") or 0) for one in throughputs),
        "since": iso(since) if since else None,
    }


def _lifecycle(s3: Any, prefix: str) -> float | None:
    with aws_errors("reading how long reports are kept (s3:GetLifecycleConfiguration)"):
        names = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith(prefix)]
        if len(names) != 1:
            raise AwsError(f"there are {len(names)} buckets '{prefix}…', expects exactly one to read its lifecycle")
        try:
            rules = s3.get_bucket_lifecycle_configuration(Bucket=names[0])["Rules"]
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
                raise
            rules = []
    days = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {})
    ]
    return float(min(days)) if days else None
