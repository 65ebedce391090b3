"""World and judge in one process: plays a scenario from phase 1 on without emulator, notebooks and kernels.

For many seeds. The same as in the rehearsal with notebooks: the world (`Service`, `Outbox`), the questions and the
evidence (`observe`), the moment, the case, the gates and the decision. Replaced: CloudWatch and the jobs table
(`local_aws`), AppConfig and the guard alarms (`local_flags`), SQS's and Lambda's live figures (the world's own). Of the
migration and of the rollback notebooks only the effect exists (the synchronous route moved, the dial at 0, the
temporary route gone; switch off or the route back, ten workers, provisioned units), to judge the 48 h after the one,
and to see the curve turn after the other. Left out: preflight to staging, approvals and checks of the inventory, the
first week.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act.traffic.shift import describe
from runbook_lib.base.window import Window, parse
from runbook_lib.judge.model import BASELINE, Evidence, Look, Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.evidence import arms, door, measure
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs import census
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.rehearse.play.played import DRAIN, PATIENCE, Ended, Seconds, detected_s, turned
from runbook_lib.rehearse.quick.local_world import START, Local
from runbook_lib.rehearse.world.jobs import RATE_LIMITED
from runbook_lib.rehearse.world.scenario import Scenario
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout import present
from runbook_lib.rollout.case import case_of

HISTORY = dt.timedelta(hours=2)
LAST_INTERIM = dt.timedelta(hours=23)
"""Latest interim look, even without a watch: jobs stay in the table for a day, so one look finds them."""
ENOUGH_UNITS, FEW = 100.0, 100


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
        """The baseline's success as last seen in the phase before."""
        self.promoted: dict[str, dict[str, Any]] = {}
        """Phase to its soak, hour by hour, for gates that compare with it; as in its record."""

    def play(self) -> Ended:
        """Plays from the first shift to the end; phases before all faults are left out, since nothing happens there."""
        self.world.live(START + HISTORY)
        # The world's scenario is played: an environment without phases of its own plays those of the rollout.
        phases = list(self.params.policy.phases_of(self.params.env) or self.params.policy.phases)
        soaks = [Soak(self, name) for name in phases if name >= self.start_phase]
        for soak in (*soaks, AfterMigration(self, phases[-1])):
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

    def detected(self) -> Seconds | None:
        """Seconds until the decision, or AppConfig's own rollback; None: no weight ever was in force."""
        if not self.world.flags.deployments:
            return None
        first, newest = self.world.flags.deployments[0], self.world.flags.deployments[-1]
        return detected_s(self.world.service, newest.taken_back_at or self.world.now, first.started_at or "")

    def recovered(self, outcome: Outcome) -> bool:
        """Takes the action, and checks that the curve turns; if more workers do not turn it, turns async off after all.

        True if at the end no request goes to async, or the queue is drained and nothing is throttled. Workers whom the
        LLM's rate limit refuses are no cure, as in rollback 2.
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
        """Whether the LLM's rate limit refuses a larger share of jobs than rollback 2 tolerates."""
        limits = (spec.backlog for spec in self.params.policy.rollbacks.values() if spec.backlog is not None)
        jobs = [job for job in self.world.truth.jobs.values() if job.created >= since.timestamp()]
        share = sum(job.error == RATE_LIMITED for job in jobs) / max(1, len(jobs))
        return any(limit.llm_limited.holds(share) for limit in limits)

    def _async_off(self) -> None:
        """Scenario 1: the switch or, if it has no effect any more, the infrastructure's step before."""
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


