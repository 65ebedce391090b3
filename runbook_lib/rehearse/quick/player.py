"""World and judge in one process: a scenario played from phase 1 on with no emulator, no notebook and no kernel.

For many seeds. The same from the rehearsal with notebooks: the world (`Service`, `Outbox`), the questions and the
evidence (`observe`), the moment, the case, the gates and the decision. Stood in for: CloudWatch and the jobs table
(`local_aws`), AppConfig and the guard alarms (`local_flags`), SQS's and Lambda's live figures (the world's own). Of the
migration and of the rollback notebooks only the effect is made (`/api/vpr` moved, the dial at 0, the temporary route
gone; switch off or the route back, ten workers, provisioned units), to judge the 48 h after the one, and to see the
curve turn after the other. Left out: preflight to staging, approvals and checks of the inventory, the first week.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runbook_lib.act.traffic.shift import describe
from runbook_lib.base.window import Window, parse
from runbook_lib.judge.model import Decision, Evidence, Look, Outcome
from runbook_lib.observe.evidence import arms, door, measure
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs import access_log, census
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.rehearse.play.played import DRAIN, PATIENCE, Ended, Seconds, detected_s, turned
from runbook_lib.rehearse.quick.local_aws import LocalMetrics, LocalTable
from runbook_lib.rehearse.quick.local_flags import LocalFlags, LocalGuards
from runbook_lib.rehearse.world import publish
from runbook_lib.rehearse.world.jobs import RATE_LIMITED, Answer
from runbook_lib.rehearse.world.outbox import Outbox
from runbook_lib.rehearse.world.own import Own
from runbook_lib.rehearse.world.rows import Rows
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.targets import targets
from runbook_lib.rehearse.world.truth import Truth
from runbook_lib.rehearse.world.world import settings
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout import present
from runbook_lib.rollout.case import case_of
from runbook_lib.rollout.look import BASELINE

START = dt.datetime(2025, 6, 16, 3, tzinfo=dt.UTC)
HISTORY = dt.timedelta(hours=2)
BEFORE = dt.timedelta(hours=24)
"""The day before the first hour of the world: what the synchronous route was like."""
STEP_S = 300.0
"""How often time stops during a bake: guards are evaluated, and flags obeyed."""
CALM_S = 3600.0
"""How often it stops where AppConfig watches nothing. The world is the same in steps of any length."""
LAST_INTERIM = dt.timedelta(hours=23)
"""Also where nobody watches: jobs stay in the table for a day, so one look comes before they are gone."""
MEMORY_MB = {"submit": 256, "worker": 1024, "status": 256}
ENOUGH_UNITS, FEW = 100.0, 100


@dataclass
class Local:
    """The world of one seed, and AWS as far as a look and a guard need it."""

    params: Params
    scenario: Scenario
    seed: int
    flags: LocalFlags = field(default_factory=LocalFlags)

    def __post_init__(self) -> None:
        origin = START.timestamp()
        self.service = Service(
            self.scenario,
            settings(self.params),
            self.seed,
            (START - BEFORE).timestamp(),
            self.params.service.workers,
            origin,
        )
        self.outbox, self.truth = Outbox(), Truth(self.params.service.job_deadline_s)
        self.metrics = LocalMetrics(targets(self.params))
        self.own = Own(self.params, self.scenario, self.seed)
        self.table = LocalTable(self.params)
        self.guards = LocalGuards(self.params, self.metrics)
        self.most_waiting, self.throttled = 0, 0.0
        """The longest that the queue ever was, and throttled requests so far: symptoms that a remedy is for."""
        self.answered: list[Answer] = []
        """What the access log has."""
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
            self.service.set_routes(migrated=self.flags.migrated, temporary=self.flags.temporary)
            width = STEP_S if self.flags.baking else CALM_S
            step = self.service.run(min(end, (self.service.now // width + 1) * width))
            self.truth.add(step)
            self.answered += step.answers
            self.throttled += sum(step.used.get(f"{part}_write_throttles", 0.0) for part in ("table", "gsi"))
            self.table.put(step.jobs)
            told = self.outbox.send(step.rows, self.service.scenario, self.service.origin, step.end)
            self.metrics.put(told)
            self.metrics.put_own(self.own.tell(step, self.service.scenario, self.service.origin))
            self._levels(step.rows)
            self.flags.tick(self.now)
            if self.flags.baking and (firing := self.guards.firing(step.end, self.flags.percent)):
                self.flags.take_back(self.now, firing[0])

    def _levels(self, rows: Rows) -> None:
        for name in self.levels:
            if len(shown := rows.only(name)):
                self.levels[name] = int(shown.value[shown.emit.argmax()])
                if name == "queue_visible":
                    self.most_waiting = max(self.most_waiting, int(shown.value.max()))

    def access_log(self, params: Params, window: Window) -> dict[str, Any] | None:
        """As `observe.access_log.read` answers."""
        if not self.scenario.access_log:
            return None
        mine = self._lines(params, window, lambda one: 400 <= one.status < 500)
        told = {"counts": access_log.counted(mine, params, window), "cut": len(mine) >= access_log.MAX_LINES}
        return told if mine else None

    def clients(self, params: Params, window: Window) -> dict[str, Any] | None:
        """As `observe.access_log.read_clients` answers."""
        if not self.scenario.access_log or not self.flags.state().only_old_clients:
            return None
        mine = self._lines(params, window, lambda one: one.path == "sync")
        told = {"counts": access_log.clients(mine, params, window), "cut": len(mine) >= access_log.MAX_LINES}
        return told if mine else None

    def _lines(self, params: Params, window: Window, wanted: Callable[[Answer], bool]) -> list[str]:
        paths = {"submit": params.service.api.routes.submit, "sync": params.service.api.routes.sync}
        if self.flags.migrated:  # the parameters are as routed: jobs are submitted at what was the synchronous route
            paths = {"sync": paths["submit"], "submit": paths["sync"]}
        low, high = window.start.timestamp(), window.end.timestamp()
        return [publish.access_line(one, paths) for one in self.answered if low <= one.at < high and wanted(one)]

    def live_levels(self) -> dict[str, Any]:
        """As `observe.live.read` answers."""
        receives = self.params.service.max_receives
        return {**self.levels, "dlq_in_flight": 0, "max_receives": receives, "memory_mb": MEMORY_MB}


class InProcess:
    """One scenario with one seed, phase after phase, until it is caught or has gone through."""

    def __init__(self, params: Params, scenario: Scenario, seed: int, start_phase: str = "") -> None:
        self.params, self.scenario, self.seed = params, scenario, seed
        self.start_phase = start_phase or scenario.first_phase
        self.world = Local(params, scenario, seed)
        self.judged = Window(START, START)
        """The hours that the last look judged."""
        self.decided_at = START
        self.kept: Evidence | None = None
        """The baseline's success as the phase before saw it last."""
        self.promoted: dict[str, dict[str, Any]] = {}
        """Phase to its soak, hour by hour, for gates that compare with it; as its record would give it."""

    def play(self) -> Ended:
        """From the first shift to the end; phases before all faults are left out, for nothing happens there."""
        self.world.live(START + HISTORY)
        # What is played is the world's: an environment without phases of its own plays those of the rollout.
        phases = list(self.params.policy.phases_of(self.params.env) or self.params.policy.phases)
        soaks = [_Soak(self, name) for name in phases if name >= self.start_phase]
        for soak in (*soaks, _AfterMigration(self, phases[-1])):
            outcome, by = soak.walk()
            self.decided_at = self.world.now
            if outcome.decision is not Decision.PROMOTE:
                break
        notebook = soak.notebook
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
            reason=outcome.told,
        )

    def detected(self) -> Seconds:
        """Until the decision, or AppConfig's own rollback."""
        first, newest = self.world.flags.deployments[0], self.world.flags.deployments[-1]
        return detected_s(self.world.service, newest.taken_back_at or self.world.now, first.started_at or "")

    def recovered(self, outcome: Outcome) -> bool:
        """The action is made, and the curve is seen to turn; if more workers do not turn it, async goes off after all.

        True where at the end no request goes to async, or the queue is drained and nothing is throttled. Workers whom
        the LLM's rate limit refuses are no cure, as rollback 2 has it.
        """
        world = self.world
        begun = world.now
        if outcome.scenario == "rollback_2":
            world.service.workers = 10
        elif outcome.scenario == "rollback_3":
            world.service.set_units(table=ENOUGH_UNITS, index=ENOUGH_UNITS)
        else:
            self._async_off()
        if self._turned(begun) and not self._refused(begun):
            return True
        # Neither more workers nor more capacity cured it: scenario 1.
        begun, world.service.workers = world.now, self.params.service.workers
        self._async_off()
        return self._turned(begun)

    def _refused(self, since: dt.datetime) -> bool:
        """The LLM's rate limit refuses more of the jobs than rollback 2 bears."""
        limits = (spec.backlog for spec in self.params.policy.rollbacks.values() if spec.backlog is not None)
        jobs = [job for job in self.world.truth.jobs.values() if job.created >= since.timestamp()]
        share = sum(job.error == RATE_LIMITED for job in jobs) / max(1, len(jobs))
        return any(limit.llm_limited.holds(share) for limit in limits)

    def _async_off(self) -> None:
        """Scenario 1: the switch; and where it has no effect any more, the infrastructure's step before."""
        self.world.flags.switch_off(self.world.now)
        self.world.flags.move_back()

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
        self.counted: list[Segment] = []
        self.about = describe(release=play.params.release, notebook=notebook, attempt=play.params.attempt, run="bench")

    def walk(self) -> tuple[Outcome, str]:
        """The decision that ends the phase, and by whom it was caught: `watch`, `look` or `AppConfig`."""
        world = self.world
        over = self.spec.before_percent if self.play.scenario.by_hand else 0.0
        world.flags.shift(self.spec.percent, world.now, self.about, over=over)
        world.service.live_by(world.service.scenario.begun(self.notebook, world.service.hour))
        return self.looks()

    def looks(self) -> tuple[Outcome, str]:
        """Looks, from now on until one decides."""
        world = self.world
        begun, extended = world.now, self.moment().come_back_at
        while True:
            every = dt.timedelta(minutes=self.play.scenario.watch_min)
            late = dt.timedelta(hours=self.play.scenario.late_h)
            watched = world.now + every if every else begun + LAST_INTERIM
            declared = extended + late if extended else None
            # Nobody looks between a declared look and the hour at which the scenario has it taken.
            wanted = [declared if extended and declared and extended <= watched < declared else watched, declared]
            world.live(min(at for at in wanted if at is not None and at > world.now))
            outcome = self.look()
            if self.moment().name == "taken_back":
                return outcome, "AppConfig"
            if outcome.decision is not Decision.SOAK:
                return outcome, "look" if self.moment().look is not None else "watch"
            extended = self.moment().come_back_at
            if self.moment().name == "after" and not world.flags.baking and not world.flags.migrated:
                # An extended soak is watched again, as the notebook does it when it is applied.
                world.flags.shift(self.spec.percent, world.now, self.about)

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
        self.play.judged = window
        if now.name == "after" and outcome.decision in (Decision.SOAK, Decision.PROMOTE):
            outcome = self._stands(outcome, window, evidence.get("success"))
        if outcome.decision is Decision.PROMOTE and (evidence[BASELINE].n or 0) >= FEW:
            self.play.kept = evidence[BASELINE]
        if outcome.decision is Decision.PROMOTE and (told := arms.told(self.answered, evidence, self.notebook)):
            self.play.promoted[self.notebook] = told
        return outcome

    def _stands(self, outcome: Outcome, judged: Window, users: Evidence | None) -> Outcome:
        """The outcome, if the time since the judged hours bears it out, as in the notebook (`rollout/present.py`)."""
        window = present.since_of(judged.end, self.world.now)
        if outcome.decision is Decision.SOAK and not present.worth_looking(window, self.params):
            return outcome
        percent = 100.0 if self.world.flags.migrated else self.world.flags.percent
        firing = [(name, "ALARM") for name in self.world.guards.firing(self.world.service.now, percent)]
        found = present.looked(
            window, self.params, self._interim, start=judged.start, judged=users, guards=present.first_wrong(firing)
        )
        return present.stands(outcome, found)

    def _interim(self, window: Window) -> Outcome:
        evidence = self.evidence(window, None, keep=False)
        return case_of(self.params, self.spec, self.moment(), evidence, None, moment="during").verdict()

    def evidence(self, window: Window, look: Look | None, *, keep: bool) -> dict[str, Evidence]:
        """Everything asked over `window`, made into evidence by `observe`."""
        world, now, state = self.world, self.world.now, self.world.flags.state()
        params = traffic.as_routed(self.params, state)
        earlier = [one for one in self.counted if window.start <= one.start and one.end_settled <= window.end]
        start = max((one.end_settled for one in earlier), default=window.start)
        asked = Window(start, max(start, window.end))
        fresh = census.taken(world.table.jobs, params, asked, now, since=self.moment().effective_at)
        if keep and fresh.end_settled > fresh.start:
            self.counted.append(fresh)
        segment = merge([*earlier, fresh])
        asks = [*measure.asks(params, window, now), *door.asks(params, state, window)]
        first = world.metrics.answers(params, asks, now)
        answers = first + world.metrics.answers(params, measure.asks_bounds(first, params, window, now, look), now)
        levels = {**world.live_levels(), "door": world.access_log(params, window)}
        levels |= {"clients": told} if (told := world.clients(params, window)) else {}
        before = [told for phase, told in self.play.promoted.items() if phase != self.notebook]
        levels |= {arms.BEFORE: before[-1]} if before else {}
        found = measure.measure(answers, segment, levels, state, params, window, now, look)
        if keep:
            self.answered = Answered(answers, segment, levels, state, params, window, now, look)
        found[BASELINE] = self._baseline(found[BASELINE])
        return found

    def _baseline(self, own: Evidence) -> Evidence:
        """The baseline's success; where hardly anybody calls it any more, as the phase before saw it last."""
        if not self.world.flags.migrated and ((own.n or 0) >= FEW or self.play.kept is None):
            return own
        return self.play.kept or own.model_copy(update={"bad": None, "n": None})


class _AfterMigration(_Soak):
    """The rest of the last phase: `/api/vpr` is moved, the temporary route goes, and all is asynchronous for 48 h."""

    def walk(self) -> tuple[Outcome, str]:
        """The decision that ends the rollout, and by whom it was caught."""
        world, service = self.world, self.params.service
        world.flags.move(world.now, self.about)
        world.service.live_by(world.service.scenario.begun("migration", world.service.hour))
        # As long as clients may hold the old weight and poll (`steps/phase/migration.py`).
        silent = 2 * service.traffic.client_poll_s + service.job_deadline_s + self.params.policy.metric_delay_s
        world.live(world.now + dt.timedelta(seconds=silent))
        world.flags.remove_temporary(world.now)
        return self.looks()

    def moment(self) -> moments.Moment:
        """Where the soak after the migration stands."""
        flags, now = self.world.flags, self.world.now
        assert flags.migrated_since is not None  # noqa: S101
        return moments.after_migration(flags.state(), self.params, self.spec, parse(flags.migrated_since), now)
