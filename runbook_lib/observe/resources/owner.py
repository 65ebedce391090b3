"""Who owns a resource: the CloudFormation stack that made it, if one did (docs/domain.md, trap 23).

A resource that a stack owns is changed in the team's code: the next deployment undoes a change by hand, or fails on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.asking import Clients

GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")
"""States in which a resource belongs to no stack any more."""
_LIVE = (
    "CREATE_IN_PROGRESS",
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)


class Owner(Frozen):
    """The stack that owns a resource, and the resource's logical id in its template."""

    stack: str
    logical_id: str

    def __str__(self) -> str:
        return f"{self.logical_id} of stack {self.stack}"


def owner(aws: Clients, physical_name: str, kind: str) -> Owner | None:
    """The owner of one resource; None: no stack of this account and region owns it.

    Args:
        physical_name: CloudFormation's physical id: the name of an alarm or dashboard, but the URL of a queue.
        kind: CloudFormation's type, such as `AWS::CloudWatch::Alarm`; an alarm and a dashboard may share a name.

    Raises:
        AwsError: CloudFormation refused or did not answer; who owns it is not known then.
    """
    return owners(aws, [physical_name], kind).get(physical_name)


def owners(aws: Clients, physical_names: Iterable[str], kind: str) -> dict[str, Owner]:
    """The owners of several resources of one kind, by physical name; a resource without an owner is left out.

    It calls DescribeStackResources once for each stack, where CloudFormation looks resources up by name. Where
    CloudFormation does not understand the question (both emulators) or a policy does not allow it, it lists the
    resources of the stacks instead, once for all names.

    Raises:
        AwsError: CloudFormation refused or did not answer.
    """
    client = aws.client("cloudformation")
    wanted = dict.fromkeys(physical_names)
    found: dict[str, Owner] = {}
    for name in wanted:
        if name in found:
            continue
        resources = _same_stack(client, name)
        if resources is None:
            return {each: found[each] for each in wanted if each in found} | _scan(
                client, set(wanted) - set(found), kind
            )
        found |= {each: mine for each, mine in _owned(resources, kind) if each in wanted}
    return found


def _same_stack(client: Any, name: str) -> list[dict[str, Any]] | None:
    """All resources of the stack that contains `name`; empty if no stack does; None if AWS cannot answer this.

    AWS answers "Stack for <name> does not exist"; a message without the name answers another question.
    """
    from botocore.exceptions import ClientError

    with aws_errors(f"asking who owns {name} (cloudformation:DescribeStackResources)"):
        try:
            return list(client.describe_stack_resources(PhysicalResourceId=name)["StackResources"])
        except ClientError as error:
            said = error.response.get("Error", {})
            if str(said.get("Code")).startswith("AccessDenied"):
                return None  # the question names no stack: a policy that names stacks may not cover it
            if said.get("Code") != "ValidationError" or "not exist" not in said.get("Message", ""):
                raise
            return [] if name in said["Message"] else None


def _owned(resources: Iterable[dict[str, Any]], kind: str) -> Iterator[tuple[str, Owner]]:
    for one in resources:
        if one.get("ResourceType") == kind and one.get("ResourceStatus") not in GONE and "PhysicalResourceId" in one:
            yield one["PhysicalResourceId"], Owner(stack=one["StackName"], logical_id=one["LogicalResourceId"])


def _scan(client: Any, wanted: set[str], kind: str) -> dict[str, Owner]:
    found: dict[str, Owner] = {}
    with aws_errors("looking through the stacks (cloudformation:ListStacks, cloudformation:ListStackResources)"):
        stacks = client.get_paginator("list_stacks").paginate(StackStatusFilter=list(_LIVE))
        for name in [stack["StackName"] for page in stacks for stack in page["StackSummaries"]]:
            pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
            resources = [{**one, "StackName": name} for page in pages for one in page["StackResourceSummaries"]]
            found |= {each: mine for each, mine in _owned(resources, kind) if each in wanted}
            if len(found) == len(wanted):
                break
    return found
