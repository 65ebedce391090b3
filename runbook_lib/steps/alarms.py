"""What the cells of `04_alarms` call: declared against deployed, the drill, and whether an alarm is any good."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from runbook_lib.act import alarms as act
from runbook_lib.act import drill_way
from runbook_lib.act.drill import Drilled, drill, refusal
from runbook_lib.base import foreign
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.alarms import pager
from runbook_lib.observe.alarms.compared import Known, Planned, data_finding, plan
from runbook_lib.observe.alarms.declared import guard_findings, to_cloudformation
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.alarms import topic_arn
from runbook_lib.run.run import Run
from runbook_lib.show.bars import odds_chart
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, stack, table
from runbook_lib.show.verdicts import findings_table
from runbook_lib.steps import guard_design
from runbook_lib.steps.alarm_odds import AlarmOdds, look
from runbook_lib.steps.step import Step

KINDS = {"task_7_1": "task 7.1", "additional": "additional", "design": "design"}
"""Name of each alarm `kind` in tables."""


class Alarms(Step):
    """Notebook 04: the alarms of one environment."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done=f"every alarm is deployed as declared in {run.params.env}, and each was heard",
            then="Go on with the phase of this environment.",
        )
        self.planned = plan(run.aws, run.params)

    def declared_table(self) -> Any:
        """Every declared alarm against what is deployed, and who owns it."""
        found = [self._deployed(one) for one in self.planned]
        self.run.check(*found)
        return checks_table(found, "Alarms as declared")

    def _deployed(self, one: Planned) -> Check:
        who = f"stack {one.owner.stack}" if one.owner else "the runbook" if one.alarm.owner == "runbook" else "nobody"
        if one.same:
            counts = f" ({one.count})" if one.count else ""
            reason = f"{one.name}: as declared{counts}; owned by {who}. {one.alarm.why}"
        elif one.exists:
            reason = f"{one.name}: {'; '.join(one.differences)}; owned by {who}"
        else:
            reason = f"{one.name}: does not exist; " + (
                "applying writes it" if one.writes else "it belongs to the stack: deploy the infrastructure code"
            )
        found = "as declared" if one.same else "differs" if one.exists else "missing"
        kind = KINDS[one.alarm.kind] + (", guard" if one.alarm.guard else "")
        return check(
            f"alarm.{one.alarm.id}",
            one.name,
            one.same,
            reason,
            expected=f"as declared ({kind})",
            found=found,
            mends=one.writes,
            owner=who,
            state=one.state,
            kind=one.alarm.kind,
            guard=one.alarm.guard,
        )

    def guards_table(self) -> Any:
        """Whether the guard alarms could protect a shift."""
        try:
            found = guard_findings(self.run.aws.client, self.params)
        except AwsError as error:
            return self.note(check("guards.ready", "Guards", False, str(error)), caption="Guards")
        wrong = [one.sentence for one in found if not one.ok]
        said = "; ".join(wrong) if wrong else f"{len(found) - 1} guards can protect a shift"
        watcher = self.params.service.traffic.watcher
        self.run.check(check("guards.ready", f"Guards that {watcher} watches", not wrong, said))
        return findings_table(found, caption=f"Guard alarms that {watcher} watches")

    def data_table(self) -> Any:
        """Whether each alarm's metrics can have data at all."""
        known, hours = Known(self.run.aws.client("cloudwatch")), self.params.policy.alarm_math.insufficient_h
        checks = []
        for one in self.planned:
            ok, words = data_finding(known, one, self.run.now, hours)
            # No data so far is no fault by itself (advisory); a metric that can never have data is one.
            checks.append(
                check(
                    f"alarm_data.{one.alarm.id}",
                    one.name,
                    ok,
                    words,
                    required=ok is not None,
                    expected="data",
                    mends=ok is False and one.writes,
                )
            )
        self.run.check(*checks)
        return checks_table(checks, "Can they ever get data")

    @cached_property
    def odds(self) -> AlarmOdds:
        """Each alarm's odds at the traffic of the baseline's days."""
        return AlarmOdds.of(self.params, look(self.run.aws.client("cloudwatch"), self.params, self.run.now))

    def odds_table(self) -> Any:
        """How often each alarm fires on a healthy day, how soon on a bad one, at each weight."""
        odds, proposed = self.odds, self.odds.proposals()
        checks = (guard_design.bears(odds, proposed), guard_design.quick(odds, proposed))
        return stack(
            guard_design.odds_table(odds),
            guard_design.design_table(odds, proposed),
            self.note(*checks, caption="The guards' design"),
        )

    def charts(self) -> Any:
        """The chance of a false alarm on a good day, alarm by alarm, at each weight."""
        rows = {id: {f"{w:g} %": one.per_day for w, one in each.items()} for id, each in self.odds.rows.items()}
        return odds_chart(rows, self.params.policy.alarm_math.false_per_day)

    def plan_table(self) -> Any:
        """What applying would write; for an alarm of a stack, the resource as its template should have it."""
        names = [one.name for one in self.planned if one.writes]
        theirs = [one for one in self.planned if not one.same and not one.writes]
        said = (
            f"Applying writes {words.count(len(names), 'alarm')}: {', '.join(names)}." if names else "Nothing to write."
        )
        if pager.read(self.run.aws, self.params).writes:
            said += " It subscribes the pager."
        said += f" The drill sets off all {len(self.planned)}; every subscriber of the topic gets its messages."
        if not theirs:
            return line(said)
        said += f" {len(theirs)} belong to a stack and differ: change the infrastructure code, never by hand."
        rows = [[self._owner(one), "; ".join(one.differences) or "missing", self._resource(one)] for one in theirs]
        shown = [
            [who, why, Cell(text, f'<pre style="white-space:pre-wrap">{foreign.html(text)}</pre>')]
            for who, why, text in rows
        ]
        return stack(line(said), table(("Owner", "Differs", "As declared, for the template"), shown))

    @staticmethod
    def _owner(one: Planned) -> str:
        return str(one.owner) if one.owner else "the infrastructure code (no stack has it yet)"

    def _resource(self, one: Planned) -> str:
        logical = one.owner.logical_id if one.owner else one.alarm.id
        return json.dumps({logical: to_cloudformation(one.alarm, self.params)}, indent=2)

    def apply(self) -> Any:
        """Writes the runbook's own alarms and subscribes the pager, if the run applies."""
        if not self.run.applying:
            return line("Nothing was written: mode is plan.")
        wrote = act.apply(self.run.aws, self.run.guard, self.params, self.planned)
        told = act.page(self.run.aws, self.run.guard, self.params)
        self.planned = plan(self.run.aws, self.params)
        said = f"Written: {', '.join(wrote)}." if wrote else "Nothing to write: all is as declared."
        return line(said + (" The pager is subscribed." if told else ""))

    def drill(self) -> Any:
        """Sets off each alarm, waits for its notification, and puts it back; in plan mode only says so."""
        state, _ = weights.read_or_nothing(self.run.aws, self.params)
        if not self.run.applying:
            for one in self.planned:
                later = check(f"drill.{one.alarm.id}", one.name, None, "drilled when applied", mends=True)
                self.run.check(later.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))
            now = f" Right now it would be refused: {why}." if (why := refusal(state)) else ""
            many = words.count(len(self.planned), "alarm")
            return line(f"No drill in plan mode; applying sets off {many}, and puts back what it set off.{now}")
        names, wait = [one.name for one in self.planned], self.params.service.notify.drill_wait_s
        try:
            done = drill(self.run.aws, self.run.guard, self.params, names, state, wait_s=wait)
        except Refused as error:
            return self.note(check("drill.refused", "Fire drill", False, str(error)), caption="Fire drill")
        checks = [self._drilled(one, done) for one in self.planned]
        back = check(
            "drill.restored",
            "Put back",
            done.restored,
            f"every alarm put back, {done.seconds:.1f} s in all"
            if done.restored
            else "an alarm was left in ALARM: the intent in this record has the command for each",
        )
        self.run.check(*checks, back)
        return checks_table([*checks, back], "Fire drill", keep_order=True)

    def whole_way(self) -> Any:
        """Follows a failure line of our own from the worker's log to the topic; never where users are."""
        titles = {
            "drill.failure_line": "A failure of our own in the worker's log",
            "drill.metric": "The metric counts it",
            "drill.alarm": "The guard fires by itself",
            "drill.notified": "The topic tells of it",
        }
        if self.params.policy.has_users(self.params.env):
            others = drill_way.proving(self.params)
            return line(f"In {self.params.env} no failure is ever sent on purpose: {others} prove the way.")
        if not self.run.applying:
            for id, title in titles.items():
                later = check(id, title, None, "sent when applied", mends=True)
                self.run.check(later.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))
            return line("No failure is sent in plan mode; applying puts marked lines into the worker's log.")
        state, _ = weights.read_or_nothing(self.run.aws, self.params)
        wait = self.params.service.notify.way_wait_s
        try:
            way = drill_way.send(self.run.aws, self.run.guard, self.params, state, wait_s=wait)
        except Refused as error:
            wrong = check("drill.failure_line", titles["drill.failure_line"], False, str(error))
            return self.note(wrong, caption="The whole way")
        checks = [check(id, titles[id], ok, said) for id, ok, said in way.steps]
        self.run.check(*checks)
        return checks_table(checks, "The whole way of a failure", keep_order=True)

    @staticmethod
    def _drilled(one: Planned, done: Drilled) -> Check:
        if one.name in done.heard:
            return check(f"drill.{one.alarm.id}", one.name, True, f"{one.name}: set off, heard, put back")
        why = (
            "set off, and no notification came: look at its actions and the topic's policy"
            if one.exists
            else "does not exist, so it could not be set off"
        )
        return check(f"drill.{one.alarm.id}", one.name, False, f"{one.name}: {why}")

    def subscriptions_table(self) -> Any:
        """Subscriptions of the alarm topic by protocol. The pager's address is a secret and is never shown."""
        sns = self.run.aws.client("sns")
        with aws_errors("reading the topic's subscriptions (sns:ListSubscriptionsByTopic)"):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn(self.params))
            kinds = sorted(one["Protocol"] for page in pages for one in page.get("Subscriptions", []))
        return self.note(
            check(
                "notify.anybody",
                "The alarm topic has subscribers",
                bool(kinds),
                f"{words.count(len(kinds), 'subscription')}: {', '.join(kinds) or 'none'}",
                required=False,
            ),
            self._pager(),
            caption="Whom the alarms tell",
        )

    def _pager(self) -> Check:
        title = "The pager is subscribed"
        if not self.params.service.notify.pagerduty_ssm:
            said = (
                "no pager is configured: put PagerDuty's https address into a SecureString of Parameter Store, and its "
                "name into service.yaml (notify.pagerduty_ssm)"
            )
            return check("notify.pager", title, None, said, required=False)
        found = pager.read(self.run.aws, self.params)
        if not found.subscription:
            said = "not subscribed; applying does it"
        elif not found.as_declared:
            said = f"subscribed to {len(found.alarms) or 'all'} alarms, declared are {len(found.wanted)}"
        elif not found.confirmed:
            said = "subscribed, and the pager has not confirmed yet"
        else:
            said = f"told of {words.count(len(found.wanted), 'alarm')}: {', '.join(found.wanted)}"
        ok = found.confirmed and found.as_declared
        return check("notify.pager", title, ok, said, required=False, mends=found.writes)

    def judge(self) -> Outcome:
        """The decision so far; before the drill it is about the plan, also in a run that applies."""
        done = any(id.startswith("drill.") for id in self.run.checks)
        applied = self.run.applying and done
        self.outcome = self.run.decide_checks(applied=applied, done=self.done, then=self.then)
        return self.outcome
