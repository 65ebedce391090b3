"""Writes the runbook's own alarms, and the guards' counts of a phase.

An alarm that a stack owns is the team's code and stays as it is, except for these counts if the policy allows it
(`guards_of_a_stack`).
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.judge import words
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.alarms import pager
from runbook_lib.observe.alarms.compared import KIND, Planned, described, plan
from runbook_lib.observe.alarms.declared import count_words, has_count, realise, to_cloudformation
from runbook_lib.observe.resources.owner import owners
from runbook_lib.params.alarms import alarm_name, topic_arn
from runbook_lib.params.load import Params


def apply(aws: Any, guard: Guard, params: Params, planned: list[Planned]) -> list[str]:
    """Writes the planned alarms; returns the names of those that it wrote.

    PutMetricAlarm replaces the whole alarm, so a second call changes nothing.

    Raises:
        Refused: the change is not authorised.
        AwsError: CloudWatch refused or did not answer.
    """
    wanted = [one for one in planned if one.writes]
    if not wanted:
        return []
    cloudwatch = aws.client("cloudwatch")
    names = [one.name for one in wanted]

    def write() -> None:
        with aws_errors("writing the alarms (cloudwatch:PutMetricAlarm)"):
            for one in wanted:
                cloudwatch.put_metric_alarm(**realise(one.alarm, params))

    def read_back() -> dict[str, str]:
        return {one.name: "as declared" if one.same else "; ".join(one.differences) for one in plan(aws, params)}

    new = [one.name for one in wanted if not one.exists]
    undo = ["delete the new ones"] if new else []
    if len(new) < len(names):
        undo.append("put the changed ones back as `before` says")
    guard.change(
        f"write {words.count(len(names), 'alarm')}",
        before={one.name: "; ".join(one.differences) or "missing" for one in wanted},
        after=dict.fromkeys(names, "as declared"),
        undo="; ".join(undo),
        by_hand=f"aws cloudwatch delete-alarms --alarm-names {' '.join(new)}" if new else "",
        do=write,
        read_back=read_back,
        raises=True,
    )
    return names


class Counts(Frozen):
    """The guards' counts for one phase, compared with those in force."""

    phase: str
    wanted: dict[str, str]
    """Alarm name to the phase's count."""
    before: dict[str, str]
    """Name of each alarm with another count to the count in force, or to `missing`."""
    templates: dict[str, str]
    """Alarm name to the resource as the template must have it, for alarms that the policy leaves to their stack."""
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether all counts are in force."""
        return not self.before

    @property
    def refusal(self) -> str:
        """Why the shift may not write the counts; empty: it may, or need not."""
        gone = [name for name, count in self.before.items() if count == "missing"]
        if gone:
            return f"guard {gone[0]} does not exist: deploy the infrastructure code"
        if not self.templates:
            return ""
        many = f"{len(self.templates)} guards of a stack count as another phase's do: {', '.join(self.templates)}"
        return f"{many}; deploy the template with the counts of {self.phase} first (policy: guards_of_a_stack)"


def counts(aws: Any, params: Params, phase: str) -> Counts:
    """The guards' counts for `phase` compared with CloudWatch, without guards that are the same in every phase.

    Raises:
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    guards = {alarm_name(one, params): one for one in params.policy.alarms if one.guard and phase in one.phases}
    wanted = {name: realise(one, params, phase) for name, one in guards.items()}
    found = described(aws.client("cloudwatch"), list(guards))
    wrong = [name for name, one in wanted.items() if not has_count(found.get(name, {}), one)]
    before = {name: count_words(found[name]) if name in found else "missing" for name in wrong}
    left = owners(aws, wrong, KIND) if wrong and params.policy.guards_of_a_stack == "refuse" else {}
    templates = {
        name: json.dumps({one.logical_id: to_cloudformation(guards[name], params, phase=phase)}, indent=2)
        for name, one in left.items()
    }
    words = {name: count_words(one) for name, one in wanted.items()}
    told = ", ".join(f"{name} {words[name]}" + (f" (now {before[name]})" if name in before else "") for name in words)
    return Counts(
        phase=phase,
        wanted=words,
        before=before,
        templates=templates,
        sentence=f"guards of this phase: {told or 'the same in every phase'}",
    )


