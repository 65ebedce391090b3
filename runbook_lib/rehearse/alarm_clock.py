"""How CloudWatch evaluates an alarm, as a pure function, and its installation in the emulator.

The emulator's own evaluation (ministack 1.5.33, `services/cloudwatch.py`) pools every metric of the same namespace and
name *whatever its dimensions*: a message in the work queue raises the DLQ's alarm, a 5xx of the synchronous route the
async guard. It also takes N periods as one, knows no missing data (a fresh alarm stays INSUFFICIENT_DATA), and looks only
when points are put. Guards that protect a rollout cannot be rehearsed on that, so the launcher replaces this one function;
`tests/rehearse/test_alarm_clock.py` names the gap, to be noticed when an upgrade closes it.

Source of the rules: Amazon CloudWatch User Guide, "Alarm evaluation", "Alarm evaluation windows" (a sliding window of
Period x EvaluationPeriods is the default) and "Configuring how CloudWatch alarms treat missing data". Left out: the extra
older points that CloudWatch looks at when the newest are missing, and metric math.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Point = tuple[float, Mapping[str, Any]]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_MINUTE = 60.0
_DISORDER_S = 86400.0
"""Points are stored as they come; one put later than newer ones by more than this is not found."""


def window_end(now: float, newest: float | None) -> float:
    """End of the evaluated window, epoch seconds, exclusive: the last full minute, or the running one if it has a point."""
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


def slots(points: Iterable[Mapping[str, Any]], period: float, periods: int, now: float) -> list[list[Mapping[str, Any]]]:
    """The points of the last `periods` periods, newest period first.

    `points` newest first, each with its `Timestamp` in epoch seconds; those after `now` are not yet known.
    """
    reach = now - period * periods - _MINUTE
    near: list[Mapping[str, Any]] = []
    for point in points:
        if point["Timestamp"] < reach - _DISORDER_S:
            break
        if reach <= point["Timestamp"] <= now:
            near.append(point)
    end = window_end(now, max((point["Timestamp"] for point in near), default=None))
    result: list[list[Mapping[str, Any]]] = [[] for _ in range(periods)]
    for point in near:
        age = int((end - point["Timestamp"] - 1e-6) // period)
        if 0 <= age < periods:
            result[age].append(point)
    return result


def install(clock: Callable[[], float]) -> Callable[[], None]:
    """Puts the rules above in place of the emulator's; runs inside the emulator's process.

    Returns what evaluates every alarm once, to be called when the clock was moved (CloudWatch looks each minute).
    """
    from ministack.services import cloudwatch as cw

    def values(alarm: Mapping[str, Any]) -> list[float | None]:
        key = (alarm["Namespace"], alarm["MetricName"], cw._dims_key({d["Name"]: d["Value"] for d in alarm["Dimensions"]}))
        stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        found = slots(reversed(cw._metrics.get(key) or []), alarm["Period"], alarm["EvaluationPeriods"], clock())
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
