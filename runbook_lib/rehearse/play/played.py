"""The real end of a played scenario, compared with its declared end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runbook_lib.base.window import parse
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.truth import Truth

Seconds = float
QUIET_S = 900.0
"""Seconds without a request to async that prove that it is off."""
ENOUGH_JOBS = 20
DRAIN = dt.timedelta(hours=1)
"""Time after the action whose jobs are not judged: they waited in the queue that it drained."""
PATIENCE = dt.timedelta(hours=12)
"""Longest wait for enough jobs: at night there are few."""


def detected_s(service: Service, at: dt.datetime | str, shift_at: dt.datetime | str) -> Seconds:
    """Seconds from the moment at which the fault could first be felt to `at`.

    Args:
        shift_at: time at which the rollout first set a weight.
    """
    when, shifted = (parse(one).timestamp() if isinstance(one, str) else one.timestamp() for one in (at, shift_at))
    return when - (fault_since(service, dt.datetime.fromtimestamp(shifted, dt.UTC)) or shifted)


def fault_since(service: Service, shift_at: dt.datetime) -> float | None:
    """The moment (epoch seconds) from which a fault that has begun can be felt; None: none has."""
    begun = [service.origin + fault.start * 3600 for fault in service.scenario.faults if fault.after is None]
    return max(shift_at.timestamp(), min(begun)) if begun else None


def turned(service: Service, truth: Truth, params: Params, since: float) -> bool | None:
    """Whether the curve has turned; None: too few jobs to tell yet.

    With the weight at 0: no request goes to async any more. Else: the results of jobs created after `since` (epoch
    seconds) are no collapse, and the queue is short.
    """
    now = service.now
    if not service.share:
        return truth.between(now - QUIET_S).submitted == 0
    tally, gate = truth.between(since, now - params.service.job_deadline_s), params.policy.gate("success_rate")
    if tally.created < ENOUGH_JOBS:
        return None
    well = gate.collapse is None or not gate.collapse.holds(tally.success)
    return well and service.waiting < params.policy.gate("queue_depth").target.limit


@dataclass(frozen=True)
class Ended:
    """One scenario with one seed, played to its end."""

    scenario: str
    seed: int
    decision: str
    """PROMOTE (all phases), HOLD or ROLLBACK."""
    phase: str
    """Number of the notebook that caught it; empty if none did."""
    by: str
    """`watch` (an interim look), `look` (a declared one), `AppConfig`, or `budget` (the shift was refused beforehand:
    `harm.users`); empty if nobody."""
    rollback: int | None
    """Rollback scenario that the decision names."""
    detect_s: Seconds | None
    """Virtual seconds from the fault's first moment under a weight to the decision; None if it was not caught."""
    recovered: bool | None
    """Whether the curve turned after a ROLLBACK; None: there was nothing to turn."""
    reason: str = ""

    def wrong(self, scenario: Scenario) -> list[str]:
        """The differences from the declared end, in words; empty: there are none."""
        wanted = scenario.expected
        if wanted is None:
            return [f"scenario '{scenario.name}' does not say how it should end"]
        if self.phase and self.phase < scenario.first_phase:
            first = scenario.first_phase
            return [
                f"{self.phase} ended with {self.decision} before any fault was there: the first comes in {first}; "
                f"`--start-phase {first}` (the default) begins with it"
            ]
        found = []
        if self.decision not in wanted.decisions:
            found.append(f"{self.decision} instead of {' or '.join(wanted.decisions)}")
        if wanted.phases and self.phase not in wanted.phases:
            found.append(f"caught in {self.phase or 'no phase'} instead of {' or '.join(wanted.phases)}")
        if self.decision == "ROLLBACK" and self.rollback not in wanted.rollback:
            named = " or ".join(map(str, wanted.rollback)) or "none"
            found.append(f"rollback {self.rollback} instead of {named}")
        if self.decision == "ROLLBACK" and wanted.recovers and not self.recovered:
            found.append(f"not seen: {wanted.recovers}")
        return found
