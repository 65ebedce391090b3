"""The present beside the judged hours: before exposure is raised, what came since is looked at too. Pure.

A verdict on declared hours that is read hours later says nothing of now (docs/domain.md, trap 27). So a promotion
stands only if nothing fails up to now, nothing that should be seen is dark, and no guard is in ALARM.
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
"""Less settled time than this since the judged hours is not looked at: it holds next to nothing."""
OWED = 20.0
"""Requests that must have come, at the soak's mean rate, before silence since the judged hours is a reason to hold."""


@dataclass(frozen=True)
class Present:
    """What was seen of the time since."""

    window: Window
    """Since the judged hours; the part that has settled is shorter."""
    whole: Outcome | None
    """Everything up to now, the judged hours included; None: they are another notebook's."""
    since: Outcome | None
    """The time since by itself; None: too short to hold anything."""
    guards: tuple[str, ...]
    """What is wrong with a guard at this moment, one sentence each."""
    owed: float
    """Requests that the time since should hold at the rate of the judged hours."""


def worth_looking(window: Window, params: Params) -> bool:
    """Whether enough of the time since has settled to be looked at."""
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
    """What is seen of the time since the judged hours.

    Args:
        interim: an interim look at a window, at which only a FAIL can be final.
        start: of the judged hours; None: they are another notebook's, and only the time since is looked at.
        judged: the users' evidence of the judged hours.
        guards: of `first_wrong`.
    """
    whole = since = None
    if worth_looking(window, params):
        whole = interim(Window(start, window.end)) if start is not None else None
        since = None if _stops(whole) else interim(window)
    return Present(window, whole, since, guards, owed(judged, window, params))


def _stops(seen: Outcome | None) -> bool:
    return seen is not None and seen.decision in (Decision.ROLLBACK, Decision.HOLD)


def owed(judged: Evidence | None, window: Window, params: Params) -> float:
    """Requests that the settled part of `window` should hold, at the mean rate of the evidence judged before."""
    if judged is None or not judged.n:
        return 0.0
    start, end = (dt.datetime.fromisoformat(one) for one in (judged.start, judged.end))
    span = (end - start).total_seconds()
    return judged.n / span * max(0.0, window.seconds - settle(params).total_seconds()) if span > 0 else 0.0


def stands(outcome: Outcome, now: Present) -> Outcome:
    """The outcome, if the present bears it out; else what the present says.

    A FAIL up to now wins, with the response that it calls for. Then a guard in ALARM holds, and then darkness: a
    required gate without data since the judged hours, while requests came or should have come.
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
    """The look that says HOLD or ROLLBACK, if one does."""
    return next((seen for seen in (now.whole, now.since) if _stops(seen)), None)


def told(now: Present) -> Check:
    """What was seen of the time since, for the record and the reader."""
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
    """Which gate is dark since the judged hours, in words; empty: none, or too few requests are owed to tell."""
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
    """(name, state) of guards that are in ALARM, one sentence each."""
    return tuple(f"guard {name} is in ALARM now" for name, state in findings if state == "ALARM")
