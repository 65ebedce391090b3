"""`alarms:` of `gates.yaml` as models: alarms and their names, guards' counts by phase, and the numbers for designing
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from runbook_lib.base.template import filled
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.aws_names import partition

if TYPE_CHECKING:
    from runbook_lib.params.load import Params


class GuardCount(Frozen):
    """A guard's count in one phase: this many failures within one sliding period."""

    threshold: float = Field(gt=0)
    """Failures at which the guard fires."""
    period_s: int = Field(gt=0, le=86_400, multiple_of=60)
    """Length of the period, seconds: a multiple of 60 in CloudWatch, at most a day if it is evaluated each minute."""

    @property
    def words(self) -> str:
        """The count in words: `4 in 90 min`."""
        return f"{self.threshold:g} in {self.period_s / 60:g} min"


class Alarm(Frozen):
    """An alarm as data. Its threshold is its own, or the alert limit of a gate (`gate: id`), never both."""

    id: str
    """Name of the alarm in this file and in the records."""
    name: str
    """Name in CloudWatch, with `{env}`."""
    metric: str | None = None
    """Id in the metric catalogue; None for metric math (`expression` over `metrics`)."""
    expression: str | None = None
    """Metric math over `metrics`, such as `errors / requests`."""
    metrics: dict[str, str] = Field(default_factory=dict)
    """Name in the metric math's expression to id in the metric catalogue."""
    stat: str = "Sum"
    """Statistic of each period."""
    period_s: int = Field(gt=0)
    """Length of a period, seconds."""
    periods: int = Field(default=1, ge=1)
    """Periods in a row that must be beyond the threshold."""
    gate: str | None = None
    """Gate whose alert limit is the threshold."""
    threshold: float | None = None
    """The alarm's own threshold, in the unit of the metric."""
    op: Literal[">", ">=", "<", "<="] = ">="
    """Comparison of the value with the threshold at which the alarm fires."""
    missing: Literal["notBreaching", "breaching", "ignore", "missing"] = "notBreaching"
    """Meaning of a period without data (CloudWatch, `TreatMissingData`)."""
    owner: Literal["stack", "runbook"] = "stack"
    """Who creates it: the team's infrastructure code, or notebook 04."""
    kind: Literal["task_7_1", "additional", "design"] = "design"
    """Where it comes from: task 7.1, the requirement's list of additional alarms, or the runbook's own design."""
    guard: bool = False
    """Whether AppConfig watches it: in ALARM it takes the weight back."""
    pager: bool = False
    """Whether its notification goes to the pager too."""
    phases: dict[str, GuardCount] = Field(default_factory=dict)
    """A guard's count in each phase of the rollout; empty: one count for all weights."""
    why: str
    """Reason for the alarm."""

    def at(self, phase: str | None) -> Alarm:
        """The alarm in force in `phase`; unchanged if it declares nothing for that phase."""
        count = self.phases.get(phase or "")
        if count is None:
            return self
        return self.model_copy(update={"threshold": count.threshold, "period_s": count.period_s})

    @model_validator(mode="after")
    def _one_threshold(self) -> Alarm:
        if (self.gate is None) == (self.threshold is None):
            raise ValueError("expects either `gate` or `threshold`")
        if (self.metric is None) == (self.expression is None):
            raise ValueError("expects either `metric` or `expression`")
        if self.guard and self.owner != "stack":
            raise ValueError("a guard belongs to the stack: AppConfig's environment refers to it")
        if self.guard and self.metric is None:
            raise ValueError("a guard watches one metric; metric math cannot be a guard")
        if self.phases and (not self.guard or self.gate is not None or self.periods != 1):
            raise ValueError("`phases` is for a guard with a `threshold` of its own and one period")
        return self


class AlarmMath(Frozen):
    """The numbers for designing alarms: how rarely they may fire falsely, and how soon they must fire."""

    healthy: float = Field(gt=0, lt=1)
    """Success rate of a healthy service."""
    bad: float = Field(gt=0, lt=1)
    """Success rate of a service that must be noticed."""
    false_per_day: float = Field(gt=0, lt=1)
    """Highest chance that a guard fires on a healthy day, at every weight."""
    detect_within_h: float = Field(default=5, gt=0)
    """Hours within which a guard fires on a bad service, at the day's mean rate; not checked since 0.2."""
    limit_per_day: float = Field(default=0.10, gt=0, lt=1)
    """Highest chance that a guard fires on a day of a service exactly at the success gate's alert limit."""
    detect_within_min: dict[int, float] = Field(default_factory=lambda: {10: 120.0, 50: 30.0, 100: 30.0})
    """Weight in percent to minutes within which a guard fires on a bad service, on average over a fault that begins at
    any time of `daytime`."""
    daytime: tuple[int, int] = (7, 20)
    """First hour (UTC), and the hour before which it ends."""
    gate: str = "success_rate"
    """Gate whose target and alert limit the guards must fit."""
    insufficient_h: float = Field(default=6, gt=0)
    """Hours of INSUFFICIENT_DATA after which an alarm counts as broken."""


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
