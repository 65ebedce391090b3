"""A user is in a group of IAM, is not, or it cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.resources.groups import is_member
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws

HERE = "arn:aws:iam::000000000000"


def test_iam_is_asked_for_the_members(embedded: EmbeddedAws) -> None:
    iam = embedded.client("iam")
    iam.create_group(GroupName="leads", Path="/eng/")
    for name in ("grace", "olga"):
        iam.create_user(UserName=name, Path="/people/")
    iam.add_user_to_group(GroupName="leads", UserName="grace")
    group = f"{HERE}:group/eng/leads"
    assert is_member(embedded, group, f"{HERE}:user/people/grace")
    for other in (f"{HERE}:user/people/olga", f"{HERE}:user/grace", f"{HERE}:user/people/Grace", ""):
        assert not is_member(embedded, group, other)
    for other in (f"{HERE}:group/leads", "arn:aws:iam::000000000001:group/eng/leads"):
        with pytest.raises(AwsError, match=f"there is no group {other} in this account: IAM has {group}"):
            is_member(embedded, other, f"{HERE}:user/people/grace")
    with pytest.raises(AwsError, match="iam:GetGroup"):
        is_member(embedded, f"{HERE}:group/none", f"{HERE}:user/people/grace")


def test_a_member_on_a_later_page_is_found() -> None:
    """IAM answers a hundred users at a time; the embedded one all at once."""
    pages = [{"Group": {"Arn": "g/leads"}, "Users": [{"Arn": f"u{page}{each}"} for each in (0, 1)]} for page in (0, 1)]

    class Iam:
        def client(self, _: str) -> Any:
            return self

        def get_paginator(self, name: str) -> Any:
            assert name == "get_group"
            return self

        def paginate(self, **said: str) -> Any:
            assert said == {"GroupName": "leads"}
            return pages

    assert is_member(Iam(), "g/leads", "u11") and not is_member(Iam(), "g/leads", "u12")
