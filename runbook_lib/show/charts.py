"""Charts: a timeline for each group of metrics, with thresholds and the moment of the shift.

Every function returns a closed figure, so that a notebook shows it only once.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Literal

from runbook_lib.base.window import when
from runbook_lib.judge.model import Gate
from runbook_lib.show import heads, levels, style
from runbook_lib.show.picture import drawing, image, narrow, width
from runbook_lib.show.points import Grid, Points, lone, ready
from runbook_lib.show.tables import Shown

Kind = Literal["line", "step", "bar"]
Marks = Sequence[tuple[dt.datetime, str]]
Band = Sequence[tuple[dt.datetime, float, float]]
Span = tuple[dt.datetime, dt.datetime]
_PER_RATIO = 100.0
_ROW_IN, _BARE = 2.15, 0.35
"""Height of a chart of a panel with its head, and the share of the chart that is left of one without anything in it."""
_CHARACTER_IN = 0.075
"""Width of a character in a threshold's label (8.5 pt, bold)."""
_MARK_HEAD, _HEAD_MOST = 0.12, 0.5
"""Share of the height above the data for the words of one mark, and at most for those of all marks."""
_LEGEND_HEAD, _LEGEND_PT = 0.2, 18
"""Share of the height for a legend inside the chart, and the points that it takes at the top."""
_STEPS_MIN = (1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 28 * 1440, 84 * 1440, 364 * 1440)
_STEPS = tuple(dt.timedelta(minutes=one) for one in _STEPS_MIN)
"""Possible intervals between two labels of the time axis."""
_LONG = dt.timedelta(days=20)
"""Longest time axis with hours; a longer one has days."""
_TITLE_IN = 0.33
"""Height of a chart's title, with the space above it."""


def panel(groups: Sequence[Mapping[str, Any]], *, marks: Marks = (), title: str = "") -> Any:
    """Small multiples over time (UTC): one chart a group, all on one time axis; `marks` are moments with a word each.

    Args:
        groups: the keywords of each chart: `series`, `title`, `unit`, and any of `gate` (its target and alert limit are
            drawn), `kind`, `log`, `grid`, `counts`, `irregular`, `band` (an interval at each of its times, drawn behind
            the series; with one the gate's collapse is drawn too), `worse` (a time that is over, shaded). Times are
            aware; the legend says `no data` for a series without points. With a `grid`, missing periods are 0 for the
            series in `counts` and gaps for others (not for those in `irregular`), and the open period is grey.
    """
    if not groups:
        raise ValueError("a panel expects at least one group")
    groups = [_ready(group) for group in groups]
    span = span_of([group["series"] for group in groups], marks, [group.get("grid") for group in groups])
    with drawing() as pyplot:
        height, margins = _frame(groups, titled=bool(title))
        figure, rows = pyplot.subplots(
            len(groups),
            1,
            figsize=(width(), height),
            sharex=True,
            squeeze=False,
            gridspec_kw=margins,
        )
        for place, (axes, group) in enumerate(zip(rows[:, 0], groups, strict=True)):
            last = place == len(groups) - 1
            _draw(axes, **{"marks": marks, **group}, span=span, mark_words=place == 0, labelled=last)
            axes.tick_params(axis="x", labelbottom=True)  # a printed page may end below any of them
        if title:
            size = 11 if narrow() else 13
            figure.suptitle(fill(title, 42) if narrow() else title, x=0.01, ha="left", fontsize=size, fontweight="bold")
        words_of = (describe(**_told({"marks": marks, **group})) for group in groups)
        figure.set_label(" ".join([f"{title}:" if title else "", *words_of]).strip())
    return figure


def _bare(group: Mapping[str, Any]) -> bool:
    """Whether a chart has neither data nor thresholds: it is a low strip without a scale."""
    return group.get("gate") is None and not any(group["series"].values())


def _frame(groups: Sequence[Mapping[str, Any]], *, titled: bool) -> tuple[float, dict[str, Any]]:
    """Height of a panel in inches, and the margins of its charts as shares of it, from the texts around them.

    A layout engine would draw everything twice for this, while people wait for the look.
    """
    labels = [
        name for group in groups for name, *_ in levels.thresholds(group.get("gate"), collapse=bool(group.get("band")))
    ]
    left, right = 0.95, 0.3 + _CHARACTER_IN * max((len(name) + 2 for name in labels), default=0)
    top, bottom, gap = 0.75 if titled else 0.4, 0.55, 0.62
    if narrow():
        head = heads.LINE_IN * heads.lines_of(groups)
        left, right, top, gap = 0.75, 0.3, top + head + 0.1, gap + head
    whole = (_ROW_IN + narrow() * (0.1 + heads.LINE_IN * heads.lines_of(groups))) * len(groups) + 0.5
    row = (whole - top - bottom - gap * (len(groups) - 1)) / len(groups)
    shares = [_BARE if _bare(group) else 1.0 for group in groups]
    height = whole - row * (len(groups) - sum(shares))
    return height, {
        "left": left / width(),
        "right": 1 - right / width(),
        "top": 1 - top / height,
        "bottom": bottom / height,
        "hspace": gap / (row * sum(shares) / len(groups)),
        "height_ratios": shares,
    }


