"""The world against the judge: one soak of a drawn world, and the truth about its users when the decision fell."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from runbook_lib.base.window import Window, iso
from runbook_lib.judge.model import Evidence, Outcome
from runbook_lib.judge.planning.guard_math import propose
from runbook_lib.judge.terms import Decision
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.load import Params
from runbook_lib.rehearse.quick.local_world import START, Local
from runbook_lib.rehearse.quick.player import HISTORY, AfterMigration, InProcess, Soak
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.steps.alarm_odds import demands
from tests.benchmarks.draw import HARM, Play

NOTEBOOKS = {
    "06": "06_phase1_10_percent",
    "07": "07_phase2_50_percent",
    "08": "08_phase3_100_percent",
    "migration": "08_phase3_100_percent",
}


@dataclass(frozen=True)
class Truth:
    """Users of one span: the arrivals, and those who got a report in time."""

    submitted: int
    succeeded: int

    @property
    def success(self) -> float | None:
        """Share of served users; None without users."""
        return self.succeeded / self.submitted if self.submitted else None


@dataclass(frozen=True)
class Played:
    """The end of one play, and the truth."""

    play: Play
    decision: str
    by: str
    rollback: int | None
    reason: str
    first_gate: str
    """Id of the failed gate that the reason names first; empty: none."""
    hours: float
    """Hours from the shift to the decision."""
    judged: Truth
    since: Truth
    """The truth since the judged hours, as far as it had settled when the decision fell."""
    settled_since_fault: int
    """Settled requests since the first fault that users feel began (without one: since the judged hours)."""
    harm: float
    """The largest share of the users that one fault harmed at any moment up to the decision."""
    backlog: bool
    throttled: bool
    """Whether the world ever had more than ten messages waiting, or a throttled request."""
    waiting: int = 0
    """Most messages that ever waited at once."""


class _One(InProcess):
    """One soak; the steps before are taken as passed."""

    def __init__(self, params: Params, scenario: Scenario, seed: int, baseline: float) -> None:
        super().__init__(params, scenario, seed)
        n = 2000
        self.kept = Evidence(
            measure="baseline_success",
            kind="rate",
            start=iso(START),
            end=iso(START + HISTORY),
            query="taken as known",
            bad=round(n * (1 - baseline)),
            n=n,
        )


def designed(params: Params, drawn: Play) -> Params:
    """The parameters with the guards' counts as 04_alarms proposes them for the drawn traffic and phase."""
    scenario, notebook = drawn.scenario(), NOTEBOOKS[drawn.where]
    percent = params.policy.phases[notebook].percent
    per_s = [scenario.per_hour(hour) / 3600 * percent / 100 for hour in range(24)]
    params = params.model_copy(update={"service": params.service.model_copy(update={"workers": drawn.workers})})
    found = propose(per_s, demands(params, percent))
    if found is None:
        return params
    count = {"threshold": found.least, "period_s": found.period_s}

    def with_count(alarm: Alarm) -> Alarm:
        if notebook not in alarm.phases:
            return alarm
        phases = {**{name: one.model_dump() for name, one in alarm.phases.items()}, notebook: count}
        return Alarm.model_validate({**alarm.model_dump(), "phases": phases})

    alarms = tuple(map(with_count, params.policy.alarms))
    return params.model_copy(update={"policy": params.policy.model_copy(update={"alarms": alarms})})


def opened(params: Params, drawn: Play) -> InProcess:
    """The world of a play before its soak; the steps before are taken as passed."""
    return _One(params, drawn.scenario(), drawn.seed, drawn.quick)


def run(drawn: Play, params: Params) -> Played:
    """Plays a drawn world."""
    params = designed(params, drawn)
    player = opened(params, drawn)
    world = player.world
    world.live(START + HISTORY)
    notebook = NOTEBOOKS[drawn.where]
    if drawn.where == "migration":
        world.flags.shift(100, world.now, "release=other notebook=before attempt=1")
        world.live(world.now + dt.timedelta(minutes=10))
    soak = (AfterMigration if drawn.where == "migration" else Soak)(player, notebook)
    outcome, by = soak.walk()
    begun = soak.moment().effective_at or world.now
    return _told(drawn, params, player, outcome, by, begun)


def _told(drawn: Play, params: Params, player: InProcess, outcome: Outcome, by: str, begun: dt.datetime) -> Played:
    world = player.world
    judged = player.judged if player.judged.end > player.judged.start else Window(begun, max(begun, world.now))
    deadline = params.service.job_deadline_s
    now = world.now.timestamp() - deadline
    since = max(judged.end.timestamp(), begun.timestamp())
    felt = [begun.timestamp() + one.start * 3600 for one in drawn.faults if one.kind in HARM]
    at = min(felt, default=since)
    said = outcome.reason.lower()
    failed = [(said.find(one.gate.title.lower()), one.gate.id) for one in outcome.results if one.verdict == "FAIL"]
    first = min((one for one in failed if one[0] >= 0), default=(0, ""))[1]
    return Played(
        play=drawn,
        decision=str(outcome.decision),
        by=by,
        rollback=int(outcome.scenario[-1]) if outcome.scenario and outcome.decision is Decision.ROLLBACK else None,
        reason=outcome.told,
        first_gate=first,
        hours=(world.now - begun).total_seconds() / 3600,
        judged=Truth(*world.truth.users(begun.timestamp(), min(judged.end.timestamp(), now))),
        since=Truth(*world.truth.users(since, now)) if now > since else Truth(0, 0),
        settled_since_fault=world.truth.users(max(at, begun.timestamp()), now)[0] if at < now else 0,
        harm=_harm(drawn, world, begun),
        backlog=world.most_waiting > 10,
        throttled=world.throttled > 0,
        waiting=world.most_waiting,
    )


def _harm(drawn: Play, world: Local, begun: dt.datetime) -> float:
    """Largest level of a harmful fault in force between the shift and now: drawn size times its shape's level."""
    sizes = {one.kind: one.size for one in drawn.faults if one.kind in HARM}
    low, high = ((at.timestamp() - world.service.origin) / 3600 for at in (begun, world.now))
    mine = [fault for fault in world.service.scenario.faults if fault.name in sizes and fault.after is None]
    shares = (sizes[one.name] * level for one in mine for start, end, level in one.pieces if start < high and end > low)
    return max(shares, default=0.0)
