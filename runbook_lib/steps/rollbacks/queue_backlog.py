"""What the cells of `rollback_2_queue_backlog` call to act: raise, watch, put back, or fall through to scenario 1.

AWS and the deviations on record show which one is due (`queue_backlog_seen.py`, `queue_backlog_after.py`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.act import concurrency as act
from runbook_lib.base.errors import Refused
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.resources.workers import Workers
from runbook_lib.run.run import Run
from runbook_lib.show.console import folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.steps.rollbacks.incident import Incident
from runbook_lib.steps.rollbacks.mitigation import Mitigation, Setting
from runbook_lib.steps.rollbacks.queue_backlog_after import BacklogAfter
from runbook_lib.steps.rollbacks.queue_backlog_seen import (
    FOLLOWS_S,
    BacklogSeen,
    chosen,
    maximum,
    reserved,
    worker_settings,
)

SLOW = (
    "More workers do not cure it. Call people: find out why reports are slow (the LLM's own time), then run the "
    "notebook of the phase again; the workers are put back once the arrivals allow it."
)
DRAINED = dt.timedelta(hours=1)
"""Wait until the next look where the queue is drained but the workers are still needed."""


class Backlog:
    """Scenario 2: what its notebook's cells call.

    Raises:
        AwsError: Lambda, CloudWatch or SQS refused or did not answer.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.params, self.incident = run, run.params, Incident(run)
        post = chosen(run)
        self.mitigation = Mitigation(self.incident, worker_settings(post), "backlog")
        self.seen = BacklogSeen(self.mitigation, post)
        self.after = BacklogAfter(self.seen)

    # What is true

    def state_table(self) -> Any:
        """How many workers run, by which settings, and where this scenario stands."""
        return self.seen.state_table()

    def symptoms_table(self) -> Any:
        """Checks the symptoms: queue depth, slow generation."""
        return self.seen.symptoms_table()

    def llm_table(self) -> Any:
        """Checks whether the LLM refuses jobs: then more workers make it worse."""
        return self.seen.llm_table()

    def forecast_table(self) -> Any:
        """How long the backlog takes as it is and with each option, and why Step Functions are not one."""
        return self.seen.forecast_table()

    def charts(self) -> Any:
        """The forecast beside the measured curve."""
        return self.seen.charts()

    # After the action

    @property
    def failed(self) -> str:
        """Why more workers do not cure it; empty: they may. A curve that turned late counts as turned."""
        seen, after = self.seen, self.after
        if not (seen.raised or seen.deep):
            return ""
        if self.llm_fails:
            return seen.llm_check().reason
        turned = after.turned is not None and after.turned.turned_s is not None
        curve = after.curve_check()
        if seen.raised and not turned and curve.verdict is Verdict.FAIL:
            return curve.reason
        return self.mitigation.not_cured(lambda: after.orders) if seen.raised else ""

    def judge(self) -> Outcome:
        """The decision by the present facts; after the action it is judged again."""
        seen, after, mitigation = self.seen, self.after, self.mitigation
        if seen.raised or mitigation.closed:
            own = (self._raised(), after.curve_check(), self._undone())
            self.run.check(*own, mitigation.gates_check(after.orders))
            clock = self.incident.clock
            if after.turned is not None and after.turned.turned_s is not None and clock and clock.set_at:
                set_at = dt.datetime.fromisoformat(clock.set_at)
                ahead = (set_at - dt.datetime.fromisoformat(clock.decided_at)).total_seconds()
                self.incident.was_set(set_at, max(0.0, after.turned.turned_s - ahead), mitigation.key)
        failed = self.failed
        falls = bool(failed) or mitigation.fell
        found = "find out why the queue grew, then " if mitigation.symptom_seen() else ""
        outcome = mitigation.conclude(
            lambda: self.planned,
            acted=seen.raised or seen.over or falls,
            would=self._would(),
            done=self._done(),
            besides=f"the queue is drained, but {after.missing_back}" if self._kept else "",
            then=mitigation.after_the_fall if falls else f"{found}go on with the phase",
            come_back_at=self._come_back(),
            falls_to="rollback_1" if falls else None,
        )
        if outcome.decision is Decision.HOLD and self.run.checks["rollback_2.gates"].verdict is Verdict.FAIL:
            return mitigation.say_next(outcome, SLOW)
        if seen.raised and not after.missing_back and not failed:
            back = f"Apply this notebook again: the queue is drained, and it puts {seen.was} workers back."
            return mitigation.say_next(outcome, back)
        return outcome

    def _would(self) -> str:
        if not self.incident.confirmed:
            return "no symptom was seen, so there is nothing to do; a reason overrides that"
        plan = self.planned
        if plan.blockers:
            return f"blocked: {plan.blockers[0]}"
        return f"apply would let {plan.reserved} workers run instead of {self.seen.workers.in_force}"

    def _done(self) -> str:
        if self.seen.over:
            symptom = self.mitigation.symptom_seen()
            if symptom and self.after.drained_at is None:
                return f"{self.mitigation.ended}; the queue is not seen to be drained"
            drained = "the backlog was drained" if symptom else "no symptom was seen when it was decided"
            return f"{drained}, and the workers are what the code says"
        if self.seen.returning:
            return f"the workers are being put back to {self.seen.was}"
        return f"{self.seen.policy.workers} workers run"

    @property
    def _kept(self) -> bool:
        """Whether the queue is drained, but the workers are still needed."""
        seen, after = self.seen, self.after
        return seen.raised and not seen.returning and after.drained and bool(after.missing_back)

    def _come_back(self) -> dt.datetime:
        """When to look again: at the curve's limit, then at the forecast's end."""
        seen, after, now = self.seen, self.after, self.run.now
        if after.due and now < after.due:
            return after.due
        if after.drained and after.missing_back:
            return now + DRAINED  # the arrivals keep the workers needed, and they change with the hours
        if seen.over or (after.drained and not after.missing_back):
            return now + after.until_judged()
        found = {one.option.id: one for one in seen.forecasts(seen.now_seen)}
        ahead = found["workers"].drain_s if found and found["workers"].drains else 900.0
        return now + dt.timedelta(seconds=min(max(ahead, 300.0), 3600.0))

    def _raised(self) -> Check:
        seen, is_open = self.seen, bool(self.mitigation.open)
        found, wanted = seen.workers, seen.policy.workers
        ok = not is_open or found.facts() == {"reserved": wanted, "maximum": wanted}
        told = f"reserved {found.reserved}, maximum {found.maximum}"
        if is_open and not ok:
            to = f"{seen.was} again" if seen.returning else wanted
            told += f"; begun and not completed: apply again to bring both to {to}"
        made = check(
            "rollback_2.workers",
            "Reserved concurrency and MaximumConcurrency raised together",
            ok,
            told if is_open else f"{told}: no deviation is open, so no more is expected",
            expected=f"{wanted} each" if is_open else "as the code says",
            found=told,
            reserved=found.reserved,
            maximum=found.maximum,
        )
        return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE}) if seen.returning and not made.ok else made

    def _undone(self) -> Check:
        seen, after, is_open = self.seen, self.after, bool(self.mitigation.open)
        made = check(
            "rollback_2.undone",
            "Put back when drained",
            not is_open,
            "the deviation is closed: undone or adopted"
            if not is_open
            else f"{seen.policy.workers} workers run yet, {seen.was} again later: "
            f"{after.missing_back or 'the queue is drained, applying puts them back'}",
            expected=f"{seen.was} workers",
            found=f"{seen.workers.reserved} workers",
        )
        return made if made.ok else made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})

    # The action

    @property
    def planned(self) -> act.ConcurrencyPlan:
        """The plan of what to do now: raise the workers or put them back."""
        seen, after, policy = self.seen, self.after, self.seen.policy
        whole = seen.workers.maximum == policy.workers or seen.returning
        if seen.raised and whole and (not after.missing_back or self.llm_fails):
            return self._lowering()
        return act.plan_raise(
            seen.workers, policy.workers, keep_unreserved=policy.keep_unreserved, back_to=seen.post.concurrency
        )

    def _lowering(self) -> act.ConcurrencyPlan:
        found, back = self.mitigation.open.get(maximum(self.seen.post)), self.seen.was
        return act.plan_lower(self.seen.workers, back, found.was if found else back)

    @property
    def llm_fails(self) -> bool:
        """Whether the LLM refuses more jobs than the policy allows."""
        return not self.seen.llm_check().ok

    def plan(self) -> Any:
        """What applying would do now, who owns the settings, and the way back."""
        plan = self.planned
        self.run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
        if self.seen.over:
            return line(f"Nothing to do: {self._done()}.")
        shown = [folded(plan.text().splitlines()[0], plan.text().splitlines(), opened=True)]
        if self.failed:
            shown.insert(0, self.fall_line())
        owned = [
            Setting(
                self.seen.workers.function,
                "AWS::Lambda::Function",
                "ReservedConcurrentExecutions",
                plan.before.reserved,
                plan.reserved,
            ),
            Setting(
                self.seen.workers.mapping,
                "AWS::Lambda::EventSourceMapping",
                "ScalingConfig.MaximumConcurrency",
                plan.before.maximum,
                plan.maximum,
            ),
        ]
        return stack(*shown, *([self.mitigation.owners_table(owned)] if plan.raises and plan.todo else []))

    def fall_line(self) -> Any:
        """One line: what applying does where the mitigation is no cure."""
        return line(f"Applying turns async off (scenario 1), because {self.failed}.")

    def apply(self) -> Any:
        """Raises the workers, puts them back or falls through to scenario 1, whichever is due; safe to repeat.

        Raises:
            Refused: not authorised; no symptom and no reason; blocked; or somebody changed the workers meanwhile.
            AwsError: Lambda refused.
        """
        if not self.run.applying:
            return line("Nothing was changed: mode is plan.")
        if self.seen.over:
            return line("Nothing to do: this was done already, and undone or adopted since.")
        if self.seen.whole:
            self._tell_raised()
        if self.failed:
            fallen = self.mitigation.fall_back(self.failed)
            return stack(fallen, self._lower()) if self.llm_fails else fallen
        if self.mitigation.adopted or (self.seen.raised and not self.after.missing_back):
            return self._lower()
        if self.seen.raised and not self.planned.todo:
            since, workers = when(next(iter(self.mitigation.open.values())).at), self.seen.policy.workers
            done = f"{workers} workers run already, decided at {since}"
            return line(f"Nothing to do: {done}; {self.after.missing_back}.")
        return self._raise()

    def _raise(self) -> Any:
        plan, seen, mitigation, incident = self.planned, self.seen, self.mitigation, self.incident
        if plan.blockers:
            act.apply(plan, seen.client, self.run.guard, self.params)  # says why, and raises
        if not mitigation.open:
            incident.may_raise()
        self.run.guard.authorise(raises=True)
        incident.decided()
        found, wanted = seen.workers, seen.policy.workers
        mitigation.record(
            [
                mitigation.deviation(
                    reserved(seen.post), "Worker Lambda: reserved concurrency", found.reserved, wanted
                ),
                mitigation.deviation(maximum(seen.post), "Event source: maximum concurrency", found.maximum, wanted),
            ]
        )
        try:
            self._changed(act.apply(plan, seen.client, self.run.guard, self.params))
        except Refused:
            if wanted not in seen.read_again().facts().values():
                mitigation.withdraw()
            raise
        incident.was_set(incident.aws_now, FOLLOWS_S, mitigation.key)
        self._tell_raised()
        return line(f"{wanted} workers run. Come back at {words.instant(self._come_back())}: has the curve turned?")

    def _tell_raised(self) -> None:
        seen = self.seen
        told = f"{seen.policy.workers} workers instead of {seen.was}, for a backlog"
        waiting = f" of {seen.now_seen.waiting:.0f} jobs" if seen.now_seen.waiting is not None else ""
        self.incident.tell(f"{told}{waiting}", about="more workers")

    def _lower(self) -> Any:
        if self.mitigation.adopted:
            return line(f"The workers stay as they are: {self.after.missing_back}.")
        back = self.seen.was
        self._changed(act.apply(self._lowering(), self.seen.client, self.run.guard, self.params))
        self.incident.tell(f"{back} workers again")  # before it is closed: a later run would have nothing to do
        self.mitigation.close_deviations("undone")
        return line(f"{back} workers again; the deviation is closed.")

    def _changed(self, found: Workers) -> None:
        self.seen.changed(found)
        self.after = BacklogAfter(self.seen)

    def proof(self) -> Any:
        """Reads the settings back from Lambda, and checks them against the deviations on record."""
        self.seen.read_again()
        return stack(self.incident.note(self._raised(), caption="Read back"), self.mitigation.deviations_table())

    # The end

    def verdict(self) -> Any:
        """The decision, and every check of this run."""
        return self.incident.verdict(self.incident.outcome or self.judge())

    def post_mortem(self) -> Any:
        """Writes the skeleton of the post-mortem into the record."""
        return self.incident.post_mortem()
