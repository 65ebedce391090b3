"""Alarms as declared against alarms as deployed: what is missing, what differs, which can never get data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import when
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.alarms.declared import count_words, has_count, pairs, variants
from runbook_lib.observe.resources.owner import Owner, owners
from runbook_lib.params.alarms import Alarm, alarm_name
from runbook_lib.params.load import Params

KIND = "AWS::CloudWatch::Alarm"
NEVER = "INSUFFICIENT_DATA"
_FIELDS = (
    "Namespace",
    "MetricName",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "ActionsEnabled",
)
_IDENTITY = ("ApiId", "ApiName", "FunctionName", "QueueName", "TableName")
"""Dimensions that name the resource; ListMetrics is asked for its metrics alone."""
_RARE = ("5xx", "4xx", "error", "throttle", "failed")
"""Parts of the names of metrics that count rare events: they have no data before the first one."""
_KEEPS_ITS_STATE = "AWS/DynamoDB"
"""Alarms on metrics of this namespace keep their state where data are missing (PutMetricAlarm, TreatMissingData)."""


class Source(Frozen):
    """One metric that an alarm looks at."""

    namespace: str
    name: str
    dimensions: dict[str, str]


class Planned(Frozen):
    """One declared alarm and what has to be done about it."""

    alarm: Alarm
    name: str
    state: str = ""
    """State of the deployed alarm; empty: none is deployed."""
    since: dt.datetime | None = None
    """Since when it is in that state, with a time zone."""
    differences: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    """Metrics that the deployed alarm looks at; where none is deployed, those of the declared one."""
    owner: Owner | None = None
    count: str = ""
    """The guard's count in words, and the phase that it belongs to."""

    @property
    def exists(self) -> bool:
        """Whether it is deployed, as declared or not."""
        return bool(self.state)

    @property
    def same(self) -> bool:
        """Whether it is deployed as declared."""
        return self.exists and not self.differences

    @property
    def writes(self) -> bool:
        """Whether the runbook would write it: it is missing or differs, and no stack owns it."""
        return not self.same and self.owner is None and self.alarm.owner == "runbook"


def plan(aws: Any, params: Params) -> list[Planned]:
    """Every declared alarm, in the order of `gates.yaml`.

    Raises:
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    names = [alarm_name(alarm, params) for alarm in params.policy.alarms]
    found = described(aws.client("cloudwatch"), names)
    owned = owners(aws, names, KIND)
    return [
        _planned(alarm, variants(alarm, params), found.get(name), owned.get(name))
        for alarm, name in zip(params.policy.alarms, names, strict=True)
    ]


def _planned(
    alarm: Alarm, known: Mapping[str | None, dict[str, Any]], found: dict[str, Any] | None, owner: Owner | None
) -> Planned:
    """Compares one alarm with its declaration; `known` is that in each phase, of which the one in force counts."""
    first = next(iter(known))
    phase = next((name for name, one in known.items() if found is not None and has_count(found, one)), first)
    wanted = known[phase]
    sources = tuple(_sources(wanted))
    if found is None:
        return Planned(alarm=alarm, name=wanted["AlarmName"], sources=sources, owner=owner)
    return Planned(
        alarm=alarm,
        name=wanted["AlarmName"],
        state=str(found.get("StateValue") or NEVER),
        since=found.get("StateUpdatedTimestamp"),
        differences=tuple(_differences(found, wanted)),
        # An emulator may leave out the metrics of an expression.
        sources=tuple(_sources(found)) or sources,
        owner=owner,
        count=f"{count_words(found)}, the count of {phase}" if phase and has_count(found, wanted) else "",
    )


def described(cloudwatch: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The metric alarms of these names, by name.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    found: dict[str, dict[str, Any]] = {}
    with aws_errors("reading the alarms (cloudwatch:DescribeAlarms)"):
        for start in range(0, len(names), 100):
            pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNames=list(names[start : start + 100]))
            found |= {one["AlarmName"]: one for page in pages for one in page.get("MetricAlarms", [])}
    return found


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Each field that differs, in words. The description is not compared, and further actions are the team's."""
    for field in _FIELDS:
        if field in wanted and found.get(field) != wanted[field]:
            yield f"{field} is {found.get(field)!r}, declared {wanted[field]!r}"
    if "Metrics" not in wanted:
        if pairs(found.get("Dimensions")) != pairs(wanted["Dimensions"]):
            yield f"Dimensions are {pairs(found.get('Dimensions'))}, declared {pairs(wanted['Dimensions'])}"
    elif found.get("MetricName"):
        yield f"it watches {found['MetricName']} alone, declared {_expression(wanted)}"
    elif found.get("Metrics"):  # moto and MiniStack itself do not describe them
        yield from _different_math(found, wanted)
    if not set(wanted["AlarmActions"]) <= set(found.get("AlarmActions") or ()):
        yield f"AlarmActions are {found.get('AlarmActions') or 'none'}, declared {wanted['AlarmActions']}"


