"""Small multiples: a timeline of each gate's data, drawn as one figure and shown as tiles.

The drawn figure is cut into its tiles: they are side by side on a wide page, and one below the other on a telephone.
The end of a printed page cuts no tile. Each tile has its own time axis, and can be read alone.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from runbook_lib.base.window import minute, parse, when
from runbook_lib.judge.model import GateResult
from runbook_lib.judge.terms import Word
from runbook_lib.show import heads, levels, style
from runbook_lib.show.charts import Band, Kind, Marks, Span, inside, plot, shade, span_of, time_axis
from runbook_lib.show.picture import NARROW_IN, drawing, framed, narrow, picture, pixels, slim
from runbook_lib.show.points import Grid, Points, ready
from runbook_lib.show.scale import failing_first, limits, numbers
from runbook_lib.show.tables import Shown

PERCENT = 100.0
LOOKS = "judged, at each look"
CHANGE, OVER = "change", "over"
"""Marks of the moment since when a gate is worse, and of its end."""
_WIDTH_IN, _HEIGHT_IN = 5.0, 3.0
_COLUMNS = 2
_TILE = "flex:1 1 440px;min-width:0;max-width:min(100%,560px);break-inside:avoid;"
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 0.78, 1.25, 1.0, 0.46
_SLIM_IN = {"left": 0.75, "right": 0.3, "top": 0.82, "line": 0.18, "bottom": 0.46, "chart": 1.6}
"""Measures of a tile on a telephone, where title and legend need more lines."""
_REACH = 20.0
"""A target is drawn to scale up to this multiple of the seen values; beyond it a curve would only be a flat line."""
_NEAR = 0.3
"""Moments closer than this share of the time axis have their words on two lines."""


@dataclass(frozen=True)
class Tile:
    """One gate's timeline; every number is in the unit of its axis."""

    result: GateResult
    word: Word
    """The word that people read for its verdict (`words.of_gate`)."""
    series: Mapping[str, Points]
    looks: Points
    """The value at each look, this one last."""
    kind: Kind = "line"
    grid: Grid | None = None
    irregular: tuple[str, ...] = ()
    """Names of the series without periods."""
    band: Band = ()
    beside: tuple[levels.Level, ...] = ()
    """Levels that are not in the gate's declaration, such as the weight in force at each look."""

    @property
    def unit(self) -> str:
        """The unit of the value axis."""
        unit = self.result.gate.unit
        return "%" if unit == "ratio" or self.result.gate.against else unit


def multiples_figure(tiles: Sequence[Tile], marks: Marks = ()) -> Any:
    """The closed figure of all tiles, failing gates first, in rows of two."""
    tiles = ordered(tiles)
    columns, wide = (1, NARROW_IN) if narrow() else (_COLUMNS, _WIDTH_IN)
    left, right, bottom = _edges()
    high = _SLIM_IN["chart"] + max(map(_top, tiles), default=0.0) + bottom if narrow() else _HEIGHT_IN
    width, height = wide * columns, high * math.ceil(len(tiles) / columns)
    span = _span(tiles, marks)
    with drawing() as pyplot:
        figure = pyplot.figure(figsize=(width, height))
        for place, tile in enumerate(tiles):
            row, column = divmod(place, columns)
            top = _top(tile)
            axes = figure.add_axes(
                (
                    (column * wide + left) / width,
                    (height - (row + 1) * high + bottom) / height,
                    (wide - left - right) / width,
                    (high - top - bottom) / height,
                )
            )
            _draw(axes, tile, marks, span, top)
        figure.set_label(" ".join(describe(tile, marks) for tile in tiles))
    return figure


def _names(tile: Tile) -> list[str]:
    """The names in the tile's legend on a telephone."""
    limits = [f"↑ {name}" for name, *_ in levels.thresholds(tile.result.gate, collapse=True)]
    band = ["interval at every look"] * bool(tile.band)
    return [*tile.series, LOOKS, *band, *limits, *(level.name for level in tile.beside)]


def _edges() -> tuple[float, float, float]:
    """The margins of a tile's chart left, right and below, in inches."""
    return (_SLIM_IN["left"], _SLIM_IN["right"], _SLIM_IN["bottom"]) if narrow() else (_LEFT_IN, _RIGHT_IN, _BOTTOM_IN)


