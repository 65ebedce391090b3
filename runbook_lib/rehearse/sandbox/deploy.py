"""Deploys the sandbox on the embedded AWS with CloudFormation, and does through the API what its CloudFormation cannot.

The gaps (ministack 1.5.33; `tests/rehearse/sandbox/test_deploy.py` names each): metric-math alarms are refused; a
composite alarm is unknown; a function's reserved concurrency, a table's TTL, a bucket's lifecycle, a stage's access
logs and rollback triggers are dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.api_address import address, with_api
from runbook_lib.observe.traffic.routes import is_http
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import Params
from runbook_lib.params.references import read
from runbook_lib.rehearse.sandbox import homes
from runbook_lib.rehearse.sandbox.template import access_log_format, alarm_id, bucket_name, build, own_name

STAND_IN = "stand-in-of-the-sandbox"
"""Value of every secret in the contract's headers."""
MONITORING_MIN = 180
"""Minutes for which CloudFormation watches the guards after an update: the most that it offers."""
BODY_BYTES = 51_200
"""Most bytes of a template in a request (CloudFormation quotas, "Template body size in a request")."""
_WAIT = {"Delay": 0.05, "MaxAttempts": 1200}


class Place(Protocol):
    """An embedded AWS, of this process or of another."""

    @property
    def endpoint(self) -> str:
        """The place's address."""
        ...

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        ...


@dataclass(frozen=True)
class Sandbox:
    """One deployed environment."""

    params: Params
    api_url: str
    """Address of the API's stage; routes are appended to it."""
    outputs: dict[str, str]
    """The stack's outputs, and `InboxUrl`: a queue that receives the messages of the alarm topic."""


def deploy(aws: Place, params: Params, step: str = "async", guards: Sequence[str] = ()) -> Sandbox:
    """Creates or updates the stack of one environment at one of the template's steps, and waits for it.

    Args:
        guards: ARNs of the alarms that take an update back if they fire (`rollback_triggers`).

    Raises:
        AwsError: the stack failed; the sentence names the first failed resource, and the reason.
    """
    return deploy_all(aws, [params], step, guards)[0]


def deploy_all(
    aws: Place, environments: Iterable[Params], step: str = "async", guards: Sequence[str] = ()
) -> list[Sandbox]:
    """Deploys several environments at a time: starts all, then waits for them.

    Raises:
        AwsError: a stack failed; the sentence names the first failed resource, and the reason.
    """
    with aws_errors("deploying the sandbox"):
        begun = [(params, _begin(aws, params, step, guards)) for params in environments]
        return [_finish(aws, params, waiter, step) for params, waiter in begun]


