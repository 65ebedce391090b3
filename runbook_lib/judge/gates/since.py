"""The result of the test for a change in figures and words, the same for every kind of gate. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runbook_lib.judge import words
from runbook_lib.judge.gates import change, older

Course = Sequence[tuple[str, int, int]]


@dataclass(frozen=True)
class Since:
    """A time that was worse than the limit, and what was counted in it."""

    at: str
    between: tuple[str, str]
    until: str | None
    """When it ended; None: it lasts."""
    first: int
    """Place of its first part in the course."""
    bad: int
    n: int
    now: tuple[int, int]
    """(bad, n) from its beginning to the end of the course: they show the present, also where it is over."""

    def told(self, did: str) -> str:
        """In words: `since 14:20 21 of 34 failed (the change came between 14:05 and 14:20)`."""
        counts = f"{self.bad:,} of {self.n:,} {did}"
        ends = [words.instant(one) for one in self.between]
        span = f" (the change came between {' and '.join(ends)})" if ends[0] != ends[1] else ""
        if self.until is None:
            return f"since {words.instant(self.at)} {counts}{span}"
        return f"from {words.instant(self.at)} to {words.instant(self.until)} {counts}{span}, and it is over"


def found(
    course: Course,
    limit: float,
    prior: tuple[float, float],
    alpha: float,
    end: str,
    *,
    whole: tuple[int, int] | None = None,
    forgiven: int = 0,
    forgetful: bool = False,
) -> tuple[bool, Since | None]:
    """Whether the rate of failures ever was above `limit`; and the time of it, unless it is the whole course.

    Args:
        end: end of the evidence.
        forgetful: whether to use the rules of older records, which looked at the end of the course alone.
        whole, forgiven, alpha: as for `change.tested`.
    """
    bad, n = [one[1] for one in course], [one[2] for one in course]
    if forgetful:
        said = older.at_the_end(bad, n, limit, prior, whole or (sum(bad), sum(n)))
    else:
        said = change.tested(bad, n, limit, prior, alpha, whole=whole, forgiven=forgiven)
    if said.log_e < -math.log(alpha):
        return False, None
    if not said.later and said.over is None:
        return True, None
    last = len(course) if said.over is None else said.over + 1
    when = change.moment(bad[:last], n[:last], limit, prior) if said.later else change.Moment(0, 0, 0)
    starts = [one[0] for one in course]
    # Several parts may begin in the same ten seconds: the time is over when later ones begin.
    until = None if said.over is None else next((at for at in starts[last:] if at > starts[last - 1]), end)
    first = when.first
    return True, Since(
        starts[first],
        (starts[when.earliest], starts[when.latest]),
        until,
        first,
        sum(bad[first:last]),
        sum(n[first:last]),
        (sum(bad[first:]), sum(n[first:])),
    )
