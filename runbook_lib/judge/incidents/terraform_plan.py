"""Reads a plan of Terraform or OpenTofu, as `terraform show -json` prints it, into a `Diff`.

Format: "JSON Output Format" in Terraform's documentation, versions 0.x and 1.x (`resource_changes`, `change.actions`,
`before`, `after`, `after_unknown`, `after_sensitive`). Types and attributes are translated into CloudFormation's, which
the inventory is declared in. `TYPES` is the whole translation; a type that it lacks has no property in the diff, so a
check that depends on it does not count as mended. A value that is sensitive, or known after the apply, is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runbook_lib.judge.incidents.diff import Action, Change, Diff, Property, objects

READS = ("0", "1")
"""Major versions of the format that are read."""


class Kind(NamedTuple):
    """The type of CloudFormation for a type of Terraform's AWS provider."""

    type: str
    name: str
    """Attribute with its physical name."""
    attributes: Mapping[str, str]
    """Attribute to property, both as paths; `?` after a property: their shapes differ, so the value is unknown."""
    part: str = ""
    """The property that this resource is of another one, whose name is in the attribute `name`."""


_POLICY = {"redrive_policy": "RedrivePolicy"}
_KMS = {"kms_master_key_id": "KmsMasterKeyId"}
TYPES: dict[str, Kind] = {
    "aws_sqs_queue": Kind(
        "AWS::SQS::Queue",
        "name",
        {
            "name": "QueueName",
            "visibility_timeout_seconds": "VisibilityTimeout",
            "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
            "message_retention_seconds": "MessageRetentionPeriod",
            "sqs_managed_sse_enabled": "SqsManagedSseEnabled",
            **_KMS,
            **_POLICY,
        },
    ),
    "aws_sqs_queue_redrive_policy": Kind("AWS::SQS::Queue", "queue_url", _POLICY, part="RedrivePolicy"),
    "aws_lambda_function": Kind(
        "AWS::Lambda::Function",
        "function_name",
        {
            "function_name": "FunctionName",
            "memory_size": "MemorySize",
            "timeout": "Timeout",
            "role": "Role",
            "runtime": "Runtime",
            "handler": "Handler",
            "reserved_concurrent_executions": "ReservedConcurrentExecutions",
            "environment.0.variables": "Environment.Variables",
            "tracing_config.0.mode": "TracingConfig.Mode",
        },
    ),
    "aws_lambda_event_source_mapping": Kind(
        "AWS::Lambda::EventSourceMapping",
        "uuid",
        {
            "batch_size": "BatchSize",
            "enabled": "Enabled",
            "event_source_arn": "EventSourceArn",
            "function_response_types": "FunctionResponseTypes",
            "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
            "scaling_config.0.maximum_concurrency": "ScalingConfig.MaximumConcurrency",
        },
    ),
    "aws_lambda_permission": Kind(
        "AWS::Lambda::Permission",
        "statement_id",
        {"source_arn": "SourceArn", "principal": "Principal", "action": "Action"},
    ),
    "aws_dynamodb_table": Kind(
        "AWS::DynamoDB::Table",
        "name",
        {
            "name": "TableName",
            "billing_mode": "BillingMode",
            "ttl.0.attribute_name": "TimeToLiveSpecification.AttributeName",
            "ttl.0.enabled": "TimeToLiveSpecification.Enabled",
            "hash_key": "KeySchema?",
            "range_key": "KeySchema?",
            "attribute": "AttributeDefinitions?",
            "global_secondary_index": "GlobalSecondaryIndexes?",
            "server_side_encryption": "SSESpecification?",
            "point_in_time_recovery": "PointInTimeRecoverySpecification?",
        },
    ),
    "aws_s3_bucket": Kind("AWS::S3::Bucket", "bucket", {"bucket": "BucketName"}),
    "aws_s3_bucket_public_access_block": Kind("AWS::S3::Bucket", "bucket", {}, part="PublicAccessBlockConfiguration"),
    "aws_s3_bucket_lifecycle_configuration": Kind("AWS::S3::Bucket", "bucket", {}, part="LifecycleConfiguration"),
    "aws_s3_bucket_server_side_encryption_configuration": Kind(
        "AWS::S3::Bucket", "bucket", {}, part="BucketEncryption"
    ),
    "aws_sns_topic": Kind("AWS::SNS::Topic", "name", {"name": "TopicName", "kms_master_key_id": "KmsMasterKeyId"}),
    "aws_cloudwatch_metric_alarm": Kind(
        "AWS::CloudWatch::Alarm",
        "alarm_name",
        {
            "alarm_name": "AlarmName",
            "threshold": "Threshold",
            "period": "Period",
            "statistic": "Statistic",
            "evaluation_periods": "EvaluationPeriods",
            "datapoints_to_alarm": "DatapointsToAlarm",
            "comparison_operator": "ComparisonOperator",
            "treat_missing_data": "TreatMissingData",
            "actions_enabled": "ActionsEnabled",
            "alarm_actions": "AlarmActions",
            "dimensions": "Dimensions?",
            "metric_query": "Metrics?",
        },
    ),
    "aws_cloudwatch_dashboard": Kind(
        "AWS::CloudWatch::Dashboard",
        "dashboard_name",
        {"dashboard_name": "DashboardName", "dashboard_body": "DashboardBody?"},
    ),
    "aws_cloudwatch_log_group": Kind(
        "AWS::Logs::LogGroup", "name", {"name": "LogGroupName", "retention_in_days": "RetentionInDays"}
    ),
    "aws_iam_role": Kind("AWS::IAM::Role", "name", {"name": "RoleName"}),
    "aws_api_gateway_rest_api": Kind("AWS::ApiGateway::RestApi", "id", {"name": "Name"}),
    "aws_api_gateway_stage": Kind(
        "AWS::ApiGateway::Stage",
        "stage_name",
        {
            "stage_name": "StageName",
            "access_log_settings": "AccessLogSetting?",
            "xray_tracing_enabled": "TracingEnabled",
        },
    ),
    "aws_api_gateway_method_settings": Kind("AWS::ApiGateway::Stage", "stage_name", {}, part="MethodSettings"),
    "aws_apigatewayv2_api": Kind("AWS::ApiGatewayV2::Api", "id", {"name": "Name"}),
    "aws_apigatewayv2_stage": Kind(
        "AWS::ApiGatewayV2::Stage",
        "name",
        {
            "name": "StageName",
            "access_log_settings": "AccessLogSettings?",
            "default_route_settings": "DefaultRouteSettings?",
        },
    ),
    "aws_apigatewayv2_route": Kind("AWS::ApiGatewayV2::Route", "id", {"route_key": "RouteKey", "target": "Target"}),
    "aws_appconfig_application": Kind("AWS::AppConfig::Application", "id", {"name": "Name"}),
    "aws_appconfig_environment": Kind(
        "AWS::AppConfig::Environment", "environment_id", {"name": "Name", "monitor": "Monitors?"}
    ),
    "aws_appconfig_configuration_profile": Kind(
        "AWS::AppConfig::ConfigurationProfile", "configuration_profile_id", {"name": "Name", "type": "Type"}
    ),
    "aws_appconfig_deployment_strategy": Kind(
        "AWS::AppConfig::DeploymentStrategy",
        "id",
        {
            "name": "Name",
            "final_bake_time_in_minutes": "FinalBakeTimeInMinutes",
            "deployment_duration_in_minutes": "DeploymentDurationInMinutes",
            "growth_factor": "GrowthFactor",
        },
    ),
}
_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "add",
    ("update",): "modify",
    ("delete",): "remove",
    ("delete", "create"): "modify",
    ("create", "delete"): "modify",
    ("forget",): "orphan",
    ("create", "forget"): "modify",
}
"""Terraform's actions to ours; a replaced resource exists afterwards, with its new properties."""


