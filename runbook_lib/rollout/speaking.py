"""Whether a caller may speak for a role: by its ARN, by a group of IAM, or by reviewers of a CI environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from runbook_lib.base.aws import connect
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.resources.groups import is_member
from runbook_lib.observe.reviews import Review
from runbook_lib.params.approvals import Approvals, Reviewed
from runbook_lib.params.load import Params

Asking = Callable[[str, str], bool]
"""Whether a group, by its ARN, has a user, by theirs; it raises AwsError."""


@dataclass(frozen=True)
class Approver:
    """Who approves: the role, the caller's ARN by AWS, and what CI said of the job, if it is one."""

    role: str
    arn: str
    review: Review | None = None


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
        why = _not_reviewed(rules, reviewed, who)
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
    there = f"{said.environment} of {said.repository}"
    if there.casefold() != where.casefold():
        return f"run {said.run} is of {there}, and {where} speaks for the {who.role} {rule}"
    if said.rejected_by:
        return f"{said.rejected_by[0]} rejected run {said.run} in {where}: start another run {rule}"
    known = counted(wanted, said)
    if not known:
        let_in = ", ".join(said.approved_by) or "nobody"
        return f"run {said.run} was let into {where} by {let_in}, not by {' or '.join(wanted.reviewers)} {rule}"
    if rules.four_eyes == "enforced" and not others(known, said):
        return f"{known[0]} started run {said.run} and let it into {where}; another one has to {rule}"
    return ""


def let_in(rules: Approvals, who: Approver) -> list[str]:
    """The reviewers who speak by the caller's job; none, if it is not one."""
    reviewed = rules.in_ci(who.role, who.arn)
    return counted(reviewed, who.review) if reviewed and who.review else []


def counted(wanted: Reviewed, said: Review) -> list[str]:
    """The reviewers that are declared and let the job in. Logins at GitHub are the same in any case."""
    names = {one.casefold() for one in wanted.reviewers}
    return [one for one in said.approved_by if one.casefold() in names]


def others(known: list[str], said: Review) -> list[str]:
    """Those among some reviewers who did not start the run themselves."""
    own = {one.casefold() for one in said.started_by}
    return [one for one in known if one.casefold() not in own]


def review_of(facts: Any) -> Review | None:
    """The review in the facts of an approval; None: there is none that can be read."""
    try:
        return Review.model_validate(facts["review"])
    except (KeyError, TypeError, ValidationError):
        return None
