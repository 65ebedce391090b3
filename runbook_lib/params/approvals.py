"""Whose approval counts, and on which evidence (`params/gates.yaml`, `approvals`)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, field_validator

from runbook_lib.judge.terms import Frozen


def slug(role: str) -> str:
    """A role as part of a check's id: roles that differ by case, spaces or `_` alone are one."""
    return "_".join(role.casefold().replace("_", " ").split())


def once(roles: Iterable[str], where: str) -> None:
    """Refuses two spellings of one role.

    Raises:
        ValueError: there are.
    """
    seen: dict[str, str] = {}
    for role in roles:
        if slug(role) in seen:
            raise ValueError(f"{where}: '{seen[slug(role)]}' and '{role}' are one role; name it once")
        seen[slug(role)] = role


class Approvals(Frozen):
    """What an approval of a phase must be, beside being of the right role (`rollout/approval.py`)."""

    four_eyes: Literal["enforced", "advised"] = "advised"
    """Whether the one who approves may also be the one who runs the phase, or ran the one before: refused, or told.
    People are told apart by the ARN that AWS knows them by; two people of one ARN are one person here."""
    max_age_h: float | None = Field(default=None, gt=0, le=8784)
    """Hours for which an approval holds, and for which a record may be approved after it was made; None: any time."""
    callers: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = Field(default_factory=dict)
    """Role to the ARNs that may speak for it, as patterns (`*` any characters, `?` any one); a role that is not named:
    any caller. Who has assumed a role, as by single sign-on, is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""

    @field_validator("callers")
    @classmethod
    def _apart(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        once(value, "callers")
        return value

    def may(self, role: str, arn: str) -> bool:
        """Whether a caller may approve in that role."""
        allowed = self.callers_of(role)
        return allowed is None or any(fnmatchcase(arn, pattern) for pattern in allowed)

    def callers_of(self, role: str) -> tuple[str, ...] | None:
        """The ARNs that may speak for a role, however it is spelt; None: any."""
        return next((arns for one, arns in self.callers.items() if slug(one) == slug(role)), None)
