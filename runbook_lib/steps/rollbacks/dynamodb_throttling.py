"""What the cells of `rollback_3_dynamodb_throttling` call to act: provision, wait, keep, or fall to scenario 1.

The time limit counts from the decision until table and index are ACTIVE. The watch comes after that, and a later run of
the same notebook judges it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act import billing as act
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import due, when
from runbook_lib.judge import words
from runbook_lib.judge.model import Outcome
from runbook_lib.observe.resources import billing
from runbook_lib.rollout import hints
from runbook_lib.rollout.deviations import BILLING, UNITS, UNITS_BEFORE
from runbook_lib.run.run import Run
from runbook_lib.show.console import Live, folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.steps.rollbacks.dynamodb_throttling_seen import ThrottlingSeen
from runbook_lib.steps.rollbacks.incident import Incident
from runbook_lib.steps.rollbacks.mitigation import Mitigation, Setting


class Throttling:
    """Scenario 3: what its notebook's cells call.

    Raises:
        AwsError: DynamoDB or CloudWatch refused or did not answer.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.params, self.incident = run, run.params, Incident(run)
        self.mitigation = Mitigation(self.incident, (BILLING,), "throttling")
        self.seen = ThrottlingSeen(self.mitigation)

    # What is true

    def state_table(self) -> Any:
        """Billing mode, units and status of table and index; where this scenario stands."""
        return self.seen.state_table()

    def symptoms_table(self) -> Any:
        """Checks the symptoms: throttle events of table or index (trap 10), and failed job updates."""
        return self.seen.symptoms_table()

    def peaks_table(self) -> Any:
        """The busiest minute of table and index, reads and writes, and the units that follow from it."""
        return self.seen.peaks_table()

    def errors_table(self) -> Any:
        """Counts the HTTP 500s of DynamoDB, which more capacity does not cure."""
        return self.seen.errors_table()

    def charts(self) -> Any:
        """Throttle events and consumed units, with the moments of the change."""
        return self.seen.charts()

    # After the action

    @property
    def failed(self) -> str:
        """Why more capacity does not cure it; empty: it may."""
        found = self.seen.watched
        if found is not None and found.state == "throttled" and self.mitigation.open:
            return found.words
        return self.mitigation.not_cured(lambda: self.seen.orders) if self.seen.in_force else ""

    def judge(self) -> Outcome:
        """The decision by the present facts; after the action it is judged again."""
        seen, mitigation = self.seen, self.mitigation
        done_before = bool(mitigation.closed) and not seen.lately
        if seen.provisioned or done_before:
            self.run.check(seen.capacity_check(), seen.watch_check(), mitigation.gates_check(seen.orders))
        falls = bool(self.failed) or mitigation.fell
        done = (
            "the table is PROVISIONED" if mitigation.open else "the table was provisioned, and the deviation is closed"
        )
        return mitigation.conclude(
            lambda: self.planned,
            acted=seen.provisioned or done_before or mitigation.fell,
            would=self._would(),
            done=done,
            then=mitigation.after_the_fall if falls else self._keep(),
            come_back_at=self._come_back(),
            falls_to="rollback_1" if falls else None,
        )

    def _would(self) -> str:
        if not self.incident.confirmed:
            return "no symptom was seen, so there is nothing to do"
        plan = self.planned
        return f"blocked: {plan.blockers[0]}" if plan.blockers else "apply would provision table and index"

    def _keep(self) -> str:
        adopt, undo = hints.adopt(self.run.params, BILLING), hints.undo(self.run.params, BILLING)
        return f"keep PROVISIONED: adopt it into the code (`{adopt}`), with auto scaling; or undo it later (`{undo}`)"

    def _come_back(self) -> dt.datetime:
        """When to look again: when the watch is over and its metrics have come in; in a minute while it is UPDATING."""
        at, now = self.seen.active_at, self.run.now
        if at is None or not self.seen.in_force:
            return now + dt.timedelta(minutes=1)
        wait = dt.timedelta(minutes=self.incident.spec.quiet_min, seconds=self.params.policy.metric_delay_s)
        return due(at + wait, now, dt.timedelta(minutes=5))

    # The action

    @property
    def planned(self) -> act.BillingPlan:
        """The plan: the capacity to ask DynamoDB for."""
        seen = self.seen
        has = seen.billing.units
        # A decided capacity is completed as decided; a table that has more by now keeps it.
        decided = {name: one if name not in has else one.most(has[name]) for name, one in seen.decided_units.items()}
        throttled = 1.0 if seen.provisioned else sum(seen.lately.values())
        return act.plan_provisioned(
            seen.billing, decided or seen.units, throttled=throttled, backs_a_day=seen.policy.backs_a_day
        )

    def plan(self) -> Any:
        """What applying would do now, who owns the table, and how often a day the way back is open."""
        plan = self.planned
        self.run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
        if self.failed:
            return line(f"Applying turns async off (scenario 1), because it is {self.failed}.")
        shown = folded(plan.text().splitlines()[0], plan.text().splitlines(), opened=True)
        if plan.done or plan.blockers:
            return shown
        before, kind, table = self.seen.billing, "AWS::DynamoDB::Table", plan.before.table
        settings = [Setting(table, kind, "BillingMode", before.mode, plan.mode)] + [
            Setting(
                table,
                kind,
                "ProvisionedThroughput" if name == table else f"GlobalSecondaryIndexes[{name}]",
                before.units.get(name, "on demand"),
                units,
            )
            for name, units in plan.units.items()
        ]
        return stack(shown, self.mitigation.owners_table(settings))

    def apply(self) -> Any:
        """Provisions and waits until ACTIVE, or falls through to scenario 1; safe to repeat.

        Raises:
            Refused: not authorised; no throttle events; or somebody changed the capacity meanwhile.
            AwsError: DynamoDB refused.
        """
        if not self.run.applying:
            return line("Nothing was changed: mode is plan.")
        if self.seen.in_force:
            self._tell_provisioned()
        if self.failed:
            return self.mitigation.fall_back(self.failed)
        if self.seen.in_force:
            return line(f"Nothing to do: provisioned already, decided at {when(self.mitigation.open[BILLING].at)}.")
        if self.mitigation.closed and not self.seen.lately:
            return line("Nothing to do: this was done already, and undone or adopted since.")
        return self._provision()

    def _provision(self) -> Any:
        plan, seen, mitigation, incident = self.planned, self.seen, self.mitigation, self.incident
        if plan.blockers:
            raise Refused(plan.blockers[0], nothing_changed=True)
        incident.may_raise()
        self.run.guard.authorise(raises=True)
        if mitigation.closed:
            mitigation.begin_anew()
        decided = dt.datetime.fromisoformat(incident.decided().decided_at)
        units = {name: one.model_dump() for name, one in plan.units.items()}
        had = {name: one.model_dump() for name, one in seen.billing.units.items()}
        title = "Jobs table: billing" + (f" (it had {seen.units_words()})" if had else "")
        facts = {UNITS: units, UNITS_BEFORE: had}
        mitigation.record([mitigation.deviation(BILLING, title, seen.billing.mode, plan.mode, **facts)])
        left = 60 * incident.spec.limit_min - (incident.aws_now - decided).total_seconds()
        live = Live("Waiting for the table")
        try:
            found = act.apply(plan, seen.client, self.run.guard, self.params, wait_s=max(left, 60.0), out=live)
        except Refused:
            if billing.read_billing(seen.client, self.params).units != plan.units:
                mitigation.withdraw()
            raise
        finally:
            live.close()
        seen.billing = found
        if not found.active:
            return line(f"{found.table} is still {found.status}: run this notebook again, it goes on.")
        incident.was_set(incident.aws_now, 0.0, mitigation.key)
        self._tell_provisioned()
        return line(
            f"{found.table} is PROVISIONED and ACTIVE. Come back at {words.instant(self._come_back())}: "
            f"{incident.spec.quiet_min:g} min are watched."
        )

    def _tell_provisioned(self) -> None:
        found = self.seen.billing
        units = ", ".join(f"{name} {unit}" for name, unit in found.units.items())
        self.incident.tell(f"{found.table} is PROVISIONED: {units}", about="more capacity")

    def proof(self) -> Any:
        """Reads the billing back from DynamoDB, and shows the open deviations."""
        self.seen.read_again()
        if not self.mitigation.open:
            return self.mitigation.deviations_table()
        shown = self.incident.note(self.seen.capacity_check(), caption="Read back")
        return stack(shown, self.mitigation.deviations_table())

    # The end

    def verdict(self) -> Any:
        """The decision, and every check of this run."""
        return self.incident.verdict(self.incident.outcome or self.judge())

    def post_mortem(self) -> Any:
        """Writes the skeleton of the post-mortem into the record."""
        return self.incident.post_mortem()
