"""Charts: a timeline for each group of metrics, with thresholds and the moment of the shift drawn in.

Every function returns a closed Figure: it is shown once, where it is returned.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runbook_lib.judge import words
from runbook_lib.judge.model import Gate
from runbook_lib.show import style
from runbook_lib.show.picture import WIDTH_IN, drawing, image
from runbook_lib.show.tables import Shown, when

Points = Sequence[tuple[dt.datetime, float]]
Kind = Literal["line", "step", "bar"]
Marks = Sequence[tuple[dt.datetime, str]]
_PER_RATIO = 100.0
_NEARLY_ALL = 90.0
_ROW_IN = 2.15
_CHARACTER_IN = 0.075
"""Width of a character of a threshold's label: 8.5 pt, bold."""
_TITLE_CHARACTER_IN, _LEGEND_CHARACTER_IN, _HANDLE_IN = 0.105, 0.068, 0.6
"""Widths of a character of a title (11 pt, bold) and of a legend (8.5 pt), and of a legend's handle with its gaps."""
_MARGINS_IN = 2.6
"""What is left of a chart's width for labels on both sides."""
_LABEL_GAP = 0.12
"""Least distance of two labels, in heights of the axes."""


def timeline(
    series: Mapping[str, Points],
    *,
    title: str,
    unit: str,
    gate: Gate | None = None,
    marks: Marks = (),
    kind: Kind = "line",
    log: bool = False,
) -> Any:
    """One chart over time (UTC). Target and alert limit of `gate` are drawn; `marks` are moments with a word each.

    Times are aware; a series without points is named in the legend as `no data`.
    """
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(figsize=(WIDTH_IN, 2.9), layout="constrained")
        _draw(
            axes,
            series,
            title=title,
            unit=unit,
            gate=gate,
            marks=marks,
            kind=kind,
            log=log,
            span=_span([series], marks),
        )
        figure.set_label(describe(series, title=title, unit=unit, gate=gate, marks=marks))
    return figure


def panel(groups: Sequence[Mapping[str, Any]], *, marks: Marks = (), title: str = "") -> Any:
    """Small multiples: one chart a group (the keywords of `timeline`), all on one time axis."""
    if not groups:
        raise ValueError("a panel wants at least one group")
    span = _span([group["series"] for group in groups], marks)
    with drawing() as pyplot:
        height = _ROW_IN * len(groups) + 0.5
        figure, rows = pyplot.subplots(
            len(groups),
            1,
            figsize=(WIDTH_IN, height),
            sharex=True,
            squeeze=False,
            gridspec_kw=_margins(groups, height, titled=bool(title)),
        )
        for place, (axes, group) in enumerate(zip(rows[:, 0], groups, strict=True)):
            last = place == len(groups) - 1
            _draw(axes, **{"marks": marks, **group}, span=span, mark_words=place == 0, time_axis=last)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        words_of = (describe(**_told({"marks": marks, **group})) for group in groups)
        figure.set_label(" ".join([f"{title}:" if title else "", *words_of]).strip())
    return figure


def _margins(groups: Sequence[Mapping[str, Any]], height: float, *, titled: bool) -> dict[str, float]:
    """Where the charts of a panel are, as shares of the figure, by what is written around them.

    A layout engine would draw everything twice to find out, and a look is waited for.
    """
    labels = [name for group in groups for name, *_ in _thresholds(group.get("gate"))]
    right = 0.3 + _CHARACTER_IN * max((len(name) + 2 for name in labels), default=0)
    top, bottom, gap = 0.75 if titled else 0.4, 0.55, 0.55
    row = (height - top - bottom - gap * (len(groups) - 1)) / len(groups)
    return {
        "left": 0.95 / WIDTH_IN, "right": 1 - right / WIDTH_IN, "top": 1 - top / height, "bottom": bottom / height,
        "hspace": gap / row,
    }  # fmt: skip


def timelines(groups: Sequence[Mapping[str, Any]], *, marks: Marks = (), title: str = "") -> Shown:
    """`panel` as an image that carries its description."""
    return image(panel(groups, marks=marks, title=title))


