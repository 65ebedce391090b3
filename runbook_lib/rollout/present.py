"""The time since the judged hours, which is looked at before exposure is raised. Pure.

A verdict on declared hours says nothing about the present when it is read hours later (docs/domain.md, trap 27). So a
promotion holds only if nothing fails up to now, no gate is without expected data, and no guard is in ALARM.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runbook_lib.base.window import Window, iso
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.model import Evidence, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.params.load import Params
from runbook_lib.rollout.moment import settle

CHECK = "present.up_to_now"
LEAST = dt.timedelta(minutes=5)
"""Least settled time since the judged hours that is worth a look."""
OWED = 20.0
"""Expected requests, at the soak's mean rate, from which on silence since the judged hours is a reason to hold."""


@dataclass(frozen=True)
class Present:
    """What was seen of the time since the judged hours."""

    window: Window
    """The time since the judged hours; its settled part is shorter."""
    whole: Outcome | None
    """Outcome of an interim look at judged hours and time since; None: too short, or another notebook's hours."""
    since: Outcome | None
    """Outcome of an interim look at the time since alone; None: too short, or `whole` already stops."""
    guards: tuple[str, ...]
    """A sentence for each guard that is in ALARM now."""
    owed: float
    """Requests to expect in the settled time since, at the rate of the judged hours."""


def worth_looking(window: Window, params: Params) -> bool:
    """Whether enough of `window` has settled for a look."""
    return window.end - window.start - settle(params) >= LEAST


def looked(
    window: Window,
    params: Params,
    interim: Callable[[Window], Outcome],
    *,
    start: dt.datetime | None,
    judged: Evidence | None,
    guards: tuple[str, ...],
) -> Present:
    """Looks at the time since the judged hours.

    Args:
        interim: takes an interim look at a window, in which only a FAIL can be final.
        start: begin of the judged hours; None: they are another notebook's, and only the time since is looked at.
        judged: the users' evidence of the judged hours.
        guards: as `first_wrong` returns them.
    """
    whole = since = None
    if worth_looking(window, params):
        whole = interim(Window(start, window.end)) if start is not None else None
        since = None if _stops(whole) else interim(window)
    return Present(window, whole, since, guards, owed(judged, window, params))


def _stops(seen: Outcome | None) -> bool:
    return seen is not None and seen.decision in (Decision.ROLLBACK, Decision.HOLD)


def owed(judged: Evidence | None, window: Window, params: Params) -> float:
    """Requests to expect in the settled part of `window`, at the mean rate of the evidence judged before."""
    if judged is None or not judged.n:
        return 0.0
    start, end = (dt.datetime.fromisoformat(one) for one in (judged.start, judged.end))
    span = (end - start).total_seconds()
    return judged.n / span * max(0.0, window.seconds - settle(params).total_seconds()) if span > 0 else 0.0


def stands(outcome: Outcome, now: Present) -> Outcome:
    """The outcome, if the present bears it out; else the outcome of the present.

    First comes a FAIL up to now, with its response. Then a guard in ALARM holds, and then a required gate without data
    since the judged hours, while requests came or should have come.
    """
    if (stopped := _stopped(now)) is not None:
        return stopped
    if now.guards:
        return _held(outcome, now.guards[0], "find out why it fires; run this notebook again when it is OK")
    dark = _dark(now)
    if dark:
        return _held(outcome, dark, "find out why nothing is seen, then run this notebook again")
    return outcome


def _stopped(now: Present) -> Outcome | None:
    """The outcome of a look that says HOLD or ROLLBACK; None: none does."""
    return next((seen for seen in (now.whole, now.since) if _stops(seen)), None)


def told(now: Present) -> Check:
    """`present.up_to_now`: what was seen of the time since the judged hours."""
    hours = words.hours(now.window.seconds / 3600)
    span = f"since {words.instant(iso(now.window.start))} ({hours})"
    users = _users(now.since) or _users(now.whole)
    counted = f", {users}" if users else ""
    stopped, dark = _stopped(now), _dark(now)
    if stopped is not None:
        reason, ok = f"{span}: {stopped.reason}", False
    elif now.guards:
        reason, ok = f"{span}: {now.guards[0]}", False
    elif dark:
        reason, ok = dark, False
    elif now.since is None:
        reason, ok = f"{span}: too little of it has settled to be judged by itself; no guard is in ALARM", True
    else:
        reason, ok = f"{span}: no gate fails{counted}, and no guard is in ALARM", True
    found = "in order" if ok else "not in order"
    start, end = iso(now.window.start), iso(now.window.end)
    title = "The time since the judged hours"
    return check(CHECK, title, ok, reason, expected="nothing fails up to now", found=found, start=start, end=end)


def _users(outcome: Outcome | None) -> str:
    seen = next((one for one in outcome.results if one.gate.measure == USER_SUCCESS), None) if outcome else None
    return f"{seen.n - (seen.evidence.bad or 0):,} of {seen.n:,} users served" if seen is not None and seen.n else ""


def _dark(now: Present) -> str:
    """The required gate without data since the judged hours, in words; empty: none, or too few requests expected."""
    if now.since is None or now.owed < OWED:
        return ""
    silent = [one for one in now.since.results if one.gate.required and not one.gate.muted]
    unseen = [one for one in silent if one.gate.measure == USER_SUCCESS and one.evidence.partial]
    if unseen:
        about = f"of the users since {words.instant(iso(now.window.start))} not all could be seen"
        return f"{about}: {unseen[0].evidence.unseen or unseen[0].reason.rstrip(' .')}"
    silent = [one for one in silent if one.verdict is Verdict.NO_DATA and one.gate.kind != "amount"]
    silent = [one for one in silent if one.gate.no_data != "ignore_after_first"]
    if not silent:
        return ""
    about = f"since {words.instant(iso(now.window.start))} some {now.owed:.0f} requests should have come"
    return f"{silent[0].reason.rstrip(' .')}: {about}, and nothing is seen of them"


def _held(outcome: Outcome, why: str, then: str) -> Outcome:
    return Outcome(
        decision=Decision.HOLD,
        reason=words.sentence(f"the judged hours passed, but {why}"),
        next=words.sentence(then[:1].upper() + then[1:]),
        results=outcome.results,
    )


def since_of(judged_end: dt.datetime, now: dt.datetime) -> Window:
    """The time since the judged hours."""
    return Window(min(judged_end, now), now)


def first_wrong(findings: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """A sentence for each guard in ALARM, from (name, state) of all guards."""
    return tuple(f"guard {name} is in ALARM now" for name, state in findings if state == "ALARM")
