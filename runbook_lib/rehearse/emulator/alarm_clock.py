"""CloudWatch's evaluation of an alarm, as a pure function, and its installation in the emulator.

The emulator's own evaluation (ministack 1.5.33, `services/cloudwatch.py`) pools every metric of the same namespace and
name *whatever its dimensions*: a message in the work queue raises the DLQ's alarm, a 5xx of the synchronous route the
async guard. It also takes N periods as one, knows no missing data (a fresh alarm stays INSUFFICIENT_DATA), and looks
only when points are put. It accepts metric math, but never evaluates it. Guards that protect a rollout cannot be
rehearsed on that, so the launcher replaces the evaluation and keeps the expressions;
`tests/rehearse/emulator/test_alarm_clock.py` lists the gaps, so that an upgrade which closes them is noticed.

Source of the rules: Amazon CloudWatch User Guide, "Alarm evaluation", "Alarm evaluation windows" (a sliding window of
Period x EvaluationPeriods is the default), "Configuring how CloudWatch alarms treat missing data" (which DynamoDB's
metrics are exempt from: an alarm on them keeps its state) and "Using math expressions". Left out: the extra older
points that CloudWatch looks at when the newest are missing, and all of metric math but arithmetic and FILL with a
number. Between two moves of the clock nothing is evaluated: an alarm over five minutes misses the hours between.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.errors import NO_PYTHON

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_MINUTE = 60.0
_KEEPS_ITS_STATE = "AWS/DynamoDB"
"""An alarm on a metric of this namespace keeps its state if data are missing, whatever it declares."""
_SINGLE = ("Namespace", "MetricName", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")
"""Fields that an alarm on metric math lacks."""


class Expression:
    """Metric math as far as the alarms need it: numbers, ids, `+ - * /`, parentheses, `FILL(id, number)`.

    Raises:
        ValueError: the text has another form.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._value = self._read(ast.parse(text, mode="eval").body)
        except NO_PYTHON:
            raise ValueError(f"metric math '{text}' cannot be read") from None

    def __call__(self, values: Mapping[str, float | None]) -> float | None:
        """The expression's value in one period; None if a metric that it needs has no data, or on division by zero."""
        return self._value(values)

    def _read(self, node: ast.expr) -> Callable[[Mapping[str, float | None]], float | None]:
        match node:
            case ast.Constant(value=int() | float() as number):
                return lambda _: float(number)
            case ast.Name(id=id):
                return lambda values: values[id]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._both(_ARITHMETIC[type(op)], self._read(left), self._read(right))
            case ast.Call(func=ast.Name(id="FILL"), args=[inner, ast.Constant(value=int() | float() as filler)]):
                read = self._read(inner)
                return lambda values: float(filler) if (value := read(values)) is None else value
        raise ValueError(f"metric math '{self.text}': the rehearsal does not know {ast.unparse(node)}")

    @staticmethod
    def _both(
        operation: Callable[[float, float], float],
        left: Callable[[Mapping[str, float | None]], float | None],
        right: Callable[[Mapping[str, float | None]], float | None],
    ) -> Callable[[Mapping[str, float | None]], float | None]:
        def value(values: Mapping[str, float | None]) -> float | None:
            one, other = left(values), right(values)
            if one is None or other is None or (operation is operator.truediv and other == 0):
                return None
            return operation(one, other)

        return value


def window_end(now: float, newest: float | None) -> float:
    """End of the evaluated window, epoch s, exclusive: the last full minute, or the running one if it has a point."""
    full = now // _MINUTE * _MINUTE
    return full + _MINUTE if newest is not None and newest >= full else full


def state(alarm: Mapping[str, Any], values: Sequence[float | None]) -> str | None:
    """State of the alarm after `values` (one statistic per period, None without data).

    None: the state stays as it is (`ignore`, or too few data).
    """
    compare = _COMPARE[alarm["ComparisonOperator"]]
    needed = alarm.get("DatapointsToAlarm") or len(values)
    missing = alarm.get("TreatMissingData", "missing")
    known = [value for value in values if value is not None]
    bad = sum(compare(value, alarm["Threshold"]) for value in known)
    if missing == "breaching":
        bad += len(values) - len(known)
    if bad >= needed:
        return "ALARM"
    if not known and missing == "missing":
        return "INSUFFICIENT_DATA"
    return None if not known and missing == "ignore" else "OK"


def slots(
    points: Sequence[Mapping[str, Any]], period: float, periods: int, now: float
) -> list[list[Mapping[str, Any]]]:
    """The points of the last `periods` periods (`period` seconds each), newest period first.

    `points` in any order, each with its `Timestamp` in epoch seconds; later ones than `now` are not known yet.
    """
    known = [point for point in points if point["Timestamp"] <= now]
    end = window_end(now, max((point["Timestamp"] for point in known), default=None))
    result: list[list[Mapping[str, Any]]] = [[] for _ in range(periods)]
    for point in known:
        age = math.ceil((end - point["Timestamp"]) / period) - 1
        if 0 <= age < periods:
            result[age].append(point)
    return result