def timelines(groups: Sequence[Mapping[str, Any]], *, marks: Marks = (), title: str = "") -> Shown:
    """`panel` as an image with its description; a printed page may end between two of its charts.

    It does not end before the last one, which has the name of the time axis.
    """
    figure = panel(groups, marks=marks, title=title)
    height, told = figure.get_figheight(), [describe(**_told({"marks": marks, **_ready(group)})) for group in groups]
    ends = [(1 - axes.get_position().y1) * height - _TITLE_IN for axes in figure.axes[1:]] + [height]
    parts = list(zip(ends, told, strict=True))
    cuts = [*parts[:-2], (height, " ".join(told[-2:]))]
    return image(lambda: panel(groups, marks=marks, title=title) if narrow() else figure, cuts=cuts)


def describe(
    series: Mapping[str, Points],
    *,
    title: str,
    unit: str,
    gate: Gate | None = None,
    marks: Marks = (),
    grid: Grid | None = None,
    band: Band = (),
    worse: Span | None = None,
) -> str:
    """The chart in one sentence: its title, the range of each series (without open periods), thresholds and marks."""
    parts = []
    for name, points in series.items():
        values = [value for at, value in points if math.isfinite(value) and not (grid and grid.is_open(at))]
        told = f"{_tidy(min(values))} to {_tidy(max(values))}, last {_tidy(values[-1])}" if values else "no data"
        parts.append(f"{name} {told}")
    if band:
        parts.append(f"interval at the end {_tidy(band[-1][1])} to {_tidy(band[-1][2])}")
    lines = [f"{name}" for name, *_ in levels.thresholds(gate, collapse=bool(band))]
    moments = [f"worse {when(worse[0])} to {when(worse[1])}"] if worse else []
    moments += [f"{text} at {when(at)}" for at, text in marks]
    return f"{title} ({unit}): {'; '.join([*parts, *lines, *moments]) or 'no series'}."


_TOLD = ("series", "title", "unit", "gate", "marks", "grid", "band", "worse")


def _told(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key in _TOLD}


