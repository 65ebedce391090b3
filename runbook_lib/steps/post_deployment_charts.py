"""The seven key metrics of the first week as small multiples: what each look found, and what CloudWatch drew between.

Success rate, Lambda errors and cost per VPR are no CloudWatch metric: their points are those of the looks' records.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.judge.model import GateResult
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.params.policy import Policy
from runbook_lib.record.record import Record
from runbook_lib.rollout.panels import Line
from runbook_lib.show.points import Grid

KEY: dict[str, tuple[Line, ...]] = {
    "success_rate": (),
    "submit_latency": (Line("every 15 min", "async_latency", "p95", 0.001),),
    "generation_time": (Line("worker, every 15 min", "worker_duration", "p95", 0.001),),
    "queue_depth": (Line("every 15 min", "queue_visible", "Maximum"),),
    "dlq": (Line("every 15 min", "dlq_visible", "Maximum"),),
    "lambda_errors": (),
    "cost": (),
}
"""The requirement's table of key metrics, by gate."""
LOOKS = "each look"
Points = list[tuple[dt.datetime, float]]


def found(records: Iterable[Record], now: dt.datetime, results: Iterable[GateResult]) -> dict[str, Points]:
    """Gate to what each look found, in the gate's unit, oldest first; the look of this run is the last."""
    points: dict[str, Points] = {}
    for record in records:
        for gate in record.gates:
            id, value = str((gate.get("gate") or {}).get("id")), gate.get("value")
            if record.as_of and isinstance(value, int | float) and parse(record.as_of) < now:
                points.setdefault(id, []).append((parse(record.as_of), float(value)))
    for result in results:
        if result.value is not None:
            points.setdefault(result.gate.id, []).append((now, result.value))
    return {id: sorted(each) for id, each in points.items()}


def panels(looks: Mapping[str, Points], answers: Answers, policy: Policy, periods: Grid) -> list[dict[str, Any]]:
    """One chart for each key metric (the keywords of `show.charts.timeline`), target and alert limit drawn in."""
    drawn = []
    for id, lines in KEY.items():
        gate = policy.gate(id)
        percent = gate.unit == "ratio"
        series = {line.name: [(at, v * line.scale) for at, v in answers.points(line.label)] for line in lines}
        series[LOOKS] = [(at, 100 * value if percent else value) for at, value in looks.get(id, [])]
        unit = "%" if percent else gate.unit
        chart = {"series": series, "title": gate.title, "unit": unit, "gate": gate}
        drawn.append({**chart, "grid": periods, "irregular": [LOOKS]})
    return drawn
