"""Who may speak for a role: by ARN, by a group of IAM, by reviewers of a CI environment; else a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.base.errors import AwsError
from runbook_lib.observe.ci.job_token import JobToken
from runbook_lib.params.approvals import Approvals, Reviewed
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rollout.speaking import Approver, against, in_facts, is_member
from tests import jobs_token

LEAD = "engineering lead"
LEADS = "arn:aws:iam::000000000103:group/eng/leads"
GRACE = "arn:aws:iam::000000000103:user/grace"
JOB = "arn:aws:sts::000000000103:assumed-role/approve-prod/runbook-42"
SAID = jobs_token.SAID.model_copy(update={"repository": "Acme/orders", "approved_by": ("Grace",)})


def members(*users: str) -> Any:
    def ask(group: str, user: str) -> bool:
        assert group == LEADS
        return user in users

    return ask


def nobody(*_: str) -> bool:
    raise AwsError("iam:GetGroup: denied")


def test_a_user_in_the_group_may_and_another_may_not() -> None:
    rules = Approvals(callers={LEAD: (LEADS,)})
    assert against(rules, Approver(LEAD, GRACE), members(GRACE)) is None
    found = against(rules, Approver(LEAD, GRACE), members())
    assert found is not None and not found.unsure and f"may not approve as the {LEAD}: {LEADS} may" in found.why


@pytest.mark.parametrize(
    "arn",
    [
        "",
        LEADS,
        JOB,
        "arn:aws:iam::000000000104:user/grace",
        "arn:aws:iam::000000000103:root",
        "arn:aws-cn:iam::000000000103:user/grace",
        "arn:aws:sts::000000000103:federated-user/grace",
    ],
)
def test_only_a_user_of_the_account_can_be_in_a_group(arn: str) -> None:
    """IAM is not asked about others: a group has no roles."""
    found = against(Approvals(callers={LEAD: (LEADS,)}), Approver(LEAD, arn), lambda *_: pytest.fail("asked"))
    assert (found is None) == (arn == LEADS), "an ARN that is spelt out is a pattern as any other"


def test_what_cannot_be_told_is_refused_and_said() -> None:
    rules = Approvals(callers={LEAD: (LEADS, "arn:aws:iam::*:user/ada")})
    found = against(rules, Approver(LEAD, GRACE), nobody)
    assert found is not None and found.unsure
    assert found.why.startswith(f"whether {GRACE} is in {LEADS} cannot be told: iam:GetGroup: denied")
    assert against(rules, Approver(LEAD, "arn:aws:iam::000000000103:user/ada"), nobody) is None, "by the ARN"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::*:group/leads",
        "arn:aws:iam::000000000103:group/*",
        "arn:aws:iam::1:group/leads",
        "arn:aws:iam::000000000103:group/",
        "arn:aws:iam::000000000103:group",
        "arn:*:iam::000000000103:group/leads",
    ],
)
def test_a_group_is_named_wholly(arn: str) -> None:
    with pytest.raises(ValueError, match="names no group"):
        Approvals(callers={LEAD: (arn,)})


def ci(**more: Any) -> Approvals:
    declared: dict[str, Any] = {
        "callers": ["*:assumed-role/approve-prod/*"],
        "repository": "acme/orders",
        "environment": "approve-prod",
    }
    return Approvals.model_validate({"ci": {LEAD: {**declared, "reviewers": ["grace", "hugo"]}}, **more})


def test_a_job_that_a_reviewer_let_in_may() -> None:
    assert against(ci(four_eyes="enforced"), Approver(LEAD, JOB, SAID), nobody) is None


@pytest.mark.parametrize(
    ("arn", "said", "says"),
    [
        (JOB, None, "approves without saying who let its job in"),
        (
            GRACE,
            SAID,
            f"{GRACE} may not approve as the {LEAD}: jobs in the environment approve-prod of acme/orders may",
        ),
        ("", SAID, "a caller that AWS did not name may not approve"),
        (JOB, {"repository": "acme/other"}, "run 42 is of approve-prod of acme/other"),
        (JOB, {"environment": "dev"}, "run 42 is of dev of Acme/orders"),
        (JOB, {"approved_by": ()}, "by nobody, not by grace or hugo"),
        (JOB, {"approved_by": ("olga",)}, "by olga, not by grace or hugo"),
        (JOB, {"rejected_by": ("hugo",)}, "hugo rejected run 42"),
        (JOB, {"attempt": 2}, "run 42 was run again, and GitHub does not say who let which attempt of it in"),
        (JOB, {"started_by": ("ada", "grace")}, "Grace started run 42 and let it in"),
    ],
)
def test_another_job_may_not(arn: str, said: Any, says: str) -> None:
    review = SAID.model_copy(update=said) if isinstance(said, dict) else said
    found = against(ci(four_eyes="enforced"), Approver(LEAD, arn, review), nobody)
    assert found is not None and says in found.why


def test_keys_come_over_tls_or_from_a_file() -> None:
    declared = ci().ci[LEAD].model_dump()
    for keys in ("", "jwks.json", "https://token.example/jwks"):
        assert Reviewed.model_validate({**declared, "keys": keys}).keys == keys
    for keys in ("http://token.example/jwks", "ftp://x", "file:///x"):
        with pytest.raises(ValueError, match="is no https address"):
            Reviewed.model_validate({**declared, "keys": keys})


def test_a_job_that_aws_did_not_name_is_nobodys() -> None:
    """`*` matches nothing, too: an entry without a caller and with a review of its own would have counted."""
    rules = ci()
    any_role = rules.model_copy(update={"ci": {LEAD: rules.ci[LEAD].model_copy(update={"callers": ("*",)})}})
    assert against(any_role, Approver(LEAD, JOB, SAID), nobody) is None
    found = against(any_role, Approver(LEAD, "", SAID), nobody)
    assert found is not None and "a caller that AWS did not name may not approve" in found.why


def test_who_is_not_named_anywhere_is_anybody_but_for_a_role_with_reviewers() -> None:
    rules = ci()
    assert against(rules, Approver("product team", GRACE), nobody) is None
    assert against(rules, Approver("Engineering  Lead", GRACE), nobody) is not None
    with pytest.raises(ValueError, match="are one role; name it once"):
        Approvals.model_validate({"ci": {one: ci().ci[LEAD].model_dump() for one in (LEAD, "Engineering Lead")}})


@pytest.mark.parametrize("facts", [None, {}, {"review": None}, {"review": {"run": 1}}, {"review": []}, []])
def test_a_review_that_cannot_be_read_is_none(facts: Any) -> None:
    assert in_facts(facts) == (None, None)


def test_a_review_is_read_as_it_was_written() -> None:
    token = JobToken(header="{}", claims="{}", signature="x")
    assert in_facts({"review": SAID.model_dump(mode="json"), "signed": token.model_dump()}) == (SAID, token)


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
