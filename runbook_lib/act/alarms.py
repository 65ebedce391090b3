"""Writes the alarms that belong to the runbook; what a stack owns is the team's code, and left alone."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.aws import aws_errors
from runbook_lib.observe import pager
from runbook_lib.observe.alarm_plan import Planned, plan
from runbook_lib.observe.alarms import realise, topic_arn
from runbook_lib.params import Params


def apply(aws: Any, guard: Guard, params: Params, planned: list[Planned]) -> list[str]:
    """Brings about what the plan says; the names of the alarms that were written.

    PutMetricAlarm takes the place of an alarm as a whole, so a second time changes nothing.

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
    undo = [f"delete the new ones: aws cloudwatch delete-alarms --alarm-names {' '.join(new)}"] if new else []
    if len(new) < len(names):
        undo.append("put the changed ones back as `before` says")
    guard.change(
        f"write {len(names)} alarms",
        before={one.name: "; ".join(one.differences) or "missing" for one in wanted},
        after=dict.fromkeys(names, "as declared"),
        undo="; ".join(undo),
        do=write,
        read_back=read_back,
        raises=True,
    )
    return names


def page(aws: Any, guard: Guard, params: Params) -> bool:
    """Subscribes the pager to the alarms that are declared for it; whether anything had to be done.

    Raises:
        Refused: the change is not authorised.
        AwsError: Parameter Store or SNS refused or did not answer; the sentence does not hold the address.
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
        undo="unsubscribe the https subscription of the alarms' topic: aws sns unsubscribe --subscription-arn ARN",
        do=write,
        read_back=lambda: {"pager": _words(pager.read(aws, params))},
        raises=True,
    )
    return True


def _words(found: pager.Pager) -> str:
    return "as declared" if found.as_declared else "another filter" if found.subscription else "not subscribed"
