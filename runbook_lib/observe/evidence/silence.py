"""Whether users stopped coming in the judged hours: silence is no evidence. Pure.

The days before the rollout show how many requests each hour of the day should bring. Where none came while `OWED` of
them should have, the judged hours say nothing about the present: the address may lead nowhere.
"""

from __future__ import annotations

import datetime as dt

from runbook_lib.base.window import Window, iso, period_for
from runbook_lib.judge import words
from runbook_lib.observe.evidence.door import REFERENCE
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered

OWED = 20.0
"""Missing requests that count as silence. Even at half of the usual traffic chance explains it with 0.005 % only."""
HOUR = dt.timedelta(hours=1)


def silent(seen: Answered, window: Window) -> str:
    """The span in which nobody came for too long, in words; empty: there is none, or too few were expected to tell."""
    period = dt.timedelta(seconds=period_for(seen.window, seen.now))
    points = seen.answers.points(label("async_requests"))
    came = [when for when, value in points if value > 0 and window.start <= when < window.end]
    if not came:
        return ""
    ends, usual = [min(when + period, window.end) for when in came], _usual(seen)
    for since, until in zip([window.start, *ends], [*came, window.end], strict=True):
        due = _due(usual, Window(since, until)) if until > since else 0.0
        if due >= OWED:
            span = f"between {words.instant(iso(since))} and {words.instant(iso(until))}"
            return f"no submission came {span}, and some {due:.0f} should have by the days before the rollout"
    return ""


def owed(seen: Answered, span: Window) -> float:
    """Expected asynchronous submissions in `span`, by hour of the day; 0 where the days before are not known."""
    return _due(_usual(seen), span)


def _usual(seen: Answered) -> dict[int, float]:
    """Expected async submissions by hour of the day at the weight in force, by the days before; empty: unknown."""
    metric = "async_requests" if seen.traffic.migrated else "sync_requests"
    points = seen.answers.points(f"{REFERENCE}{metric}")
    if not points:
        return {}
    days = max(1.0, (points[-1][0] + HOUR - points[0][0]) / (24 * HOUR))  # a young service has fewer days
    usual = dict.fromkeys(range(24), 0.0)
    for when, value in points:
        usual[when.hour] += value / days * seen.traffic.weight / 100
    return usual


def _due(usual: dict[int, float], span: Window) -> float:
    due, at = 0.0, span.start
    while at < span.end:
        upto = min(span.end, at.replace(minute=0, second=0, microsecond=0) + HOUR)
        due += usual.get(at.hour, 0.0) * (upto - at).total_seconds() / 3600
        at = upto
    return due
