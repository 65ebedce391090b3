"""CloudFormation's change sets of a stack, and the physical ids of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.judge.incidents.diff import Diff, joined
from runbook_lib.observe.asking import pages

READY = "CREATE_COMPLETE"


def ready(cloudformation: Any, stack: str) -> dict[str, Any]:
    """Creation times of the change sets of `stack` that can be executed, by id.

    Raises:
        AwsError: there is no such stack, or CloudFormation refused or did not answer.
    """
    with aws_errors(f"listing the change sets of {stack} (cloudformation:ListChangeSets)"):
        found = pages(cloudformation, "list_change_sets", "Summaries", StackName=stack)
    return {one["ChangeSetId"]: one["CreationTime"] for one in found if one.get("Status") == READY}


def described(cloudformation: Any, id: str) -> Diff:
    """What a change set names, with the values of properties.

    Raises:
        AwsError: CloudFormation refused or did not answer.
    """
    with aws_errors("reading a change set (cloudformation:DescribeChangeSet)"):
        answers, token = list[Mapping[str, Any]](), dict[str, str]()
        while True:
            answer = cloudformation.describe_change_set(ChangeSetName=id, IncludePropertyValues=True, **token)
            answers.append(answer)
            if not answer.get("NextToken"):
                return joined(answers)
            token = {"NextToken": answer["NextToken"]}


def resources(cloudformation: Any, stack: str) -> dict[str, str]:
    """Physical id of each resource of `stack`, by its logical id.

    Raises:
        AwsError: there is no such stack, or CloudFormation refused or did not answer.
    """
    with aws_errors(f"reading the resources of {stack} (cloudformation:ListStackResources)"):
        found = pages(cloudformation, "list_stack_resources", "StackResourceSummaries", StackName=stack)
    return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found}
