"""The verdict of a phase: from evidence, checks, approvals and guards to one decision. Changes nothing."""

from __future__ import annotations

import datetime as dt

from runbook_lib.act.traffic import shift as act
from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge import words
from runbook_lib.judge.case import Case, settled
from runbook_lib.judge.gates.checks import Check, unmet
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.model import Decision, Evidence, Look, Outcome, Verdict
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.record.chain import predecessors
from runbook_lib.rollout import door, hints, present
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.case import case_of
from runbook_lib.rollout.hints import offer
from runbook_lib.rollout.look import Seen
from runbook_lib.rollout.people import approval_checks
from runbook_lib.run.run import Run
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase import before as first
from runbook_lib.steps.phase.look import Looking

MARGIN = dt.timedelta(minutes=30)
"""So long before jobs begin to disappear from the table the next look is due."""


class Judging(Looking):
    """One phase as far as it decides."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.moment = self._moment()
        self.outcome: Outcome | None = None
        self.infra: Infra | None = None
        self.asked: list[Check] | None = None
        run.journal.append(
            "traffic",
            when="before",
            state=self.state.model_dump(mode="json"),
            moment=self.moment.name,
            words=self.moment.words,
        )

    def _moment(self) -> moments.Moment:
        return moments.which(self.state, self.params, self.run.notebook, self.spec, self.run.now)

    def _approvals(self) -> list[Check]:
        if self.asked is None:
            self.asked = approval_checks(self.run, self.spec.approvers)
            self.run.check(*self.asked)
        return self.asked

    def judge(self) -> Outcome:
        """The verdicts and the decision, from the evidence and the checks."""
        self.outcome = self._judged()
        return self._noted()

    def _judged(self) -> Outcome:
        moment = self.moment
        if moment.name == "over":
            what = f"{moment.words}; nothing is left to do here"
            return planned_because(what, "Go on with the phase that is under way.")
        seen = self.looked()
        outcome = self._decide(seen, moment.look)
        if moment.name == "before":
            outcome = self._before(outcome, seen)
        if moment.name == "after" and outcome.decision in (Decision.SOAK, Decision.PROMOTE):
            outcome = self._up_to_now(outcome, seen)
        if outcome.decision is Decision.PROMOTE:
            outcome = self._promoted(outcome)
        outcome = self._offered(outcome)
        return self._before_jobs_are_gone(outcome, seen) if outcome.decision is Decision.SOAK else outcome

    def _decide(self, seen: Seen, look: Look | None, moment: moments.Name | None = None) -> Outcome:
        case = self._case(seen, look, moment)
        outcome = case.verdict()
        self.run.made_of(case, outcome, seen)
        if outcome.scenario != "rollback_1":
            return outcome
        return self._way_back(outcome)

    def _case(self, seen: Seen, look: Look | None, moment: moments.Name | None) -> Case:
        now = self.moment
        back = self._first_look(self.run.now) if now.name == "before" else now.come_back_at
        return case_of(self.params, self.spec, now, seen.evidence, look, moment=moment, back=back)

    def _way_back(self, outcome: Outcome) -> Outcome:
        """The decision with the command that answers it."""
        return outcome.model_copy(update={"next": f"{outcome.next} The command: {hints.rollback_1(self.params)}"})

    def _before(self, outcome: Outcome, seen: Seen) -> Outcome:
        """Whether the shift may be planned: deployed, every check passed, approved, guarded."""
        self._approvals()
        if self.deployed:
            self._note_flags(seen)
            checks, raw = door.phase_checks(self.run.aws, self.params, self.spec.percent, self.run.now)
            self.run.check(*checks)
            self.run.journal.append("door", **raw)
        stood = self._since_the_phase_before(outcome)
        if stood is not None:
            return stood
        stuck = [one.reason for one in unmet(self.run.checks.values()) if not one.mends]
        if stuck:
            return hold_because(stuck[0])
        if not self.deployed or (self.infra is not None and self.infra.differs):
            return planned_because(
                "the new resources are not deployed yet; applying deploys them and shifts nothing",
                "Read the diff, then run again with mode=apply and confirm.",
            )
        if self.run.missing_to_shift and not self._mistrusted():
            return self._deployed()
        blocked = self.blockers()
        return hold_because(blocked[0]) if blocked else outcome

    def _since_the_phase_before(self, outcome: Outcome) -> Outcome | None:
        """What came under the weight in force since the phase before was judged; None: nothing that stops the shift."""
        before = self.before_this() if self.state.weight and self.spec.before_percent else None
        kept = before.evidence.get(USER_SUCCESS) if before else None
        if before is None or kept is None:
            return None
        judged = Evidence.model_validate(kept)
        stood = self._borne_out(outcome, present.since_of(parse(judged.end), self.run.now), None, judged)
        return None if stood is outcome else stood

    def _note_flags(self, seen: Seen) -> None:
        """That clients read the flags, from the time that the weight has been 0."""
        since = max(seen.window.start, parse(self.state.since) if self.state.since else seen.window.start)
        if self.state.weight != 0 or self.spec.before_percent:
            return
        span = Window(min(since, seen.window.end), seen.window.end)

        def total(metric: str) -> float | None:
            points = seen.answers.points(f"{metric}:Sum")
            inside = [value for when, value in points if span.start <= when < span.end]
            return sum(inside) if inside else None

        self.run.check(first.reads_flags(total("async_requests"), total("sync_requests"), span.seconds / 3600))

    def _mistrusted(self) -> bool:
        """Whether a record that the shift wants is there, and cannot be trusted or says no."""
        wanted = self.params.policy.steps[self.run.notebook].requires_to_shift
        found = predecessors(self.run.archive, wanted, self.params.release)
        return any(not finding.ok and finding.record for finding in found)

    def _deployed(self) -> Outcome:
        """Everything is deployed, and other notebooks come first."""
        env, missing = self.params.env, self.run.missing_to_shift
        wanted = self.params.policy.steps[self.run.notebook].requires_to_shift
        todo = ", ".join(one.partition("@")[0] for one in wanted)
        then = f"make dashboard and alarms ({todo} in {env}), then run this again" if missing else "run this again"
        lacking = f"; {missing[0]}" if missing else ""
        return planned_because(
            f"deployed, weight 0, no async request possible{lacking}", f"{then[0].upper()}{then[1:]}."
        )

    def _offered(self, outcome: Outcome) -> Outcome:
        """Where a declared look had too few samples: how more could be had sooner."""
        users = [one for one in outcome.results if one.gate.measure == USER_SUCCESS and one.gate.required]
        short = [one.needed for one in users if one.verdict is Verdict.INCONCLUSIVE and one.needed]
        if self.moment.look is None or not short or outcome.decision not in (Decision.SOAK, Decision.HOLD):
            return outcome
        return outcome.model_copy(update={"next": f"{outcome.next} {offer(self.params, max(short))}"})

    def _promoted(self, outcome: Outcome) -> Outcome:
        """A promotion holds only if every required check of this run does, too."""
        return settled(outcome, self.run.checks.values())

    def _before_jobs_are_gone(self, outcome: Outcome, seen: Seen | None) -> Outcome:
        """Comes back before jobs that no look has counted leave the table (their TTL)."""
        counted = seen.segment.end_settled if seen and seen.segment else self.run.now
        service = self.params.service
        latest = counted + dt.timedelta(seconds=service.job_ttl_s - service.job_deadline_s) - MARGIN
        if outcome.come_back_at is None or parse(outcome.come_back_at) <= latest or latest <= self.run.now:
            return outcome
        at = iso(latest)
        hours = service.job_ttl_s / 3600
        return outcome.model_copy(
            update={
                "come_back_at": at,
                "next": f"Run this notebook again at {words.instant(at)}: "
                f"a look in between, for jobs stay in the table {hours:g} h.",
            }
        )

    def _up_to_now(self, outcome: Outcome, seen: Seen) -> Outcome:
        """The verdict on the declared hours, if the time since and the guards bear it out (`rollout/present.py`)."""
        window = present.since_of(seen.window.end, self.run.now)
        if outcome.decision is Decision.SOAK and not present.worth_looking(window, self.params):
            return outcome
        return self._borne_out(outcome, window, seen.window.start, seen.evidence.get(USER_SUCCESS))

    def _borne_out(
        self, outcome: Outcome, window: Window, start: dt.datetime | None, judged: Evidence | None
    ) -> Outcome:
        """The outcome, if `window` bears it out; what was seen is noted as a check.

        Args:
            start, judged: as in `present.looked`.
        """
        own, found = self.run.case, self._present(window, start, judged)
        self.run.check(present.told(found))
        stood = present.stands(outcome, found)
        if stood is not found.whole and stood is not found.since:
            self.run.case = own  # the look back decided nothing: the case stays the one that was judged
        return stood

    def _present(self, window: Window, start: dt.datetime | None, judged: Evidence | None) -> present.Present:
        states = alarms.states(self.run.aws.client("cloudwatch"), self.params)
        self.run.journal.append("guards_now", states=states)
        guards = present.first_wrong(states)
        return present.looked(window, self.params, self._interim, start=start, judged=judged, guards=guards)

    def _interim(self, window: Window) -> Outcome:
        """An interim look at `window`: only a FAIL in it can be final."""
        return self._decide(self.look(window, None, census=True), None, "during")

    def blockers(self) -> list[str]:
        """Why the shift must not be made, one sentence each."""
        if not self.deployed:
            return ["the new resources are not deployed"]
        self._approvals()
        said = [one.reason for one in unmet(self.run.checks.values()) if not one.mends]
        said += self.run.missing_to_shift
        said += [finding.sentence for finding in self.guards() if not finding.ok and not finding.mends]
        if self.state.weight != self.spec.before_percent:
            said.append(
                f"the weight in force is {self.state.weight:g} %, but this phase starts from "
                f"{self.spec.before_percent:g} %"
            )
        return [*said, *self._shift(self.run.now).blockers]

    def _first_look(self, shift: dt.datetime) -> dt.datetime:
        in_effect = dt.timedelta(seconds=self.params.service.traffic.client_poll_s)
        return shift + in_effect + dt.timedelta(hours=self.spec.soak_hours) + moments.settle(self.params)

    def _shift(self, until: dt.datetime | None, percent: float | None = None) -> act.ShiftPlan:
        """The plan to this phase's weight, or to `percent`."""
        wanted = self.spec.percent if percent is None else percent
        hours = self.spec.soak_hours if wanted else 0
        about = self._describe(until)
        return act.plan_shift(self.state, wanted, self.params, soak_hours=hours, description=about)

    def _describe(self, until: dt.datetime | None = None) -> str:
        flat, run = self.params.flat, self.run
        return act.describe(
            release=flat.release, notebook=run.notebook, attempt=flat.attempt, run=run.run_id, until=until
        )

    def _noted(self) -> Outcome:
        outcome = self.decided()
        self.run.journal.append(
            "decision", moment=self.moment.name, look=self.moment.look_number, outcome=outcome.model_dump(mode="json")
        )
        return outcome

    def decided(self) -> Outcome:
        """The decision so far."""
        return self.outcome if self.outcome is not None else self.judge()


def hold_because(why: str) -> Outcome:
    return Outcome(
        decision=Decision.HOLD,
        reason=f"HOLD: {why}",
        next="Put that right, then run this notebook again.",
    )


def planned_because(what: str, then: str) -> Outcome:
    return Outcome(decision=Decision.PLANNED, reason=f"PLANNED: {what}", next=then)
