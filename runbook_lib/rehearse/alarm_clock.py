"""How CloudWatch evaluates an alarm, as a pure function, and its installation in the emulator.

The emulator's own evaluation (ministack 1.5.33, `services/cloudwatch.py`) pools every metric of the same namespace and
name *whatever its dimensions*: a message in the work queue raises the DLQ's alarm, a 5xx of the synchronous route the
async guard. It also takes N periods as one, knows no missing data (a fresh alarm stays INSUFFICIENT_DATA), and looks
only when points are put. Guards that protect a rollout cannot be rehearsed on that, so the launcher replaces this one
function; `tests/rehearse/test_alarm_clock.py` names the gap, to be noticed when an upgrade closes it.

Source of the rules: Amazon CloudWatch User Guide, "Alarm evaluation", "Alarm evaluation windows" (a sliding window of
Period x EvaluationPeriods is the default) and "Configuring how CloudWatch alarms treat missing data". Left out: the
extra older points that CloudWatch looks at when the newest are missing, and metric math.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_MINUTE = 60.0


def window_end(now: float, newest: float | None) -> float:
    """End of the evaluated window, epoch s, exclusive: the last full minute, or the running one if it has a point."""
    full = now // _MINUTE * _MINUTE
    return full + _MINUTE if newest is not None and newest >= full else full


def state(alarm: Mapping[str, Any], values: Sequence[float | None]) -> str | None:
    """State that `values` (one statistic per period, None where there are no data) put the alarm into.

    None: the state stays what it is (`ignore`, nothing to go by).
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

    `points` in any order, each with its `Timestamp` in epoch seconds; those after `now` are not yet known.
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
    """The points of a growing list that a window of `span` seconds can still need, without reading all of it again."""

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


def install(clock: Callable[[], float]) -> Callable[[], None]:
    """Puts the rules above in place of the emulator's; runs inside the emulator's process.

    Returns what evaluates every alarm once, to be called when the clock was moved (CloudWatch looks each minute).
    """
    from ministack.services import cloudwatch as cw

    recent: dict[tuple[Any, ...], Recent] = {}

    def values(alarm: Mapping[str, Any]) -> list[float | None]:
        dimensions = cw._dims_key({one["Name"]: one["Value"] for one in alarm["Dimensions"]})
        key = (alarm["Namespace"], alarm["MetricName"], dimensions)
        period, periods, now = alarm["Period"], alarm["EvaluationPeriods"], clock()
        memory = recent.setdefault((alarm["AlarmArn"], key, period, periods), Recent(period * periods))
        found = slots(memory.of(cw._metrics.get(key) or (), now), period, periods, now)
        stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        summed = ((cw._calc_stats(points), points) for points in found)
        return [cw._stat_value(stats, stat, points) if stats else None for stats, points in summed]

    def evaluate(alarm: dict[str, Any]) -> None:
        if not alarm.get("Namespace") or not alarm.get("MetricName"):
            return
        seen = values(alarm)
        old, new = alarm["StateValue"], state(alarm, seen)
        if new is None or new == old:
            return
        reason = f"{seen} against {alarm['ComparisonOperator']} {alarm['Threshold']:g} makes it {new}"
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(clock()))
        cw._record_history(alarm["AlarmName"], old, new, reason)
        cw._dispatch_alarm_actions(alarm, old, new, reason)
        cw._evaluate_parent_alarms(alarm)

    cw._evaluate_alarm = evaluate
    cw._evict_old_metrics = _seldom(cw._evict_old_metrics, clock)
    everything: Callable[[], None] = cw._evaluate_all_alarms
    return everything


def _seldom(evict: Callable[[], None], clock: Callable[[], float]) -> Callable[[], None]:
    """The emulator copies all points of all metrics at each request to drop old ones; every six hours is enough."""
    last = clock()

    def sometimes() -> None:
        nonlocal last
        if clock() - last > 6 * 3600:
            last = clock()
            evict()

    return sometimes
