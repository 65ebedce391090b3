"""The present state: depths from SQS itself, and the Lambdas' settings that the evidence needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.observe.asking import redrive
from runbook_lib.params.load import Params

_VISIBLE = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
FUNCTIONS = ("submit", "worker", "status")
"""The functions of a service with one worker."""


def read(sqs: Any, lambda_client: Any, params: Params) -> dict[str, Any]:
    """Reads the present state, JSON-able.

    `queue_visible`, `queue_in_flight`, `dlq_visible`, `dlq_in_flight` (messages), `max_receives` (of the queue's
    redrive policy, None without one), `memory_mb` and `timeout_s` (by submit, worker, status); of further workers the
    same with their keys, such as `queue_2_visible`.

    Raises:
        AwsError: a queue or a function does not exist, or AWS refused.
    """
    with aws_errors("reading the queues (sqs:GetQueueAttributes)"):
        depths = {
            key: _attributes(sqs, params.name(key)) for post in params.service.crew for key in (post.queue, post.dlq)
        }
    with aws_errors("reading the functions' settings (lambda:GetFunctionConfiguration)"):
        mine = (one for one in FUNCTIONS if one != "status" or params.named(one))
        names = (*mine, *(post.worker for post in params.service.crew if post.suffix))
        settings = {name: lambda_client.get_function_configuration(FunctionName=params.name(name)) for name in names}
    receives = redrive(depths["queue"]).get("maxReceiveCount")
    return {
        **{f"{key}_visible": int(one[_VISIBLE]) for key, one in depths.items()},
        **{f"{key}_in_flight": int(one[_IN_FLIGHT]) for key, one in depths.items()},
        "max_receives": int(receives) if receives is not None else None,
        "memory_mb": {name: int(found["MemorySize"]) for name, found in settings.items()},
        "timeout_s": {name: int(found["Timeout"]) for name, found in settings.items()},
    }


def held(read: Mapping[str, Any], part: str, *, in_flight: bool = True) -> int:
    """Sum of the messages in all queues (`part` is `queue`) or dead-letter queues (`dlq`), from the result of `read`.

    Args:
        in_flight: those that were received and not deleted yet, too.
    """
    ends = ("_visible", "_in_flight") if in_flight else ("_visible",)
    return sum(value or 0 for key, value in read.items() if key.startswith(f"{part}_") and key.endswith(ends))


def _attributes(sqs: Any, name: str) -> dict[str, str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    wanted = [_VISIBLE, _IN_FLIGHT, "RedrivePolicy"]
    return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted).get("Attributes", {}))
