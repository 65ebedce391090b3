"""AWS's rules for names of resources: a wildcard or a quote would widen or break the policies made from the names.

Lambda API Reference, CreateFunction (`FunctionName`); SQS, CreateQueue (`QueueName`); DynamoDB, CreateTable
(`TableName`, `IndexName`); SNS, CreateTopic (`Name`); S3 User Guide, "General purpose bucket naming rules";
CloudFormation, CreateStack (`StackName`); CloudWatch Logs, CreateLogGroup (`logGroupName`); Systems Manager,
PutParameter (`Name`). The name of a REST API is free text, and is in no policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runbook_lib.params.bounds import Said
from runbook_lib.params.sentence import shown

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

_FUNCTION = (r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, - and _")
_QUEUE = (r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?", "1 to 80 letters, digits, - and _")
_TABLE = (r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, - _ and .")
GRAMMAR: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("submit", "worker", "status", "sync"), _FUNCTION),
    **dict.fromkeys(("queue", "dlq", "drill_queue"), _QUEUE),
    **dict.fromkeys(("table", "gsi"), _TABLE),
    "topic": (r"(?=.{1,256}$)[A-Za-z0-9_-]+(\.fifo)?", "1 to 256 letters, digits, - and _"),
    "bucket_prefix": (r"[a-z0-9][a-z0-9.-]{0,62}", "1 to 63 small letters, digits, - and ."),
    "stack": (r"[A-Za-z][A-Za-z0-9-]{0,127}", "a letter, then up to 127 letters, digits and -"),
    "access_log": (r"[A-Za-z0-9._/#-]{1,512}", "1 to 512 letters, digits and . - _ / #"),
    "api_id": (r"[A-Za-z0-9-]+", "letters, digits and -"),
}
"""Resource of `names` to the pattern of its name, and the pattern in words."""
_PARAMETER = (r"[A-Za-z0-9_./-]{1,1011}", "1 to 1011 letters, digits and _ . - /")


def check(params: Params) -> Iterator[Said]:
    """Names in service.yaml that AWS cannot have, in the environment of the parameters."""
    service = params.service
    for key in (*GRAMMAR, *(key for post in service.crew if post.suffix for key in post.keys)):
        name = service.name(key, params.env)
        if name is not None and (wrong := fault(key, name)):
            yield f"names.{key}", shown(name), wrong
    pattern, words = _PARAMETER
    for key in ("pagerduty_ssm", "webhook_ssm"):
        said = getattr(service.notify, key)
        if said and not re.fullmatch(pattern, said):
            yield f"notify.{key}", shown(said), f"AWS does not allow this name; expects {words}"
    variable = service.notify.webhook_env
    if variable and not variable.isidentifier():  # perhaps the webhook itself, which is a secret
        yield "notify.webhook_env", "'…'", "expects the name of an environment variable, not its value"


def fault(resource: str, name: str) -> str:
    """What is wrong with a resource's name, as the end of a sentence; empty: nothing.

    >>> fault("worker", "orders-worker"), fault("worker", "*")
    ('', 'AWS does not allow this name; expects 1 to 64 letters, digits, - and _')
    """
    pattern, words = GRAMMAR.get(resource) or GRAMMAR.get(resource.rpartition("_")[0], (r"[\s\S]+", ""))
    return "" if re.fullmatch(pattern, name) else f"AWS does not allow this name; expects {words}"


_PARTITIONS = {
    **{"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"},
    **{"us-isof-": "aws-iso-f", "eu-isoe-": "aws-iso-e", "eusc-": "aws-eusc"},
}
"""Beginnings of regions outside the usual partition (`partitions.json` of botocore)."""


def partition(region: str) -> str:
    """The partition of AWS with this region, as in ARNs."""
    begins = next((one for one in _PARTITIONS if region.startswith(one)), "")
    return _PARTITIONS.get(begins, "aws")
