"""Alarms: from their declaration in `gates.yaml` to CloudWatch's terms, and whether the guards can protect a shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.observe.alarms.watching import Finding, watchers
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.alarms import Alarm, alarm_name, topic_arn
from runbook_lib.params.load import Params

__all__ = ["Finding", "guard_findings", "realise", "states", "threshold", "to_cloudformation"]
_OPERATORS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
_DESCRIPTION_LIMIT = 1024  # CloudWatch's own, in characters


def threshold(alarm: Alarm, params: Params) -> float:
    """The alarm's threshold in the unit of its metric (a gate in seconds watches a metric in milliseconds)."""
    value = params.policy.threshold(alarm)
    if alarm.gate is None or alarm.metric is None:
        return value
    gate = params.policy.gate(alarm.gate)
    own = params.policy.measures.get(gate.measure)
    if own is not None:
        return value * own.divided_by
    return value * 1000 if gate.unit == "s" and params.metric(alarm.metric).unit == "ms" else value


def _statistic(stat: str) -> dict[str, str]:
    plain = stat in ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
    return {"Statistic" if plain else "ExtendedStatistic": stat}


def _watched(alarm: Alarm, params: Params) -> dict[str, Any]:
    if alarm.metric is not None:
        return {**address(params.metric(alarm.metric), params), **_statistic(alarm.stat), "Period": alarm.period_s}
    queries: list[dict[str, Any]] = [
        {
            "Id": id,
            "MetricStat": {
                "Metric": address(params.metric(name), params),
                "Period": alarm.period_s,
                "Stat": alarm.stat,
            },
            "ReturnData": False,
        }
        for id, name in alarm.metrics.items()
    ]
    result = {"Id": "result", "Expression": alarm.expression, "Label": alarm.id, "ReturnData": True}
    return {"Metrics": [*queries, result]}


def realise(alarm: Alarm, params: Params, phase: str | None = None) -> dict[str, Any]:
    """The declaration as PutMetricAlarm's arguments (a single metric, or metric math).

    Args:
        phase: the phase whose count the guard gets; None: the first one of the environment.

    Raises:
        UsageError: the metric catalogue does not know a metric that is watched.
    """
    alarm = alarm.at(phase or params.policy.guard_phase(params.env))
    return {
        "AlarmName": alarm_name(alarm, params),
        "AlarmDescription": alarm.why[:_DESCRIPTION_LIMIT],
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn(params)],
        **_watched(alarm, params),
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.periods,
        "Threshold": threshold(alarm, params),
        "ComparisonOperator": _OPERATORS[alarm.op],
        "TreatMissingData": alarm.missing,
    }


def to_cloudformation(
    alarm: Alarm, params: Params, topic: str = "AlarmTopic", phase: str | None = None
) -> dict[str, Any]:
    """The declaration as a CloudFormation resource that notifies the template's own `topic`.

    PutMetricAlarm and `AWS::CloudWatch::Alarm` name their fields alike.

    Raises:
        UsageError: the metric catalogue does not know a metric that is watched.
    """
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {**realise(alarm, params, phase), "AlarmActions": [{"Ref": topic}]},
    }


COUNT = ("Period", "Threshold")
"""Fields of an alarm that a phase decides."""


def variants(alarm: Alarm, params: Params) -> dict[str | None, dict[str, Any]]:
    """PutMetricAlarm's arguments for each phase of the environment that gives the alarm a count, in their order.

    The only key is None where the alarm is the same in all phases.
    """
    phases: list[str | None] = [None]
    phases += [
        name for name in params.policy.phases if name in alarm.phases and params.env in params.policy.steps[name].envs
    ]
    return {name: realise(alarm, params, name) for name in phases[1:] or phases}


