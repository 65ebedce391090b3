"""What the cells of `rollback_3_dynamodb_throttling` call to act: provision, wait, keep, or fall to scenario 1.

The time limit counts from the decision until table and index are ACTIVE; the watching comes after, and a later run of
the same notebook judges it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act import billing as act
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import iso
from runbook_lib.judge.model import Outcome
from runbook_lib.observe.resources import billing
from runbook_lib.rollout.deviations import BILLING, UNITS, UNITS_BEFORE
from runbook_lib.show.console import Live, folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.steps.rollbacks.dynamodb_throttling_seen import ThrottlingSeen
from runbook_lib.steps.rollbacks.mitigation import Setting


class Throttling(ThrottlingSeen):
    """Scenario 3 as its notebook goes through it."""

    @property
    def failed(self) -> str:
        """Why capacity is no cure; empty: it may be."""
        found = self.watched
        if found is not None and found.state == "throttled" and self.open:
            return found.words
        return self.not_cured if self.in_force else ""

    def judge(self) -> Outcome:
        """The decision by what is true now; after the action it is judged anew."""
        done_before = bool(self.closed) and not self.lately
        if self.provisioned or done_before:
            self.run.check(self.capacity_check(), self.watch_check(), self.gates_check())
        failed = self.failed
        return self.conclude(
            acted=self.provisioned or done_before or self.fell,
            would=self._would(),
            done="the table is PROVISIONED" if self.open else "the table was provisioned, and the deviation is closed",
            then=self.after_the_fall if failed or self.fell else self._keep(),
            come_back_at=self._come_back(),
            falls_to="rollback_1" if failed or self.fell else None,
        )

    def _would(self) -> str:
        if not self.confirmed:
            return "no symptom was seen, so there is nothing to do"
        plan = self.planned
        return f"blocked: {plan.blockers[0]}" if plan.blockers else "apply would provision table and index"

    @staticmethod
    def _keep() -> str:
        return (
            "keep PROVISIONED: adopt it into the code (`runbook deviation adopt inventory.table.billing`), with auto "
            "scaling; or undo it later (`runbook deviation undo inventory.table.billing`)"
        )

    def _come_back(self) -> dt.datetime:
        """When the watch is over and its metrics have come in; while the table is UPDATING, soon."""
        at, now = self.active_at, self.run.now
        if at is None or not self.in_force:
            return now + dt.timedelta(minutes=1)
        wait = dt.timedelta(minutes=self.spec.quiet_min, seconds=self.params.policy.metric_delay_s)
        return max(at + wait, now + dt.timedelta(minutes=5))

    # The action

    @property
    def planned(self) -> act.BillingPlan:
        """What is to be asked of DynamoDB."""
        has = self.billing.units
        # What was decided is completed as it was decided, and nothing that is more by now is taken away.
        decided = {name: one if name not in has else one.most(has[name]) for name, one in self.decided_units.items()}
        throttled = 1.0 if self.provisioned else sum(self.lately.values())
        return act.plan_provisioned(
            self.billing, decided or self.units, throttled=throttled, backs_a_day=self.policy.backs_a_day
        )

    def plan(self) -> Any:
        """What applying would do now, whose table it is, the limit on the way back."""
        plan = self.planned
        self.run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
        if self.failed:
            return line(f"Applying turns async off (scenario 1), because it is {self.failed}.")
        shown = folded(plan.text().splitlines()[0], plan.text().splitlines(), opened=True)
        if plan.done or plan.blockers:
            return shown
        before, kind, table = self.billing, "AWS::DynamoDB::Table", plan.before.table
        settings = [Setting(table, kind, "BillingMode", before.mode, plan.mode)] + [
            Setting(table, kind, "ProvisionedThroughput" if name == table else f"GlobalSecondaryIndexes[{name}]",
                    before.units.get(name, "on demand"), units)
            for name, units in plan.units.items()
        ]  # fmt: skip
        return stack(shown, self.owners_table(settings))

    def apply(self) -> Any:
        """Provisions and waits until ACTIVE, or falls through to scenario 1; twice is harmless.

        Raises:
            Refused: not authorised; no throttle events; or somebody changed the capacity meanwhile.
            AwsError: DynamoDB refused.
        """
        if not self.run.applying:
            return line("Nothing was changed: mode is plan.")
        if self.failed:
            return self.fall_back(self.failed)
        if self.in_force:
            return line(f"Nothing to do: provisioned already, decided at {self.open[BILLING].at}.")
        if self.closed and not self.lately:
            return line("Nothing to do: this was done already, and undone or adopted since.")
        return self._provision()

    def _provision(self) -> Any:
        plan = self.planned
        if plan.blockers:
            raise Refused(f"{plan.blockers[0]}; nothing was changed")
        self.may_raise()
        self.run.guard.authorise(raises=True)
        if self.closed:
            self.clock, self.closed = None, {}
        decided = dt.datetime.fromisoformat(self.decided().decided_at)
        units = {name: one.model_dump() for name, one in plan.units.items()}
        had = {name: one.model_dump() for name, one in self.billing.units.items()}
        title = "Jobs table: billing" + (f" (it had {self._units_words()})" if had else "")
        facts = {UNITS: units, UNITS_BEFORE: had}
        self.record([self.deviation(BILLING, title, self.billing.mode, plan.mode, **facts)])
        left = 60 * self.spec.limit_min - (self.aws_now - decided).total_seconds()
        live = Live("Waiting for the table")
        try:
            self.billing = act.apply(plan, self.client, self.run.guard, self.params, wait_s=max(left, 60.0), out=live)
        except Refused:
            if billing.read_billing(self.client, self.params).units != plan.units:
                self.withdraw()
            raise
        finally:
            live.close()
        if not self.billing.active:
            return line(f"{self.billing.table} is still {self.billing.status}: run this notebook again, it goes on.")
        self.was_set(self.aws_now, 0.0, self.key)
        self.tell(
            f"{self.billing.table} is PROVISIONED: " + ", ".join(f"{n} {u}" for n, u in self.billing.units.items())
        )
        return line(f"{self.billing.table} is PROVISIONED and ACTIVE. Come back at {iso(self._come_back())}: "
                    f"{self.spec.quiet_min:g} min are watched.")  # fmt: skip

    def proof(self) -> Any:
        """Read back from DynamoDB, and the deviations on record."""
        self.billing = billing.read_billing(self.client, self.params)
        if not self.open:
            return self.deviations_table()
        return stack(self.note(self.capacity_check(), caption="Read back"), self.deviations_table())