def describe(
    series: Mapping[str, Points], *, title: str, unit: str, gate: Gate | None = None, marks: Marks = ()
) -> str:
    """The chart in a sentence: what it shows, the range of each series, thresholds and marks."""
    parts = []
    for name, points in series.items():
        values = [value for _, value in points if math.isfinite(value)]
        told = f"{_tidy(min(values))} to {_tidy(max(values))}, last {_tidy(values[-1])}" if values else "no data"
        parts.append(f"{name} {told}")
    lines = [f"{name}" for name, *_ in _thresholds(gate)]
    moments = [f"{text} at {when(at)} UTC" for at, text in marks]
    return f"{title} ({unit}): {'; '.join([*parts, *lines, *moments]) or 'no series'}."


def _told(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key in ("series", "title", "unit", "gate", "marks")}


def _tidy(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _span(groups: Sequence[Mapping[str, Points]], marks: Marks) -> tuple[dt.datetime, dt.datetime] | None:
    """First and last moment of all points (of the marks, if there are no points)."""
    times = [at for series in groups for points in series.values() for at, _ in points] or [at for at, _ in marks]
    if not times:
        return None
    first, last = min(times), max(times)
    pad = (last - first) * 0.01 or dt.timedelta(minutes=30)
    return first - pad, last + pad


def _thresholds(gate: Gate | None) -> list[tuple[str, float, str, Any]]:
    """Label, number, colour and dash of a gate's target and alert limit, in the gate's own unit."""
    if gate is None or gate.kind == "split":
        return []
    found: list[tuple[str, float, str, Any]] = [
        (f"target {words.comparison(gate.target, gate.unit)}", gate.target.limit, style.TARGET, (0, (6, 2)))
    ]
    if gate.alert is not None:
        found.append((f"alert {words.comparison(gate.alert, gate.unit)}", gate.alert.limit, style.ALERT, (0, (2, 1.5))))
    return found


def _draw(
    axes: Any,
    series: Mapping[str, Points],
    *,
    title: str,
    unit: str,
    span: tuple[dt.datetime, dt.datetime] | None,
    gate: Gate | None = None,
    marks: Marks = (),
    kind: Kind = "line",
    log: bool = False,
    mark_words: bool = True,
    time_axis: bool = True,
) -> None:
    filled = {name: sorted(points) for name, points in series.items() if points}
    for place, (name, points) in enumerate(filled.items()):
        _plot(axes, name, points, kind, place, len(filled))
    empty = [f"{name}: no data" for name in series if name not in filled]
    if not _beside_title(title, [*filled, *empty]) and len(empty) > 1:
        empty = [f"{len(empty)} lines: no data"]
    for label in empty:
        axes.plot([], [], " ", label=label)
    axes.set_title(title)
    axes.set_ylabel(unit)
    values = [value for points in filled.values() for _, value in points]
    _levels(axes, gate, _PER_RATIO if unit.startswith("%") else 1.0, log, values)
    if span is not None:
        axes.set_xlim(*span)
        _time(axes, time_axis)
    else:
        axes.set_xticks([])
    _mark(axes, marks, span, mark_words)
    if not filled:
        if gate is None:
            axes.set_yticks([])
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 3}
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.45, "no data", fontsize=13, color=style.BLACK, bbox=paper, **where)
    if series:
        names = axes.get_legend_handles_labels()[1]
        if _beside_title(title, names):
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(names), borderaxespad=0.1)
        else:
            paper = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85}
            axes.legend(loc="upper right", ncols=min(len(names), 5), borderaxespad=0.2, **paper)


def _beside_title(title: str, names: Sequence[str]) -> bool:
    """Whether a legend of these names fits into one line beside the title, above the chart."""
    legend = sum(len(name) * _LEGEND_CHARACTER_IN + _HANDLE_IN for name in names)
    return len(names) <= 5 and len(title) * _TITLE_CHARACTER_IN + legend <= WIDTH_IN - _MARGINS_IN


