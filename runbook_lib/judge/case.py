"""A case: everything that one verdict was made of. It goes into the record, and gives the same verdict again, offline.

There are three kinds: gates judged on evidence (`Case`), checks (`CheckedCase`), and the checks of a rollback
(`RollbackCase`). `settled` adds the run's checks to the verdict of its gates: one that does not hold takes a promotion
back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from runbook_lib.judge.gates.checks import Check, decide_checks, unmet
from runbook_lib.judge.gates.decide import Moment, decide
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.gates.remedies import Remedy
from runbook_lib.judge.incidents.incident import NoWayBack, decide_rollback
from runbook_lib.judge.model import Evidence, Gate, Look, Outcome
from runbook_lib.judge.terms import Decision, Frozen, Scenario, Word


class Case(Frozen):
    """Gates, evidence and situation of one look at a phase: the arguments of `judge_all` and `decide`."""

    kind: Literal["gates"] = "gates"
    rules: int = 1
    """Version of the rules for evidence and verdict (`judge.terms.RULES`)."""
    gates: tuple[Gate, ...] = ()
    """Gates to judge; empty while no weight is in force."""
    evidence: dict[str, Evidence] = Field(default_factory=dict)
    look: Look | None = None
    looks: tuple[Look, ...] = ()
    look_number: int = 0
    """Number of the declared look, from 1; 0: none is due."""
    confidence: float = 0.95
    alpha_early: float = 0.01
    alphas: dict[str, float] = Field(default_factory=dict)
    """Own `alpha_early` of each gate, where all gates share one; empty: each gate has `alpha_early`."""
    prior: tuple[float, float] = (1.0, 9.0)
    moment: Moment
    percent: float | None = None
    applied: bool = False
    last_look: bool = False
    come_back_at: str | None = None
    baseline: Evidence | None = None
    """Success of what a rollback returns to; None: it is not compared."""
    worse_baseline_holds: bool = True
    way_back: bool = True
    alarm: str | None = None
    alarm_at: str | None = None
    taken_back: str | None = None
    void: str | None = None
    remedies: dict[str, Remedy] = Field(default_factory=dict)
    """The symptom that each response needs; empty: none, as in records of version 0.1."""

    def verdict(self) -> Outcome:
        """Every gate's verdict, and the decision that follows."""
        results = judge_all(
            self.gates,
            self.evidence,
            look=self.look,
            looks=self.looks,
            confidence=self.confidence,
            alpha_early=self.alpha_early,
            prior=self.prior,
            version=self.rules,
            alphas=self.alphas,
        )
        return decide(
            self.moment,
            results,
            percent=self.percent,
            applied=self.applied,
            last_look=self.last_look,
            come_back_at=self.come_back_at,
            baseline=self.baseline,
            worse_baseline_holds=self.worse_baseline_holds,
            confidence=self.confidence,
            way_back=self.way_back,
            alarm=self.alarm,
            alarm_at=self.alarm_at,
            taken_back=self.taken_back,
            void=self.void,
            remedies=self.remedies,
            look_number=self.look_number,
        )


class CheckedCase(Frozen):
    """The checks behind a decision; the fields are the arguments of `decide_checks`."""

    kind: Literal["checks"] = "checks"
    checks: tuple[Check, ...]
    applied: bool
    done: str
    then: str
    passed: Word | None = None
    """The word that people read instead of PROMOTE; records of version 0.1 had none."""

    def verdict(self) -> Outcome:
        """The decision that follows from the checks."""
        return decide_checks(self.checks, applied=self.applied, done=self.done, then=self.then, passed=self.passed)


class RollbackCase(Frozen):
    """The checks and facts behind a rollback's decision; the fields are the arguments of `decide_rollback`."""

    kind: Literal["rollback"] = "rollback"
    checks: tuple[Check, ...]
    acted: bool
    would: str
    done: str
    then: str
    come_back_at: str | None = None
    no_way: NoWayBack | None = None
    falls_to: Scenario | None = None
    watched: Word | None = None
    """The word that people read instead of SOAK; records of version 0.1 had none."""

    def verdict(self) -> Outcome:
        """The decision that follows from them."""
        return decide_rollback(
            self.checks,
            acted=self.acted,
            would=self.would,
            done=self.done,
            then=self.then,
            come_back_at=self.come_back_at,
            no_way=self.no_way,
            falls_to=self.falls_to,
            watched=self.watched,
        )


AnyCase = Case | CheckedCase | RollbackCase


def settled(outcome: Outcome, checks: Iterable[Check]) -> Outcome:
    """The outcome; a promotion becomes HOLD if a required check of the run does not pass."""
    wrong = unmet(checks) if outcome.decision is Decision.PROMOTE else []
    if not wrong:
        return outcome
    then = "Put that right, then run this notebook again."
    return outcome.held(f"every gate passed, but {wrong[0].reason}", next=then)
