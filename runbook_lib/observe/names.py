"""Physical names and ARNs of what the parameters declare."""

from __future__ import annotations

from runbook_lib.base.template import filled
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.load import Params


def alarm_name(alarm: Alarm, params: Params) -> str:
    """The alarm's physical name in this environment."""
    return filled(alarm.name, {"env": params.env})


def _partition(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def topic_arn(params: Params) -> str:
    """ARN of the topic that alarms notify, from its name, region and account."""
    return f"arn:{_partition(params.region)}:sns:{params.region}:{params.account_id}:{params.name('topic')}"


def alarm_arn(alarm: Alarm, params: Params) -> str:
    """The alarm's ARN in this environment."""
    place = f"{params.region}:{params.account_id}"
    return f"arn:{_partition(params.region)}:cloudwatch:{place}:alarm:{alarm_name(alarm, params)}"
