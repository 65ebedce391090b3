"""A backlog's forecast under each option, with the measured curve over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from runbook_lib.judge.incidents.backlog import Forecast, curve
from runbook_lib.judge.incidents.incident import spell
from runbook_lib.show import style
from runbook_lib.show.charts import Marks, time_axis
from runbook_lib.show.picture import drawing, image, narrow, width
from runbook_lib.show.points import Points
from runbook_lib.show.tables import Shown, table

_STEP_S = 60.0
_LEAST_HORIZON_S = 1800.0
_MOST_HORIZON_S = 6 * 3600.0

_TITLE, _LABEL = 30, 32
"""Characters in a line of the title, and of the legend, on a telephone."""


def forecast_table(found: Sequence[Forecast]) -> Shown:
    """A table of the options: finished and arriving jobs a minute, and how long the backlog takes."""
    rows = [
        [
            one.option.title,
            f"{one.capacity_per_s * 60:.1f}",
            f"{one.arrivals_per_s * 60:.1f}",
            "goes down" if one.turns else "goes on growing",
            spell(one.drain_s) if one.drains else "never",
        ]
        for one in found
    ]
    waiting = found[0].waiting if found else 0
    return table(
        ("Option", "Finished a minute", "Arriving a minute", "The queue", "Empty after"),
        rows,
        caption=f"{waiting:.0f} jobs wait: what each option makes of them",
        note="A mean, from measured arrivals and the worker's measured duration; chance makes it longer or shorter.",
    )


def forecast_chart(
    found: Sequence[Forecast],
    at: dt.datetime,
    actual: Points,
    *,
    marks: Marks = (),
    limits: Mapping[str, float] | None = None,
) -> Shown:
    """A chart of waiting jobs over time (UTC): forecasts dashed from `at` on, and over them the measured curve.

    Args:
        at: when the forecasts were made, aware.
        actual: measured levels, before and after.
        marks: moments with a word each.
        limits: horizontal lines: word to level.
    """
    return image(lambda: _figure(found, at, actual, marks, limits or {}), described(found, actual))


def _figure(
    found: Sequence[Forecast], at: dt.datetime, actual: Points, marks: Marks, limits: Mapping[str, float]
) -> Any:
    ends = [one.drain_s for one in found if one.drains]
    seen_s = (max(point for point, _ in actual) - at).total_seconds() if actual else 0.0
    horizon = min(max([_LEAST_HORIZON_S, seen_s, *(1.1 * end for end in ends)]), _MOST_HORIZON_S)
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(figsize=(width(), 3.6 + narrow() * 0.35 * len(found)), layout="constrained")
        for place, (names, one) in enumerate(_alike(found)):
            points = curve(one, horizon, _STEP_S)
            dash, colour = style.DASHES[1 + place % (len(style.DASHES) - 1)], style.CYCLE[place % len(style.CYCLE)]
            axes.plot(
                [at + dt.timedelta(seconds=second) for second, _ in points],
                [level for _, level in points],
                linestyle=dash,
                color=colour,
                label=_fitted(f"{names}: {spell(one.drain_s) if one.drains else 'never'}", _LABEL),
                linewidth=1.4,
            )
        if actual:
            axes.plot(
                [when for when, _ in actual],
                [level for _, level in actual],
                color=style.BLACK,
                linewidth=2.2,
                label="as measured",
            )
        for word, level in limits.items():
            axes.axhline(level, color=style.GREY, linewidth=1.0)
            axes.annotate(word, (1.0, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", size=8.5)
        for when, word in marks:
            axes.axvline(when, color=style.BLACK, linewidth=1.0, linestyle=(0, (1, 1.5)))
            axes.annotate(
                word,
                (when, 0.97),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                va="top",
                size=8.5,
            )
        axes.set(title=_fitted("Jobs waiting: forecast and measured", _TITLE), ylabel="messages", ylim=(0, None))
        seen = [moment for moment, _ in actual]
        time_axis(axes, (min([at, *seen]), max([at + dt.timedelta(seconds=horizon), *seen])))
        if found or actual:
            axes.legend(loc="upper left", bbox_to_anchor=(-0.16 * narrow(), -0.17), ncols=1 if narrow() else 2)
    return figure


def _fitted(text: str, most: int) -> str:
    """On a telephone as lines of at most so many characters, which would make the chart narrow."""
    return fill(text, most) if narrow() else text


def described(found: Sequence[Forecast], actual: Points) -> str:
    """The chart in words."""
    told = "; ".join(f"{one.option.title}: {spell(one.drain_s) if one.drains else 'never empty'}" for one in found)
    last = f" Measured last: {actual[-1][1]:g}." if actual else " Nothing was measured."
    return f"Forecast of the backlog. {told}.{last}"


def _alike(found: Sequence[Forecast]) -> list[tuple[str, Forecast]]:
    """Options with the same line as one: their names, and one of them."""
    kept: dict[tuple[float, float], list[Forecast]] = {}
    for one in found:
        kept.setdefault((one.capacity_per_s, one.arrivals_per_s), []).append(one)
    return [(", or ".join(one.option.title for one in group), group[0]) for group in kept.values()]
