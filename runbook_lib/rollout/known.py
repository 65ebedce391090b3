"""What is known of a rollout: its records, the traffic of one environment, and what follows from both.

Asks AWS nothing. `progress.py` derives the state of each step from it, `taking_on.py` the command for the step.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.params.phases import PhaseStep
from runbook_lib.record.archive import Archive
from runbook_lib.record.predecessors import after, only_planned, predecessors
from runbook_lib.record.record import Record
from runbook_lib.rollout import under_way
from runbook_lib.rollout.moment import Moment
from runbook_lib.rollout.open_changes import dead
from runbook_lib.rollout.rollbacks import Rollbacks, made_at, newest_shift

LOST = ("taken_back", "void")
"""Moments of a phase whose weight is no longer in force, or was not all the time."""


def needed(steps: Mapping[str, PhaseStep]) -> list[tuple[str, str]]:
    """(notebook, environment) of the last steps, which no other step requires, and of all that they need, in order."""
    named = {one for step in steps.values() for one in (*step.requires, *step.requires_to_shift)}
    notebooks = {one.partition("@")[0] for one in named}
    found: dict[tuple[str, str], None] = {}
    entered: set[str] = set()

    def enter(one: str) -> None:
        notebook, _, env = one.partition("@")
        if one in entered or notebook not in steps:
            return
        entered.add(one)
        for before in (*steps[notebook].requires, *steps[notebook].requires_to_shift):
            enter(before)
        found[(notebook, env)] = None

    for name, step in steps.items():
        for env in step.envs:
            if name not in notebooks:
                enter(f"{name}@{env}")
    return list(found)


class Known:
    """The steps of one release by the archive, with the traffic of one environment.

    Args:
        params: those of the environment in which AWS was asked.
        state: the environment's traffic.
        seen: the moment of each phase there, by notebook.
        now: AWS's clock, UTC.
        pending: a run that is about to be sealed; it counts as sealed.
    """

    def __init__(
        self,
        params: Params,
        archive: Archive,
        state: traffic.TrafficState,
        seen: Mapping[str, Moment],
        now: dt.datetime,
        pending: Record | None = None,
    ) -> None:
        self.params, self.archive, self.pending = params, archive, pending
        self.state, self.seen, self.now = state, seen, now
        self.steps = params.policy.steps
        self.needed = needed(self.steps)
        self.rollbacks = Rollbacks(params, archive, state, pending)
        names = [f"{notebook}@{env}" for notebook, env in self.needed]
        self.findings = dict(zip(names, predecessors(archive, names, params.release), strict=True))
        self.dead = tuple(dead(params, archive))  # they count as sealed: the next run seals them
        for left in reversed(self.dead):
            if (one := f"{left.notebook}@{left.env}") in self.findings:
                self.findings[one] = after(one, left, self.findings[one]) or self.findings[one]
        if pending is not None and (one := f"{pending.notebook}@{pending.env}") in self.findings:
            self.findings[one] = after(one, pending, self.findings[one]) or self.findings[one]

    def records(self, notebook: str, env: str) -> tuple[Record | None, Record | None]:
        """The newest record, and the one that decides; each None where there is none, or it cannot be read."""
        refs = self.archive.records(env, self.params.release, notebook)
        wanted = self.findings[f"{notebook}@{env}"].record
        decides = next((ref for ref in refs if ref.run_id == wanted), None)
        mine = self.pending if self.pending and (self.pending.notebook, self.pending.env) == (notebook, env) else None
        newest = mine or loaded(self.archive, refs[-1] if refs else None)
        return newest, (mine if mine and mine.run_id == wanted else loaded(self.archive, decides))

    def attempt(self, notebook: str, env: str) -> int | None:
        """A phase's present attempt, by records, AWS and the parameters; None: no phase, or another environment."""
        if env != self.params.env or notebook not in self.params.policy.phases:
            return None
        newest, decided = self.records(notebook, env)
        left = (one for one in self.dead if (one.notebook, one.env) == (notebook, env))
        shifted = under_way.attempt_of(self.state, self.params, notebook)
        if self.state.weight == self.params.policy.phases[notebook].percent and shifted:  # a plan waits until it ends
            newest, decided = (None if one and only_planned(one) else one for one in (newest, decided))
        known = (self.params.flat, newest, decided, *left)
        return max(shifted, *(one.attempt for one in known if one is not None))

    def params_of(self, notebook: str) -> Params:
        """The parameters with the present attempt of a phase of their environment."""
        params = self.params
        flat = params.flat.model_copy(update={"attempt": self.attempt(notebook, params.env) or params.attempt})
        return params.model_copy(update={"flat": flat})

    def builds_on(self, notebook: str, env: str) -> bool:
        """Whether a phase that has not passed yet begins at the weight of this one."""
        phases = self.params.policy.phases
        weight = phases[notebook].percent
        return any(
            phase.before_percent == weight
            and f"{name}@{env}" in self.findings
            and not self.findings[f"{name}@{env}"].ok
            for name, phase in phases.items()
        )

    # After a rollback

    def over(self, notebook: str, env: str, decided: Record | None, moment: Moment | None) -> bool:
        """Whether the phase has lost its weight, and a rollback 1 or a newer shift has followed."""
        rolled_back = decided is not None and decided.decision == "ROLLBACK"
        if env != self.params.env or notebook not in self.params.policy.phases:
            return False
        if not (rolled_back or (moment and moment.name in LOST)):
            return False
        if self.state.weight == self.params.policy.phases[notebook].percent:
            return False
        return self.answered(decided if rolled_back else None, moment)

    def answered(self, decided: Record | None, moment: Moment | None) -> bool:
        """Whether rollback 1 was finished after the shift that was rolled back, or a newer shift was made.

        Args:
            decided: the record that says ROLLBACK, if there is one.
        """
        shift = moment.shift_at if moment and moment.shift_at else None
        if decided is not None:
            last = newest_shift(self.state)
            if last is not None and last > made_at(decided):
                return True
            shift = shift or newest_shift(self.state, made_at(decided))
        return self.rollbacks.done(1, shift)

    def gone(self, notebook: str, env: str) -> bool:
        """Whether a passed phase has to run again: a later phase that begins at its weight has lost its own weight, and
        this one's with it.
        """
        phases, state = self.params.policy.phases, self.state
        if env != self.params.env or notebook not in phases or state.migrated:
            return False
        if state.weight == phases[notebook].percent or not self.findings[f"{notebook}@{env}"].ok:
            return False
        later = [
            name
            for name, phase in phases.items()
            if phase.before_percent == phases[notebook].percent
            and f"{name}@{env}" in self.findings
            and not self.passed(name, env)
        ]
        return any(self.over(name, env, self.records(name, env)[1], self.seen.get(name)) for name in later) or any(
            self.gone(name, env) for name in later
        )

    def passed(self, notebook: str, env: str) -> bool:
        """Whether a step has passed and need not run again."""
        one = f"{notebook}@{env}"
        return one in self.findings and self.findings[one].ok and not self.gone(notebook, env)

    def unanswered(self, decided: Record) -> bool:
        """Whether a record says ROLLBACK and nobody has rolled back: that comes before any new attempt."""
        return decided.decision == "ROLLBACK" and self.state.weight > 0 and not self.answered(decided, None)


def loaded(archive: Archive, ref: Any) -> Record | None:
    """The record; None: there is none, or it cannot be read."""
    try:
        return archive.load(ref) if ref else None
    except ArchiveError:
        return None