class Soak:
    """One phase: shift, looks, verdict."""

    def __init__(self, play: InProcess, notebook: str) -> None:
        self.play, self.world, self.params, self.notebook = play, play.world, play.params, notebook
        self.spec = play.params.policy.phases[notebook]
        self.counted: list[Segment] = []
        self.about = describe(release=play.params.release, notebook=notebook, attempt=play.params.attempt, run="bench")

    def walk(self) -> tuple[Outcome, str]:
        """The decision that ends the phase, and who caught it: `watch`, `look`, `AppConfig` or `budget`."""
        world = self.world
        if refused := self.beyond_budget():
            return refused, "budget"
        over = self.spec.before_percent if self.play.scenario.by_hand else 0.0
        world.flags.shift(self.spec.percent, world.now, self.about, over=over)
        world.service.live_by(world.service.scenario.begun(self.notebook, world.service.hour))
        return self.looks()

    def beyond_budget(self) -> Outcome | None:
        """The outcome if the phase's notebook would refuse the shift because of the harm budget; None: it would not."""
        if self.params.policy.harm.users is None:
            return None
        from runbook_lib.steps import alarm_odds, harm

        seen = alarm_odds.look(self.world.metrics, self.params, self.world.now)
        found = harm.of_phase(self.params, self.notebook, seen, float(self.world.now.hour))
        one = harm.harm_check(self.params, found, required=True)
        return None if one.ok else Outcome(decision=Decision.HOLD, reason=one.reason, next="Put that right first.")

    def looks(self) -> tuple[Outcome, str]:
        """Looks from now on until one decides."""
        world = self.world
        begun, extended = world.now, self.moment().come_back_at
        while True:
            every = dt.timedelta(minutes=self.play.scenario.watch_min)
            late = dt.timedelta(hours=self.play.scenario.late_h)
            watched = world.now + every if every else begun + LAST_INTERIM
            declared = extended + late if extended else None
            # Nobody looks between a declared look and the hour at which the scenario takes it.
            wanted = [declared if extended and declared and extended <= watched < declared else watched, declared]
            world.live(min(at for at in wanted if at is not None and at > world.now))
            outcome = self.look()
            if self.moment().name == "taken_back":
                return outcome, "AppConfig"
            if outcome.decision is not Decision.SOAK:
                return outcome, "look" if self.moment().look is not None else "watch"
            extended = self.moment().come_back_at
            if self.moment().name == "after" and not world.flags.baking and not world.flags.migrated:
                # An extended soak is watched again, as when the notebook is applied.
                world.flags.shift(self.spec.percent, world.now, self.about)

    def moment(self) -> moments.Moment:
        """The moment of the phase."""
        return moments.which(self.world.flags.state(), self.params, self.notebook, self.spec, self.world.now)

    def look(self) -> Outcome:
        """One look, as in the phase's notebook."""
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
        """The outcome, if the time since the judged hours supports it, as in the notebook (`rollout/present.py`)."""
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
        """The answers to all questions over `window`, made into evidence by `observe`."""
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
        """The baseline's success; if hardly anybody calls it any more, as last seen in the phase before."""
        if not self.world.flags.migrated and ((own.n or 0) >= FEW or self.play.kept is None):
            return own
        return self.play.kept or own.model_copy(update={"bad": None, "n": None})


class AfterMigration(Soak):
    """The rest of the last phase: the synchronous route is moved, the temporary route is removed, and everything is
    asynchronous for 48 h."""

    def walk(self) -> tuple[Outcome, str]:
        """The decision that ends the rollout, and who caught it."""
        world, service = self.world, self.params.service
        world.flags.move(world.now, self.about)
        world.service.live_by(world.service.scenario.begun("migration", world.service.hour))
        # As long as clients may keep the old weight and poll (`steps/phase/migration.py`).
        silent = 2 * service.traffic.client_poll_s + service.job_deadline_s + self.params.policy.metric_delay_s
        world.live(world.now + dt.timedelta(seconds=silent))
        world.flags.remove_temporary(world.now)
        return self.looks()

    def moment(self) -> moments.Moment:
        """The moment of the soak after the migration."""
        flags, now = self.world.flags, self.world.now
        assert flags.migrated_since is not None  # noqa: S101
        return moments.after_migration(flags.state(), self.params, self.spec, parse(flags.migrated_since), now)
