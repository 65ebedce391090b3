"""Whether a caller may speak for a role: by its ARN, by a group of IAM, or by reviewers of a CI environment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from runbook_lib.base.aws import aws_errors, connect
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.ci.job_token import JobToken
from runbook_lib.observe.ci.reviews import Review
from runbook_lib.params.approvals import Approvals, Reviewed
from runbook_lib.params.load import Params
from runbook_lib.rollout import job_proof

Said = TypeVar("Said", Review, JobToken)
Asking = Callable[[str, str], bool]
"""Whether a group, by its ARN, has a user, by theirs; it raises AwsError."""


@dataclass(frozen=True)
class Approver:
    """Who approves: the role, the caller's ARN by AWS, and what CI said of the job, if it is one."""

    role: str
    arn: str
    review: Review | None = None
    token: JobToken | None = None
    """GitHub's signed word for that job."""
    audience: str = ""
    """What the token must be for."""
    at: dt.datetime | None = None
    """Instant of the approval."""
    beside: Path = Path()
    """Folder of `gates.yaml`."""


class Against(NamedTuple):
    """Why a caller may not speak for a role."""

    why: str
    unsure: bool = False
    """Whether that cannot be told, rather than is so."""


def asking(params: Params) -> Asking:
    """A function that asks IAM about groups, each question once. Its clients are made where there is a question."""
    known: dict[tuple[str, str], bool | AwsError] = {}
    clients: list[Any] = []

    def ask(group: str, user: str) -> bool:
        if (group, user) not in known:
            try:
                clients[:] = clients or [connect(params, quick=True)]
                known[group, user] = is_member(clients[0], group, user)
            except AwsError as error:
                known[group, user] = error
        found = known[group, user]
        if isinstance(found, AwsError):
            raise found
        return found

    return ask


def against(rules: Approvals, who: Approver, ask: Asking) -> Against | None:
    """Why the caller may not speak for the role; None: they may."""
    if rules.may(who.role, who.arn) and (who.arn or not (rules.named(who.role) or rules.four_eyes == "enforced")):
        return None
    unsure = ""
    for group in rules.groups(who.role, who.arn):
        try:
            if ask(group, who.arn):
                return None
        except AwsError as error:
            unsure = unsure or f"whether {who.arn} is in {group} cannot be told: {error}"
    reviewed = rules.in_ci(who.role, who.arn)
    if reviewed is not None:
        try:
            why = _not_reviewed(rules, reviewed, who)
        except Refused as error:
            return Against(f"{error} (gates.yaml, approvals.ci)", unsure=True)
        return Against(why) if why else None
    if unsure:
        return Against(f"{unsure} (gates.yaml, approvals.callers)", unsure=True)
    allowed = list(rules.callers_of(who.role) or ())
    if (ci := rules.reviewed(who.role)) is not None:
        allowed.append(f"jobs in the environment {ci.environment} of {ci.repository}")
    caller = who.arn or "a caller that AWS did not name"
    told = ", ".join(allowed) or "whoever AWS names"
    return Against(f"{caller} may not approve as the {who.role}: {told} may (gates.yaml, approvals.callers)")


def _not_reviewed(rules: Approvals, wanted: Reviewed, who: Approver) -> str:
    """Why the reviewers of an environment have not spoken by this job; empty: they have."""
    said, where, rule = who.review, f"{wanted.environment} of {wanted.repository}", "(gates.yaml, approvals.ci)"
    if said is None:
        return f"{who.arn} approves without saying who let its job into {where} {rule}"
    there, run, known = f"{said.environment} of {said.repository}", f"run {said.run}", counted(wanted, said)
    came_by, expected = ", ".join(said.approved_by) or "nobody", " or ".join(wanted.reviewers)
    wrong = (
        (there.casefold() != where.casefold(), f"{run} is of {there}, and {where} speaks for the {who.role}"),
        (
            said.attempt != 1,
            f"{run} was run again, and GitHub does not say who let which attempt of it in: start another run",
        ),
        (bool(said.rejected_by), f"{', '.join(said.rejected_by)} rejected {run} in {where}: start another run"),
        (not known, f"{run} was let into {where} by {came_by}, not by {expected}"),
        (
            rules.four_eyes == "enforced" and not others(known, said),
            f"{', '.join(known)} started {run} and let it into {where}; another one has to",
        ),
    )
    why = next((sentence for so, sentence in wrong if so), "")
    if not why and wanted.keys:
        unsigned = job_proof.wrong(wanted, said, who.token, who.audience, who.at, who.beside)
        why = f"{run} of {where}: {unsigned}" if unsigned else ""
    return f"{why} {rule}" if why else ""


def let_in(rules: Approvals, who: Approver) -> list[str]:
    """The reviewers who speak by the caller's job; none, if it is not one."""
    reviewed = rules.in_ci(who.role, who.arn)
    return counted(reviewed, who.review) if reviewed and who.review else []


def counted(wanted: Reviewed, said: Review) -> list[str]:
    """The reviewers that are declared and let the job in. Logins at GitHub are the same in any case."""
    names = {one.casefold() for one in wanted.reviewers}
    return [one for one in said.approved_by if one.casefold() in names]


def others(known: list[str], said: Review) -> list[str]:
    """The reviewers who did not start the run themselves."""
    own = {one.casefold() for one in said.started_by}
    return [one for one in known if one.casefold() not in own]


def in_facts(facts: Any) -> tuple[Review | None, JobToken | None]:
    """What the facts of an approval say of its job: the review and the token; None: it cannot be read."""
    return _one(Review, facts, "review"), _one(JobToken, facts, "signed")


def _one(model: type[Said], facts: Any, name: str) -> Said | None:
    try:
        return model.model_validate(facts[name])
    except (KeyError, TypeError, ValidationError):
        return None


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
