"""Alarms as declared against alarms as deployed: what is missing, what differs, which can never get data."""

from __future__ import annotations

from typing import Any

from runbook_lib.aws import aws_errors
from runbook_lib.judge.model import Frozen
from runbook_lib.observe.alarms import alarm_name, realise
from runbook_lib.observe.catalogue import METRICS, address, metric
from runbook_lib.observe.owner import Owner, owners
from runbook_lib.params import Params
from runbook_lib.policy import Alarm

KIND = "AWS::CloudWatch::Alarm"
_FIELDS = (
    "Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "EvaluationPeriods", "Threshold",
    "ComparisonOperator", "TreatMissingData", "ActionsEnabled",
)  # fmt: skip
SPARSE = ("5xx", "4xx", "errors", "throttles", "system_errors", "failed")
"""Metrics that appear with the event they count: silence is what one hopes for."""


class Planned(Frozen):
    """One declared alarm and what has to be done about it."""

    alarm: Alarm
    name: str
    state: str = ""
    """As deployed; empty: there is none."""
    differences: tuple[str, ...] = ()
    owner: Owner | None = None

    @property
    def exists(self) -> bool:
        """It is deployed, as declared or not."""
        return bool(self.state)

    @property
    def same(self) -> bool:
        """Deployed as declared."""
        return self.exists and not self.differences

    @property
    def writes(self) -> bool:
        """The runbook would write it: it is not right, and nobody else owns it."""
        return not self.same and self.owner is None and self.alarm.owner == "runbook"


def plan(aws: Any, params: Params) -> list[Planned]:
    """Every declared alarm, in the order of `gates.yaml`.

    Raises:
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    names = [alarm_name(alarm, params) for alarm in params.policy.alarms]
    found = described(aws.client("cloudwatch"), names)
    owned = owners(aws, names, KIND)
    made = []
    for alarm, name in zip(params.policy.alarms, names, strict=True):
        there = found.get(name)
        differs = tuple(_differences(there, realise(alarm, params))) if there else ()
        state = str(there.get("StateValue") or "INSUFFICIENT_DATA") if there else ""
        made.append(Planned(alarm=alarm, name=name, state=state, differences=differs, owner=owned.get(name)))
    return made


def described(cloudwatch: Any, names: list[str]) -> dict[str, dict[str, Any]]:
    """The metric alarms of these names, by name."""
    found: dict[str, dict[str, Any]] = {}
    with aws_errors("reading the alarms (cloudwatch:DescribeAlarms)"):
        for start in range(0, len(names), 100):
            pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNames=names[start : start + 100])
            found |= {one["AlarmName"]: one for page in pages for one in page.get("MetricAlarms", [])}
    return found


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Field by field. Metric math is compared where AWS shows it: the embedded one drops it (EMULATOR.md)."""
    said = [
        f"{field} is {found.get(field)!r}, declared {wanted.get(field)!r}"
        for field in _FIELDS
        if field in wanted and found.get(field) != wanted[field]
    ]
    if "Dimensions" in wanted and _pairs(found.get("Dimensions")) != _pairs(wanted["Dimensions"]):
        said.append(f"Dimensions are {_pairs(found.get('Dimensions'))}, declared {_pairs(wanted['Dimensions'])}")
    if "Metrics" in wanted and found.get("Metrics"):
        was, now = ({one["Id"]: one.get("Expression") for one in each["Metrics"]} for each in (found, wanted))
        if was != now:
            said.append(f"Metrics are {was}, declared {now}")
    if not set(wanted["AlarmActions"]) <= set(found.get("AlarmActions") or ()):
        said.append(f"AlarmActions are {found.get('AlarmActions') or 'none'}, declared {wanted['AlarmActions']}")
    return said


def _pairs(dimensions: list[dict[str, str]] | None) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in dimensions or []}


def watched(alarm: Alarm) -> tuple[str, ...]:
    """Ids of the metrics that an alarm looks at."""
    return (alarm.metric,) if alarm.metric else tuple(alarm.metrics.values())


def data_finding(cloudwatch: Any, params: Params, id: str) -> tuple[bool | None, str]:
    """Whether CloudWatch has the metric with the very dimensions that the alarm asks for, and a sentence.

    False: only with others, so the alarm can never get data. None: not at all, which a metric that counts rare events,
    or a service without traffic, explains.
    """
    one = metric(id)
    place = address(one, params)
    with aws_errors(f"looking for {place['MetricName']} (cloudwatch:ListMetrics)"):
        pages = cloudwatch.get_paginator("list_metrics").paginate(
            Namespace=place["Namespace"], MetricName=place["MetricName"]
        )
        known = [_pairs(found["Dimensions"]) for page in pages for found in page["Metrics"]]
    wanted = _pairs(place["Dimensions"])
    if wanted in known:
        return True, f"{place['MetricName']} has data under {_told(wanted)}"
    mine = [each for each in known if set(each.values()) & set(wanted.values())]
    if mine and not any(set(each) == set(wanted) for each in known):
        return False, f"{place['MetricName']} has data under {_told(mine[0])}, never under {_told(wanted)}"
    rare = any(part in id for part in SPARSE)
    why = "it appears with the event it counts" if rare else "no traffic has been seen here yet"
    return None, f"{place['MetricName']} has no data yet: {why}"


def _told(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(pairs.items())) or "no dimensions"


__all__ = ["KIND", "METRICS", "Planned", "data_finding", "described", "plan", "watched"]