def parse_plan(text: str) -> Diff:
    """The diff of a plan; of kind `none` where the text has no plan in a known version."""
    plan = next(_plans(text), None)
    if plan is None:
        return Diff()
    changes = tuple(
        made for one in plan["resource_changes"] if isinstance(one, dict) and (made := _changed(one)) is not None
    )
    return Diff(kind="terraform", changes=changes)


def _plans(text: str) -> Iterator[dict[str, Any]]:
    """The plans among the text's JSON objects; a plan without changes has no list of them."""
    for found in objects(text):
        told = found.setdefault("resource_changes", []) if "planned_values" in found else found.get("resource_changes")
        if isinstance(told, list) and str(found.get("format_version", "")).partition(".")[0] in READS:
            yield found


def _changed(one: Mapping[str, Any]) -> Change | None:
    """The change of a resource; None: it is a data source, a deposed object, or does not change."""
    change = one.get("change")
    if one.get("mode", "managed") != "managed" or one.get("deposed") or not isinstance(change, dict):
        return None
    action = _ACTIONS.get(tuple(map(str, change.get("actions") or ())))
    if action is None:
        return None
    type, address = str(one.get("type", "")), str(one.get("address", ""))
    kind = TYPES.get(type)
    before, after = _block(change.get("before")), _block(change.get("after"))
    if kind is None:
        return Change(action=action, type=type, logical_id=str(one.get("name", "")), label=address)
    if kind.part:
        # A separate resource that is a property of another: the other one changes, whatever happens to the part.
        gone = action in ("remove", "orphan")
        touched: tuple[Property, ...] = (Property(path=(kind.part,), removed=gone),)
        touched, action = (_properties(kind, change, before, after) or touched) if not gone else touched, "modify"
    else:
        touched = () if action in ("add", "remove", "orphan") else _properties(kind, change, before, after)
    return Change(
        action=action,
        type=kind.type,
        logical_id=str(one.get("name", "")),
        label=address,
        physical_id=str(before.get(kind.name) or after.get(kind.name) or ""),
        properties=touched,
        after=_nested({path: told for path, told in _values(kind, change, after) if told is not None}),
    )


