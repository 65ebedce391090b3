"""The result of the test for a change in figures and words, the same for every kind of gate. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runbook_lib.judge import words
from runbook_lib.judge.gates import change, older, statistics
from runbook_lib.judge.terms import NOTHING_FORGOTTEN, OVER_AT_ONCE, OVER_IS_SHOWN, RULES, UNORDERED

Course = Sequence[tuple[str, int, int]]
OVER_ALPHA = 0.001
"""Error probability of each of the two bounds that show a worse time to be over: small, because there are many looks,
and the end of the worst stretch is chosen by the same requests."""
OLDER_ALPHA = 0.01
"""That of rules 6."""


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
    """(bad, n) from its beginning to the end of the course: they show the present, also where it is over. Where more
    failed since an earlier worse time that is over, those since then."""
    parts: int
    """Number of its parts in the course."""

    def told(self, did: str) -> str:
        """In words: `since 14:20 21 of 34 failed (the change came between 14:05 and 14:20)`."""
        counts = f"{self.bad:,} of {self.n:,} {did}"
        ends = [words.instant(one) for one in self.between]
        span = f" (the change came between {' and '.join(ends)})" if ends[0] != ends[1] else ""
        if self.until is None:
            return f"since {words.instant(self.at)} {counts}{span}"
        after = f"{self.now[0] - self.bad:,} of {self.now[1] - self.n:,} since"
        return f"from {words.instant(self.at)} to {words.instant(self.until)} {counts}{span}, and it is over: {after}"


def is_over(
    worse: tuple[int, int], after: tuple[int, int], limit: float, *, alpha: float = OVER_ALPHA, at_limit: bool = False
) -> bool:
    """Whether a worse time is over: what came after it is not above `limit`, and better beyond doubt.

    The end of the evidence for a lasting fault is no end of the fault: after a run of failures there are fewer, by
    chance alone. So two exact bounds have to lie apart (Clopper & Pearson 1934), each wrong with `alpha` at most.

    Args:
        worse, after: (failures, requests) of the time that was worse than `limit`, and of all that came after it.
        at_limit: whether what is in order lies at the limit itself, so that only what is shown to be above it is not.
    """
    (bad, n), (later, m) = worse, after
    if not m or (statistics.lower_bound(later, m, alpha) if at_limit else later / m) > limit:
        return False
    least, most = statistics.lower_bound(bad, n, alpha), statistics.upper_bound(later, m, alpha)
    return most < least or bad + later <= limit * (n + m)


def found(
    course: Course,
    limit: float,
    prior: tuple[float, float],
    alpha: float,
    end: str,
    *,
    whole: tuple[int, int] | None = None,
    forgiven: int = 0,
    rules: int = RULES,
    at_limit: bool = False,
) -> tuple[bool, Since | None]:
    """Whether the rate of failures ever was above `limit`; and the time of it, unless it is the whole course.

    Of several worse times it is the gravest; but where that is over, a later one that lasts comes before it.

    Args:
        end: end of the evidence.
        rules: version of the rules (`terms.RULES`).
        at_limit: as for `is_over`.
        whole, forgiven, alpha: as for `change.tested`.
    """
    gravest = partial(
        _gravest, limit=limit, prior=prior, alpha=alpha, end=end, forgiven=forgiven, rules=rules, at_limit=at_limit
    )
    worse, since = gravest(course, whole=whole)
    if rules < OVER_AT_ONCE:
        return worse, since
    told, place = since, 0
    seen: list[tuple[int, int]] = []
    while told is not None and told.until is not None:
        seen.append(told.now)
        place += told.first + told.parts
        again, told = gravest(course[place:])
        if again and (told is None or told.until is None):
            lasts = told or _whole(course[place:])
            # A new and smaller fault does not make what all of them did to the users smaller.
            now = max(*seen, lasts.now, key=lambda one: one[0] / one[1])
            return True, replace(lasts, first=place + lasts.first, now=now)
    return worse, since


def _gravest(
    course: Course,
    limit: float,
    prior: tuple[float, float],
    alpha: float,
    end: str,
    forgiven: int,
    rules: int,
    *,
    at_limit: bool,
    whole: tuple[int, int] | None = None,
) -> tuple[bool, Since | None]:
    """As `found`, for the worse time with the largest evidence alone."""
    bad, n = [one[1] for one in course], [one[2] for one in course]
    if rules < NOTHING_FORGOTTEN:
        said = older.at_the_end(bad, n, limit, prior, whole or (sum(bad), sum(n)))
    else:
        opening = opens(course) if rules >= UNORDERED else None
        said = change.tested(bad, n, limit, prior, alpha, whole=whole, forgiven=forgiven, opening=opening)
    if said.log_e < -math.log(alpha):
        return False, None
    starts = [one[0] for one in course]

    def span(peak: int | None, later: bool) -> tuple[change.Moment, int]:
        last = len(course) if peak is None else peak + 1
        # Several parts may begin in the same ten seconds, and their order is not known: all of them belong to it.
        while rules >= OVER_AT_ONCE and last < len(course) and starts[last] == starts[last - 1]:
            last += 1
        return change.moment(bad[:last], n[:last], limit, prior) if later else change.Moment(0, 0, 0), last

    def counted(first: int, last: int | None = None) -> tuple[int, int]:
        return sum(bad[first:last]), sum(n[first:last])

    def over(first: int, last: int, level: float) -> bool:
        return is_over(counted(first, last), counted(last), limit, alpha=level, at_limit=at_limit)

    when, last, later = spanned(said, len(course), rules, span, over)
    if not later and last == len(course):
        failed, of = whole or (sum(bad), sum(n))
        # The figures of the whole time show no failure where it is back within the limit: those of the course do.
        return True, _whole(course) if rules >= OVER_AT_ONCE and failed <= limit * of else None
    # Several parts may begin in the same ten seconds: the time is over when later ones begin.
    until = next((at for at in starts[last:] if at > starts[last - 1]), end) if last < len(course) else None
    between = starts[when.earliest], starts[when.latest]
    first = when.first
    within, now = counted(first, last), counted(first)
    return True, Since(starts[first], between, until, first, *within, now, last - first)


def opens(course: Course) -> list[int]:
    """For each part with a failure the number of its ten seconds in the course, where it is the first of them; else 0.

    A later part of the same time begins after a failure, and the first part of all begins with the course.
    """
    begins = dt.datetime.fromisoformat(course[0][0])
    found, last = [0] * len(course), 0
    for place, ((before, _, _), (at, bad, _)) in enumerate(itertools.pairwise(course), 1):
        if bad and at != before:
            number = int((dt.datetime.fromisoformat(at) - begins).total_seconds() // change.OPENING_S)
            found[place], last = (number, number) if number > last else (0, last)
    return found


def spanned(
    said: change.Tested,
    count: int,
    rules: int,
    span: Callable[[int | None, bool], tuple[change.Moment, int]],
    over: Callable[[int, int, float], bool],
) -> tuple[change.Moment, int, bool]:
    """When a worse time began, the part after its end, and whether it began after the start, by these rules.

    Args:
        count: number of parts.
        span: when it began and the part after its end, for the part that it ended with (None: it lasts) and for
            whether it began after the start.
        over: whether it is over, for its first part, the part after its end, and the bounds' error probability.
    """
    at_once = rules >= OVER_AT_ONCE
    later = said.peak_later if at_once else said.later
    when, last = span(said.peak if at_once else said.over, later)
    level = OVER_ALPHA if at_once else OLDER_ALPHA
    if last < count and rules >= OVER_IS_SHOWN and not over(when.first, last, level):
        later = said.later
        when, last = span(None, later)
    return when, last, later


def _whole(course: Course) -> Since:
    at = course[0][0]
    return Since(at, (at, at), None, 0, *_counted(course), _counted(course), len(course))


def _counted(course: Course) -> tuple[int, int]:
    return sum(bad for _, bad, _ in course), sum(n for _, _, n in course)
