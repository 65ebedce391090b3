"""The time in which a canary was worse than the other arm by more than the margin: from which hour to which. Pure.

The test is `two_arms_change`. Of several such times it is the gravest; but where that is over, a later one that lasts
comes before it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbook_lib.base.window import iso
from runbook_lib.judge.gates import two_arms, two_arms_change
from runbook_lib.judge.gates.change import Moment
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.gates.since import spanned
from runbook_lib.judge.model import Arms, Evidence, Gate, Hour
from runbook_lib.judge.terms import ARMS_CHANGE, OVER_AT_ONCE

_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Worse:
    """A time in which the canary was worse than the other arm by more than the margin."""

    since: str = ""
    """When it began; empty: at the start of the soak."""
    between: tuple[str, str] = ("", "")
    until: str | None = None
    """When it ended; None: it lasts."""
    hours: tuple[Hour, ...] = ()
    """The hours of that time."""
    now: tuple[Hour, ...] = ()
    """The hours from its beginning to the end of the evidence: they show the present, also where it is over. Where
    more failed since an earlier worse time that is over, those since then."""


def worse(gate: Gate, arms: Arms, margin: float, evidence: Evidence, rules: Rules) -> Worse | None:
    """The time that fails the gate; None: there is none. An hour that is not over yet is left out of the bet."""
    found = _gravest(gate, arms, margin, evidence, rules)
    if rules.version < OVER_AT_ONCE:
        return found
    told = found
    seen: list[tuple[Hour, ...]] = []
    while told is not None and told.until is not None:
        seen.append(told.now)
        left = told.now[len(told.hours) :]
        told = _gravest(gate, arms.model_copy(update={"hours": left}), margin, evidence, rules)
        if told is not None and told.until is None:
            lasts = told if told.since else Worse(left[0].at, (left[0].at, left[0].at), None, left, left)
            # A new and smaller fault does not make what all of them did to the users smaller.
            return replace(lasts, now=max(*seen, lasts.now, key=_failing))
    return found


def _gravest(gate: Gate, arms: Arms, margin: float, evidence: Evidence, rules: Rules) -> Worse | None:
    """As `worse`, for the time with the largest evidence alone."""
    last = dt.datetime.fromisoformat(evidence.end)
    over = [one for one in arms.hours if _end(one) <= last]
    if not over:
        return None
    counts = ([one.bad for one in over], [one.n for one in over])
    others = ([one.other_most for one in over], [one.other_n for one in over])
    if rules.version < ARMS_CHANGE:
        most = float(two_arms.worse_log_e(*counts, *others, margin, arms.share).max())
        return Worse() if most >= -math.log(rules.alpha_early) else None
    said = two_arms_change.tested(*counts, *others, margin, arms.share, alpha=rules.alpha_early)
    if said.log_e < -math.log(rules.alpha_early):
        return None

    def span(peak: int | None, later: bool) -> tuple[Moment, int]:
        ends = len(over) if peak is None else peak + 1
        if not later:
            return Moment(0, 0, 0), ends
        bad, n, other_bad, other_n = (one[:ends] for one in (*counts, *others))
        return two_arms_change.moment(bad, n, other_bad, other_n, margin, arms.share), ends

    # Failures of an hour that is not over yet show that it lasts; rules 6 left that hour out.
    known = arms.hours if rules.version >= OVER_AT_ONCE else over

    def shown(first: int, ends: int, level: float) -> bool:
        return _is_over(gate, over[first:ends], known[ends:], margin, level)

    when, ends, later = spanned(said, len(over), rules.version, span, shown)
    if not later and ends == len(over):
        return Worse()
    until = None if ends == len(over) else iso(_end(over[ends - 1]))
    hours = arms.hours[when.first :] if until is None else arms.hours[when.first : ends]
    # Within an hour the moment of a change is not known: the interval includes all of its ends hour.
    dated = over[when.earliest].at, iso(_end(over[when.latest]))
    since = max((over[when.first].at, evidence.start), key=dt.datetime.fromisoformat)
    between = dated if later else (evidence.start, evidence.start)
    return Worse(since, between, until, hours, arms.hours[when.first :])


def _is_over(gate: Gate, worse: Sequence[Hour], after: Sequence[Hour], margin: float, alpha: float) -> bool:
    """As `since.is_over`, for the difference of the two arms."""
    was, since = (two_arms.difference(rows_of(gate, hours), alpha) for hours in (worse, after))
    return was is not None and since is not None and since.value <= margin and since.high < was.low


def rows_of(gate: Gate, hours: Sequence[Hour]) -> tuple[two_arms.Row, ...]:
    """Failures and requests of both arms, hour by hour. Against the phase before it is by the hour of the day, so that
    a soak that is longer than that one uses all of it.
    """
    found = defaultdict[object, list[int]](lambda: [0, 0, 0, 0])
    for one in hours:
        at = dt.datetime.fromisoformat(one.at)
        row = found[at.hour if gate.against == "phase_before" else at]
        for place, count in enumerate((one.most, one.n, one.other_bad, one.other_n)):
            row[place] += count
    return tuple((k, n, j, m) for k, n, j, m in found.values())


def _end(hour: Hour) -> dt.datetime:
    return dt.datetime.fromisoformat(hour.at) + _HOUR


def _failing(hours: Sequence[Hour]) -> float:
    n = sum(one.n for one in hours)
    return sum(one.most for one in hours) / n if n else 0.0
