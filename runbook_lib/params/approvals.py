"""Who may approve, and on which evidence (`params/gates.yaml`, `approvals`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, field_validator

from runbook_lib.judge.terms import Frozen

_SESSION = re.compile(
    r"arn:[^:]*:sts::(?P<account>[^:]*):(?:assumed-role/(?P<role>[^/]+)|federated-user)/(?P<session>.+)"
)


def slug(role: str) -> str:
    """A role as part of a check's id: roles that differ only in case, spaces or `_` are the same."""
    return "_".join(role.casefold().replace("_", " ").split())


def once(roles: Iterable[str], where: str) -> None:
    """Refuses two spellings of one role.

    Raises:
        ValueError: a role is spelt in two ways.
    """
    seen: dict[str, str] = {}
    for role in roles:
        if slug(role) in seen:
            raise ValueError(f"{where}: '{seen[slug(role)]}' and '{role}' are one role; name it once")
        seen[slug(role)] = role


class Approvals(Frozen):
    """The conditions of an approval of a phase, beside the right role (`rollout/approval.py`)."""

    four_eyes: Literal["enforced", "advised"] = "advised"
    """Whether the approver may be the one who runs the phase, or ran the one before: refused, or only reported.
    AWS's ARN tells people apart; two people with one ARN count as one person. Where it is enforced, so do all sessions
    of a role that is not in `named_sessions`."""
    named_sessions: tuple[Annotated[str, Field(min_length=1)], ...] = ("AWSReservedSSO_*",)
    """Roles, as patterns of their names, whose session name the identity provider sets to the person's name, as single
    sign-on does: one name is one person, in each such role and account. Whoever assumes another role names the session
    at will."""
    max_age_h: float | None = Field(default=None, gt=0, le=8784)
    """Hours that an approval holds, and within which a record may be approved after it was made; None: any time."""
    callers: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = Field(default_factory=dict)
    """Role to the ARNs that may speak for it, as patterns (`*` any characters, `?` any one); a role that is not named:
    any caller. An assumed role, as by single sign-on, is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""

    @field_validator("callers")
    @classmethod
    def _apart(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        once(value, "callers")
        return value

    def may(self, role: str, arn: str) -> bool:
        """Whether a caller may approve in that role."""
        allowed = self.callers_of(role)
        return allowed is None or any(fnmatchcase(arn, pattern) for pattern in allowed)

    def one_person(self, one: str, other: str) -> bool:
        """Whether two ARNs may be one person's. Where four eyes are only advised: whether they surely are."""
        if one.casefold() == other.casefold():
            return True
        (role, who), (_, same) = self._person(one), self._person(other)
        return who == same and (not role or self.four_eyes == "enforced")

    def _person(self, arn: str) -> tuple[str, str]:
        """The role whose sessions cannot be told apart, or empty; and who the caller is, as far as AWS knows."""
        found = _SESSION.fullmatch(arn)
        if found is None:
            return "", arn.casefold()
        role = found["role"] or "federated"
        if found["role"] and any(fnmatchcase(role, pattern) for pattern in self.named_sessions):
            return "", f"session {found['session'].casefold()}"
        return role, f"{found['account']} {role.casefold()}"

    def callers_of(self, role: str) -> tuple[str, ...] | None:
        """The ARNs that may speak for a role, in any spelling of it; None: any."""
        return next((arns for one, arns in self.callers.items() if slug(one) == slug(role)), None)
