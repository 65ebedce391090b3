"""What the cells of a phase notebook call, in the order of its headings: observe, show, judge, act, prove.

Every step leaves its facts in the run's journal, so that the record holds what the reader of the report saw. A `Phase`
has a look (`look.py`), which asks and shows; what must hold before the shift is in `before.py`, the verdict in
`verdict.py`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.homes import home_of
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.case import Case, settled
from runbook_lib.judge.gates import family
from runbook_lib.judge.gates.checks import Check, unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.observe.traffic.weight import TrafficState, read_or_nothing
from runbook_lib.rollout import door
from runbook_lib.rollout.approval import Operator, approval_checks
from runbook_lib.rollout.look import Seen
from runbook_lib.rollout.moment import Moment
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import line, proof_table, show
from runbook_lib.show.scale import gates_picture
from runbook_lib.show.tables import stack
from runbook_lib.show.traffic import plan_table
from runbook_lib.show.verdicts import gate_table, verdict_banner
from runbook_lib.steps import harm
from runbook_lib.steps.alarm_odds import look as submissions
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase import before as first
from runbook_lib.steps.phase import guards as phase_guards
from runbook_lib.steps.phase import verdict
from runbook_lib.steps.phase.look import PhaseLook, Stand
from runbook_lib.steps.phase.verdict import hold_because, planned_because


class Phase:
    """One phase of the rollout: what its notebook's cells call.

    Args:
        run: open, of a notebook that `policy.phases` knows.
        look: used instead of a new `PhaseLook` of the run.
    """

    def __init__(self, run: Run, look: PhaseLook | None = None) -> None:
        self.run, self.params = run, run.params
        self.look = look or PhaseLook(run)
        self.infra: Infra | None = None
        self.outcome: Outcome | None = None
        self.decided_at: dt.datetime | None = None  # by AWS's clock
        self.planned: act.ShiftPlan | None = None
        self._asked: list[Check] | None = None
        self._forecast: harm.Forecast | None = None

    @property
    def stand(self) -> Stand:
        """Where the phase stands."""
        return self.look.stand

    @property
    def moment(self) -> Moment:
        """The moment that the run began in."""
        return self.look.stand.moment

    @property
    def state(self) -> TrafficState:
        """Dial, switch and routes, as they were read last."""
        return self.look.stand.state

    # Where are we

    def traffic_table(self) -> Any:
        """Moment, dial, switch and the deployments behind them."""
        return self.look.traffic_table()

    def infrastructure(self) -> Any:
        """The diff of the new resources before they are deployed, and their inventory once they are."""
        if self.params.service.traffic.kind == "lambda-alias":
            return line("Nothing to deploy: the new version is published already.")
        self.infra = infra = Infra(self.run, "async")
        name = self.moment.name
        if name == "before":
            shown = infra.diff()
            return shown if infra.differs else stack(shown, infra.inventory())
        if name in ("during", "after"):
            return stack(line("Nothing is deployed while a soak runs."), infra.inventory())
        return line("Nothing to deploy.")

    def route_table(self) -> Any:
        """Whether the synchronous route is what it was before the rollout."""
        if self.state.migrated:
            return line(f"{self.params.service.asked('sync')} is asynchronous: it was migrated on purpose.")
        found = first.sync_route(self.run)
        self.run.check(found)
        return checks_table([found])

    def previous_table(self) -> Any:
        """The soaks before this one, side by side."""
        checks, records = first.previous_soaks(self.run)
        self.run.check(*checks)
        shown = first.previous_table(records, self.params)
        return stack(shown, checks_table(checks)) if checks else shown

    def approvals_table(self) -> Any:
        """Who has approved the shift, and whose approval is missing."""
        found = self._approvals()
        return checks_table(found, "Approvals") if found else line("This phase needs no approval.")

    def _approvals(self) -> list[Check]:
        """Each approval as a check, asked and noted once per run."""
        if self._asked is None:
            run, moment, spec = self.run, self.moment, self.stand.spec
            # A run that only looks at a soak has no operator; the migration is a second raise of the same step.
            raises = moment.name == "before" or (run.applying and bool(spec.after_migration))
            who = Operator(run.identity.arn if raises else "", before=moment.name == "before")
            self._asked = approval_checks(run, spec.approvers, who)
            self.run.check(*self._asked)
        return self._asked

    def guards_table(self) -> Any:
        """Whether each guard alarm could protect the shift."""
        return self.look.guards_table()

    def harm_table(self) -> Any:
        """What a failure would cost the users at this weight, before the shift is made."""
        if self.moment.name != "before":
            return line("What a failure would cost was forecast before the shift: see the record of that run.")
        return harm.shown(self._harm())

    def _harm(self) -> harm.Forecast:
        """The forecast, made and noted once per run; a broken budget blocks the shift."""
        if self._forecast is None:
            run = self.run
            seen = submissions(run.aws.client("cloudwatch"), self.params, run.now)
            from_hour = float(run.now.astimezone(dt.UTC).hour)
            self._forecast = found = harm.of_phase(self.params, run.notebook, seen, from_hour)
            run.check(harm.harm_check(self.params, found, required=True))
        return self._forecast

    # What is seen

    def observe(self) -> Any:
        """Asks CloudWatch, the jobs table and the queue, and turns the answers into evidence."""
        return self.look.observe()

    def baseline_table(self) -> Any:
        """The canary's success beside the baseline's."""
        return self.look.baseline_table()

    def cost_table(self) -> Any:
        """Cost of a report, infrastructure and tokens apart, and of a month of reports."""
        return self.look.cost_table()

    def cost_comparison(self) -> Any:
        """Compares the cost of a success on both routes, infrastructure and tokens apart; notes `cost.compared`."""
        return self.look.cost_comparison()

    def charts(self) -> Any:
        """A timeline of what each gate judges, then the traffic around it."""
        return self.look.charts()

    # What follows from it

    def judge(self) -> Outcome:
        """The verdicts and the decision, from the evidence and the checks."""
        return self._noted(self._judged())

    def _judged(self) -> Outcome:
        look, stand, moment = self.look, self.stand, self.moment
        if moment.name == "over":
            what = f"{moment.words}; nothing is left to do here"
            return planned_because(what, "Go on with the phase that is under way.")
        seen = look.looked()
        outcome = verdict.decide(self.run, stand, seen, moment.look)
        if moment.name == "before":
            outcome = self._before(outcome, seen)
        if moment.name == "after" and outcome.decision in (Decision.SOAK, Decision.PROMOTE):
            outcome = verdict.up_to_now(look, outcome, seen)
        if outcome.decision is Decision.PROMOTE:
            outcome = self._promoted(outcome)
        outcome = verdict.offered(stand, outcome)
        return verdict.before_jobs_are_gone(stand, outcome, seen) if outcome.decision is Decision.SOAK else outcome

    def _before(self, outcome: Outcome, seen: Seen) -> Outcome:
        """The decision before the shift, after noting the checks that must hold for it."""
        run, stand = self.run, self.stand
        self._approvals()
        if stand.deployed and self.params.policy.has_users(self.params.env):
            self._harm()
            found = verdict.flags_read(stand, seen)
            run.check(*([found] if found else []))
            checks, raw = door.phase_checks(run.aws, self.params, stand.spec.percent, run.now)
            run.check(*checks)
            run.journal.append("door", **raw)
        stood = verdict.since_the_phase_before(self.look, outcome)
        if stood is not None:
            return stood
        differs = bool(self.infra is not None and self.infra.differs)
        return verdict.before_shift(run, stand, outcome, differs=differs, blockers=self.blockers)

    def _promoted(self, outcome: Outcome) -> Outcome:
        """The promotion, if every required check of this run passes too."""
        return settled(outcome, self.run.checks.values())

    def _noted(self, outcome: Outcome, state: TrafficState | None = None) -> Outcome:
        """Makes `outcome` the decision of this run, and writes it into the journal."""
        self.decided_at, now = self.run.guard.now, self.moment
        self.outcome = self.run.decide(outcome, now.name, look=now.look_number, state=state or self.state)
        return self.outcome

    def decided(self) -> Outcome:
        """The decision so far; judges first if there is none."""
        return self.outcome if self.outcome is not None else self.judge()

    def gate_table(self) -> Any:
        """Decision and gates; before the shift there is nothing to judge yet."""
        outcome = self.decided()
        shown = [verdict_banner(outcome, acts=self.run.applying and self.moment.name == "before")]
        if outcome.results:
            shown.append(gates_picture(outcome.results, self.moment.look is None))
            shown.append(gate_table(outcome, interim=self.moment.look is None))
            if split := family.told(self.run.params.policy.alphas):
                shown.append(line(split))
        wrong = [one for one in self.run.checks.values() if not one.ok]
        return stack(*shown, checks_table(wrong, "Checks that do not hold")) if wrong else stack(*shown)

    # Action

    def deploy(self) -> Any:
        """Deploys the new resources if the run may and there is something to deploy; then verifies them."""
        infra = self.infra
        if infra is None or self.moment.name != "before" or infra.differs is False:
            return line("Nothing to deploy.")
        if self.decided().decision is Decision.HOLD:
            return line(f"Nothing is deployed: {self.decided().told}")
        shown = infra.deploy()
        if not infra.deployed:
            return shown
        route = self.route_table()
        inventory = infra.inventory()
        self.look.read_again(absent=True)
        wrong = unmet(self.run.checks.values())
        self._noted(hold_because(wrong[0].reason) if wrong else verdict.only_deployed(self.run))
        return stack(shown, route, inventory)

    def plan(self) -> Any:
        """What applying would do now."""
        outcome, stand, moment, run = self.decided(), self.stand, self.moment, self.run
        moves = moment.name in ("before", "after") and stand.deployed and not stand.state.migrated
        guards = phase_guards.planned(run) if moves else None
        planned = moment.name == "before" and outcome.decision is Decision.PLANNED
        shift = planned and stand.deployed and not self.blockers()
        renew = moment.name == "after" and outcome.decision is Decision.SOAK and moment.bake_is_over
        if shift or (renew and not stand.state.migrated):
            until = stand.first_look(run.now) if shift else moment.come_back_at
            self.planned = self._shift(until)
            run.journal.append("plan", plan=self.planned.model_dump(mode="json"), text=self.planned.text())
            shown = plan_table(self.planned)
            return stack(phase_guards.shown(guards), shown) if guards else shown
        if self._takes_back():
            return line("Plan: turn the switch off. Within a minute all requests go to the synchronous endpoint again.")
        if planned and guards is not None and guards.refusal:
            return phase_guards.shown(guards)
        return line(f"Nothing to do here. {outcome.next}")

    def blockers(self) -> list[str]:
        """Why the shift must not be made, one sentence each."""
        stand, run = self.stand, self.run
        if not stand.deployed:
            return ["the new resources are not deployed"]
        said = [one.reason for one in unmet(run.checks.values()) if not one.mends]
        said += run.missing_to_shift
        said += [finding.sentence for finding in self.look.guards if not finding.ok and not finding.mends]
        weight, begins = stand.state.weight, stand.spec.before_percent
        if weight != begins:
            said.append(f"the weight in force is {weight:g} %, but this phase starts from {begins:g} %")
        return [*said, *self._shift(run.now).blockers]

    def _shift(self, until: dt.datetime | None) -> act.ShiftPlan:
        """The plan of the shift to this phase's weight; `until` is when its next look is due."""
        spec = self.stand.spec
        return act.plan_shift(
            self.state,
            spec.percent,
            self.params,
            soak_hours=spec.soak_hours if spec.percent else 0,
            description=self._describe(until),
        )

    def _describe(self, until: dt.datetime | None = None) -> str:
        flat, run = self.params.flat, self.run
        return act.describe(
            release=flat.release, notebook=run.notebook, attempt=flat.attempt, run=run.run_id, until=until
        )

    def _takes_back(self) -> bool:
        outcome = self.decided()
        acts = outcome.decision is Decision.ROLLBACK and outcome.scenario == "rollback_1"
        return acts and self.state.switch_on and not self.state.migrated

    def apply(self) -> Outcome:
        """Carries the plan out if the run may; otherwise says that nothing was changed.

        Raises:
            Refused: a raise is not authorised, blocked, or its plan is stale.
        """
        outcome, run = self.decided(), self.run
        if not run.applying:
            show(line("Nothing was changed: mode is plan."))
            return outcome
        home = home_of(run.aws, run.guard, self.params)
        if self._takes_back():
            show(line(home.switch_off(self._describe(), self.decided_at).sentence))
            off = self.state.model_copy(update={"switch_on": False, "weight": 0.0})
            self.outcome = run.decide(
                verdict.turned_off(outcome), self.moment.name, look=self.moment.look_number, state=off
            )
        elif self.planned is not None:
            blocked = self.blockers() if self.moment.name == "before" else []
            if blocked:
                raise Refused(blocked[0], nothing_changed=True)
            phase_guards.put_in_force(run)  # before the weight moves
            after = home.apply(self.planned)
            if self.moment.name == "before":
                set_at = parse(after.since) if after.since else run.now
                back = iso(self.stand.first_look(set_at))
                case = Case(moment="before", percent=self.stand.spec.percent, applied=True, come_back_at=back)
                begun = case.verdict()
                run.made_of(case, begun)
                self._noted(verdict.before_jobs_are_gone(self.stand, begun, None), after)
            show(line(f"Applied: the dial is at {after.dial_percent:g} %."))
        else:
            show(line("Nothing to apply."))
        return self.decided()

    def proof(self) -> Any:
        """Reads the traffic back from AWS, and shows the observed split beside the weight in force."""
        after, there = read_or_nothing(self.run.aws, self.params)
        self.run.journal.append("traffic", when="after", state=after.model_dump(mode="json"))
        if not there:
            return line("Read back: the new resources are not deployed, and no request can go to async.")
        split = next((result for result in self.decided().results if result.gate.kind == "split"), None)
        return proof_table(self.state, after, split)