class Recent:
    """The points of a growing list that a window of `span` seconds can still need, without reading it all again."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._source: Sequence[Mapping[str, Any]] = ()
        self._seen = 0
        self._points: list[Mapping[str, Any]] = []

    def of(self, source: Sequence[Mapping[str, Any]], now: float) -> list[Mapping[str, Any]]:
        """The points of `source` not older than the window at `now`; `now` never goes back."""
        if source is not self._source:
            self._source, self._seen, self._points = source, 0, []
        new, self._seen = source[self._seen :], len(source)
        self._points = [point for point in (*self._points, *new) if point["Timestamp"] >= now - self._span - _MINUTE]
        return self._points


@dataclass(frozen=True)
class Watched:
    """One metric of an alarm: where the emulator keeps its points, and which statistic of them counts."""

    key: tuple[Any, ...]
    stat: str


@dataclass(frozen=True)
class Formula:
    """The computation of a metric-math alarm."""

    inputs: Mapping[str, Watched]
    expression: Expression
    period: float

    @staticmethod
    def of(queries: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], tuple[Any, ...]]) -> Formula:
        """Makes one from the `Metrics` of PutMetricAlarm; `key` says where a `Metric`'s points are kept.

        Raises:
            ValueError: there is not exactly one expression, or the rehearsal does not support it.
        """
        stats = {one["Id"]: one["MetricStat"] for one in queries if "MetricStat" in one}
        texts = [one["Expression"] for one in queries if "Expression" in one]
        if len(texts) != 1 or not stats:
            raise ValueError(f"metric math with {len(texts)} expressions and {len(stats)} metrics")
        inputs = {id: Watched(key(one["Metric"]), one["Stat"]) for id, one in stats.items()}
        return Formula(inputs, Expression(texts[0]), max(float(one["Period"]) for one in stats.values()))


def install(clock: Callable[[], float]) -> Callable[[], None]:
    """Replaces the emulator's evaluation by these rules; runs inside the emulator's process.

    Returns a function that evaluates every alarm once; call it after each move of the clock.
    """
    from ministack.services import cloudwatch as cw

    recent: dict[tuple[Any, ...], Recent] = {}
    formulas: dict[str, Formula] = {}

    def key(metric: Mapping[str, Any]) -> tuple[Any, ...]:
        dimensions = cw._dims_key({one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()})
        return (metric["Namespace"], metric["MetricName"], dimensions)

    def series(alarm: Mapping[str, Any], watched: Watched, period: float) -> list[float | None]:
        """The statistic of each of the alarm's periods, newest first."""
        periods, now = alarm["EvaluationPeriods"], clock()
        memory = recent.setdefault((alarm["AlarmArn"], watched.key, period, periods), Recent(period * periods))
        found = slots(memory.of(cw._metrics.get(watched.key) or (), now), period, periods, now)
        summed = ((cw._calc_stats(points), points) for points in found)
        return [cw._stat_value(stats, watched.stat, points) if stats else None for stats, points in summed]

    def values(alarm: Mapping[str, Any]) -> list[float | None]:
        formula = formulas.get(alarm["AlarmArn"])
        if formula is None:
            stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
            return series(alarm, Watched(key(alarm), stat), alarm["Period"])
        known = {id: series(alarm, watched, formula.period) for id, watched in formula.inputs.items()}
        each = range(alarm["EvaluationPeriods"])
        return [formula.expression({id: found[i] for id, found in known.items()}) for i in each]

    def evaluate(alarm: dict[str, Any]) -> None:
        if not alarm.get("MetricName") and alarm["AlarmArn"] not in formulas:
            return
        seen = values(alarm)
        rules = {**alarm, "TreatMissingData": "ignore"} if alarm.get("Namespace") == _KEEPS_ITS_STATE else alarm
        old, new = alarm["StateValue"], state(rules, seen)
        if new is None or new == old:
            return
        reason = f"{seen} against {alarm['ComparisonOperator']} {alarm['Threshold']:g} makes it {new}"
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(clock()))
        cw._record_history(alarm["AlarmName"], old, new, reason)
        cw._dispatch_alarm_actions(alarm, old, new, reason)
        cw._evaluate_parent_alarms(alarm)

    put = cw._put_metric_alarm

    def put_with_metrics(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        """Calls the emulator's own function, and keeps the expression to show it as AWS does."""
        answer = put(params, request, is_cbor, is_json)
        alarm = cw._alarms.get(request.get("AlarmName", "")) if answer[0] == 200 else None
        if alarm is None:
            return answer
        formulas.pop(alarm["AlarmArn"], None)
        if request.get("Metrics"):
            for field in _SINGLE:
                alarm.pop(field, None)
            alarm["Metrics"] = request["Metrics"]
            formulas[alarm["AlarmArn"]] = Formula.of(request["Metrics"], key)
            evaluate(alarm)
        return answer

    cw._evaluate_alarm = evaluate
    cw._put_metric_alarm = put_with_metrics
    cw._evict_old_metrics = _seldom(cw._evict_old_metrics, clock)
    everything: Callable[[], None] = cw._evaluate_all_alarms
    return everything


def _seldom(evict: Callable[[], None], clock: Callable[[], float]) -> Callable[[], None]:
    """The emulator copies all points of all metrics at each request to drop old ones; once a day is enough."""
    last = clock()

    def sometimes() -> None:
        nonlocal last
        if clock() - last > 24 * 3600:
            last = clock()
            evict()

    return sometimes
