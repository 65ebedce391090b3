"""When to come back to a soak, and what for: one answer for status, the index notebook and every next step.

AWS tells when the verdict is due; the newest look at the soak may ask for one more before that, since jobs leave the
table (`before_jobs_are_gone`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass

from runbook_lib.base.window import parse
from runbook_lib.judge.words import instant
from runbook_lib.record.record import Record
from runbook_lib.rollout.moment import Moment

SAME = dt.timedelta(minutes=1)
"""Times that differ by less are one: a record has the time when the shift was read back, AWS when it was begun."""


@dataclass(frozen=True)
class Back:
    """The next time at which a soak has to be looked at."""

    at: dt.datetime | None
    """When to come back; None: no time is known."""
    verdict_at: dt.datetime | None = None
    """When the verdict is due by AWS; None: AWS was not asked, or the time has come."""

    @property
    def between(self) -> bool:
        """Whether it is for a look in between, before the verdict."""
        return self.at is not None and self.verdict_at is not None and self.at < self.verdict_at

    def soaking(self) -> str:
        """What to know while the time has not come."""
        if self.at is None:
            return "an interim look is always safe; the verdict is not due yet"
        if self.between:
            return f"run it again at {instant(self.at)}, a look in between; {self._verdict}"
        due = self._verdict if self.verdict_at else f"come back at {instant(self.at)}"
        return f"an interim look is always safe; {due}"

    def due(self) -> str:
        """What to know once the time has come."""
        if self.between:
            return f"it is time for a look in between, before its jobs leave the table; {self._verdict}"
        return "it is time for the verdict"

    @property
    def _verdict(self) -> str:
        return f"the verdict is due at {instant(self.verdict_at)}"


def back(moment: Moment | None, *looks: Record | None) -> Back:
    """When to come back to a soak.

    Args:
        moment: where the phase stands by AWS; None: AWS was not asked about it.
        looks: records of the soak, newest first: the first that looked at it and named a time counts. A watch's look
            decides nothing, and counts jobs all the same.
    """
    said = next((at for one in looks if one is not None and (at := _said(one)) is not None), None)
    verdict = moment.come_back_at if moment is not None and moment.name == "during" else None
    if verdict is None:
        return Back(said)
    return Back(said if said is not None and said + SAME <= verdict else verdict, verdict)


def _said(look: Record) -> dt.datetime | None:
    """The time that a look named; a text that is no time is none, as everywhere."""
    soaks = look.status == "completed" and look.decision in (None, "SOAK")
    with contextlib.suppress(ValueError):
        return parse(look.told.come_back_at) if soaks and look.told.come_back_at else None
    return None
