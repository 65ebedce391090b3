"""The sandbox of a service with several workers: each has what the first one has, and the submit function shares the
jobs out among their queues.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from runbook_lib.params.load import Params
from runbook_lib.params.posts import Post

OF_A_WORKER = ("Queue", "Dlq", "Worker", "WorkerLogs", "WorkerRole", "WorkerSource", "FailedJobsFilter")
"""Logical ids of what each worker has."""
_NAMED = {"QueueName": "queue", "DlqName": "dlq", "WorkerName": "worker"}
"""The template's parameters with their names, and the keys of `names`."""


def put(params: Params, template: dict[str, Any], own: dict[str, str]) -> None:
    """Puts the workers after the first into a whole template.

    Args:
        own: names of what the sandbox alone has, by the template's parameter, of the first worker.
    """
    resources, more = template["Resources"], params.service.crew[1:]
    for post in more:
        values = {parameter: params.name(post.key(key)) for parameter, key in _NAMED.items()}
        values |= {parameter: f"{name}-{post.place}" for parameter, name in own.items()}
        for parameter, value in values.items():
            template["Parameters"][f"{parameter}{post.place}"] = {"Type": "String", "Default": value}
        for id in OF_A_WORKER:
            resources[f"{id}{post.place}"] = _renamed(copy.deepcopy(resources[id]), post, {*OF_A_WORKER, *values})
            _shortened(resources[f"{id}{post.place}"])
        properties = resources[f"Worker{post.place}"]["Properties"]
        properties["ReservedConcurrentExecutions"] = post.concurrency
        source = resources[f"WorkerSource{post.place}"]["Properties"]
        source["ScalingConfig"] = {"MaximumConcurrency": post.concurrency}
    if more:
        queues = ["Queue", *(f"Queue{post.place}" for post in more)]
        variables = resources["Submit"]["Properties"]["Environment"]["Variables"]
        variables["QUEUE_URL"] = {"Fn::Join": [" ", [{"Ref": queue} for queue in queues]]}
        for statement in resources["SubmitRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
            if statement["Action"] == "sqs:SendMessage":
                statement["Resource"] = [{"Fn::GetAtt": [queue, "Arn"]} for queue in queues]


def _shortened(resource: dict[str, Any]) -> None:
    """Takes out what CloudFormation does not need: CreateStack takes 51,200 bytes."""
    for key in ("DeletionPolicy", "UpdateReplacePolicy"):
        resource.pop(key, None)
    properties = resource["Properties"]
    properties.pop("Tags", None)
    if "Code" in properties:
        code = re.sub(r'\A""".*?"""\n', "", properties["Code"]["ZipFile"], flags=re.DOTALL)
        properties["Code"] = {"ZipFile": code}


def _renamed(value: Any, post: Post, names: set[str]) -> Any:
    """A part of the template in which what is the first worker's is this one's."""
    if isinstance(value, dict):
        return {key: _renamed(one, post, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, post, names) for one in value]
    if not isinstance(value, str):
        return value
    if value in names:
        return f"{value}{post.place}"
    known = "|".join(sorted(names, key=len, reverse=True))
    return re.sub(rf"\$\{{({known})(?=[.}}])", lambda found: f"${{{found[1]}{post.place}", value)