def rollback_triggers(guards: Sequence[str]) -> dict[str, Any]:
    """CloudFormation's RollbackConfiguration of an update that `guards` (alarm ARNs) watch.

    At most five alarms, for at most 180 minutes after the update of the last resource (CloudFormation's API reference,
    RollbackConfiguration).
    """
    triggers = [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in guards]
    return {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": MONITORING_MIN}


def embedded_template(params: Params, step: str = "async") -> dict[str, Any]:
    """The template without its metric-math alarms, which the embedded CloudFormation refuses by name, and without a
    composite one, which it does not know.
    """
    template = build(params, step)
    template["Resources"].pop(homes.COMPOSITE, None)
    for alarm in (one for one in params.policy.alarms if one.owner == "stack"):
        if alarm.metric is None:
            template["Resources"].pop(alarm_id(alarm.id), None)
    return template


def _begin(aws: Place, params: Params, step: str, guards: Sequence[str]) -> str:
    """Starts the stack's change; returns the name of the waiter for its end."""
    cloudformation = aws.client("cloudformation")
    request = {
        "StackName": params.name("stack"),
        **_template(aws, params, json.dumps(embedded_template(params, step), separators=(",", ":"))),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    try:
        cloudformation.create_stack(**request)
        return "stack_create_complete"
    except cloudformation.exceptions.AlreadyExistsException:
        pass
    try:
        watched = {"RollbackConfiguration": rollback_triggers(guards)} if guards else {}
        cloudformation.update_stack(**request, **watched)
    except cloudformation.exceptions.ClientError as error:
        if "No updates" not in str(error):
            raise
        return "stack_exists"
    return "stack_update_complete"


def _template(aws: Place, params: Params, text: str) -> dict[str, str]:
    """The template as a request has it: in itself, or, beyond what a request may carry (three workers), in a bucket."""
    if len(text.encode()) <= BODY_BYTES:
        return {"TemplateBody": text}
    s3, bucket = aws.client("s3"), f"templates-of-the-sandbox-{params.account_id}"
    place = {"CreateBucketConfiguration": {"LocationConstraint": params.region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **({} if params.region == "us-east-1" else place))
    key = f"{params.name('stack')}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    return {"TemplateURL": f"{aws.endpoint}/{bucket}/{key}"}


def _finish(aws: Place, params: Params, waiter: str, step: str) -> Sandbox:
    from botocore.exceptions import WaiterError

    cloudformation, name = aws.client("cloudformation"), params.name("stack")
    try:
        cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig=_WAIT)
    except WaiterError:
        raise AwsError(f"stack {name}: {_first_failure(cloudformation, name)}") from None
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    if is_http(params):
        params = params if params.named("api_id") else with_api(params, outputs["ApiId"])
        _measure_routes(aws, params, outputs["ApiId"])
    else:
        _log_access(aws, params, outputs["ApiId"])
    _keep_secrets(aws, params)
    if step != "baseline":
        _fill_gaps(aws, params)
        outputs["InboxUrl"] = _inbox(aws, params, outputs["TopicArn"])
    return Sandbox(params, address(params, aws.endpoint, outputs["ApiId"]), outputs)


def _first_failure(cloudformation: Any, name: str) -> str:
    """The resource that failed first, and the reason.

    If CloudFormation refuses a template before it makes anything, only DescribeEvents has the reasons.
    """
    refused: Sequence[dict[str, Any]] = cloudformation.describe_events(StackName=name)["OperationEvents"]
    reasons = [(one["LogicalResourceId"], one["ValidationStatusReason"]) for one in refused if _is_refusal(one)]
    events: Sequence[dict[str, Any]] = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons += [
        (one["LogicalResourceId"], one.get("ResourceStatusReason", "no reason given"))
        for one in reversed(events)
        if one["ResourceStatus"].endswith("FAILED")
    ]
    return ": ".join(reasons[0]) if reasons else "neither complete nor failed"


def _is_refusal(event: dict[str, Any]) -> bool:
    return event.get("ValidationStatus") == "FAILED" and {"LogicalResourceId", "ValidationStatusReason"} <= set(event)


def _fill_gaps(aws: Place, params: Params) -> None:
    """Does what the template says and the embedded CloudFormation leaves out."""
    resources = {id: one.get("Properties", {}) for id, one in build(params)["Resources"].items()}
    for alarm in (one for one in params.policy.alarms if one.owner == "stack"):
        if alarm.metric is None:
            aws.client("cloudwatch").put_metric_alarm(**realise(alarm, params))
    if homes.COMPOSITE in resources:
        told = {**resources[homes.COMPOSITE], "AlarmActions": [topic_arn(params)]}
        aws.client("cloudwatch").put_composite_alarm(**told)
    for post in params.service.crew:
        aws.client("lambda").put_function_concurrency(
            FunctionName=params.name(post.worker), ReservedConcurrentExecutions=post.concurrency
        )
    aws.client("dynamodb").update_time_to_live(
        TableName=params.name("table"), TimeToLiveSpecification=resources["Table"]["TimeToLiveSpecification"]
    )
    rules = [
        {"ID": rule["Id"], "Status": rule["Status"], "Filter": {}, "Expiration": {"Days": rule["ExpirationInDays"]}}
        for rule in resources["Bucket"]["LifecycleConfiguration"]["Rules"]
    ]
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket_name(params), LifecycleConfiguration={"Rules": rules}
    )


def _keep_secrets(aws: Place, params: Params) -> None:
    """Writes stand-ins for the secrets in the contract's headers: the sandbox's API checks none of them."""
    kept = [read(text, params.env) for text in params.service.contract.secrets.values()]
    for one in kept:
        if one.kind == "env":
            os.environ.setdefault(one.name, STAND_IN)
        elif one.kind == "ssm":
            aws.client("ssm").put_parameter(Name=one.name, Value=STAND_IN, Type="SecureString", Overwrite=True)
    for name in {one.name for one in kept if one.kind == "secretsmanager"}:
        fields = {one.field: STAND_IN for one in kept if one.name == name and one.field}
        value, secrets = json.dumps(fields) if fields else STAND_IN, aws.client("secretsmanager")
        try:
            secrets.create_secret(Name=name, SecretString=value)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, SecretString=value)


def _log_access(aws: Place, params: Params, api_id: str) -> None:
    """Gives the stage its access logs, which the embedded CloudFormation leaves out."""
    group = f"arn:aws:logs:{params.region}:{params.account_id}:log-group:{params.name('access_log')}"
    values = {"destinationArn": group, "format": access_log_format(params)}
    aws.client("apigateway").update_stage(
        restApiId=api_id,
        stageName=params.service.api.stage,
        patchOperations=[
            {"op": "replace", "path": f"/accessLogSettings/{key}", "value": value} for key, value in values.items()
        ],
    )


def _measure_routes(aws: Place, params: Params, api_id: str) -> None:
    """Turns an HTTP API's detailed metrics on: the embedded CloudFormation stores them under a name that AWS lacks."""
    aws.client("apigatewayv2").update_stage(
        ApiId=api_id, StageName=params.service.api.stage, DefaultRouteSettings={"DetailedMetricsEnabled": True}
    )


def _inbox(aws: Place, params: Params, topic: str) -> str:
    """URL of a queue subscribed to the alarm topic, so that a notification can be seen."""
    url: str = aws.client("sqs").create_queue(QueueName=own_name(params, "inbox", "queue"))["QueueUrl"]
    arn = f"arn:aws:sqs:{params.region}:{params.account_id}:{url.rsplit('/', 1)[-1]}"
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url