def put_in_force(aws: Any, guard: Guard, params: Params, phase: str) -> Counts:
    """Gives the guards the counts of `phase`, before the weight moves; returns what was read back. Repeatable.

    Everything else of each alarm stays as declared; CloudWatch keeps an alarm's state when it is replaced.

    Raises:
        Refused: the change is not authorised, the policy leaves the alarms to their stack, or the read-back
            differs.
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    now = counts(aws, params, phase)
    if now.ok:
        return now
    if now.refusal:
        raise Refused(now.refusal, nothing_changed=True)
    cloudwatch = aws.client("cloudwatch")
    guards = {alarm_name(one, params): one for one in params.policy.alarms if one.guard}
    changed = {name: realise(guards[name], params, phase) for name in now.before}
    was = described(cloudwatch, list(changed))

    def write() -> None:
        with aws_errors("putting the guards of the phase in force (cloudwatch:PutMetricAlarm)"):
            for name, one in changed.items():
                # Additional actions belong to the team.
                actions = dict.fromkeys([*one["AlarmActions"], *was[name].get("AlarmActions", ())])
                cloudwatch.put_metric_alarm(**{**one, "AlarmActions": list(actions)})

    def read_back() -> dict[str, str]:
        found = described(cloudwatch, list(changed))
        return {name: count_words(found[name]) if name in found else "missing" for name in changed}

    done = guard.change(
        f"put the guards of {phase} in force",
        before=now.before,
        after={name: now.wanted[name] for name in changed},
        undo="the counts as `before` says",
        by_hand="aws cloudwatch put-metric-alarm with "
        + "; ".join(f"{name}: Threshold {was[name]['Threshold']:g}, Period {was[name]['Period']}" for name in changed),
        do=write,
        read_back=read_back,
        raises=True,
    )
    if not done.ok:
        raise Refused(f"the guards of {phase} were read back as {dict(done.seen)}; the weight was not moved")
    return counts(aws, params, phase)


def page(aws: Any, guard: Guard, params: Params) -> bool:
    """Subscribes the pager to its declared alarms; returns whether there was anything to do.

    Raises:
        Refused: the change is not authorised.
        AwsError: Parameter Store or SNS refused or did not answer; the sentence does not contain the address.
    """
    was = pager.read(aws, params)
    if not was.writes:
        return False
    secret, sns = pager.address(aws, params), aws.client("sns")

    def write() -> None:
        try:
            filtered = {"FilterPolicy": pager.filter_policy(params), "FilterPolicyScope": pager.SCOPE}
            if was.confirmed:  # the scope first: a filter is checked against it
                for name in reversed(filtered):
                    sns.set_subscription_attributes(
                        SubscriptionArn=was.subscription, AttributeName=name, AttributeValue=filtered[name]
                    )
            else:
                sns.subscribe(
                    TopicArn=topic_arn(params),
                    Protocol="https",
                    Endpoint=secret,
                    Attributes=filtered,
                    ReturnSubscriptionArn=True,
                )
        except (BotoCoreError, ClientError) as error:
            raise pager.without_secret("subscribing the pager (sns:Subscribe)", error) from None

    guard.change(
        "subscribe the pager",
        before={"pager": _words(was), "alarms": list(was.alarms)},
        after={"pager": "as declared"},
        undo="unsubscribe the https subscription of the alarms' topic",
        by_hand="aws sns unsubscribe --subscription-arn ARN",
        do=write,
        read_back=lambda: {"pager": _words(pager.read(aws, params))},
        raises=True,
    )
    return True


def _words(found: pager.Pager) -> str:
    return "as declared" if found.as_declared else "another filter" if found.subscription else "not subscribed"