def _different_math(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    if _expression(found) != _expression(wanted):
        yield f"Expression is {_expression(found)!r}, declared {_expression(wanted)!r}"
    was, now = _inputs(found), _inputs(wanted)
    for id in {**now, **was}:
        if was.get(id) != now.get(id):
            yield f"metric {id} is {was.get(id, 'missing')}, declared {now.get(id, 'none')}"


def _expression(request: Mapping[str, Any]) -> str:
    return "; ".join(one["Expression"] for one in request["Metrics"] if one.get("Expression"))


def _inputs(request: Mapping[str, Any]) -> dict[str, str]:
    """Each metric of an expression, as one line."""
    return {
        one["Id"]: f"{one['MetricStat']['Stat']} over {one['MetricStat']['Period']} s of "
        f"{one['MetricStat']['Metric']['MetricName']} ({_told(pairs(one['MetricStat']['Metric'].get('Dimensions')))})"
        for one in request["Metrics"]
        if one.get("MetricStat")
    }


def _sources(request: Mapping[str, Any]) -> Iterator[Source]:
    """The metrics in PutMetricAlarm's arguments or in DescribeAlarms' answer."""
    each = [one["MetricStat"]["Metric"] for one in request.get("Metrics") or () if one.get("MetricStat")]
    for metric in each or ([request] if request.get("MetricName") else []):
        yield Source(
            namespace=metric["Namespace"], name=metric["MetricName"], dimensions=pairs(metric.get("Dimensions"))
        )


class Known:
    """The metrics that CloudWatch has, asked once for each metric and resource."""

    def __init__(self, cloudwatch: Any) -> None:
        self._cloudwatch = cloudwatch
        self._asked: dict[tuple[str, str, str | None], list[dict[str, str]]] = {}

    def _dimensions(self, source: Source) -> list[dict[str, str]]:
        """The sets of dimensions under which the metric has data: those of the resource, where AWS's metrics name one.

        A namespace of the service's own is taken as a whole.
        """
        aws = source.namespace.startswith("AWS/")
        identity = next((name for name in _IDENTITY if name in source.dimensions), None) if aws else None
        key = (source.namespace, source.name, source.dimensions[identity] if identity else None)
        if key not in self._asked:
            asked: dict[str, Any] = {"Namespace": source.namespace, "MetricName": source.name}
            if identity:
                asked["Dimensions"] = [{"Name": identity, "Value": source.dimensions[identity]}]
            with aws_errors(f"looking for {source.name} (cloudwatch:ListMetrics)"):
                pages = self._cloudwatch.get_paginator("list_metrics").paginate(**asked)
                self._asked[key] = [pairs(one["Dimensions"]) for page in pages for one in page["Metrics"]]
        return self._asked[key]

    def finding(self, source: Source) -> tuple[bool | None, str]:
        """Whether the metric has data under the dimensions that the alarm asks for, and a sentence.

        False: it has data only under others, so the alarm can never get any. None: it has none at all, as is usual for
        rare events and without traffic.

        Raises:
            AwsError: CloudWatch refused or did not answer.
        """
        known = self._dimensions(source)
        if source.dimensions in known:
            return True, f"{source.name} has data"
        if known and not any(set(each) == set(source.dimensions) for each in known):
            return False, (
                f"{source.name} has data under {_told(known[0])}, never under {_told(source.dimensions)}: "
                "wrong dimensions, so this alarm waits for ever"
            )
        rare = any(part in source.name.lower() for part in _RARE)
        why = "it appears with the event it counts" if rare else "no traffic has been seen here yet"
        return None, f"{source.name} has no data yet: {why}"


def data_finding(known: Known, one: Planned, now: dt.datetime, insufficient_h: float) -> tuple[bool | None, str]:
    """Whether one alarm can get data: as `Known.finding`, over all metrics that it looks at.

    False also for an alarm that has had no data for more than `insufficient_h` hours.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    told = [known.finding(source) for source in one.sources]
    words = list(dict.fromkeys(said for _, said in told))
    verdicts = [verdict for verdict, _ in told]
    ok = False if False in verdicts else None if None in verdicts else True
    if one.state == NEVER and one.since and now - one.since > dt.timedelta(hours=insufficient_h):
        words.append(f"{NEVER} since {when(one.since)}")
        if all(source.namespace == _KEEPS_ITS_STATE for source in one.sources):
            words.append("CloudWatch ignores missing data of DynamoDB's metrics: it stays so until the first event")
        else:
            ok = False
    return ok, "; ".join(words)


def _told(dimensions: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(dimensions.items())) or "no dimensions"
