"""The whole rollout on one chart: the weight as a step line, and below it every decision in its notebook's lane."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from runbook_lib.base.window import when
from runbook_lib.show import style
from runbook_lib.show.charts import time_axis
from runbook_lib.show.picture import drawing, narrow, width
from runbook_lib.show.points import Points

SHAPES = {
    **{"PLANNED": "s", "SOAK": "o", "ASYNC IS OFF": "X", "MITIGATED": "h"},
    **{"DONE": "P", "PROMOTE": "^", "HOLD": "D", "ROLLBACK": "v"},
}
"""Marker of each decision's word, which never has only a colour. Later ones are drawn on top, as they matter more."""
NOTE = "note"


@dataclass(frozen=True)
class Dot:
    """One decision, or one note, with its time (aware UTC)."""

    at: dt.datetime
    lane: str
    word: str
    """The decision as its report says it, or `note`."""


def rollout_chart(weights: Mapping[str, Points], dots: Sequence[Dot], *, title: str) -> Any:
    """A chart of the percentage of asynchronous requests over time (UTC), and of the decisions.

    Args:
        weights: environment to (time, percent), one point a change; the last holds until the last decision.
        dots: in any order; lanes are drawn in the order of their first dot, from the top.
    """
    lanes = list(dict.fromkeys(dot.lane for dot in sorted(dots, key=lambda dot: dot.at)))
    times = [at for points in weights.values() for at, _ in points] + [dot.at for dot in dots]
    with drawing() as pyplot:
        figure, (top, below) = pyplot.subplots(
            2,
            1,
            figsize=(width(), 3.1 + narrow() * 0.5 + (0.36 if narrow() else 0.3) * max(1, len(lanes))),
            sharex=True,
            height_ratios=[2.4, 0.35 * max(1, len(lanes)) + 0.3],
            layout="constrained",
        )
        _weights(top, weights, max(times, default=None))
        _lanes(below, dots, lanes)
        if narrow():
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")  # the legend has the place
        else:
            top.set_title(title)
        if times:
            pad = (max(times) - min(times)) * 0.015 or dt.timedelta(hours=1)
            span = min(times) - pad, max(times) + pad
            below.set_xlim(*span)
            time_axis(below, span, most=9)
        figure.set_label(described(weights, dots, title))
    return figure


def _weights(axes: Any, weights: Mapping[str, Points], until: dt.datetime | None) -> None:
    for place, (env, points) in enumerate(weights.items()):
        known = sorted(points)
        if not known or until is None:
            axes.plot([], [], " ", label=f"{env}: no data")
            continue
        known.append((max(until, known[-1][0]), known[-1][1]))
        axes.step(
            [at for at, _ in known],
            [percent for _, percent in known],
            where="post",
            color=style.CYCLE[place % len(style.CYCLE)],
            linestyle=style.DASHES[place % len(style.DASHES)],
            linewidth=2.2,
            label=env,
        )
    axes.set_ylim(-4, 108)
    axes.set_yticks([0, 10, 50, 100])
    axes.set_ylabel("% of requests async")
    if weights:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(weights), borderaxespad=0.1)


def _lanes(axes: Any, dots: Sequence[Dot], lanes: Sequence[str]) -> None:
    for word in (*SHAPES, NOTE):
        found = [dot for dot in dots if dot.word == word]
        if not found:
            continue
        colour = style.BADGES[word].colour if word in style.BADGES else style.PURPLE
        axes.plot(
            [dot.at for dot in found],
            [lanes.index(dot.lane) for dot in found],
            linestyle="none",
            marker=SHAPES.get(word, "*"),
            markersize=8,
            color=colour,
            markeredgecolor=style.BLACK,
            markeredgewidth=0.7,
            label=word,
        )
    axes.set_yticks(range(len(lanes)), [fill(lane, 20) if narrow() else lane for lane in lanes])
    axes.set_ylim(max(len(lanes), 1) - 0.4, -0.6)
    axes.grid(axis="x")
    if dots:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.62 / (0.3 * len(lanes) + 0.4)), ncols=2 if narrow() else 6
        )


def described(weights: Mapping[str, Points], dots: Sequence[Dot], title: str) -> str:
    """The chart in words: each weight with its time, each lane with its last decision."""
    parts = []
    for env, points in weights.items():
        steps = ", ".join(f"{percent:g} % from {when(at)}" for at, percent in sorted(points))
        parts.append(f"{env} {steps or 'no data'}")
    last = {dot.lane: dot for dot in sorted(dots, key=lambda dot: dot.at)}
    parts += [f"{lane} {dot.word} {when(dot.at)}" for lane, dot in last.items()]
    return f"{title} (UTC): {'; '.join(parts) or 'nothing'}."
