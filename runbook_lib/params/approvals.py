"""Who may approve, and on which evidence (`params/gates.yaml`, `approvals`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from runbook_lib.judge.terms import Frozen

_SESSION = re.compile(
    r"arn:[^:]*:sts::(?P<account>[^:]*):(?:assumed-role/(?P<role>[^/]+)|federated-user)/(?P<session>.+)"
)

_GROUP = re.compile(r"(?P<account>arn:[^:*?]+:iam::[0-9]{12}:)group/[^*?]*[^*?/]")
_OF_GROUPS = re.compile(r".*:group(/|$)")


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


class Reviewed(Frozen):
    """A protected environment of GitHub whose required reviewers speak for a role, by the job that they let in."""

    callers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """ARNs, as patterns, of the role that this environment's jobs alone may assume: its trust policy asks for a `sub`
    that ends in `:environment:NAME`."""
    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")
    """OWNER/NAME of the repository whose job approves."""
    environment: str = Field(min_length=1)
    """Name of the environment."""
    reviewers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    """Logins at GitHub, of whom one must have let the job in."""
    keys: str = ""
    """GitHub's public keys (JWKS): a file beside this one, or an https address such as the issuer's
    `/.well-known/jwks`. Then an approval counts only with a token that GitHub has signed for that job and that
    approval. Empty: the job's word is enough."""

    @field_validator("keys")
    @classmethod
    def _over_tls(cls, value: str) -> str:
        if "://" in value and not value.startswith("https://"):
            raise ValueError(f"'{value}' is no https address: whoever is in between could put keys of his own there")
        return value


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
    """Role to the ARNs that may speak for it, as patterns (`*` any characters, `?` any one); a role that is not named,
    here or in `ci`: any caller. An assumed role, as by single sign-on, is
    `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`. `arn:aws:iam::ACCOUNT:group/NAME`, without a pattern: the users in
    that group of IAM, which is asked each time; roles are in no group."""
    ci: dict[str, Reviewed] = Field(default_factory=dict)
    """Role to the environment of GitHub whose reviewers may speak for it, by a job that runs `runbook approve`."""

    @field_validator("callers")
    @classmethod
    def _apart(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        once(value, "callers")
        for arn in (each for arns in value.values() for each in arns):
            if _OF_GROUPS.match(arn) and not _GROUP.fullmatch(arn):
                raise ValueError(f"'{arn}' names no group: expects arn:aws:iam::ACCOUNT:group/NAME, without * and ?")
        return value

    @model_validator(mode="after")
    def _reviewed_apart(self) -> Approvals:
        once(self.ci, "ci")
        return self

    def may(self, role: str, arn: str) -> bool:
        """Whether a caller may approve in that role, by the ARN alone."""
        allowed = self.callers_of(role)
        return (allowed is None and self.reviewed(role) is None) or _matches(arn, allowed or ())

    def named(self, role: str) -> bool:
        """Whether anything says who may approve in that role."""
        return self.callers_of(role) is not None or self.reviewed(role) is not None

    def groups(self, role: str, arn: str) -> list[str]:
        """The groups that may speak for a role and that a caller could be in: a user of their account."""
        found = ((_GROUP.fullmatch(one), one) for one in self.callers_of(role) or ())
        return [one for match, one in found if match and arn.startswith(f"{match['account']}user/")]

    def reviewed(self, role: str) -> Reviewed | None:
        """The environment whose reviewers may speak for a role; None: there is none."""
        return next((one for name, one in self.ci.items() if slug(name) == slug(role)), None)

    def in_ci(self, role: str, arn: str) -> Reviewed | None:
        """The environment of GitHub whose jobs have the caller's role; else None."""
        found = self.reviewed(role)
        return found if found and arn and _matches(arn, found.callers) else None

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


def groups(callers: Iterable[Iterable[str]], account: str) -> list[str]:
    """The groups of IAM of one account among callers, each once."""
    found = ((_GROUP.fullmatch(one), one) for arns in callers for one in arns)
    return list(dict.fromkeys(one for match, one in found if match and match["account"].endswith(f"::{account}:")))


def _matches(arn: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(arn, pattern) for pattern in patterns)
