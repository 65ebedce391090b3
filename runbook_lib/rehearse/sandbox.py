"""Deploys the sandbox on the embedded AWS with CloudFormation, and does by API what its CloudFormation cannot.

What it cannot (ministack 1.5.33; `tests/rehearse/test_sandbox.py` names each): metric-math alarms are refused, a
function's reserved concurrency is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.aws import aws_errors
from runbook_lib.errors import AwsError
from runbook_lib.observe.alarms import realise
from runbook_lib.params import Params
from runbook_lib.rehearse.embedded import EmbeddedAws
from runbook_lib.rehearse.template import alarm_id, build

_WAIT = {"Delay": 0.05, "MaxAttempts": 1200}


@dataclass(frozen=True)
class Sandbox:
    """One deployed environment."""

    params: Params
    api_url: str
    """Address of the API's stage; routes are appended to it."""
    outputs: dict[str, str]
    """The stack's outputs, and `InboxUrl`: a queue that receives what the alarm topic says."""


def deploy(aws: EmbeddedAws, params: Params) -> Sandbox:
    """Creates or updates the stack of one environment and waits for it.

    Raises:
        AwsError: the stack failed; the sentence names the first resource that did, and why.
    """
    return deploy_all(aws, [params])[0]


def deploy_all(aws: EmbeddedAws, environments: Iterable[Params]) -> list[Sandbox]:
    """Several environments at a time: all are begun, then waited for.

    Raises:
        AwsError: a stack failed; the sentence names the first resource that did, and why.
    """
    with aws_errors("deploying the sandbox"):
        begun = [(params, _begin(aws, params)) for params in environments]
        return [_finish(aws, params, waiter) for params, waiter in begun]


def embedded_template(params: Params) -> dict[str, Any]:
    """The template without its metric-math alarms, which the embedded CloudFormation refuses by name."""
    template = build(params)
    for alarm in params.policy.alarms:
        if alarm.metric is None:
            del template["Resources"][alarm_id(alarm.id)]
    return template


def _begin(aws: EmbeddedAws, params: Params) -> str:
    """Starts the stack's change; the name of the waiter that sees its end."""
    cloudformation = aws.client("cloudformation")
    request = {
        "StackName": params.name("stack"),
        "TemplateBody": json.dumps(embedded_template(params)),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    try:
        cloudformation.create_stack(**request)
        return "stack_create_complete"
    except cloudformation.exceptions.AlreadyExistsException:
        pass
    try:
        cloudformation.update_stack(**request)
    except cloudformation.exceptions.ClientError as error:
        if "No updates" not in str(error):
            raise
        return "stack_exists"
    return "stack_update_complete"


def _finish(aws: EmbeddedAws, params: Params, waiter: str) -> Sandbox:
    from botocore.exceptions import WaiterError

    cloudformation, name = aws.client("cloudformation"), params.name("stack")
    try:
        cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig=_WAIT)
    except WaiterError:
        raise AwsError(f"stack {name}: {_first_failure(cloudformation, name)}") from None
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    _fill_gaps(aws, params)
    outputs["InboxUrl"] = _inbox(aws, params, outputs["TopicArn"])
    address = {"endpoint": aws.endpoint, "api_id": outputs["ApiId"], "region": params.region, "env": params.env}
    api_url = params.api_url.format(stage=params.service.api.stage, **address)
    return Sandbox(params, api_url, outputs)


def _first_failure(cloudformation: Any, name: str) -> str:
    events: Sequence[dict[str, Any]] = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("FAILED")]
    if not failed:
        return "neither complete nor failed"
    return f"{failed[0]['LogicalResourceId']}: {failed[0].get('ResourceStatusReason', 'no reason given')}"


def _fill_gaps(aws: EmbeddedAws, params: Params) -> None:
    for alarm in params.policy.alarms:
        if alarm.metric is None:
            aws.client("cloudwatch").put_metric_alarm(**realise(alarm, params))
    aws.client("lambda").put_function_concurrency(
        FunctionName=params.name("worker"), ReservedConcurrentExecutions=params.service.workers
    )


def _inbox(aws: EmbeddedAws, params: Params, topic: str) -> str:
    """URL of a queue subscribed to the alarm topic, so that a notification can be seen."""
    url: str = aws.client("sqs").create_queue(QueueName=f"careervp-vpr-inbox-queue-{params.env}")["QueueUrl"]
    arn = f"arn:aws:sqs:{params.region}:{params.account_id}:{url.rsplit('/', 1)[-1]}"
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url