def _top(tile: Tile) -> float:
    """The margin above a tile's chart, in inches; on a telephone as much as its title and legend need."""
    if not narrow():
        return _TOP_IN
    more = len(_title(tile).splitlines()) - 1
    return _SLIM_IN["top"] + _SLIM_IN["line"] * more + heads.LINE_IN * heads.legend_lines(_names(tile))


def _title(tile: Tile) -> str:
    return fill(tile.result.gate.title, 40) if narrow() else tile.result.gate.title


def multiples(tiles: Sequence[Tile], marks: Marks = ()) -> Shown:
    """`multiples_figure` as tiles, each with its description; empty without gates."""
    if not tiles:
        return Shown("", "")
    words = [describe(tile, marks) for tile in ordered(tiles)]
    whole, other = pixels(multiples_figure(tiles, marks)), pixels(slim(lambda: multiples_figure(tiles, marks)))
    slim_high = other.height / len(tiles)
    wide, high = whole.width // _COLUMNS, round(whole.height / math.ceil(len(tiles) / _COLUMNS))
    shown = []
    for place, text in enumerate(words):
        row, column = divmod(place, _COLUMNS)
        cut = whole.crop((column * wide, row * high, (column + 1) * wide, (row + 1) * high))
        alone = other.crop((0, round(place * slim_high), other.width, round((place + 1) * slim_high)))
        shown.append(framed(picture(cut, text, "max-width:560px", alone), int(_WIDTH_IN * 100), _TILE))
    markup = f'<div style="display:flex;flex-wrap:wrap;gap:8px;max-width:1132px">{"".join(shown)}</div>'
    return Shown(markup, "\n".join(words))


def ordered(tiles: Sequence[Tile]) -> list[Tile]:
    """The tiles with failing gates first, as in the figure of all gates."""
    interim = any(tile.word is Word.WATCH for tile in tiles)
    results = failing_first([tile.result for tile in tiles], interim)
    places = {id(result): place for place, result in enumerate(results)}
    return sorted(tiles, key=lambda tile: places[id(tile.result)])


def describe(tile: Tile, marks: Marks = ()) -> str:
    """The tile in one sentence: verdict, value, limits, the range of each curve, and the moments."""
    result = tile.result
    told = []
    for name, points in {**tile.series, LOOKS: tile.looks}.items():
        values = [value for _, value in points if math.isfinite(value)]
        told.append(
            f"{name} {min(values):.3g} to {max(values):.3g}, last {values[-1]:.3g}" if values else f"{name} no data"
        )
    told += [_level(one) for one in tile.beside]
    told += [f"{text} at {when(at)}" for at, text in _moments(tile, marks)]
    head = f"{result.gate.title} ({tile.unit}) {tile.word}: {numbers(result)}; {limits(result)}"
    return f"{head}; {'; '.join(told)}."


def _level(one: levels.Level) -> str:
    spans = ", ".join(f"{when(start)} to {when(end)}" for start, end in one.spans)
    return f"{one.name} {one.at:.3g}" + (f" ({spans})" if spans else "")


def _moments(tile: Tile, marks: Marks) -> list[tuple[dt.datetime, str]]:
    """The moments of all tiles; a change of the tile's own, and its end, take the place of another gate's."""
    own = changes(tile.result)
    return sorted([*(one for one in marks if not own or one[1] not in (CHANGE, OVER)), *own])


def changes(result: GateResult) -> list[tuple[dt.datetime, str]]:
    """The moment since when a gate is worse, and its end where it is over, to the minute that its reason names."""
    named = ((result.since, CHANGE), (result.until, OVER))
    return [(minute(parse(at)), word) for at, word in named if at]


def over(result: GateResult) -> Span | None:
    """The worse time that is over, for its shading; None: there was none, or it lasts."""
    return (parse(result.since), parse(result.until)) if result.since and result.until else None


def _span(tiles: Sequence[Tile], marks: Marks) -> tuple[dt.datetime, dt.datetime] | None:
    """The common time axis of all tiles, so that they can be compared."""
    found = span_of(
        [{**tile.series, LOOKS: tile.looks} for tile in tiles],
        [one for tile in tiles for one in _moments(tile, marks)],
        [tile.grid for tile in tiles],
    )
    room = (found[1] - found[0]) * 0.02 if found else dt.timedelta(0)
    return (found[0], found[1] + room) if found else None


