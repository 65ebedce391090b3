"""What the cells of a phase notebook call, in the order of its headings: observe, show, judge, act, prove.

Every step leaves its facts in the run's journal, so that the record holds what the reader of the report saw. How it
looks is `look.py`, what must hold before the shift `before.py`, the verdict `verdict.py`.
"""

from __future__ import annotations

from typing import Any

from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.dial import AppConfigTraffic
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.checks import unmet
from runbook_lib.judge.model import Decision, Outcome
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import line, proof_table, show
from runbook_lib.show.scale import gates_picture
from runbook_lib.show.tables import stack
from runbook_lib.show.traffic import plan_table
from runbook_lib.show.verdicts import gate_table, verdict_banner
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.phase import before as first
from runbook_lib.steps.phase import guards as phase_guards
from runbook_lib.steps.phase.verdict import Judging, hold_because


class Phase(Judging):
    """One phase of the rollout, as its notebook goes through it."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.planned: act.ShiftPlan | None = None

    def previous_table(self) -> Any:
        """The soaks before this one, side by side."""
        checks, records = first.previous_soaks(self.run)
        self.run.check(*checks)
        shown = first.previous_table(records, self.params)
        return stack(shown, checks_table(checks)) if checks else shown

    def approvals_table(self) -> Any:
        """Who has approved the shift, and whose approval is missing."""
        found = self._approvals()
        return checks_table(found, "Approvals") if found else line("This phase wants no approval.")

    def route_table(self) -> Any:
        """Whether the synchronous route is what it was before the rollout."""
        if self.state.migrated:
            return line(f"POST {self.params.service.api.routes.sync} is asynchronous: it was migrated on purpose.")
        found = first.sync_route(self.run)
        self.run.check(found)
        return checks_table([found])

    def infrastructure(self) -> Any:
        """What deploying the new resources would change; where they are, every setting of them."""
        self.infra = infra = Infra(self.run, "async")
        name = self.moment.name
        if name == "before":
            shown = infra.diff()
            return shown if infra.differs else stack(shown, infra.inventory())
        if name in ("during", "after"):
            return stack(line("Nothing is deployed while a soak runs."), infra.inventory())
        return line("Nothing to deploy.")

    def gate_table(self) -> Any:
        """Decision and gates; before the shift there is nothing to judge yet."""
        outcome = self.decided()
        shown = [verdict_banner(outcome)]
        if outcome.results:
            shown.append(gates_picture(outcome.results))
            shown.append(gate_table(outcome, soaking=self.moment.look is None))
        wrong = [one for one in self.run.checks.values() if not one.ok]
        return stack(*shown, checks_table(wrong, "Checks that do not hold")) if wrong else stack(*shown)

    def deploy(self) -> Any:
        """Deploys the new resources if the run may and there is something to deploy; then they are verified."""
        infra = self.infra
        if infra is None or self.moment.name != "before" or infra.differs is False:
            return line("Nothing to deploy.")
        if self.decided().decision is Decision.HOLD:
            return line(f"Nothing is deployed: {self.decided().reason}")
        shown = infra.deploy()
        if not infra.deployed:
            return shown
        route = self.route_table()
        inventory = infra.inventory()
        self.state, self.deployed = traffic.read_or_nothing(self.run.aws.client("appconfig"), self.params, self.run.aws)
        wrong = unmet(self.run.checks.values())
        self.outcome = hold_because(wrong[0].reason) if wrong else self._deployed()
        self._noted()
        return stack(shown, route, inventory)

    def plan(self) -> Any:
        """What applying would do now."""
        outcome, moment, run = self.decided(), self.moment, self.run
        moves = moment.name in ("before", "after") and self.deployed and not self.state.migrated
        guards = phase_guards.planned(run) if moves else None
        planned = moment.name == "before" and outcome.decision is Decision.PLANNED
        shift = planned and self.deployed and not self.blockers()
        renew = moment.name == "after" and outcome.decision is Decision.SOAK and not moment.baking
        if shift or (renew and not self.state.migrated):
            until = self._first_look(run.now) if shift else moment.come_back_at
            self.planned = self._shift(until)
            run.journal.append("plan", plan=self.planned.model_dump(mode="json"), text=self.planned.text())
            shown = plan_table(self.planned)
            return stack(phase_guards.shown(guards), shown) if guards else shown
        if self._takes_back():
            return line(
                "Plan: turn the switch off. Every request goes to the synchronous endpoint again, within a minute."
            )
        if planned and guards is not None and guards.refusal:
            return phase_guards.shown(guards)
        return line(f"Nothing to do: {outcome.next}")

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
        client = run.aws.client("appconfig")
        if self._takes_back():
            done = AppConfigTraffic(client, run.guard, self.params).switch_off(self._describe())
            show(line(done.sentence))
        elif self.planned is not None:
            blocked = self.blockers() if self.moment.name == "before" else []
            if blocked:
                raise Refused(f"{blocked[0]}; nothing was changed")
            phase_guards.put_in_force(run)  # before the weight moves
            after = AppConfigTraffic(client, run.guard, self.params).apply(self.planned)
            if self.moment.name == "before":
                set_at = parse(after.since) if after.since else run.now
                back = iso(self._first_look(set_at))
                case = Case(moment="before", percent=self.spec.percent, applied=True, come_back_at=back)
                begun = case.verdict()
                run.made_of(case, begun)
                self.outcome = self._before_jobs_are_gone(begun, None)
                self._noted()
            show(line(f"Applied: the dial is at {after.dial_percent:g} %."))
        else:
            show(line("Nothing to apply."))
        return self.decided()

    def proof(self) -> Any:
        """Read back from AWS, and the split that was observed against the weight in force."""
        after, there = traffic.read_or_nothing(self.run.aws.client("appconfig"), self.params, self.run.aws)
        self.run.journal.append("traffic", when="after", state=after.model_dump(mode="json"))
        if not there:
            return line("Read back: the new resources are not deployed, and no request can go to async.")
        split = next((result for result in self.decided().results if result.gate.kind == "split"), None)
        return proof_table(self.state, after, split)