def _plot(axes: Any, name: str, points: Points, kind: Kind, place: int, count: int) -> None:
    times, values = [at for at, _ in points], [value for _, value in points]
    colour, dash = style.CYCLE[place % len(style.CYCLE)], style.DASHES[place % len(style.DASHES)]
    if kind == "bar":
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        width = (min(gaps) if gaps else dt.timedelta(minutes=15)) / count * 0.9
        axes.bar([at + width * place for at in times], values, width=width, align="edge", color=colour, label=name)
    elif kind == "step":
        axes.step(times, values, where="post", color=colour, linestyle=dash, label=name)
    else:
        lone = len(points) < 3
        axes.plot(times, values, color=colour, linestyle=dash, marker="o" if lone else None, markersize=4, label=name)


def _levels(axes: Any, gate: Gate | None, scale: float, log: bool, values: Sequence[float]) -> None:
    """The value axis and the thresholds on it, labelled at the right edge, apart from one another.

    A threshold far above everything seen would flatten the curve: it is then named at the top edge, not drawn to scale.
    """
    finite = [value for value in values if math.isfinite(value)]
    top = max([0.0, *finite])
    factor = scale if gate is not None and gate.unit == "ratio" else 1.0
    lines = [(name, limit * factor, colour, dash) for name, limit, colour, dash in _thresholds(gate)]
    if log:
        axes.set_yscale("log" if min(finite, default=0) > 0 else "symlog")
    shown = [line for line in lines if log or line[1] <= top * 6 or top == 0]
    ceiling = max([top, *(limit for _, limit, _, _ in shown)]) or 1.0
    levels = [*finite, *(limit for _, limit, _, _ in shown)]
    if not log and factor == _PER_RATIO and finite and min(levels) >= _NEARLY_ALL:
        # Shares that are all near 100 %: from zero, a curve and its thresholds would be one line.
        room = max(100.0 - min(levels), 1.0) * 0.12
        axes.set_ylim(min(levels) - room, 100 + room)
    elif not log:
        # A little room below, so that a curve at 0 is not hidden by the axis.
        axes.set_ylim(min([0.0, *finite]) - ceiling * 0.03, ceiling * 1.12)
    labels: list[tuple[float, str, str]] = []
    for name, limit, colour, dash in lines:
        if any(line[0] == name for line in shown):
            axes.axhline(limit, color=colour, linestyle=dash, linewidth=1.2)
            labels.append((limit, name, colour))
        else:
            labels.append((axes.get_ylim()[1], f"↑ {name}", colour))
    _label_levels(axes, labels)


def _label_levels(axes: Any, labels: Sequence[tuple[float, str, str]]) -> None:
    """Writes each label beside its height, pushed apart where two would overlap."""
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
            (1.005, height),
            xycoords="axes fraction",
            va="center",
            ha="left",
            fontsize=8.5,
            fontweight="bold",
            color=_dark(colour),
            annotation_clip=False,
        )


def _dark(colour: str) -> str:
    """The same hue, dark enough to be read as small text on white (contrast above 4.5:1)."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(colour)
    return str(to_hex((red * 0.75, green * 0.75, blue * 0.75)))


def _time(axes: Any, labelled: bool) -> None:
    from matplotlib import dates as untyped

    dates: Any = untyped
    locator = dates.AutoDateLocator(tz=dt.UTC, minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=dt.UTC))
    if labelled:
        axes.set_xlabel("time (UTC)")


def _mark(axes: Any, marks: Marks, span: tuple[dt.datetime, dt.datetime] | None, named: bool) -> None:
    """Vertical lines; words above the plot, each on the side where there is room."""
    inside = [(at, text) for at, text in sorted(marks) if span is None or span[0] <= at <= span[1]]
    for place, (at, text) in enumerate(inside):
        axes.axvline(at, color=style.BLACK, linewidth=1.1)
        if not named:
            continue
        right = span is not None and (at - span[0]) / (span[1] - span[0]) > 0.7
        axes.annotate(
            f"{text}, {at.astimezone(dt.UTC):%H:%M}",
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, -4 - 13 * place),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )
