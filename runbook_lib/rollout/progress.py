"""Where each step of the rollout stands, in every environment that it needs.

Asks AWS nothing; `next_step.py` says which of the steps comes first.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from runbook_lib.judge.words import instant
from runbook_lib.record.predecessors import Finding, only_planned
from runbook_lib.record.record import Record
from runbook_lib.rollout.come_back import Back, back
from runbook_lib.rollout.known import LOST, Known, loaded
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.taking_on import Todo, at, planned, todo_of

State = Literal["passed", "due", "soaking", "hold", "missing"]
"""`soaking`: nothing to do before `due`; `missing`: not passed, and a step that it needs has not passed either."""


WORDS: dict[State, str] = {
    "passed": "✔ passed",
    "due": "● due",
    "soaking": "… soaking",
    "hold": "✘ hold",
    "missing": "– missing",
}
"""Words and signs of each state for readers."""


@dataclass(frozen=True, kw_only=True)
class Line(Todo):
    """One notebook of the rollout in one environment, with the command for it."""

    notebook: str
    env: str
    title: str
    state: State
    moment: str
    """The phase's moment by AWS; empty: no phase, or another environment than that of the parameters."""
    words: str
    """Why it is in that state; of one that passed: what a later plan says, or empty."""
    last: str
    """Decision (or status) of the newest sealed record; empty: there is none."""
    last_at: str
    due: str
    """When to come back; empty: nothing is due at a given time."""
    word: str = ""
    """`last` as the report of that record says it: DONE where nothing is promoted."""


class Rollout:
    """The steps of a rollout, each with its state."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def lines(self) -> tuple[Line, ...]:
        """A line for each needed step, after the steps that it needs."""
        return tuple(self._line(notebook, env) for notebook, env in self.known.needed)

    def _line(self, notebook: str, env: str) -> Line:
        newest, decided = self.known.records(notebook, env)
        moment = self.known.seen.get(notebook) if env == self.known.params.env else None
        state, words, when = self._state(notebook, env, newest, decided, moment)
        idle = state in ("passed", "missing")
        todo = Todo("") if idle else todo_of(self.known, notebook, env, state, newest, decided, when)
        return Line(
            notebook=notebook,
            env=env,
            title=self.known.steps[notebook].title,
            state=state,
            moment=moment.name if moment else "",
            words=words,
            last=_decision(newest) if newest else "",
            last_at=at(newest) if newest else "",
            due=instant(when.at),
            **vars(todo),
            word=newest.word if newest else "",
        )

    def _state(
        self, notebook: str, env: str, newest: Record | None, decided: Record | None, moment: Moment | None
    ) -> tuple[State, str, Back]:
        """State, why, and when to come back."""
        finding = self.known.findings[f"{notebook}@{env}"]
        begun = moment if moment is not None and moment.name in ("during", "after") else None
        behind = decided is not None and decided.attempt < (self.known.attempt(notebook, env) or 0)
        plan = decided is not None and only_planned(decided)
        if begun and (behind or plan or finding.record is None):  # what ended an earlier attempt is history
            told = begun.words if plan else f"{begun.words}; this archive has no record of the shift"
            return _soak(told, back(begun), self.known.now)
        if (gone := self._lost(notebook, env, newest, decided, moment)) is not None:
            return *gone, Back(None)
        if finding.ok:
            held = newest is not None and newest.run_id != finding.record and only_planned(newest)
            told = f"a plan made since then holds: {newest.told.reason}" if newest and held else ""
            return "passed", told, Back(None)
        if waits := self._waiting(notebook, env, decided, moment):
            return "missing", waits, Back(None)
        if finding.record is not None:
            return self._recorded(finding, newest, decided, moment)
        return *self._not_yet(notebook, env), Back(None)

    def _waiting(self, notebook: str, env: str, decided: Record | None, moment: Moment | None) -> str:
        """What a step waits for of which somebody looked what it would do, or that was held; empty: for nothing."""
        if decided is not None and only_planned(decided) and (waits := self._waits(notebook, env)):
            return f"waits for {waits}; a plan of it holds: {decided.told.line}"
        recorded = self.known.findings[f"{notebook}@{env}"].record is not None
        waits = self._held_for(notebook, env, decided, moment) if recorded else ""
        return f"it was held, and waits for {waits}" if waits else ""

    def _lost(
        self, notebook: str, env: str, newest: Record | None, decided: Record | None, moment: Moment | None
    ) -> tuple[State, str] | None:
        """The state of a phase that has lost its weight, or whose follower has; None: neither."""
        lost = moment is not None and moment.name in LOST
        ok = self.known.findings[f"{notebook}@{env}"].ok
        if self._waits_again(notebook, env, decided, moment):
            return "missing", f"its weight is not in force any more; it waits for {self._waits(notebook, env)}"
        if newest and decided and planned(newest) and newest.attempt > decided.attempt:
            return "due", f"attempt {decided.attempt} is over; {newest.attempt} is planned"
        if moment and lost and (not ok or self.known.builds_on(notebook, env)):
            return "hold", moment.words
        if self.known.gone(notebook, env):
            weight = self.known.params.policy.phases[notebook].percent
            return "hold", f"its weight of {weight:g} % is not in force any more, and the next phase begins at it"
        return None

    def _waits_again(self, notebook: str, env: str, decided: Record | None, moment: Moment | None) -> bool:
        """Whether the phase has lost its weight and phases before it have to run again first."""
        if not self.known.over(notebook, env, decided, moment) and not self.known.gone(notebook, env):
            return False
        return bool(self._waits(notebook, env))

    def _held_for(self, notebook: str, env: str, decided: Record | None, moment: Moment | None) -> str:
        """The first missing prerequisite of a step that was held before its shift: it can only hold again."""
        if decided is None or decided.status != "completed" or decided.open_changes or decided.decision != "HOLD":
            return ""
        return self._waits(notebook, env) if moment is None or moment.name == "before" else ""

    def _recorded(
        self, finding: Finding, newest: Record | None, decided: Record | None, moment: Moment | None
    ) -> tuple[State, str, Back]:
        """The state by a record that decides and does not promote."""
        if decided is None or finding.sealed_at is None or decided.open_changes or decided.status != "completed":
            return "hold", finding.sentence, Back(None)
        if decided.decision == "SOAK":
            return self._soaking(newest, decided, moment)
        here, attempt = decided.env == self.known.params.env, self.known.params.attempt
        if here and attempt > decided.attempt and not self.known.unanswered(decided):
            return "due", f"attempt {decided.attempt} was {decided.decision}; {attempt} may begin", Back(None)
        if decided.decision == "HOLD" and planned(newest):
            return "due", "it was held, and the plan made since is in order", Back(None)
        return "hold", decided.told.line or finding.sentence, Back(None)

    def _soaking(self, newest: Record | None, decided: Record, moment: Moment | None) -> tuple[State, str, Back]:
        if moment and moment.name == "before":
            return "due", moment.words, Back(None)
        looked = newest if newest is not None and newest.attempt == decided.attempt else None
        words = moment.words if moment and moment.name == "during" else decided.told.reason
        return _soak(words, back(moment, looked, decided), self.known.now)

    def _not_yet(self, notebook: str, env: str) -> tuple[State, str]:
        waits = self._waits(notebook, env)
        ready = "deployed, with no traffic; " if self._deployed(f"{notebook}@{env}") else ""
        return ("missing", f"{ready}waits for {waits}") if waits else ("due", f"{ready}may be run now")

    def _waits(self, notebook: str, env: str) -> str:
        """The first missing prerequisite; empty if nothing is missing."""
        one, step = f"{notebook}@{env}", self.known.steps[notebook]
        wanted = (*step.requires, *(step.requires_to_shift if self._deployed(one) else ()))
        missing = next(
            (one for one in wanted if not self.known.findings[one].ok or self.known.gone(*one.split("@"))), ""
        )
        # A step that only a shift requires looks at resources that the shifting notebook deploys.
        hosts = [f"{name}@{env}" for name, other in self.known.steps.items() if one in other.requires_to_shift]
        closed = next((host for host in hosts if not self._deployed(host)), "")
        return missing or (f"{closed} to deploy" if closed else "")

    def _deployed(self, one: str) -> bool:
        """Whether an applied run of a step has deployed: such a step deploys first and shifts in a later run."""
        if one in self.known.findings and self.known.findings[one].ok:
            return True
        notebook, _, env = one.partition("@")
        if not self.known.steps[notebook].requires_to_shift:
            return False
        known, now = self.known, self.known.pending
        kept = [loaded(known.archive, ref) for ref in known.archive.records(env, known.params.release, notebook)]
        kept += [now] if now is not None and (now.notebook, now.env) == (notebook, env) else []
        done = ("PLANNED", "SOAK")
        return any(
            record is not None and record.mode == "apply" and record.status == "completed" and record.decision in done
            for record in kept
        )


def _soak(words: str, when: Back, now: dt.datetime) -> tuple[State, str, Back]:
    return ("soaking" if when.at and when.at > now else "due"), words, when


def _decision(record: Record) -> str:
    return record.decision if record.status == "completed" and record.decision else record.status
