"""The inventory's questions about queues, the table, the bucket, alarms, topic, flags, stack and business metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.observe.asking import Absent, pages, redrive
from runbook_lib.observe.inventory.calls import Call, Spot, there
from runbook_lib.observe.inventory.rules import Inventory, Said
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import read_yaml

GO_BY_ID = ("AWS::ApiGateway::RestApi", "AWS::AppConfig::Application")
"""Types whose physical id is no name; their names are checked with the resource itself."""


def _queue(spot: Spot) -> dict[str, Any]:
    sqs = spot.client("sqs")
    url = sqs.get_queue_url(QueueName=spot.name)["QueueUrl"]
    attributes: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def _target(attributes: dict[str, Any]) -> Said:
    """Where dead letters go: the name of the queue, or its whole ARN in another account or region."""
    arn = str(redrive(attributes).get("deadLetterTargetArn") or "")
    home, _, name = arn.rpartition(":")
    same = not home or home == str(attributes.get("QueueArn", arn)).rpartition(":")[0]
    value = name if same else arn
    return Said(value, f"dead letters go {f'to {value}' if value else 'nowhere (there is no redrive policy)'}")


def _max_receives(attributes: dict[str, Any]) -> int | None:
    found = redrive(attributes).get("maxReceiveCount")
    return None if found is None else int(found)


def _queue_encryption(attributes: dict[str, Any]) -> str:
    if attributes.get("KmsMasterKeyId"):
        return "SSE-KMS"
    return "SSE-SQS" if str(attributes.get("SqsManagedSseEnabled", "")).lower() == "true" else "off"


QUEUE = (
    Call(
        "reading a queue (sqs:GetQueueUrl, sqs:GetQueueAttributes)",
        _queue,
        {
            "exists": there,
            "name": lambda a: a["QueueArn"].rpartition(":")[2],
            "visibility_timeout": lambda a: int(a["VisibilityTimeout"]),
            "delay": lambda a: int(a.get("DelaySeconds", 0)),
            "long_poll": lambda a: int(a["ReceiveMessageWaitTimeSeconds"]),
            "retention": lambda a: int(a["MessageRetentionPeriod"]),
            "redrive_target": _target,
            "max_receives": _max_receives,
            "encryption": _queue_encryption,
        },
    ),
)


def _key(schema: list[dict[str, str]]) -> list[str]:
    return [f"{one['AttributeName']} {one['KeyType']}" for one in schema]


def _table_encryption(table: dict[str, Any]) -> str:
    """The table's encryption: DynamoDB's own key, or a KMS key where it names one."""
    found = table.get("SSEDescription") or {}
    if found.get("InaccessibleEncryptionDateTime"):
        return "KMS key not accessible"
    return "KMS" if found.get("Status") in ("ENABLED", "UPDATING") else "AWS-owned key"


def _index(spot: Spot, table: dict[str, Any]) -> dict[str, Any]:
    named = {one["IndexName"]: one for one in table.get("GlobalSecondaryIndexes", [])}
    wanted = spot.params.name("gsi")
    # An index of another name is looked at too, so that only what differs is reported.
    found: dict[str, Any] = named.get(wanted) or next(iter(named.values()), {})
    return found


def _table(spot: Spot) -> dict[str, Any]:
    table: dict[str, Any] = spot.client("dynamodb").describe_table(TableName=spot.name)["Table"]
    return {**table, "Index": _index(spot, table)}


TABLE = (
    Call(
        "reading the jobs table (dynamodb:DescribeTable)",
        _table,
        {
            "exists": there,
            "name": lambda t: t["TableName"],
            "status": lambda t: t["TableStatus"],
            "key_schema": lambda t: _key(t["KeySchema"]),
            "attributes": lambda t: sorted(
                f"{one['AttributeName']} {one['AttributeType']}" for one in t["AttributeDefinitions"]
            ),
            "index": lambda t: t["Index"].get("IndexName"),
            "index_key": lambda t: _key(t["Index"].get("KeySchema", [])),
            "index_projection": lambda t: t["Index"].get("Projection", {}).get("ProjectionType"),
            # The embedded AWS leaves out the status of an index; AWS always gives it.
            "index_status": lambda t: t["Index"].get("IndexStatus", "ACTIVE" if t["Index"] else None),
            "billing": lambda t: t.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "encryption": _table_encryption,
        },
    ),
    Call(
        "reading the table's time to live (dynamodb:DescribeTimeToLive)",
        lambda spot: spot.client("dynamodb").describe_time_to_live(TableName=spot.name)["TimeToLiveDescription"],
        {"ttl": lambda t: t.get("AttributeName") if t["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else "off"},
    ),
)


def _buckets(spot: Spot) -> list[str]:
    """Names of the buckets that begin with the prefix of the results bucket."""
    listed = spot.place.once("buckets", lambda: spot.client("s3").list_buckets()["Buckets"])
    found = sorted(one["Name"] for one in listed if one["Name"].startswith(spot.name))
    if not found:
        raise Absent
    return found


def bucket_of(spot: Spot) -> str:
    """Name of the results bucket; the first of several."""
    return _buckets(spot)[0]


def _one_bucket(names: list[str]) -> Any:
    one = len(names) == 1
    return Said(one, "exists" if one else f"{len(names)} buckets have its prefix ({', '.join(names)}), expects one")


def _expiry(rules: list[dict[str, Any]]) -> int | None:
    """Days after which everything under `results/` expires; None if no enabled rule covers all of it."""
    days = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {}) and _covers(rule)
    ]
    return min(days, default=None)


def _covers(rule: dict[str, Any]) -> bool:
    condition = rule.get("Filter") or {}
    if condition.keys() - {"Prefix"}:
        return False
    return "results/".startswith(condition.get("Prefix", rule.get("Prefix", "")))


BUCKET = (
    Call(
        "listing the buckets (s3:ListAllMyBuckets)", _buckets, {"exists": _one_bucket, "name": lambda names: names[0]}
    ),
    Call(
        "reading the bucket's encryption (s3:GetEncryptionConfiguration)",
        lambda spot: spot.client("s3").get_bucket_encryption(Bucket=bucket_of(spot)),
        {
            "encryption": lambda answer: (
                answer["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"][
                    "SSEAlgorithm"
                ]
                if answer
                else "off"
            )
        },
        absent={},
    ),
    Call(
        "reading the bucket's public access block (s3:GetBucketPublicAccessBlock)",
        lambda spot: spot.client("s3").get_public_access_block(Bucket=bucket_of(spot))[
            "PublicAccessBlockConfiguration"
        ],
        {"public_access_block": lambda block: sorted(name for name, on in block.items() if on)},
        absent={},
    ),
    Call(
        "reading the bucket's lifecycle (s3:GetLifecycleConfiguration)",
        lambda spot: spot.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket_of(spot))["Rules"],
        {"expiry": _expiry},
        absent=[],
    ),
)


def _alarm(spot: Spot) -> dict[str, Any]:
    answer = spot.client("cloudwatch").describe_alarms(
        AlarmNames=[spot.name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    if not found:
        raise Absent
    alarm: dict[str, Any] = found[0]
    return alarm


ALARM = (
    Call(
        "reading an alarm (cloudwatch:DescribeAlarms)",
        _alarm,
        {
            "exists": there,
            "name": lambda a: a["AlarmName"],
            "actions": lambda a: len(a.get("AlarmActions", [])),
            "actions_enabled": lambda a: a["ActionsEnabled"],
            "state": lambda a: a["StateValue"],
        },
    ),
)

TOPIC = (
    Call(
        "reading the alarm topic (sns:GetTopicAttributes)",
        lambda spot: spot.client("sns").get_topic_attributes(TopicArn=topic_arn(spot.params))["Attributes"],
        {
            "exists": there,
            "name": lambda a: a["TopicArn"].rpartition(":")[2],
            "subscriptions": lambda a: int(a.get("SubscriptionsConfirmed", 0)),
        },
    ),
)


def _names(appconfig: Any, operation: str, **request: Any) -> dict[str, str]:
    return {one["Name"]: one["Id"] for one in pages(appconfig, operation, "Items", **request)}


def _application(spot: Spot) -> dict[str, str]:
    name = filled(spot.params.service.appconfig.application, {"env": spot.params.env})
    known = spot.place.once("applications", lambda: _names(spot.client("appconfig"), "list_applications"))
    if name not in known:
        raise Absent
    return {"id": known[name], "name": name}


def _flag(setting: str, operation: str, *, inside: bool = True) -> Call:
    """A call that looks whether AppConfig has what `traffic.{setting}` of service.yaml names."""

    def ask(spot: Spot) -> Any:
        where = {"ApplicationId": _application(spot)["id"]} if inside else {}
        known = spot.place.once(operation, lambda: _names(spot.client("appconfig"), operation, **where))
        name = filled(getattr(spot.params.service.appconfig, setting), {"env": spot.params.env})
        return Said(name in known, f"{name} {'exists' if name in known else 'is missing'}")

    action = "".join(part.capitalize() for part in operation.split("_"))
    return Call(f"looking up the traffic flags (appconfig:{action})", ask, {setting: lambda found: found})


FLAGS = (
    Call(
        "looking up the traffic flags (appconfig:ListApplications)",
        _application,
        {"exists": there, "name": lambda found: found["name"]},
    ),
    _flag("dial_profile", "list_configuration_profiles"),
    _flag("switch_profile", "list_configuration_profiles"),
    _flag("dial_environment", "list_environments"),
    _flag("switch_environment", "list_environments"),
    _flag("immediate_strategy", "list_deployment_strategies", inside=False),
    _flag("soak_strategy", "list_deployment_strategies", inside=False),
)


def _stack(spot: Spot) -> list[str]:
    """Names in the stack that break the naming rule."""
    naming = spot.params.nested("inventory", Inventory).naming
    found = pages(spot.client("cloudformation"), "list_stack_resources", "StackResourceSummaries", StackName=spot.name)
    named = [(one["ResourceType"], one.get("PhysicalResourceId", "")) for one in found]
    named = [(type, id) for type, id in named if type not in GO_BY_ID]
    return sorted(
        name
        for type, id in named
        if not naming.fits(type, name := id.rpartition("/")[2].rpartition(":")[2], spot.params.env)
    )


STACK = (
    Call(
        "reading the stack's resources (cloudformation:ListStackResources)",
        _stack,
        {"exists": there, "names": lambda offenders: offenders},
    ),
)


def _neighbours(spot: Spot) -> list[str]:
    """Other environments whose business metrics have the same dimensions: their parameter file names this account, or
    their worker is found in it."""
    params = spot.params
    row, service = params.metric("jobs_created"), params.service
    told = (row.namespace, *row.dimensions.values(), service.kpi_namespace, service.kpi_service)
    if "env" in row.dimensions or any("{env}" in text for text in told):
        return []
    others = [env for env in params.policy.environments if env != params.env]
    listed = {one["FunctionName"] for one in functions(spot)}
    return [
        env
        for env in others
        if _account(params.source, env) == params.account_id or params.service.name("worker", env) in listed
    ]


def functions(spot: Spot) -> list[dict[str, Any]]:
    """Every function of the account and region, asked once."""
    found: list[dict[str, Any]] = spot.place.once(
        "functions", lambda: pages(spot.client("lambda"), "list_functions", "Functions")
    )
    return found


def _account(folder: str, env: str) -> str:
    try:
        return str(read_yaml(Path(folder) / f"{env}.yaml").get("account_id", ""))
    except UsageError:
        return ""


KPI = (
    Call(
        "looking for other environments in this account (lambda:ListFunctions)",
        _neighbours,
        {"exists": there, "isolation": lambda found: found},
    ),
)
