"""The pager (PagerDuty): an HTTPS subscription of the alarms' topic. Its address is a secret and never leaves here.

The address holds the integration key, so it lives in Parameter Store (`service.yaml`, `notify.pagerduty_ssm`) and goes
from there straight to SNS: not into a record, a log, an error or an output.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.alarms import alarm_name, topic_arn
from runbook_lib.params.load import Params

SCOPE = "MessageBody"


class Pager(Frozen):
    """The pager's subscription: whether it exists, and for which alarms. It never holds the address."""

    parameter: str = ""
    """Name of the parameter that keeps its address; empty: no pager is configured."""
    subscription: str = ""
    """ARN, `PendingConfirmation`, or empty: not subscribed."""
    alarms: tuple[str, ...] = ()
    """Alarms that its filter lets through; empty: all, or not subscribed."""
    wanted: tuple[str, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Whether the pager has confirmed the subscription."""
        return self.subscription.startswith("arn:")

    @property
    def as_declared(self) -> bool:
        """Whether it is subscribed to the alarms that name the pager. SNS tells the filter once it is confirmed."""
        return bool(self.subscription) and (not self.confirmed or self.alarms == self.wanted)

    @property
    def writes(self) -> bool:
        """Whether applying would subscribe it or change its filter."""
        return bool(self.parameter) and not self.as_declared


def paged(params: Params) -> tuple[str, ...]:
    """Names of the alarms that go to the pager."""
    return tuple(sorted(alarm_name(alarm, params) for alarm in params.policy.alarms if alarm.pager))


def filter_policy(params: Params) -> str:
    """SNS's filter for the pager's alarms: CloudWatch's message is JSON with the alarm's name in it."""
    return json.dumps({"AlarmName": list(paged(params))})


def address(aws: Any, params: Params) -> str:
    """The pager's address: a secret.

    Raises:
        AwsError: Parameter Store refused, or its value is no https address; the sentence does not quote the value.
    """
    name = params.service.notify.pagerduty_ssm
    with aws_errors(f"reading the pager's address from {name} (ssm:GetParameter)"):
        value = str(aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    if not value.startswith("https://"):
        raise AwsError(f"{name} (service.yaml, notify.pagerduty_ssm) holds no https address; put the pager's there")
    return value


def read(aws: Any, params: Params) -> Pager:
    """The pager's subscription as it is.

    Raises:
        AwsError: Parameter Store or SNS refused or did not answer.
    """
    parameter, wanted = params.service.notify.pagerduty_ssm, paged(params)
    if not parameter:
        return Pager(wanted=wanted)
    secret, sns = address(aws, params), aws.client("sns")
    try:
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn(params))
        mine = [one for page in pages for one in page["Subscriptions"] if one.get("Endpoint") == secret]
        arn = str(mine[0]["SubscriptionArn"]) if mine else ""
        found: dict[str, str] = {}
        if arn.startswith("arn:"):
            found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    except (BotoCoreError, ClientError) as error:
        raise without_secret("reading the pager's subscription (sns:ListSubscriptionsByTopic)", error) from None
    names = json.loads(found.get("FilterPolicy") or "{}").get("AlarmName", [])
    return Pager(parameter=parameter, subscription=arn, alarms=tuple(sorted(names)), wanted=wanted)


def without_secret(doing: str, error: Exception) -> AwsError:
    """The error as a sentence with its code only: SNS may repeat the address in its message."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return AwsError(f"{doing}: {code}")
