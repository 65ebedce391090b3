"""The present state: depths from SQS itself, and the Lambdas' settings that the evidence needs."""

from __future__ import annotations

import json
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.params.load import Params

_VISIBLE = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
FUNCTIONS = ("submit", "worker", "status")


def read(sqs: Any, lambda_client: Any, params: Params) -> dict[str, Any]:
    """Reads the present state, JSON-able.

    Its keys: `queue_visible`, `queue_in_flight`, `dlq_visible`, `dlq_in_flight` (messages), `max_receives` (of the
    queue's redrive policy; None without one), `memory_mb` and `timeout_s` (by submit, worker, status).

    Raises:
        AwsError: a queue or a function does not exist, or AWS refused.
    """
    with aws_errors("reading the queues (sqs:GetQueueAttributes)"):
        queue, dlq = (_attributes(sqs, params.name(name)) for name in ("queue", "dlq"))
    with aws_errors("reading the functions' settings (lambda:GetFunctionConfiguration)"):
        settings = {
            name: lambda_client.get_function_configuration(FunctionName=params.name(name)) for name in FUNCTIONS
        }
    redrive = json.loads(queue.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    return {
        "queue_visible": int(queue[_VISIBLE]),
        "queue_in_flight": int(queue[_IN_FLIGHT]),
        "dlq_visible": int(dlq[_VISIBLE]),
        "dlq_in_flight": int(dlq[_IN_FLIGHT]),
        "max_receives": int(receives) if receives is not None else None,
        "memory_mb": {name: int(found["MemorySize"]) for name, found in settings.items()},
        "timeout_s": {name: int(found["Timeout"]) for name, found in settings.items()},
    }


def _attributes(sqs: Any, name: str) -> dict[str, str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    wanted = [_VISIBLE, _IN_FLIGHT, "RedrivePolicy"]
    return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted).get("Attributes", {}))
