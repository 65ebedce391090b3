"""Whether a user is in a group of IAM."""

from __future__ import annotations

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.asking import Clients


def is_member(aws: Clients, group: str, user: str) -> bool:
    """Whether the user with one ARN is in the group with another one, as IAM knows both now.

    Raises:
        AwsError: IAM cannot be asked, or the caller's account has no such group.
    """
    with aws_errors("iam:GetGroup"):
        pages = list(aws.client("iam").get_paginator("get_group").paginate(GroupName=group.rpartition("/")[2]))
    there = {str(page["Group"]["Arn"]) for page in pages}
    if there != {group}:  # of another account, or at another path
        raise AwsError(f"there is no group {group} in this account: IAM has {', '.join(sorted(there)) or 'none'}")
    return any(str(one["Arn"]) == user for page in pages for one in page["Users"])
