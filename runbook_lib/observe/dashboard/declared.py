"""The dashboard as data (`params/dashboard.yaml`), in CloudWatch's terms: its body, and the questions behind it.

Format: CloudWatch API reference, "Dashboard body structure and syntax" (grid of 24 columns, metrics as arrays,
`annotations.horizontal`, metric math as `{"expression": ...}`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.base.window import Window
from runbook_lib.judge import words
from runbook_lib.judge.model import Gate
from runbook_lib.observe.dashboard import own, several
from runbook_lib.observe.dashboard.board import Axis, Board, Line, Share, Widget
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.observe.metrics.fetch import Answers, Ask, Point
from runbook_lib.params.load import Params

GRID = 24
"""Columns of CloudWatch's grid."""
KIND = "AWS::CloudWatch::Dashboard"
"""CloudFormation's type of a dashboard; its physical id is its name."""
LOGICAL_ID = "AsyncDashboard"
"""Logical id of the dashboard in the exported template, as in the requirement's own code."""
# Factor by the gate's unit and what is drawn (the metric's unit; `Average` of a 0/1 metric; a share in percent).
_FACTORS = {
    ("messages", "messages"): 1.0,
    ("s", "s"): 1.0,
    ("s", "ms"): 1000.0,
    ("ratio", "Average"): 1.0,
    ("ratio", "share"): 100.0,
}


def declared(params: Params) -> Board:
    """The dashboard of `params/dashboard.yaml`, and a widget for each gate on a measure of the service's own.

    Raises:
        UsageError: it is missing or wrong, or names a metric or a gate that is not declared.
    """
    board = several.of_all(params.nested("dashboard", Board), params)
    board = board.model_copy(update={"widgets": (*board.widgets, *own.widgets(board, params))})
    body(board, params)
    return board


def board_name(board: Board, params: Params) -> str:
    """The dashboard's name in this environment."""
    return filled(board.name, {"env": params.env})


def thresholds(axis: Axis, params: Params) -> list[tuple[Literal["target", "alert"], str, float]]:
    """The lines of the axis' gate: (target or alert, label, value in the axis' unit).

    Raises:
        UsageError: there is no such gate, or its unit cannot be drawn on this axis.
    """
    if axis.gate is None:
        return []
    gate = next((gate for gate in params.policy.gates if gate.id == axis.gate), None)
    if gate is None:
        raise UsageError(f"dashboard.yaml: gates.yaml has no gate '{axis.gate}'")
    factor = _factor(axis, gate, params) if axis.factor is None else axis.factor
    sides: tuple[tuple[Literal["target", "alert"], Any], ...] = (("target", gate.target), ("alert", gate.alert))
    return [
        (name, f"{name} {words.comparison(limit, gate.unit)}", limit.limit * factor) for name, limit in sides if limit
    ]


def _factor(axis: Axis, gate: Gate, params: Params) -> float:
    drawn = {"share"} if axis.share else {line.stat for line in axis.lines}
    if gate.unit != "ratio":
        drawn = {params.metric(line.metric).unit for line in axis.lines}
    factors = {_FACTORS.get((gate.unit, what)) for what in drawn}
    factor = factors.pop()
    if factor is None or factors:
        raise UsageError(
            f"dashboard.yaml: gate '{gate.id}' is in {gate.unit}, which cannot be drawn over {', '.join(sorted(drawn))}"
        )
    return factor


def body(board: Board, params: Params) -> dict[str, Any]:
    """The dashboard's body as PutDashboard takes it (serialised by `encode`).

    Raises:
        UsageError: a metric or a gate is not declared, or a name is missing in `service.yaml`.
    """
    width = GRID // board.columns
    widgets = []
    for place, widget in enumerate(board.widgets):
        row, column = divmod(place, board.columns)
        grid = {"x": column * width, "y": row * board.height, "width": width, "height": board.height}
        widgets.append({"type": "metric", **grid, "properties": _properties(widget, board, params)})
    # inherit: every graph keeps its own period at any span of time.
    return {"start": f"-PT{board.hours}H", "periodOverride": "inherit", "widgets": widgets}


def encode(body: dict[str, Any]) -> str:
    """A body as text."""
    return json.dumps(body, ensure_ascii=False)


