from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.resources import live
from runbook_lib.params.load import Params

ATTRIBUTES = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "RedrivePolicy"]


def clients() -> tuple[Any, Any]:
    keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client("sqs", **keys), boto3.client("lambda", **keys)


def queue(stub: Stubber, name: str, visible: int, flying: int, **more: str) -> None:
    url = f"https://sqs.example/{name}"
    stub.add_response("get_queue_url", {"QueueUrl": url}, {"QueueName": name})
    answer = {ATTRIBUTES[0]: str(visible), ATTRIBUTES[1]: str(flying), **more}
    stub.add_response("get_queue_attributes", {"Attributes": answer}, {"QueueUrl": url, "AttributeNames": ATTRIBUTES})


def test_the_live_state(params: Params) -> None:
    sqs, functions = clients()
    with Stubber(sqs) as queues, Stubber(functions) as lambdas:
        queue(queues, "careervp-vpr-jobs-queue-prod", 3, 2, RedrivePolicy=json.dumps({"maxReceiveCount": "3"}))
        queue(queues, "careervp-vpr-jobs-dlq-prod", 0, 1)
        for name, memory, timeout in (("submit", 256, 10), ("worker", 1024, 300), ("status", 256, 10)):
            wanted = {"FunctionName": f"careervp-vpr-{name}-lambda-prod"}
            lambdas.add_response("get_function_configuration", {"MemorySize": memory, "Timeout": timeout}, wanted)
        found = live.read(sqs, functions, params)
    assert found == {
        "queue_visible": 3,
        "queue_in_flight": 2,
        "dlq_visible": 0,
        "dlq_in_flight": 1,
        "max_receives": 3,
        "memory_mb": {"submit": 256, "worker": 1024, "status": 256},
        "timeout_s": {"submit": 10, "worker": 300, "status": 10},
    }
    assert json.loads(json.dumps(found)) == found


def test_a_missing_queue_is_one_sentence(params: Params) -> None:
    sqs, functions = clients()
    with Stubber(sqs) as queues:
        queues.add_client_error("get_queue_url", "AWS.SimpleQueueService.NonExistentQueue", "no such queue")
        with pytest.raises(AwsError, match="reading the queues"):
            live.read(sqs, functions, params)
