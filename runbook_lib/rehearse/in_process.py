"""World and judge in one process: a scenario played from phase 1 on with no emulator, no notebook and no kernel.

For many seeds. The same from the rehearsal with notebooks: the world (`Service`, `Outbox`), the questions and the
evidence (`observe`), the moment, the case, the gates and the decision. Stood in for: CloudWatch and the jobs table
(`local_aws`), AppConfig and the guard alarms (`local_flags`), SQS's and Lambda's live figures (the world's own). Left
out: preflight to staging, approvals and checks of the inventory, the migration with its 48 h, and the rollback
notebooks, of which only the effect is made (switch off; ten workers; provisioned units), to see the curve turn.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from runbook_lib import moment as moments
from runbook_lib.act.traffic import describe
from runbook_lib.judge.model import Decision, Evidence, Look, Outcome
from runbook_lib.observe import census, fetch, measure
from runbook_lib.observe.window import Window
from runbook_lib.params import Params
from runbook_lib.phase_case import case_of
from runbook_lib.rehearse import publish
from runbook_lib.rehearse.local_aws import LocalMetrics, LocalTable
from runbook_lib.rehearse.local_flags import LocalFlags, LocalGuards
from runbook_lib.rehearse.outbox import Outbox
from runbook_lib.rehearse.played import DRAIN, PATIENCE, Ended, Seconds, detected_s, turned
from runbook_lib.rehearse.rows import Rows
from runbook_lib.rehearse.scenario import Scenario
from runbook_lib.rehearse.service_model import Service
from runbook_lib.rehearse.truth import Truth
from runbook_lib.rehearse.world import settings
from runbook_lib.sight import BASELINE

PHASES = ("06_phase1_10_percent", "07_phase2_50_percent", "08_phase3_100_percent")
START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
HISTORY = dt.timedelta(hours=2)
STEP_S = 300.0
"""How often time stops: guards are evaluated, and flags obeyed."""
LAST_INTERIM = dt.timedelta(hours=23)
"""Also where nobody watches: jobs stay in the table for a day, so one look comes before they are gone."""
ENOUGH_UNITS = 100.0
MEMORY_MB = {"submit": 256, "worker": 1024, "status": 256}
FEW = 100


@dataclass
class Local:
    """The world of one seed, and AWS as far as a look and a guard need it."""

    params: Params
    scenario: Scenario
    seed: int
    flags: LocalFlags = field(default_factory=LocalFlags)

    def __post_init__(self) -> None:
        start = START.timestamp()
        self.service = Service(self.scenario, settings(self.params), self.seed, start, self.params.service.workers)
        self.outbox, self.truth = Outbox(), Truth(self.params.service.job_deadline_s)
        self.metrics = LocalMetrics(publish.targets(self.params))
        self.table = LocalTable(self.params)
        self.guards = LocalGuards(self.params, self.metrics)
        self.levels: dict[str, int] = {"queue_visible": 0, "queue_in_flight": 0, "dlq_visible": 0}

    @property
    def now(self) -> dt.datetime:
        """Up to where it has lived."""
        return dt.datetime.fromtimestamp(self.service.now, dt.UTC)

    def live(self, until: dt.datetime) -> None:
        """Time goes by; a guard that fires during a bake takes the weight back by itself."""
        end = until.timestamp()
        while self.service.now < end:
            self.service.set_weight(self.flags.weight / 100)
            step = self.service.run(min(end, (self.service.now // STEP_S + 1) * STEP_S))
            self.truth.add(step)
            self.table.put(step.jobs)
            told = self.outbox.send(step.rows, self.service.scenario, self.service.origin, step.end)
            self.metrics.put(told)
            self._levels(step.rows)
            self.flags.tick(self.now)
            if self.flags.baking and (firing := self.guards.firing(step.end)):
                self.flags.take_back(self.now, firing[0])

    def _levels(self, rows: Rows) -> None:
        for name in self.levels:
            if len(shown := rows.only(name)):
                self.levels[name] = int(shown.value[shown.emit.argmax()])

    def live_levels(self) -> dict[str, Any]:
        """As `observe.live.read` answers."""
        receives = self.params.service.max_receives
        return {**self.levels, "dlq_in_flight": 0, "max_receives": receives, "memory_mb": MEMORY_MB}


class InProcess:
    """One scenario with one seed, phase after phase, until it is caught or has gone through."""

    def __init__(self, params: Params, scenario: Scenario, seed: int) -> None:
        self.params, self.scenario, self.seed = params, scenario, seed
        self.world = Local(params, scenario, seed)
        self.kept: Evidence | None = None
        """The baseline's success as the phase before saw it last."""

    def play(self) -> Ended:
        """From the first shift to the end; phases before all faults are left out, for nothing happens there."""
        self.world.live(START + HISTORY)
        first = min((fault.after or "06" for fault in self.scenario.faults), default="06")
        outcome, by, notebook = None, "look", PHASES[0]
        for notebook in (name for name in PHASES if name >= first):
            outcome, by = _Soak(self, notebook).walk()
            if outcome.decision is not Decision.PROMOTE:
                break
        assert outcome is not None  # noqa: S101
        promoted = outcome.decision is Decision.PROMOTE
        return Ended(
            scenario=self.scenario.name,
            seed=self.seed,
            decision=outcome.decision.value,
            phase="" if promoted else notebook[:2],
            by="" if promoted else by,
            rollback=int(outcome.scenario[-1]) if outcome.scenario and not promoted else None,
            detect_s=None if promoted else self.detected(),
            recovered=self.recovered(outcome) if outcome.decision is Decision.ROLLBACK else None,
            reason=outcome.reason,
        )

    def detected(self) -> Seconds:
        """Until the decision, or AppConfig's own rollback."""
        first, newest = self.world.flags.deployments[0], self.world.flags.deployments[-1]
        return detected_s(self.world.service, newest.taken_back_at or self.world.now, first.started_at or "")

    def recovered(self, outcome: Outcome) -> bool:
        """The action is made, and the curve is seen to turn; if more workers do not turn it, async goes off after all.

        True where at the end no request goes to async, or the queue is drained and nothing is throttled.
        """
        world = self.world
        begun = world.now
        if outcome.scenario == "rollback_2":
            world.service.workers = 10
        elif outcome.scenario == "rollback_3":
            world.service.set_units(table=ENOUGH_UNITS, index=ENOUGH_UNITS)
        else:
            world.flags.switch_off(begun)
        if self._turned(begun):
            return True
        # Neither more workers nor more capacity cured it: scenario 1.
        begun = world.now
        world.flags.switch_off(begun)
        return self._turned(begun)

    def _turned(self, begun: dt.datetime) -> bool:
        world, end = self.world, begun + PATIENCE
        since, found = (begun + DRAIN).timestamp(), None
        while found is None and world.now < end:
            world.live(world.now + DRAIN)
            if world.now > begun + DRAIN:
                found = turned(world.service, world.truth, self.params, since)
        return bool(found)