def _block(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _at(told: Any, path: str) -> Any:
    """The value at a path such as `ttl.0.enabled`; True where a whole block above it is marked."""
    for key in path.split("."):
        if told is True:
            return True
        if isinstance(told, list):
            told = told[int(key)] if key.isdigit() and int(key) < len(told) else None
        else:
            told = told.get(key) if isinstance(told, dict) else None
    return told


def _hidden(change: Mapping[str, Any], path: str, side: str) -> bool:
    """Whether the value is a secret, or known only after the apply."""

    def marked(told: Any) -> bool:
        inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
        return told is True or any(marked(one) for one in inner)

    marks = (f"{side}_sensitive", *(("after_unknown",) if side == "after" else ()))
    return any(marked(_at(change.get(mark), path)) for mark in marks)


def _values(kind: Kind, change: Mapping[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields each property with its value after the change; None: it has none."""
    for attribute, property in kind.attributes.items():
        if not property.endswith("?") and not _hidden(change, attribute, "after"):
            yield property, _at(after, attribute)


def _properties(
    kind: Kind, change: Mapping[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> tuple[Property, ...]:
    """The properties whose attribute changes, or may change."""
    found: dict[str, Property] = {}
    for attribute, property in kind.attributes.items():
        old, new = _at(before, attribute), _at(after, attribute)
        hidden = _hidden(change, attribute, "after")
        if old == new and not (hidden and new is None):
            continue
        path, shapeless = tuple(property.rstrip("?").split(".")), property.endswith("?")
        found[property] = Property(
            path=path,
            old=None if shapeless or _hidden(change, attribute, "before") else _text(old),
            new=None if shapeless or hidden else _text(new),
            removed=new in (None, "", []) and not hidden and not shapeless,
        )
    return tuple(found.values())


def _text(told: Any) -> str | None:
    """A value as the text of a diff: text unchanged, everything else as JSON."""
    return told if isinstance(told, str) or told is None else json.dumps(told)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nests keys at their dots: `{"A.B": 1}` becomes `{"A": {"B": 1}}`."""
    made: dict[str, Any] = {}
    for path, told in flat.items():
        *above, last = path.split(".")
        here = made
        for key in above:
            here = here.setdefault(key, {})
        here[last] = told
    return made
