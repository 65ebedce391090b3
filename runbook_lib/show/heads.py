"""The title of a chart, and its legend: beside the title, inside the chart, or on a telephone below the title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from runbook_lib.show import levels
from runbook_lib.show.picture import WIDTH_IN, narrow

_TITLE_CHARACTER_IN, _LEGEND_CHARACTER_IN, _HANDLE_IN = 0.105, 0.068, 0.6
"""Widths of a character in a title (11 pt, bold) and in a legend (8.5 pt), and of a legend's handle with its gaps."""
_MARGINS_IN = 2.6
"""Part of a chart's width for the labels on both sides."""
LINE_IN, _TITLE_CHARACTERS, _LEGEND_IN = 0.17, 38, 3.3
"""On a telephone: height of a line of title or legend, characters in a title's line, and the legend's width."""


def legend(axes: Any, title: str, *, beside: bool) -> None:
    """Draws the names of a chart's lines: beside the title or inside the chart; on a telephone below the title.

    Args:
        beside: whether they fit on one line with the title.
    """
    names = axes.get_legend_handles_labels()[1]
    if narrow():
        above(axes, fill(title, _TITLE_CHARACTERS))
    elif beside:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(names), borderaxespad=0.1)
    else:
        paper = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85}
        axes.legend(loc="upper right", ncols=min(len(names), 5), borderaxespad=0.2, **paper)


def above(axes: Any, title: str, lift: float = 0.0) -> None:
    """Draws title and legend above a chart on a telephone, with the thresholds in the legend.

    Args:
        lift: free points below them, for the words of moments.
    """
    names = axes.get_legend_handles_labels()[1]
    if names:
        how = {
            "columnspacing": 0.9,
            "handlelength": 1.6,
            "handletextpad": 0.4,
            "borderpad": 0,
            "borderaxespad": 0.5 + lift / 8,
        }
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.2, 1.0), ncols=_columns(names), fontsize=8, labelspacing=0.3, **how
        )
    axes.set_title(title, x=-0.2, fontsize=10, pad=9 + 72 * LINE_IN * legend_lines(names) + lift)


def beside(title: str, names: Sequence[str]) -> bool:
    """Whether a legend of these names fits on one line beside the title, above the chart."""
    legend = sum(len(name) * _LEGEND_CHARACTER_IN + _HANDLE_IN for name in names)
    return len(names) <= 5 and len(title) * _TITLE_CHARACTER_IN + legend <= WIDTH_IN - _MARGINS_IN


def lines_of(groups: Sequence[Mapping[str, Any]]) -> int:
    """The most lines of title and legend above a panel's chart on a telephone, without the title's first line."""
    return max(
        len(fill(group.get("title", ""), _TITLE_CHARACTERS).splitlines()) - 1 + legend_lines(_names(group))
        for group in groups
    )


def _names(group: Mapping[str, Any]) -> list[str]:
    band, limits = bool(group.get("band")), levels.thresholds(group.get("gate"), collapse=bool(group.get("band")))
    drawn = ["95 % at every look"] * band + ["still open"] * bool(group.get("grid"))
    return [*group["series"], *drawn, *(f"↑ {name}" for name, *_ in limits)]


def legend_lines(names: Sequence[str]) -> int:
    """The number of lines of a legend of these names on a telephone, in two columns where they fit."""
    return -(-len(names) // _columns(names))


def _columns(names: Sequence[str]) -> int:
    half = -(-len(names) // 2)
    wide = sum(0.062 * max(map(len, part), default=0) + 0.4 for part in (names[:half], names[half:]))
    return 2 if wide <= _LEGEND_IN else 1
