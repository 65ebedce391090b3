"""The real end of a played scenario, compared with its declared end; both in words, and the list of scenarios."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from runbook_lib.base.window import parse
from runbook_lib.params.load import Params
from runbook_lib.rehearse.world.scenario import Expected, Scenario, played
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


LEGEND = """Each scenario is a simulated world with something wrong in it (or not), and how its rollout should end:
  PROMOTE      every phase passes
  HOLD         it stops where it is, the weight stays, and people decide
  ROLLBACK N   rollback N answers it: 1 turns async off, 2 gives a backlog more workers, 3 a throttled table capacity
  in 06        found by that notebook: 06, 07 and 08 are 10, 50 and 100 % of the traffic, 10 is the first week after
Where several ends are named, chance has a say and any of them is right. "Guards" are the alarms that AppConfig watches:
when one fires it takes the weight back by itself. "The baseline" is the synchronous endpoint, where users came from.

To see one: runbook rehearse --scenario NAME --start-phase PHASE, with the phase of the second column or an earlier one.
"""


def listing(scenarios: Sequence[Scenario] | None = None) -> list[dict[str, str]]:
    """The scenarios (None: all that are played) as rows of a table: what happens in each, and its expected end."""
    return [
        {
            "name": one.name,
            "first": one.first_phase,
            "ends": expected_words(one.expected),
            "title": one.title,
            "explanation": one.explanation,
        }
        for one in (played() if scenarios is None else scenarios)
        if one.expected is not None
    ]


def expected_words(wanted: Expected) -> str:
    """The expected end in short: `ROLLBACK 1 in 06`."""
    scenarios = f" {'/'.join(map(str, wanted.rollback))}" if wanted.rollback else ""
    decisions = " or ".join(f"{one}{scenarios if one == 'ROLLBACK' else ''}" for one in wanted.decisions)
    return decisions + (f" in {'/'.join(wanted.phases)}" if wanted.phases else "")


def found_words(end: Ended) -> str:
    """The real end in short, in the same form."""
    scenario = f" {end.rollback}" if end.decision == "ROLLBACK" else ""
    return f"{end.decision}{scenario}" + (f" in {end.phase}" if end.phase else "")