def to_cloudformation(name: str, body: dict[str, Any], logical_id: str = LOGICAL_ID) -> dict[str, Any]:
    """A template with the dashboard as its one resource, for the team's infrastructure code.

    In CDK: `cloudwatch.CfnDashboard`, with the same two properties in camel case, or `CfnInclude` of the template.
    """
    properties = {"DashboardName": name, "DashboardBody": encode(body)}
    return {"Resources": {logical_id: {"Type": KIND, "Properties": properties}}}


def _properties(widget: Widget, board: Board, params: Params) -> dict[str, Any]:
    rows: list[list[Any]] = []
    annotations: list[dict[str, Any]] = []
    units: dict[str, Any] = {}
    for side, axis in widget.axes:
        rows += [[*_address(line.metric, params), _options(line, side)] for line in axis.lines]
        rows += _share(axis.share, side, params) if axis.share else []
        units[side] = {"label": axis.unit, "showUnits": False, "min": 0}
        for kind, label, value in thresholds(axis, params):
            colour = board.target_colour if kind == "target" else board.alert_colour
            annotations.append({"label": label, "value": value, "color": colour, "yAxis": side})
    return {
        "title": widget.title,
        "view": "timeSeries",
        "stacked": False,
        "region": params.region,
        "period": board.period_s,
        "stat": widget.asked[0][1],
        "metrics": rows,
        "yAxis": units,
        **({"annotations": {"horizontal": annotations}} if annotations else {}),
    }


def _options(line: Line, side: str) -> dict[str, Any]:
    return {"label": line.label, "stat": line.stat, "yAxis": side}


def _address(name: str, params: Params) -> list[str]:
    where = address(params.metric(name), params)
    pairs = [part for one in where["Dimensions"] for part in (one["Name"], one["Value"])]
    return [where["Namespace"], where["MetricName"], *pairs]


def _share(share: Share, side: str, params: Params) -> Iterator[list[Any]]:
    """The rows that draw a share by metric math. A count without a point is 0 where another of them has one."""
    sums, rows = [], []
    for prefix, names, stat in (("part", share.part, share.stat), ("whole", share.whole, share.whole_stat)):
        ids = [f"{prefix}{place}" for place in range(1, len(names) + 1)]
        sums.append(" + ".join(f"FILL({id}, 0)" for id in ids))
        rows += [
            [*_address(name, params), {"id": id, "stat": stat, "visible": False}]
            for id, name in zip(ids, names, strict=True)
        ]
    told = f"{share.times:g} * ({sums[0]}) / ({sums[1]})"
    told = f"{share.times:g} - {told}" if share.rest else told
    yield [{"id": "share", "expression": told, "label": share.label, "yAxis": side}]
    yield from rows


def asks(board: Board, window: Window) -> list[Ask]:
    """Everything that the widgets draw, as questions for one fetch."""
    wanted = dict.fromkeys(one for widget in board.widgets for one in widget.asked)
    return [Ask(name, window, stat, board.period_s) for name, stat in wanted]


def silent(widget: Widget, answers: Answers, params: Params) -> list[str]:
    """Titles of the widget's metrics that have no point in what was fetched."""
    quiet = {name for name, stat in widget.asked if not answers.points(f"{name}:{stat}")}
    return [params.metric(name).title for name in dict.fromkeys(name for name, _ in widget.asked) if name in quiet]


def series(axis: Axis, answers: Answers) -> dict[str, list[Point]]:
    """The axis' lines from what was fetched, in the unit that the notebook draws."""
    scale = axis.drawn.scale
    drawn = {
        line.label: [(at, value * scale) for at, value in answers.points(f"{line.metric}:{line.stat}")]
        for line in axis.lines
    }
    if axis.share:
        share = axis.share
        part, whole = _added(share.part, share.stat, answers), _added(share.whole, share.whole_stat, answers)
        found = [(at, share.times * part.get(at, 0.0) / n) for at, n in sorted(whole.items()) if n]
        drawn[share.label] = [(at, share.times - value) for at, value in found] if share.rest else found
    return drawn


def _added(names: tuple[str, ...], stat: str, answers: Answers) -> dict[Any, float]:
    total: dict[Any, float] = {}
    for name in names:
        for at, value in answers.points(f"{name}:{stat}"):
            total[at] = total.get(at, 0.0) + value
    return total
