"""Widgets for the gates on measures that `gates.yaml` declares: each such gate is on the dashboard."""

from __future__ import annotations

import re

from runbook_lib.judge.model import Gate
from runbook_lib.observe.dashboard.board import Axis, Board, Chart, Line, Share, Widget
from runbook_lib.params.load import Params
from runbook_lib.params.measures import Measure, Side, metric_id


def widgets(board: Board, params: Params) -> tuple[Widget, ...]:
    """One widget for each such gate that no widget of the file draws, in the order of the gates."""
    drawn = {axis.gate for widget in board.widgets for _, axis in widget.axes}
    measures = params.policy.measures
    return tuple(
        Widget(
            id=f"gate_{re.sub('[^a-z0-9]', '_', gate.id.lower())}",
            title=f"Gate: {gate.title}",
            left=_axis(gate, gate.measure, measures[gate.measure], params),
        )
        for gate in params.policy.gates
        if gate.measure in measures and gate.id not in drawn
    )


def _axis(gate: Gate, name: str, own: Measure, params: Params) -> Axis:
    def asked(side: Side) -> tuple[str, str]:
        id = metric_id(name, side, own.sides[side])
        return id, own.stat(side) or params.metric(id).stat

    unit = "%" if gate.unit == "ratio" else gate.unit
    percent = 100.0 if gate.unit == "ratio" else 1.0
    if own.of is not None:
        side: Side = "good" if own.good is not None else "bad" if own.bad is not None else "value"
        (part, stat), (whole, whole_stat) = asked(side), asked("of")
        share = Share(
            label=gate.title,
            part=(part,),
            whole=(whole,),
            times=percent / own.divided_by,
            rest=own.kind == "rate" and gate.higher_is_better == (side == "bad"),
            stat=stat,
            whole_stat=whole_stat,
        )
        return Axis(unit=unit, gate=gate.id, factor=percent, share=share)
    metric, stat = asked("value")
    stats = [f"p{100 * q:g}" for q in dict.fromkeys((0.5, gate.quantile or 0.5))] if own.kind == "quantile" else [stat]
    summed = own.kind == "amount" and stat == "Sum"  # the gate judges the sum of the window, not that of a period
    return Axis(
        unit=params.metric(metric).unit or gate.unit,
        gate=None if summed else gate.id,
        factor=own.divided_by,
        lines=tuple(Line(label=one, metric=metric, stat=one) for one in stats),
        chart=Chart(unit=unit, scale=percent / own.divided_by),
    )