class _Soak:
    """One phase: shift, looks, verdict."""

    def __init__(self, play: InProcess, notebook: str) -> None:
        self.play, self.world, self.params, self.notebook = play, play.world, play.params, notebook
        self.spec = play.params.policy.phases[notebook]
        self.counted: list[census.Segment] = []

    def walk(self) -> tuple[Outcome, str]:
        """The decision that ends the phase, and by whom it was caught: `watch`, `look` or `AppConfig`."""
        world, params = self.world, self.params
        about = describe(release=params.release, notebook=self.notebook, attempt=params.attempt, run="bench")
        world.flags.shift(self.spec.percent, world.now, about)
        world.service.live_by(world.service.scenario.begun(self.notebook, world.service.hour))
        begun, extended = world.now, self.moment().come_back_at
        while True:
            every = dt.timedelta(minutes=self.play.scenario.watch_min)
            wanted = [world.now + every if every else begun + LAST_INTERIM, extended]
            world.live(min(at for at in wanted if at is not None and at > world.now))
            outcome = self.look()
            if self.moment().name == "taken_back":
                return outcome, "AppConfig"
            if outcome.decision is not Decision.SOAK:
                return outcome, "look" if self.moment().look is not None else "watch"
            extended = self.moment().come_back_at
            if self.moment().name == "after" and not world.flags.baking:
                # An extended soak is watched again, as the notebook does it when it is applied.
                world.flags.shift(self.spec.percent, world.now, about)

    def moment(self) -> moments.Moment:
        """Where the phase stands."""
        return moments.which(self.world.flags.state(), self.params, self.notebook, self.spec, self.world.now)

    def look(self) -> Outcome:
        """One look, as the phase's notebook takes it."""
        now = self.moment()
        assert now.effective_at is not None  # noqa: S101
        window = Window(now.effective_at, max(now.effective_at, now.window_end(self.world.now)))
        evidence = self.evidence(window, now.look, keep=True)
        outcome = case_of(self.params, self.spec, now, evidence, now.look, back=now.come_back_at).verdict()
        if now.name == "after" and outcome.decision is Decision.SOAK:
            outcome = self._since(now) or outcome
        if outcome.decision is Decision.PROMOTE:
            self.play.kept = evidence[BASELINE]
        return outcome

    def _since(self, now: moments.Moment) -> Outcome | None:
        """What came after the declared look, while the soak is extended."""
        assert now.effective_at is not None  # noqa: S101
        evidence = self.evidence(Window(now.effective_at, self.world.now), None, keep=False)
        outcome = case_of(self.params, self.spec, now, evidence, None, moment="during").verdict()
        return outcome if outcome.decision in (Decision.HOLD, Decision.ROLLBACK) else None

    def evidence(self, window: Window, look: Look | None, *, keep: bool) -> dict[str, Evidence]:
        """Everything asked over `window`, made into evidence by `observe`."""
        world, params, now = self.world, self.params, self.world.now
        earlier = [one for one in self.counted if one.end_settled <= window.end]
        start = max((one.end_settled for one in earlier), default=window.start)
        fresh = census.take(world.table, params, Window(start, max(start, window.end)), now)
        if keep and fresh.end_settled > fresh.start:
            self.counted.append(fresh)
        segment = census.merge([*earlier, fresh])
        first = fetch.fetch(world.metrics, params, measure.asks(params, window, now), now)
        bounds = measure.asks_bounds(first, params, window, now, look)
        answers = first + fetch.fetch(world.metrics, params, bounds, now)
        state = world.flags.state()
        found = measure.measure(answers, segment, world.live_levels(), state, params, window, now, look)
        if self.play.kept is not None and (found[BASELINE].n or 0) < FEW:
            found[BASELINE] = self.play.kept
        return found
