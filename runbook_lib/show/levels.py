"""Draws the value axis of a chart, and a gate's thresholds on it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from runbook_lib.judge import words
from runbook_lib.judge.model import Gate
from runbook_lib.show import style
from runbook_lib.show.picture import narrow

_PER_RATIO = 100.0
_NEARLY_ALL = 90.0
_REACH = 6.0
_SHORT = ("ratio", "s", "USD")
"""Units that are written after the number of a threshold."""
_LABEL_GAP = 0.12
"""Least distance of two labels, as a share of the axes' height."""


Spans = tuple[tuple[dt.datetime, dt.datetime], ...]


class Level(NamedTuple):
    """A level that is not in a gate's declaration, in the chart's unit, such as the weight for a split."""

    name: str
    at: float
    spans: Spans = ()
    """When it held; empty: all the time."""


def thresholds(gate: Gate | None, *, collapse: bool = False) -> list[tuple[str, float, str, Any]]:
    """Label, number, colour and dash of a gate's target and alert limit (and collapse), in the gate's own unit; empty
    for a split and for a gate that compares with another arm.
    """
    if gate is None or gate.kind == "split" or gate.against:
        return []
    unit = gate.unit if gate.unit in _SHORT else ""  # the axis has the other units: there is no room for them
    found: list[tuple[str, float, str, Any]] = [
        (f"target {words.comparison(gate.target, unit)}", gate.target.limit, style.TARGET, (0, (6, 2)))
    ]
    if gate.alert is not None:
        found.append((f"alert {words.comparison(gate.alert, unit)}", gate.alert.limit, style.ALERT, (0, (2, 1.5))))
    if collapse and gate.collapse is not None:
        told = f"collapse {words.comparison(gate.collapse, unit)}"
        found.append((told, gate.collapse.limit, style.BLACK, (0, (1, 1))))
    return found


def draw(
    axes: Any,
    gate: Gate | None,
    scale: float,
    log: bool,
    values: Sequence[float],
    head: float = 0.0,
    *,
    collapse: bool = False,
    beside: Sequence[Level] = (),
    reach: float = _REACH,
) -> None:
    """Draws the value axis and the thresholds, with separate labels at the right edge; on a telephone in the legend.

    A threshold far above all values would flatten the curve: then it is named at the top edge, not drawn to scale. A
    collapse far below all values is named at the bottom edge.

    Args:
        head: share of the height at the top that stays free of data, for words.
        collapse: whether the thresholds include the gate's collapse.
        reach: largest multiple of the greatest value at which a threshold is drawn to scale.
        beside: other levels.
    """
    finite = [value for value in values if math.isfinite(value)]
    top = max([0.0, *finite])
    factor = scale if gate is not None and gate.unit == "ratio" else 1.0
    lines = [(name, limit * factor, colour, dash) for name, limit, colour, dash in thresholds(gate, collapse=collapse)]
    lines += [(name, at, style.TARGET, (0, (6, 2))) for name, at, _ in beside]
    held = {name: spans for name, _, spans in beside}
    if log:
        axes.set_yscale("log" if min(finite, default=0) > 0 else "symlog")
    shown = [line for line in lines if log or line[1] <= top * reach or top == 0]
    if collapse and gate is not None and gate.higher_is_better and finite and not log:
        # The collapse is drawn only if a value is at least half of the way from the worst other line to it.
        others = [line[1] for line in lines if not line[0].startswith("collapse")]
        shown = [line for line in shown if min(finite) <= (line[1] + min(others)) / 2 or line[1] in others]
    ceiling = max([top, *(limit for _, limit, _, _ in shown)]) or 1.0
    levels = [*finite, *(limit for _, limit, _, _ in shown)]
    near = min(levels, default=0.0) >= _NEARLY_ALL or (collapse and gate is not None and gate.higher_is_better)
    if not log and factor == _PER_RATIO and finite and near:
        # Shares near 100 %: on an axis from zero, a curve and its thresholds would be one line.
        low = min(*levels, 99.0)
        room = (100.0 - low) * 0.12
        axes.set_ylim(low - room, 100 + room)
    elif not log:
        # A little space below, so that the axis does not hide a curve at 0.
        axes.set_ylim(min([0.0, *finite]) - ceiling * 0.03, ceiling * 1.12)
    if head and not log:
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) / (1 - head))
    labels: list[tuple[float, str, str]] = []
    for name, limit, colour, dash in lines:
        if any(line[0] == name for line in shown):
            _line(axes, limit, name, held.get(name, ()), {"color": colour, "linestyle": dash, "linewidth": 1.2})
            labels.append((limit, name, colour))
        elif limit < top:
            labels.append((axes.get_ylim()[0], f"↓ {name}", colour))
        else:
            labels.append((axes.get_ylim()[1], f"↑ {name}", colour))
    if not narrow():
        _label_levels(axes, labels)
        return
    for _, name, _ in labels:
        if name[0] in "↑↓":
            axes.plot([], [], " ", label=name)


def _line(axes: Any, at: float, name: str, spans: Spans, look: dict[str, Any]) -> None:
    """Draws a level over the whole chart, or over its spans; on a telephone the legend has its name."""
    if not spans:
        axes.axhline(at, **look, label=name if narrow() else None)
    for place, span in enumerate(spans):
        axes.plot(span, (at, at), **look, label=name if narrow() and not place else None)


def _label_levels(axes: Any, labels: Sequence[tuple[float, str, str]]) -> None:
    """Writes each label at its height, and moves labels apart where they would overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = sorted((to_axes.transform((0, at))[1], name, colour) for at, name, colour in labels)
    heights = [height for height, _, _ in wanted]
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + _LABEL_GAP)
    ceiling = 1.0
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], ceiling)
        ceiling = heights[place] - _LABEL_GAP
    for height, (_, name, colour) in zip(heights, wanted, strict=True):
        axes.annotate(
            name,
            (1.015, height),
            xycoords="axes fraction",
            va="center",
            ha="left",
            fontsize=8.5,
            fontweight="bold",
            color=dark(colour),
            annotation_clip=False,
        )


def dark(colour: str) -> str:
    """A colour's hue, dark enough for small text on white (contrast above 4.5:1)."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(colour)
    return str(to_hex((red * 0.75, green * 0.75, blue * 0.75)))