def _ready(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group with its series ready for drawing."""
    how = {key: group[key] for key in ("counts", "irregular") if key in group}
    left = {key: value for key, value in group.items() if key not in how}
    return left | {"series": ready(group["series"], group.get("grid"), **how)}


def _tidy(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def span_of(
    groups: Sequence[Mapping[str, Points]], marks: Marks, grids: Sequence[Grid | None] = ()
) -> tuple[dt.datetime, dt.datetime] | None:
    """The first and last moment of all points and their periods (of the marks, if there are no points)."""
    times = [at for series in groups for points in series.values() for at, _ in points]
    longest = max((grid.period for grid in grids if grid), default=dt.timedelta(0))
    times = [*times, max(times) + longest] if times else [at for at, _ in marks]
    if not times:
        return None
    first, last = min(times), max(times)
    pad = (last - first) * 0.01 or dt.timedelta(minutes=30)
    return first - pad, last + pad


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
    grid: Grid | None = None,
    band: Band = (),
    worse: Span | None = None,
    mark_words: bool = True,
    labelled: bool = True,
) -> None:
    if band:
        at, low, high = zip(*band, strict=True)
        axes.fill_between(at, low, high, color=style.BLUE, alpha=0.18, linewidth=0, label="95 % at every look")
    if worse:
        shade(axes, worse)
    filled = {name: sorted(points) for name, points in series.items() if points}
    for place, (name, points) in enumerate(filled.items()):
        plot(axes, name, points, kind, place, len(filled), grid)
    opened = [at for points in filled.values() for at, _ in points if grid and grid.is_open(at)]
    if grid and opened:
        axes.axvspan(
            min(opened),
            max(opened) + grid.period,
            color=style.GREY,
            alpha=0.15,
            linewidth=0,
            zorder=0,
            label="still open",
        )
    empty = [f"{name}: no data" for name in series if name not in filled]
    if not heads.beside(title, [*filled, *empty]) and len(empty) > 1:
        empty = [f"{len(empty)} lines: no data"]
    for label in empty:
        axes.plot([], [], " ", label=label)
    axes.set_title(title)
    axes.set_ylabel(unit)
    names = axes.get_legend_handles_labels()[1]
    beside = heads.beside(title, names)
    within = bool(filled) and not beside and not narrow()
    shares = [_MARK_HEAD * len(inside(marks, span)) * mark_words, _LEGEND_HEAD * within]
    head = min(_HEAD_MOST, sum(shares))
    # The first intervals of a soak are very wide: the axis is for the values and the last interval.
    values = [*(value for points in filled.values() for _, value in points), *(band[-1][1:] if band else ())]
    scale = _PER_RATIO if unit.startswith("%") else 1.0
    levels.draw(axes, gate, scale, log, values, head, collapse=bool(band))
    if scale == _PER_RATIO and not log:  # the space for words above 100 % is no part of the scale
        low, high = axes.get_ylim()
        axes.set_yticks([at for at in axes.get_yticks() if low <= at <= min(high, max([_PER_RATIO, *values]))])
    if span is not None:
        axes.set_xlim(*span)
        time_axis(axes, span, labelled=labelled)
    else:
        axes.set_xticks([])
    _mark(axes, marks, span, mark_words, _LEGEND_PT * within)
    if not filled:
        if gate is None:
            axes.set_yticks([])
            axes.set_ylabel("")
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 3}
        where = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.45, "no data", fontsize=13, color=style.BLACK, bbox=paper, **where)
    if series:
        heads.legend(axes, title, beside=beside)


def shade(axes: Any, worse: Span) -> None:
    """Shades a time that was worse and is over."""
    axes.axvspan(*worse, color=style.VERMILLION, alpha=0.13, linewidth=0, zorder=0)


def plot(axes: Any, name: str, points: Points, kind: Kind, place: int, count: int, grid: Grid | None = None) -> None:
    """Draws one series; the points of open periods are grey, and not part of the line."""
    closed = [point for point in points if not (grid and grid.is_open(point[0]))]
    colour, dash = style.colour(name, place), style.DASHES[place % len(style.DASHES)]
    begun = points[len(closed) :]
    for part, ink, label in ((closed, colour, name), (begun, style.GREY, None)):
        if not part and label is None:
            continue
        times, values = [at for at, _ in part], [value for _, value in part]
        if kind == "bar":
            gaps = [later - earlier for earlier, later in itertools.pairwise(at for at, _ in points)]
            width = (grid.period if grid else min(gaps, default=dt.timedelta(minutes=15))) / count * 0.9
            axes.bar([at + width * place for at in times], values, width=width, align="edge", color=ink, label=label)
        elif kind == "step":
            if grid and part:
                times, values = [*times, times[-1] + grid.period], [*values, values[-1]]
            axes.step(times, values, where="post", color=ink, linestyle=dash, label=label)
        else:
            few = len(part) < 3 or label is None
            axes.plot(
                times,
                values,
                color=ink,
                linestyle=dash,
                marker="o" if few else None,
                markersize=4,
                label=label,
                clip_on=not few,
            )
            if not few and (alone := lone(part)):
                axes.plot(*zip(*alone, strict=True), "o", color=ink, markersize=4, clip_on=False)


def time_axis(axes: Any, span: tuple[dt.datetime, dt.datetime], *, most: int = 9, labelled: bool = True) -> None:
    """Labels the time axis with days and hours in UTC; the full date is once below it."""
    most = min(most, 4) if narrow() else most
    from matplotlib import dates as untyped

    dates: Any = untyped
    step = next((one for one in _STEPS if (span[1] - span[0]) / one <= most), _STEPS[-1])
    first = dt.datetime.fromtimestamp(-(-span[0].timestamp() // step.total_seconds()) * step.total_seconds(), dt.UTC)
    axes.set_xticks([first + step * k for k in range(int((span[1] - first) / step) + 1)])
    long = span[1] - span[0] > _LONG
    axes.xaxis.set_major_formatter(dates.DateFormatter("%m-%d" if long else "%d %H:%M", tz=dt.UTC))
    if labelled:
        axes.set_xlabel(
            f"{'month-day' if long else 'day and hour'} (UTC), from {when(span[0])}", fontsize=8 if narrow() else 9
        )


def inside(marks: Marks, span: tuple[dt.datetime, dt.datetime] | None) -> list[tuple[dt.datetime, str]]:
    """The moments within the time axis, in order."""
    return [(at, text) for at, text in sorted(marks) if span is None or span[0] <= at <= span[1]]


def _mark(axes: Any, marks: Marks, span: Span | None, named: bool, below: float = 0) -> None:
    """Draws the moments as vertical lines, with their words at the top, each on the side with space; `below`: points at
    the top that a legend takes.
    """
    for place, (at, text) in enumerate(inside(marks, span)):
        axes.axvline(at, color=style.BLACK, linewidth=1.1)
        if not named:
            continue
        right = span is not None and (at - span[0]) / (span[1] - span[0]) > 0.7
        axes.annotate(
            text if narrow() else f"{text}, {when(at)}",
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, -4 - below - 13 * place),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