def _draw(axes: Any, tile: Tile, marks: Marks, span: tuple[dt.datetime, dt.datetime] | None, top: float) -> None:
    result = tile.result
    gate = result.gate
    series = ready(tile.series, tile.grid, irregular=tile.irregular)
    if tile.band:
        at, low, high = zip(*tile.band, strict=True)
        axes.fill_between(at, low, high, color=style.BLUE, alpha=0.18, linewidth=0, label="interval at every look")
    filled = {name: sorted(points) for name, points in series.items() if points}
    for place, (name, points) in enumerate(filled.items()):
        plot(axes, name, points, tile.kind, place, len(filled), None if name in tile.irregular else tile.grid)
    if worse := over(result):
        shade(axes, worse)
    looks = [point for point in tile.looks if math.isfinite(point[1])]
    ends = [_shown(result, one) for one in (result.low, result.high) if one is not None and math.isfinite(one)]
    if looks and len(ends) == 2:
        axes.plot([looks[-1][0]] * 2, ends, color=style.BLACK, linewidth=1.2, zorder=4, solid_capstyle="butt")
    if looks:
        axes.plot(
            *zip(*looks, strict=True), "D", color=style.BLACK, markersize=4.5, clip_on=False, zorder=5, label=LOOKS
        )
    moments = _moments(tile, marks)
    values = [*(value for points in filled.values() for _, value in points), *(value for _, value in looks)]
    values += [*ends, *(tile.band[-1][1:] if tile.band else ())]
    levels.draw(
        axes,
        gate,
        PERCENT if gate.unit == "ratio" else 1.0,
        False,
        values,
        collapse=True,
        beside=tile.beside,
        reach=_REACH,
    )
    axes.set_ylabel(tile.unit)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    if span is None:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", fontsize=12)
    else:
        axes.set_xlim(*span)
        time_axis(axes, span, most=5)
        _mark(axes, moments, span)
        if result.since_between:
            start, end = (dt.datetime.fromisoformat(one) for one in result.since_between)
            axes.axvspan(max(start, span[0]), min(end, span[1]), color=style.VERMILLION, alpha=0.12, linewidth=0)
    _head(axes, tile, top)


def _shown(result: GateResult, value: float) -> float:
    """A value in the unit of the axis."""
    return PERCENT * value if result.gate.unit == "ratio" else value


def _head(axes: Any, tile: Tile, top_in: float) -> None:
    """Writes title, verdict, value, interval and the names of the curves above the chart, from the tile's left edge."""
    result, badge = tile.result, style.badge_of(tile.word)
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "baseline"}
    left, top = -_edges()[0] * 72 + 6, top_in * 72
    title = _title(tile)
    top -= 13 * title.count("\n")
    axes.annotate(title, (0, 1), xytext=(left, top - 14), **place, fontsize=10, fontweight="bold")
    word = f"{badge.icon} {tile.word}"
    paper = {"facecolor": style.tint(badge.colour), "edgecolor": "none", "pad": 1.5}
    axes.annotate(word, (0, 1), xytext=(left + 2, top - 31), **place, fontsize=8, fontweight="bold", bbox=paper)
    told = (left + 10 + 6.4 * len(word), top - 31)
    axes.annotate(numbers(result), (0, 1), xytext=told, **place, fontsize=8.5)
    names = axes.get_legend_handles_labels()[1]
    if narrow():
        heads.above(axes, "", lift=18)
    elif names:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(left / 72 / (_WIDTH_IN - _LEFT_IN - _RIGHT_IN), 1.0 + 21 / 72 / _plot_high()),
            ncols=len(names),
            borderaxespad=0,
            borderpad=0,
            columnspacing=0.9,
            handlelength=1.6,
            handletextpad=0.4,
            fontsize=8,
        )


def _plot_high() -> float:
    return _HEIGHT_IN - _TOP_IN - _BOTTOM_IN


def _mark(axes: Any, moments: Marks, span: tuple[dt.datetime, dt.datetime]) -> None:
    """Draws the moments as vertical lines with words above the chart; the words of close ones are on two lines."""
    before, row = -1.0, 0
    for at, text in inside(moments, span):
        share = (at - span[0]) / (span[1] - span[0])
        row = (row + 1) % 2 if share - before < _NEAR else 0
        before = share
        axes.axvline(at, color=style.BLACK, linewidth=1.0, linestyle=(0, (1, 1)) if text.startswith("look") else "-")
        axes.annotate(
            text,
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2 + 9 * row),
            textcoords="offset points",
            ha="right" if share > 0.7 else "left",
            va="bottom",
            fontsize=8,
        )
