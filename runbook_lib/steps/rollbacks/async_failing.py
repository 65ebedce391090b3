"""Scenario 1, async endpoint failing: turn async off at once, read it back, and only then look at everything else.

The way back depends on where the rollout stands (docs/domain.md, traps 18 and 19): before the migration the switch,
after it the infrastructure's command with the step before, after the deprecation none. The notebook finds and says what
the command, AppConfig or an earlier run has done already.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property, partial
from typing import Any

from runbook_lib.act.command import Commands, run_command
from runbook_lib.act.traffic import shift as act
from runbook_lib.act.traffic.homes import home_of
from runbook_lib.act.traffic.off import is_off, new_side, then_off
from runbook_lib.act.traffic.switch import Turned
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError, Refused, RunbookError
from runbook_lib.base.window import iso, parse
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.incident import Clock, NoWayBack
from runbook_lib.judge.model import Outcome
from runbook_lib.observe.traffic.state import NotDeployed, TrafficState, routing
from runbook_lib.params.load import project_root
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.rollbacks import switched_off
from runbook_lib.rollout.way_back import DEPRECATE, STEP, deploy_command, no_way_back, sync_gone
from runbook_lib.run.run import Run
from runbook_lib.show.console import folded
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.show.traffic import traffic_table
from runbook_lib.steps.infra import PREVIOUS
from runbook_lib.steps.rollbacks.async_failing_charts import charts
from runbook_lib.steps.rollbacks.async_failing_seen import Aftermath
from runbook_lib.steps.rollbacks.incident import Incident
from runbook_lib.steps.rollbacks.post_mortem import moves
from runbook_lib.steps.rollbacks.sync_baseline import kept_template, same_template

CALM = dt.timedelta(minutes=15)
"""Wait before the next try to bring the dial to 0, where an alarm still fires."""


class AsyncFailing:
    """Scenario 1: what its notebook's cells call."""

    def __init__(self, run: Run) -> None:
        self.run, self.params, self.incident = run, run.params, Incident(run)
        self.seen = Aftermath(self.incident)
        self.switched: Turned | None = None

    @property
    def state(self) -> TrafficState:
        """Dial, switch and routes, as they were read last."""
        return self.seen.state

    @property
    def deployed(self) -> bool:
        """Whether the rollout's flags exist; without them no request goes to async."""
        return self.seen.traffic[1]

    # Action

    def act(self) -> Any:
        """Turns async off, if the run applies; reads the state only after that.

        Raises:
            UsageError, Refused: account or confirmation.
            AwsError: async could not be turned off; the sentence says how to do it by hand.
        """
        if self.run.applying:
            self._off()
        self.seen.read_again(absent=True)
        self.run.journal.append("traffic", when="before", state=self.state.model_dump(mode="json"))
        self._resume()
        said = [line(self.switched.sentence if self.switched else words.shown(self._idle or f"plan: {self._plan}"))]
        if self.state.migrated:
            said.append(self._back_by_infrastructure())
        return stack(*said)

    def _off(self) -> None:
        run, about = self.run, self._about()
        began = self.incident.aws_now
        self.run.journal.append("incident", clock=Clock(decided_at=iso(began)).model_dump(mode="json"))
        try:
            self.switched = home_of(run.aws, run.guard, self.params).switch_off(about)
        except NotDeployed as error:
            self.switched = Turned(False, f"no request can go to {self._side}: {error}", 0)
        if not self.switched.changed:
            self.run.journal.append("incident", clock=None)
        else:
            self.incident.decided(began)
            self.incident.was_set(
                self.incident.aws_now, self.params.service.traffic.client_poll_s, self.switched.key(run.run_id)
            )

    def _resume(self) -> None:
        """Takes over the clock of the run or the command that turned async off before this run."""
        made = self.state.turned_by
        if self.incident.clock is not None or not self.state.is_off or made is None or self.state.migrated:
            return
        at, key, run = parse(made.started_at) if made.started_at else None, str(made.number), self.run
        if self.incident.resume(key, at) is not None:
            pass
        elif clock := switched_off(run.archive, self.params, key, run.guard.warn, but=run.notebook):
            self.incident.go_on_with(clock)
        elif at is not None:
            since, poll = iso(at), dt.timedelta(seconds=self.params.service.traffic.client_poll_s)
            clock = Clock(decided_at=since, set_at=since, effective_at=iso(at + poll), key=key, undecided=True)
            self.incident.go_on_with(clock)
            self.run.journal.append("note", text=f"no record says when it was decided; {act.whose(made)} turned it off")
        if self.incident.clock is not None and self.incident.clock.set_at is None and at is not None:
            self.incident.was_set(at, self.params.service.traffic.client_poll_s, key)

    @property
    def _idle(self) -> str:
        """Why there is nothing to turn off; empty: there is."""
        state = self.state
        if not self.deployed:
            return f"nothing to do: the new resources are not deployed, and no request can go to {self._side}"
        if state.migrated:
            return "the switch has no effect any more: the synchronous route itself is asynchronous"
        told = f"nothing to do: {self._side} is off already, by {act.whose(state.turned_by)}"
        return told if state.is_off else ""

    @property
    def _plan(self) -> str:
        side = f"{self._side[0].upper()}{self._side[1:]}"
        return f"turn the switch off. {side} goes from {self.state.weight:g} % to 0 within a minute"

    @property
    def _side(self) -> str:
        return new_side(self.params.service.traffic)

    # After the migration

    @cached_property
    def sync_gone(self) -> bool:
        """Whether the synchronous Lambda was removed (notebook 09), so that there is nothing to go back to."""
        return sync_gone(self.run.aws, self.params)

    def _back_by_infrastructure(self) -> Any:
        if self.sync_gone:
            return line(self.no_way.words if self.no_way else "")
        command = deploy_command(self.params, STEP)
        if not self.run.applying:
            return line(f"Plan: run the infrastructure's command with the step before: {command}")
        commands = self.params.nested(self.params.commands, Commands)
        flat = self.params.flat
        values = {name: getattr(flat, name) for name in ("env", "region", "account_id", "release")} | {"step": STEP}
        self.incident.decided()
        told: list[str] = []

        def deploy() -> None:
            ran = run_command(commands.deploy, root=project_root(), values=values, out=told.append)
            if not ran.ok:
                kept, _ = kept_template(self.run.archive, self.seen.records(self.params.policy.migrating))
                by_hand = f"; the template from before is {PREVIOUS} in the record of run {kept}" if kept else ""
                raise AwsError(f"the way back failed: `{ran.line}`: {ran.said}{by_hand}")

        self.run.guard.change(
            f"deploy step '{STEP}' of the infrastructure code in {flat.env}: back to the synchronous route",
            before={"migrated": True},
            after={"migrated": False},
            facts={"step": STEP, "way_back": True},
            undo=f"migrate again with {self.params.policy.migrating}, when the cause is mended",
            do=deploy,
            read_back=lambda: {"migrated": routing(self.run.aws, self.params)[0]},
            raises=False,
        )
        self.seen.restored = True
        self.seen.read_again()
        number = self.state.switch_deployment.number if self.state.switch_deployment else 0
        # Clients go on calling the same route and need not read anything first: it is in effect at once.
        self.incident.was_set(self.incident.aws_now, 0, str(number))
        return folded(f"{command}: done", told)

    def _template_check(self) -> Check:
        """Checks that the stack's template is again the one that was kept before the migration."""
        title = "The stack is as it was before the migration"
        run_id, kept = kept_template(self.run.archive, self.seen.records(self.params.policy.migrating))
        if not run_id:
            reason = f"no record of {self.params.policy.migrating} has the template from before"
            return check(f"{self.incident.id}.template", title, None, reason, required=False)
        name = self.params.name("stack")
        with aws_errors(f"reading the template of {name} (cloudformation:GetTemplate)"):
            body = self.run.aws.client("cloudformation").get_template(StackName=name)["TemplateBody"]
        same = same_template(body, kept)
        reason = f"{name} is {'what' if same else 'not what'} run {run_id} kept in {PREVIOUS} before the migration"
        return check(f"{self.incident.id}.template", title, same, reason, required=False, run_id=run_id)

    @property
    def no_way(self) -> NoWayBack | None:
        """Why there is no way back, and what can be done instead; None: there is one."""
        if not self.deployed or not self.state.migrated or not self.sync_gone:
            return None
        kept = next(
            (one.run_id for one in reversed(self.seen.records(DEPRECATE)) if "sync-configuration.json" in one.files),
            None,
        )
        return no_way_back(self.params, f"sync-handler.zip and sync-configuration.json, run {kept}" if kept else "")

    # What can wait

    def calm(self) -> Any:
        """Brings the dial to 0, so that switching on again restores nothing (trap 20)."""
        title = "The dial is at 0"
        if not self.deployed or self.state.migrated:
            id = f"{self.incident.id}.dial_zero"
            return self.incident.note(check(id, title, True, "the dial moves nothing", required=False))
        return self.incident.looked("dial_zero", title, lambda: self._calm(title), required=True)

    def _calm(self, title: str) -> Any:
        run, said = self.run, ""
        plan = act.plan_shift(self.state, 0, self.params, soak_hours=0, description=self._about())
        if plan.steps and run.applying:
            run.journal.append("plan", plan=plan.model_dump(mode="json"), text=plan.text())
            try:
                home_of(run.aws, run.guard, self.params).apply(plan)
            except (Refused, AwsError) as error:
                said = f"; {error}"
            self.seen.read_again()
        state = self.state
        ok = state.dial_percent == 0 and not state.busy
        reason = f"the dial is at {state.dial_percent:g} %" + (", and a deployment is under way" if state.busy else "")
        if not ok and not run.applying:
            reason += "; applying brings it to 0"
        found = self.incident.later(
            "dial_zero",
            title,
            True if ok else None,
            reason + said,
            self.seen.now + CALM,
            expected="0 %",
            found=f"{state.dial_percent:g} %",
        )
        return self.incident.note(found)

    def _about(self) -> str:
        run, flat = self.run, self.params.flat
        return act.describe(release=flat.release, notebook=run.notebook, attempt=flat.attempt, run=run.run_id)

    def told(self) -> Any:
        """Tells people that async is off, once per incident."""
        return (
            self.incident.tell(is_off(self.params.service.traffic))
            if self.acted
            else line("No message is sent: nothing was changed.")
        )

    # What is looked at, once async is off

    def split(self) -> Any:
        """Checks that no request has gone to async since the last client followed the change."""
        return self.seen.split()

    def sync_endpoint(self) -> Any:
        """Checks that the endpoint that users get now answers, and tells how often it succeeds."""
        return self.seen.sync_endpoint()

    def look_for_symptoms(self) -> Any:
        """Looks for a high error rate, failed generations, dead letters, firing guards, a weight that AWS took back."""
        return self.seen.look_for_symptoms()

    def failures(self) -> Any:
        """Explains the failed jobs from the logs: groups with counts, times and a redacted example each."""
        return self.seen.failures()

    def dead_letters(self) -> Any:
        """Lists the dead-letter queue without consuming it: its messages can be redriven later."""
        return self.seen.dead_letters()

    def in_flight(self) -> Any:
        """Follows the jobs that were submitted before async was off to their end."""
        return self.seen.in_flight()

    def charts(self) -> Any:
        """Requests, jobs and queues around the decision, with its moments drawn in."""
        seen = self.seen
        draw = partial(charts, self.incident, seen.decided_at, seen.now)
        return self.incident.looked("charts", "Charts", draw, required=False)

    # Proof

    @property
    def acted(self) -> bool:
        """Whether async is off: by the switch, or because the synchronous route was brought back."""
        return self.deployed and self.state.is_off and not self.state.migrated

    def proof(self) -> Any:
        """Reads switch, dial and routes back from AWS; where this run brought the route back, also the template."""
        if not self.deployed:
            return self.incident.note(self._off_check())
        after = self.seen.read_again()
        self.run.journal.append("traffic", when="after", state=after.model_dump(mode="json"))
        found = [self._off_check()]
        if self.seen.restored:
            found.append(self._template_check())
        return stack(traffic_table(after), self.incident.note(*found))

    def _off_check(self) -> Check:
        state = self.state
        by = f", by {act.whose(state.turned_by)}" if state.turned_by and not state.switch_on else ""
        switch = f"the switch is {'on' if state.switch_on else 'off'}{by}"
        reason = "; ".join([switch, f"the weight in force is {state.weight:g} %", *state.under_way])
        back = moments.own_rollback(state)
        if back:
            reason += f"; before that {back}"
        return check(
            f"{self.incident.id}.off",
            "Async is off, read back from AWS",
            state.is_off and state.weight == 0,
            reason,
            expected="switch off, weight 0 %",
            found=f"weight {state.weight:g} %",
        )

    # The end

    def judge(self) -> Outcome:
        """The decision by every check of this run."""
        would = self._idle or self._plan
        if self.state.migrated and not self.sync_gone:
            would = (
                f"the infrastructure's command brings the synchronous route back: {deploy_command(self.params, STEP)}"
            )
        return self.incident.conclude(
            acted=self.acted,
            would=would,
            done=f"{self._side} is off and read back",
            then=then_off(self.params.service.traffic),
            come_back_at=max(self.incident.come_back, default=None),
            no_way=self.no_way,
            state=self.state,
        )

    def verdict(self) -> Any:
        """The decision, and every check of this run."""
        return self.incident.verdict(self.incident.outcome or self.judge())

    def report(self) -> Any:
        """Writes the skeleton of the post-mortem with what this scenario knows."""
        try:
            return self.incident.post_mortem(self.seen.sections(), moves(self.state))
        except RunbookError as error:
            id = f"{self.incident.id}.post_mortem"
            return self.incident.note(check(id, "Post-mortem", None, str(error), required=False))