def has_count(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two alarms have the same count: period and threshold."""
    return all(found.get(field) == wanted.get(field) for field in COUNT)


def count_words(alarm: dict[str, Any]) -> str:
    """An alarm's count in words, such as `4 in 90 min`; for PutMetricAlarm's arguments or DescribeAlarms' answer."""
    return f"{alarm['Threshold']:g} in {alarm['Period'] / 60:g} min"


def guard_findings(client: Callable[[str], Any], params: Params, phase: str | None = None) -> list[Finding]:
    """One finding for each declared guard, and one about what watches them: AppConfig's monitors, or a composite alarm
    where the home of the weight has no rollback of its own.

    Args:
        client: gives the boto3 client of a service.
        phase: the phase whose count each guard must have; None: the count of any phase of this environment.

    A guard protects if it exists, is OK, has its actions enabled, treats missing data as not breaching (or a quiet
    metric takes a healthy rollout back), watches the declared metric and is watched.

    Raises:
        AwsError: CloudWatch or AppConfig refused or did not answer.
    """
    guards, cloudwatch = [alarm for alarm in params.policy.alarms if alarm.guard], client("cloudwatch")
    watched, about_them, unwatched = watchers(client, params)
    names = list(dict.fromkeys([*(alarm_name(alarm, params) for alarm in guards), *watched]))
    found = _described(cloudwatch, names)
    declared = {alarm_name(alarm, params): alarm for alarm in guards}
    findings = []
    for name in names:
        findings.append(
            _finding(name, found.get(name), "" if name in watched else unwatched, declared.get(name), params, phase)
        )
    return findings + about_them


def _finding(
    name: str, found: dict[str, Any] | None, unwatched: str, alarm: Alarm | None, params: Params, phase: str | None
) -> Finding:
    """The finding about one guard: `alarm` is its declaration, None for a monitor that is not declared; `unwatched`
    says what is wrong where nothing watches it, and is empty otherwise.
    """
    known = variants(alarm, params) if alarm else {}
    counted = next((own for own, one in known.items() if found is not None and has_count(found, one)), None)
    if phase in known and found is not None and has_count(found, known[phase]):
        counted = phase
    wanted = known.get(counted) or next(iter(known.values()), None)
    wrong = _wrong(found, unwatched, wanted)
    if wrong:
        return Finding(alarm=name, ok=False, sentence=f"{name}: {'; '.join(wrong)}")
    if phase not in known or counted == phase or found is None:
        return Finding(alarm=name, ok=True, sentence=f"{name}: can protect a shift")
    said = f"counts {count_words(found)}, which is for {counted}; {phase} expects {count_words(known[phase])}"
    return Finding(alarm=name, ok=False, sentence=f"{name}: {said}; the shift puts it in force first", mends=True)


def states(cloudwatch: Any, params: Params) -> list[tuple[str, str]]:
    """(name, state) of each declared guard now, whether AppConfig watches it or not; `missing` where it does not
    exist.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    names = [alarm_name(alarm, params) for alarm in params.policy.alarms if alarm.guard]
    found = _described(cloudwatch, names)
    return [(name, str((found.get(name) or {}).get("StateValue", "missing"))) for name in names]


def _described(cloudwatch: Any, names: list[str]) -> dict[str, dict[str, Any]]:
    with aws_errors("reading the guard alarms (cloudwatch:DescribeAlarms)"):
        pages = cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNames=names[:100], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        return {
            alarm["AlarmName"]: alarm
            for page in pages
            for alarm in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", []))
        }


def _wrong(found: dict[str, Any] | None, unwatched: str, wanted: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["does not exist"]
    wrong = [unwatched] if unwatched else []
    if found.get("StateValue") != "OK":
        wrong.append(f"its state is {found.get('StateValue')}, expects OK before a shift")
    if not found.get("ActionsEnabled", False):
        wrong.append("its actions are disabled")
    if "MetricName" in found and found.get("TreatMissingData") != "notBreaching":
        wrong.append(f"missing data is '{found.get('TreatMissingData', 'missing')}', expects notBreaching")
    fields = ("Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    for field in fields if wanted else ():
        if wanted and found.get(field) != wanted.get(field):
            wrong.append(f"{field} is {found.get(field)!r}, declared {wanted.get(field)!r}")
    if wanted and pairs(found.get("Dimensions")) != pairs(wanted.get("Dimensions")):
        wrong.append(f"Dimensions are {pairs(found.get('Dimensions'))}, declared {pairs(wanted.get('Dimensions'))}")
    return wrong


def pairs(dimensions: list[dict[str, str]] | None) -> dict[str, str]:
    """Dimensions by name."""
    return {one["Name"]: one["Value"] for one in dimensions or []}
