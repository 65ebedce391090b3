"""Physical names and ARNs of what the parameters declare."""

from __future__ import annotations

from runbook_lib.base.template import filled
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.load import Params
from runbook_lib.params.permissions import partition


def alarm_name(alarm: Alarm, params: Params) -> str:
    """The alarm's physical name in this environment."""
    return filled(alarm.name, {"env": params.env})


def topic_arn(params: Params) -> str:
    """ARN of the topic that alarms notify, from its name, region and account."""
    return f"arn:{partition(params.region)}:sns:{params.region}:{params.account_id}:{params.name('topic')}"


def alarm_arn(alarm: Alarm, params: Params) -> str:
    """The alarm's ARN in this environment."""
    place = f"{params.region}:{params.account_id}"
    return f"arn:{partition(params.region)}:cloudwatch:{place}:alarm:{alarm_name(alarm, params)}"
