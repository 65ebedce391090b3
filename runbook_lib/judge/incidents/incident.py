"""The clock of an incident and the decision of a rollback run: pure functions of times and checks.

The requirement gives each scenario a time limit ("Rollback Time"). It counts from the decision to act until the last
client has followed; the watch afterwards is not part of it (docs/domain.md, traps 11 and 22).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic import model_validator

from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Frozen, Scenario, Verdict, Word

SKEW_S = 2.0
"""Two clocks of AWS, rounded to seconds, may differ by this much; within it a decision is not after its effect."""


class NoWayBack(Frozen):
    """Why nothing can be rolled back, and what can be done instead."""

    why: str
    then: str = ""

    @property
    def words(self) -> str:
        """The reason and the next step in one sentence."""
        return f"{self.why}; {self.then}" if self.then else self.why

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, found: Any) -> Any:
        """Reads records of version 0.1, which have one text: the reason, a semicolon, the advice."""
        if not isinstance(found, str):
            return found
        why, _, then = found.partition("; ")
        return {"why": why, "then": then}


class Clock(Frozen):
    """Times of the decision to act, of its setting in AWS, and of the last client's change. ISO 8601 UTC."""

    decided_at: str
    set_at: str | None = None
    effective_at: str | None = None
    """Expected until it is seen: `set_at` plus the time that clients (or AWS) need to follow."""
    key: str = ""
    """Id of the result, such as a deployment's number: by it a later run recognises the same act."""
    undecided: bool = False
    """Whether it was in force before any decision on record: `decided_at` is when AWS began; nothing is measured."""

    @property
    def measures(self) -> bool:
        """Whether the decision was before its result; otherwise the time between them means nothing."""
        early = _between(self.decided_at, self.set_at or self.effective_at)
        return not self.undecided and (early is None or early >= -SKEW_S)

    @property
    def to_set_s(self) -> float | None:
        """Seconds from the decision until it was set in AWS; never negative."""
        return self._since(self.set_at)

    @property
    def to_effect_s(self) -> float | None:
        """Seconds from the decision until it was in effect for the last client; never negative."""
        return self._since(self.effective_at)

    def _since(self, end: str | None) -> float | None:
        seconds = _between(self.decided_at, end)
        return None if seconds is None or not self.measures else max(0.0, seconds)


