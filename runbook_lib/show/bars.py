"""Bar charts, whose bars have parts."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from runbook_lib.show import style
from runbook_lib.show.picture import drawing, image, narrow, width
from runbook_lib.show.tables import Shown

COLOURS = (style.GREEN, style.VERMILLION, style.ORANGE, style.BLUE, style.GREY)
_HATCHES = ("", "//", "..", "\\\\", "xx")


def bars(rows: Mapping[str, Mapping[str, float]], *, title: str, unit: str) -> Shown:
    """A chart with one horizontal bar a row; the parts have the same names in every row, in the order of the legend.

    Colour-blind people can distinguish the colours; without colour, hatches distinguish the parts.
    """
    told = "; ".join(
        f"{name}: " + ", ".join(f"{part} {row[part]:g}" for part in row if row.get(part)) for name, row in rows.items()
    )
    return image(lambda: _bars(rows, title, unit), f"{title} ({unit}). {told}.")


def _bars(rows: Mapping[str, Mapping[str, float]], title: str, unit: str) -> Any:
    names = list(rows)
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    empty = {part for part in parts if not any(row.get(part) for row in rows.values())}
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(figsize=(width(), 1.0 + 0.26 * max(1, len(names)) + narrow() * 0.5))
        left = [0.0] * len(names)
        for place, part in enumerate(parts):
            widths = [float(rows[name].get(part, 0.0)) for name in names]
            axes.barh(
                names,
                widths,
                left=left,
                label=f"_{part}" if part in empty else part,
                height=0.66,
                color=COLOURS[place % len(COLOURS)],
                hatch=_HATCHES[place % len(_HATCHES)],
                edgecolor="white",
                linewidth=0.5,
            )
            left = [before + width for before, width in zip(left, widths, strict=True)]
        for name, total in zip(names, left, strict=True) if parts else ():
            axes.annotate(f"{total:g}", (total, name), xytext=(4, 0), textcoords="offset points", va="center", size=8.5)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        _head(figure, axes, title)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        if any(left):
            _legend(figure, axes, below=0.55, columns=len(parts))
        figure.set_layout_engine("constrained")
    return figure


def _head(figure: Any, axes: Any, title: str) -> None:
    """Puts the title above the chart; on a telephone also above the names of the rows, as the chart is too narrow."""
    if narrow():
        figure.suptitle(fill(title, 40), x=0.01, ha="left", fontsize=10, fontweight="bold")
    else:
        axes.set_title(title)


def _legend(figure: Any, axes: Any, *, below: float, columns: int) -> None:
    """Puts the legend this many inches below the chart; on a telephone below the names of the rows as well, where it
    has the whole width.
    """
    if narrow():
        figure.legend(loc="outside lower left", ncols=1)
    else:
        axes.legend(ncols=columns, loc="upper left", bbox_to_anchor=(0.0, -below / figure.get_figheight()))


_LEAST = 1e-5
_CHANCES = {1e-5: "≤ 0.001 %", 1e-4: "0.01 %", 1e-3: "0.1 %", 1e-2: "1 %", 1e-1: "10 %", 1.0: "100 %"}
"""Marks of the axis."""
_APART = 0.24
"""Distance of the weights' marks within a row, in rows."""
_MARKERS = ("o", "s", "^", "D")


def odds_chart(rows: Mapping[str, Mapping[str, float]], limit: float) -> Shown:
    """A chart of the chance (0 to 1) that each alarm fires on a healthy day, by weight; `limit`: most for a guard.

    Chances of 0.001 % and less are at the edge.
    """
    told = "; ".join(
        f"{name}: " + ", ".join(f"{weight} {chance:.2g}" for weight, chance in row.items())
        for name, row in rows.items()
    )
    text = f"Chance of a false alarm a day by alarm and weight, limit {limit:g}. {told}."
    return image(lambda: _odds(rows, limit), text)


def _odds(rows: Mapping[str, Mapping[str, float]], limit: float) -> Any:
    weights = list(dict.fromkeys(weight for row in rows.values() for weight in row))
    names = {name: fill(name.replace("-", "- "), 24).replace("- ", "-") if narrow() else name for name in rows}
    marked = [_LEAST, 1e-2, 1.0] if narrow() else list(_CHANCES)
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(
            figsize=(width(), 1.5 + (0.4 if narrow() else 0.32) * max(1, len(names)) + narrow() * 1.1)
        )
        for place, weight in enumerate(weights):
            chances = [max(_LEAST, rows[name].get(weight, 0.0)) for name in names]
            # Beside each other: equal chances would hide all but the last.
            lift = _APART * (place - (len(weights) - 1) / 2)
            axes.plot(
                chances,
                [at + lift for at in range(len(names))],
                clip_on=False,
                zorder=3,
                linestyle="none",
                marker=_MARKERS[place % len(_MARKERS)],
                markersize=6.5,
                color=style.CYCLE[place],
                label=f"{weight} of the traffic",
                markeredgecolor="white",
            )
        axes.axvline(limit, color=style.ALERT, linestyle=(0, (5, 1.5)), label=f"a guard at most: {limit * 100:g} %")
        axes.set(
            xscale="log",
            xlim=(_LEAST, 1.6),
            xlabel="chance to fire on a healthy day" + ("\n" if narrow() else " ") + "(100 %: every day)",
            xticks=marked,
            xticklabels=[_CHANCES[chance] for chance in marked],
            yticks=range(len(names)),
            yticklabels=list(names.values()),
            ylim=(-0.6, len(names) - 0.4),
        )
        axes.minorticks_off()
        for between in range(1, len(names)):
            axes.axhline(between - 0.5, color=style.GREY, linewidth=0.4, alpha=0.5)
        _head(figure, axes, "False alarms on a healthy day")
        axes.invert_yaxis()
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        _legend(figure, axes, below=0.7, columns=len(weights) + 1)
        figure.set_layout_engine("constrained")
    return figure
