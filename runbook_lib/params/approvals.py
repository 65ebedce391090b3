"""Whose approval counts, and on which evidence (`params/gates.yaml`, `approvals`)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from runbook_lib.judge.terms import Frozen


class Approvals(Frozen):
    """What an approval of a phase must be, beside being of the right role (`rollout/approval.py`)."""

    four_eyes: Literal["enforced", "advised"] = "advised"
    """Whether the one who approves may also be the one who runs the phase, or ran the one before: refused, or told.
    People are told apart by the ARN that AWS knows them by; two people of one ARN are one person here."""
    max_age_h: float | None = Field(default=None, gt=0, le=8784)
    """Hours for which an approval holds, and for which a record may be approved after it was made; None: any time."""
    callers: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = Field(default_factory=dict)
    """Role to the ARNs that may speak for it, `*` for any characters; a role that is not named: any caller. AWS knows
    who has assumed a role, as by single sign-on, as `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`."""

    def may(self, role: str, arn: str) -> bool:
        """Whether a caller may approve in that role."""
        allowed = self.callers_of(role)
        return allowed is None or any(fnmatchcase(arn, pattern) for pattern in allowed)

    def callers_of(self, role: str) -> tuple[str, ...] | None:
        """The ARNs that may speak for a role, whatever its case and spaces; None: any."""
        wanted = role.casefold().split()
        return next((arns for one, arns in self.callers.items() if one.casefold().split() == wanted), None)