def _between(start: str, end: str | None) -> float | None:
    if end is None:
        return None
    return (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()


def first_decision(clocks: Sequence[Clock | None], key: str, set_at: str | None = None) -> Clock | None:
    """The clock of what is in force: that of the first decision for it; None if none is known.

    A run may have died after its decision and before its result: then its clock has no key. It counts if it is the
    newest one, and was decided before `set_at`.

    Args:
        clocks: those of the earlier runs, newest first; None: a run that decided nothing.
        key: id of what is in force, see `Clock.key`.
        set_at: when it was set, if AWS knows it.
    """
    told = [one for one in clocks if one is not None]
    known = [one for one in told if one.key == key and one.measures]
    if known:
        return min(known, key=lambda one: dt.datetime.fromisoformat(one.decided_at))
    for one in told:
        if one.key:
            return one if one.key == key else None
        if one.model_copy(update={"set_at": one.set_at or set_at}).measures:
            return one
    return None


def time_to_effect(id: str, clock: Clock | None, limit_min: float) -> Check:
    """The check `<id>.time_to_effect`: in effect sooner than the limit after the decision; INCONCLUSIVE until it is.

    Args:
        id: id of the rollback, such as `rollback_1`.
        clock: times of the act; None: nothing has been decided yet.
        limit_min: minutes that the requirement allows ("< 5 minutes" is strict).
    """
    seconds = clock.to_effect_s if clock else None
    moot = clock is not None and not clock.measures
    facts = clock.model_dump(mode="json") if clock else {}
    made = check(
        f"{id}.time_to_effect",
        "Time from the decision to the effect",
        None if seconds is None else seconds < 60 * limit_min,
        _clock_words(clock, limit_min),
        expected=f"< {limit_min:g} min",
        required=not moot,
        found="not measured" if moot else "not yet" if seconds is None else spell(seconds),
        seconds_to_set=clock.to_set_s if clock else None,
        seconds_to_effect=seconds,
        limit_min=limit_min,
        **facts,
    )
    return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if seconds is None else made


def _clock_words(clock: Clock | None, limit_min: float) -> str:
    if clock is None:
        return f"nothing has been decided yet; from the decision on it must take less than {limit_min:g} min"
    if not clock.measures:
        since = clock.set_at or clock.effective_at
        return (
            f"in force since {when(since, seconds=True)}, and no record says when that was decided: nothing is measured"
        )
    decided = f"decided at {when(clock.decided_at, seconds=True)}"
    if clock.to_set_s is None:
        return f"{decided}, not set yet"
    told = f"{decided}, set {spell(clock.to_set_s)} later"
    if clock.to_effect_s is None:
        return f"{told}, not in effect yet"
    return f"{told}, in effect after {spell(clock.to_effect_s)}; the limit is {limit_min:g} min"


def spell(seconds: float) -> str:
    """A time in words, from seconds: `61 s`, `7.5 min`, `3.0 h`."""
    if abs(seconds) < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if abs(seconds) < 7200 else f"{seconds / 3600:.1f} h"


def decide_rollback(
    checks: Sequence[Check],
    *,
    acted: bool,
    would: str,
    done: str,
    then: str,
    come_back_at: str | None = None,
    no_way: NoWayBack | None = None,
    falls_to: Scenario | None = None,
    watched: Word | None = None,
    again: str = "Put that right, then run this notebook again.",
) -> Outcome:
    """The decision of a rollback run.

    PLANNED while nothing was done; SOAK while it is in force and not everything could be seen yet; PROMOTE, which
    people read as DONE, once all required checks pass (the rollback is complete, the rollout is not); HOLD where one of
    them fails, or where there is no way back; ROLLBACK where a mitigation did not help and another scenario is the
    answer.

    Args:
        checks: the checks of this run; only required ones decide.
        acted: whether the rollback is in force, by this run or an earlier one.
        would: what applying would do, in words.
        done: what has been achieved when every check passes.
        then: what to do after that.
        come_back_at: when the open checks can be seen, ISO 8601 UTC.
        no_way: why nothing can be rolled back (trap 19); None: it can.
        falls_to: the next scenario if a check fails.
        watched: the word that people read instead of SOAK.
    """
    if no_way is not None:
        return Outcome(decision=Decision.HOLD, reason=no_way.why, next=_sentence(no_way.then or again))
    if not acted:
        return Outcome(
            decision=Decision.PLANNED,
            reason=would,
            next="Run it again with mode='apply' and confirm, now; nothing else holds it up.",
        )
    wrong = unmet(checks)
    failed = [one for one in wrong if one.verdict is Verdict.FAIL]
    if failed and falls_to:
        reason = f"{failed[0].reason}{words.and_more(failed)}"
        return Outcome(decision=Decision.ROLLBACK, reason=reason, next=_sentence(then), scenario=falls_to)
    if wrong and come_back_at and not failed:
        return Outcome(
            decision=Decision.SOAK,
            said=watched,
            reason=f"{done}; still to be seen: {', '.join(one.title for one in wrong)}",
            next=f"Run this notebook again at {words.instant(come_back_at)}.",
            come_back_at=come_back_at,
        )
    if wrong:
        return Outcome(
            decision=Decision.HOLD, reason=f"{done}, but {wrong[0].reason}{words.and_more(wrong)}", next=again
        )
    passed = sum(one.required for one in checks)
    reason = f"the rollback is complete: {done}; {words.all_of(passed, 'required check')} passed"
    return Outcome(decision=Decision.PROMOTE, said=Word.DONE, reason=reason, next=_sentence(then))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
