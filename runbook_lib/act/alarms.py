"""Writes the alarms that belong to the runbook; what a stack owns is the team's code, and left alone."""

from __future__ import annotations

from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.aws import aws_errors
from runbook_lib.observe.alarm_plan import Planned, described, plan
from runbook_lib.observe.alarms import realise
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

    guard.change(
        f"write {len(names)} alarms",
        before={one.name: one.state or "missing" for one in wanted},
        after=dict.fromkeys(names, "as declared"),
        undo=f"delete them: aws cloudwatch delete-alarms --alarm-names {' '.join(names)}",
        do=write,
        read_back=lambda: {one.name: "as declared" if one.same else "differs" for one in plan(aws, params)},
        raises=True,
    )
    return names


__all__ = ["apply", "described"]
