"""What the cells of `rollback_2_queue_backlog` call to act: raise, watch, put back, or fall through to scenario 1.

Which it is follows from AWS and the deviations on record (`queue_backlog_seen.py`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act import concurrency as act
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import iso
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Decision, Outcome, Verdict
from runbook_lib.observe.resources import workers
from runbook_lib.show.console import folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.steps.rollbacks.mitigation import Setting
from runbook_lib.steps.rollbacks.queue_backlog_seen import FOLLOWS_S, MAXIMUM, RESERVED, BacklogSeen

SLOW = (
    "More workers do not cure it. Call people: find out why reports are slow (the LLM's own time), then run the "
    "notebook of the phase again; the workers are put back once the arrivals allow it."
)
DRAINED = dt.timedelta(hours=1)
"""When to look again where the queue is drained and the workers are needed yet."""


class Backlog(BacklogSeen):
    """Scenario 2 as its notebook goes through it."""

    @property
    def failed(self) -> str:
        """Why more workers are no cure; empty: they may be. A curve that turned late has turned."""
        if not (self.raised or self.deep):
            return ""
        if self.llm_fails:
            return self.llm_check().reason
        turned = self.turned is not None and self.turned.turned_s is not None
        curve = self.curve_check()
        if self.raised and not turned and curve.verdict is Verdict.FAIL:
            return curve.reason
        return self.not_cured if self.raised else ""

    def judge(self) -> Outcome:
        """The decision by what is true now; after the action it is judged anew."""
        if self.raised or self.closed:
            self.run.check(self._raised(), self.curve_check(), self._undone(), self.gates_check())
            if self.turned is not None and self.turned.turned_s is not None and self.clock and self.clock.set_at:
                set_at = dt.datetime.fromisoformat(self.clock.set_at)
                ahead = (set_at - dt.datetime.fromisoformat(self.clock.decided_at)).total_seconds()
                self.was_set(set_at, max(0.0, self.turned.turned_s - ahead), self.key)
        failed = self.failed
        outcome = self.conclude(
            acted=self.raised or self.over or self.fell or bool(failed),
            would=self._would(),
            done=self._done(),
            besides=f"the queue is drained, but {self.missing_back}" if self._kept else "",
            then=self.after_the_fall
            if failed or self.fell
            else "find out why the queue grew, then go on with the phase"
            if self.symptom_seen()
            else "go on with the phase",
            come_back_at=self._come_back(),
            falls_to="rollback_1" if failed or self.fell else None,
        )
        if outcome.decision is Decision.HOLD and self.run.checks["rollback_2.gates"].verdict is Verdict.FAIL:
            return self.say_next(outcome, SLOW)
        if self.raised and not self.missing_back and not failed:
            back = f"Apply this notebook once more: the queue is drained, and it puts {self.was} workers back."
            return self.say_next(outcome, back)
        return outcome

    def _would(self) -> str:
        if not self.confirmed:
            return "no symptom was seen, so there is nothing to do; a reason overrides that"
        plan = self.planned
        if plan.blockers:
            return f"blocked: {plan.blockers[0]}"
        return f"apply would let {plan.reserved} workers run instead of {self.workers.in_force}"

    def _done(self) -> str:
        if self.over:
            drained = "the backlog was drained" if self.symptom_seen() else "no symptom was seen when it was decided"
            return f"{drained}, and the workers are what the code says"
        if self.returning:
            return f"the workers are being put back to {self.was}"
        return f"{self.policy.workers} workers run"

    @property
    def _kept(self) -> bool:
        """The queue is drained, and the workers are needed yet."""
        return self.raised and not self.returning and self.drained and bool(self.missing_back)

    def _come_back(self) -> dt.datetime:
        """When there is more to see: the limit, then the forecast's end."""
        due, now = self.due, self.run.now
        if due and now < due:
            return due
        if self.drained and self.missing_back:
            return now + DRAINED  # what keeps the workers is the arrivals, and those change with the hours
        if self.over or (self.drained and not self.missing_back):
            return now + self.until_judged()
        found = {one.option.id: one for one in self.forecasts(self.now_seen)}
        ahead = found["workers"].drain_s if found and found["workers"].drains else 900.0
        return now + dt.timedelta(seconds=min(max(ahead, 300.0), 3600.0))

    def _raised(self) -> Check:
        found, wanted = self.workers, self.policy.workers
        ok = not self.open or found.facts() == {"reserved": wanted, "maximum": wanted}
        told = f"reserved {found.reserved}, maximum {found.maximum}"
        if self.open and not ok:
            to = f"{self.was} again" if self.returning else wanted
            told += f"; begun and not completed: apply again to bring both to {to}"
        made = check(
            "rollback_2.workers", "Reserved concurrency and MaximumConcurrency raised together", ok, told,
            expected=f"{wanted} each, while the deviation is open", found=told, reserved=found.reserved,
            maximum=found.maximum,
        )  # fmt: skip
        return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if self.returning and not made.ok else made

    def _undone(self) -> Check:
        made = check(
            "rollback_2.undone", "Put back when drained", not self.open,
            "the deviation is closed: undone or adopted" if not self.open else
            f"{self.policy.workers} workers run yet, {self.was} again later: "
            f"{self.missing_back or 'the queue is drained, applying puts them back'}",
            expected=f"{self.was} workers", found=f"{self.workers.reserved} workers",
        )  # fmt: skip
        return made if made.ok else made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})

    # The action

    @property
    def planned(self) -> act.ConcurrencyPlan:
        """What is to be done now."""
        whole = self.workers.maximum == self.policy.workers or self.returning
        if self.raised and whole and (not self.missing_back or self.llm_fails):
            was = (self.open.get(MAXIMUM), self.was)
            return act.plan_lower(self.workers, self.was, was[0].was if was[0] else was[1])
        return act.plan_raise(
            self.workers,
            self.policy.workers,
            keep_unreserved=self.policy.keep_unreserved,
            back_to=self.params.service.workers,
        )

    @property
    def llm_fails(self) -> bool:
        """The LLM turns away more than the policy allows."""
        return not self.llm_check().ok

    def plan(self) -> Any:
        """What applying would do now, whose settings they are, and the way back."""
        plan = self.planned
        self.run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
        if self.over:
            return line(f"Nothing to do: {self._done()}.")
        shown = [folded(plan.text().splitlines()[0], plan.text().splitlines(), opened=True)]
        if self.failed:
            shown.insert(0, self.fall_line())
        settings = [
            Setting(self.workers.function, "AWS::Lambda::Function", "ReservedConcurrentExecutions",
                    plan.before.reserved, plan.reserved),
            Setting(self.workers.mapping, "AWS::Lambda::EventSourceMapping", "ScalingConfig.MaximumConcurrency",
                    plan.before.maximum, plan.maximum),
        ]  # fmt: skip
        return stack(*shown, *([self.owners_table(settings)] if plan.raises and plan.todo else []))

    def fall_line(self) -> Any:
        """What applying does when the mitigation is no cure."""
        return line(f"Applying turns async off (scenario 1), because {self.failed}.")

    def apply(self) -> Any:
        """Raises, watches, puts back or falls through, whichever is its turn; twice is harmless.

        Raises:
            Refused: not authorised; no symptom and no reason; blocked; or somebody changed the workers meanwhile.
            AwsError: Lambda refused.
        """
        if not self.run.applying:
            return line("Nothing was changed: mode is plan.")
        if self.over:
            return line("Nothing to do: this was done already, and undone or adopted since.")
        if self.failed:
            fallen = self.fall_back(self.failed)
            return stack(fallen, self._lower()) if self.llm_fails else fallen
        if self.raised and not self.missing_back:
            return self._lower()
        if self.raised and not self.planned.todo:
            since = next(iter(self.open.values())).at
            return line(f"Nothing to do: {self.policy.workers} workers run already, decided at {since}; "
                        f"{self.missing_back}.")  # fmt: skip
        return self._raise()

    def _raise(self) -> Any:
        plan = self.planned
        if plan.blockers:
            act.apply(plan, self.client, self.run.guard, self.params)  # says why, and raises
        if not self.open:
            self.may_raise()
        self.run.guard.authorise(raises=True)
        self.decided()
        found, wanted = self.workers, self.policy.workers
        self.record(
            [
                self.deviation(RESERVED, "Worker Lambda: reserved concurrency", found.reserved, wanted),
                self.deviation(MAXIMUM, "Event source: maximum concurrency", found.maximum, wanted),
            ]
        )
        try:
            self.workers = act.apply(plan, self.client, self.run.guard, self.params)
        except Refused:
            self.workers = workers.read_workers(self.client, self.params)
            if wanted not in self.workers.facts().values():
                self.withdraw()
            raise
        self.was_set(self.aws_now, FOLLOWS_S, self.key)
        self._forget()
        self.tell(f"{wanted} workers instead of {found.reserved}, for a backlog of {self.now_seen.waiting:.0f} jobs")
        return line(f"{wanted} workers run. Come back at {iso(self._come_back())}: has the curve turned?")

    def _lower(self) -> Any:
        back = self.was
        self.workers = act.apply(
            act.plan_lower(self.workers, back, self.open[MAXIMUM].was if MAXIMUM in self.open else back),
            self.client, self.run.guard, self.params,
        )  # fmt: skip
        self.close_deviations("undone")
        self._forget()
        self.tell(f"{back} workers again")
        return line(f"{back} workers again; the deviation is closed.")

    def _forget(self) -> None:
        """What follows from the state is looked at anew."""
        for name in ("turned", "limited", "decided_seen", "returning", "orders"):
            self.__dict__.pop(name, None)

    def proof(self) -> Any:
        """Read back from Lambda, and judged by the deviations on record."""
        self.workers = workers.read_workers(self.client, self.params)
        return stack(self.note(self._raised(), caption="Read back"), self.deviations_table())
