"""Charts of the cost of a report: both sides by service, the steps between them, and the course of the rollout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runbook_lib.judge import words
from runbook_lib.judge.model import Gate
from runbook_lib.judge.money.statement import GROUPS, grouped
from runbook_lib.show import style
from runbook_lib.show.charts import Marks, timelines
from runbook_lib.show.page import line
from runbook_lib.show.picture import drawing, image, narrow, width
from runbook_lib.show.points import Points
from runbook_lib.show.tables import Shown

PARTS = tuple(dict.fromkeys(GROUPS.values()))
TOKENS = tuple(part for part in PARTS if part.startswith("tokens"))
COLOURS = (style.SKY, style.BLUE, style.GREEN, style.BLACK, style.PURPLE, style.GREY, style.ORANGE, style.VERMILLION)
_HATCHES = ("", "", "//", "..", "", "\\\\", "", "xx")
_TILTED, _LEVEL_MOST = 60, 4
"""Angle in degrees of the values above bars, and the most steps with level values: more would overlap."""
_NEAR = 2.0
"""A threshold above this multiple of the highest bar is named, not drawn: it would flatten the bars."""


def stacked(
    sides: Mapping[str, Mapping[str, Any]], gate: Gate | None = None, scope: str = "infrastructure", *, unit: str
) -> Shown:
    """A chart of the cost of a success by service, one bar a side: infrastructure, infrastructure with tokens, and the
    last side's infrastructure enlarged.

    Args:
        sides: name of a side to its `lines` and `successes`; without a success its cost is infinite.
        gate: its thresholds are drawn where its `scope` is shown.
        unit: name of one success.
    """
    known = {name: grouped(one["lines"], int(one["successes"])) for name, one in sides.items() if one.get("successes")}
    told = "; ".join(f"{name}: {_told(known.get(name))}" for name in sides)
    said = f"Cost of a successful {unit} by service (USD). {told}."
    return image(lambda: _stacked(sides, known, gate, scope, unit), said)


def _stacked(
    sides: Mapping[str, Any], known: Mapping[str, Mapping[str, float]], gate: Gate | None, scope: str, unit: str
) -> Any:
    all_, last = list(sides), [*sides][-1:]
    infrastructure = [part for part in PARTS if part not in TOKENS]
    panels = (
        ("Infrastructure", infrastructure, "infrastructure", all_),
        ("Infrastructure and tokens", list(PARTS), "total", all_),
        ("Enlarged", infrastructure, "", last),
    )
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(
            *((3, 1) if narrow() else (1, 3)),
            figsize=(width(), 9.0 if narrow() else 3.8),
            layout="constrained",
            gridspec_kw={} if narrow() else {"width_ratios": (4, 4, 2)},
        )
        named: dict[str, Any] = {}
        for one, (title, parts, of, shown) in zip(axes, panels, strict=True):
            _bars(one, shown, known, parts)
            one.set(title=title, ylabel=f"USD per successful {unit}")
            if gate is not None and scope == of:
                _limits(one, gate, max([sum(bar.get(p, 0.0) for p in parts) for bar in known.values()], default=0.0))
            handles, names = one.get_legend_handles_labels()
            named |= dict(zip(names, handles, strict=True))
        if named:
            ordered = [part for part in PARTS if part in named]
            figure.legend(
                [named[part] for part in ordered], ordered, loc="outside lower center", ncols=2 if narrow() else 4
            )
    return figure


def _bars(axes: Any, names: list[str], known: Mapping[str, Mapping[str, float]], parts: Sequence[str]) -> None:
    below = [0.0] * len(names)
    for part in parts:
        heights = [known.get(name, {}).get(part, 0.0) for name in names]
        if any(heights):
            k = PARTS.index(part)
            axes.bar(
                names,
                heights,
                bottom=below,
                width=0.55,
                label=part,
                color=COLOURS[k],
                hatch=_HATCHES[k],
                edgecolor="white",
                linewidth=0.6,
            )
        below = [low + height for low, height in zip(below, heights, strict=True)]
    for place, (name, total) in enumerate(zip(names, below, strict=True)):
        text = f"{total:.6f}" if name in known else "infinite:\nno success"
        axes.annotate(
            text, (place, total), xytext=(0, 3), textcoords="offset points", ha="center", size=9, weight="bold"
        )
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, max([*below, 1e-9]) * 1.18)
    if not any(below):
        axes.set_yticks([])  # or there would be a scale of nothing


def _limits(axes: Any, gate: Gate, top: float) -> None:
    """Draws target and alert limit; one that would flatten the bars is named at the top edge instead."""
    rows: list[tuple[str, Any, str, Any]] = [("target", gate.target, style.TARGET, (0, (6, 2)))]
    rows += [("alert", gate.alert, style.ALERT, (0, (2, 1.5)))] if gate.alert else []
    far = []
    for name, limit, colour, dash in rows:
        text = f"{name} {words.comparison(limit, gate.unit)}"
        if limit.limit > _NEAR * top:
            far.append(text)
            continue
        axes.axhline(limit.limit, color=colour, linestyle=dash, linewidth=1.4)
        axes.set_xlim(-0.6, len(axes.get_xticks()) + 0.4)  # room for its word beside the bars
        axes.annotate(
            text,
            (1, limit.limit),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            size=8.5,
            textcoords="offset points",
            ha="right",
            color=style.BLACK,
            weight="bold",
        )
        axes.set_ylim(0, max(axes.get_ylim()[1], limit.limit * 1.12))
    if far:
        axes.annotate(
            f"beyond the top: {', '.join(far)}",
            (1, 1),
            xycoords="axes fraction",
            xytext=(-2, -11),
            size=8.5,
            textcoords="offset points",
            ha="right",
            color=style.BLACK,
        )


def waterfall(sync: Mapping[str, Any], own: Mapping[str, Any], *, unit: str) -> Shown:
    """A chart from the synchronous to the asynchronous cost of a success, service by service.

    Infrastructure has its own scale: on that of the tokens its steps would be invisible.
    """
    missing = [name for name, one in (("synchronous", sync), ("asynchronous", own)) if not one.get("successes")]
    if missing:
        return line(
            f"No waterfall: the {missing[0]} side has no success, so each of its reports costs infinitely much."
        )
    before, after = (grouped(one["lines"], int(one["successes"])) for one in (sync, own))
    change = {part: after.get(part, 0.0) - before.get(part, 0.0) for part in PARTS}
    small = {part: usd for part, usd in change.items() if usd and part not in TOKENS}
    large = {"infra-\nstructure": math.fsum(small.values()), **{part: change[part] for part in TOKENS if change[part]}}
    first, last = math.fsum(before.values()), math.fsum(after.values())
    start = math.fsum(usd for part, usd in before.items() if part not in TOKENS)
    told = ", ".join(f"{part} {usd:+.6f}" for part, usd in change.items() if usd)
    return image(
        lambda: _waterfall((start, small), (first, large), unit),
        f"From sync {first:.6f} to async {last:.6f} USD per successful {unit}: {told}.",
    )


def _waterfall(
    infrastructure: tuple[float, Mapping[str, float]], whole: tuple[float, Mapping[str, float]], unit: str
) -> Any:
    with drawing() as pyplot:
        figure, (left, right) = pyplot.subplots(
            *((2, 1) if narrow() else (1, 2)),
            figsize=(width(), 7.0 if narrow() else 3.6),
            layout="constrained",
            gridspec_kw={} if narrow() else {"width_ratios": (2 + len(infrastructure[1]), 2 + len(whole[1]))},
        )
        _steps(left, *infrastructure)
        _steps(right, *whole)
        left.set(title="Infrastructure, sync to async", ylabel=f"USD per successful {unit}")
        right.set(title="With tokens (hatched: increase)", ylabel=f"USD per successful {unit}")
    return figure


def _steps(axes: Any, level: float, steps: Mapping[str, float]) -> None:
    """Draws a bar at `level`, one for each step, and one for the result."""
    highest, place, tilt = level, 0, _TILTED if narrow() or len(steps) > _LEVEL_MOST else 0
    axes.bar(0, level, width=0.6, color=style.BLUE)
    _value(axes, 0, level, f"{level:.6f}", tilt)
    for place, usd in enumerate(steps.values(), 1):
        colour, hatch = (style.VERMILLION, "//") if usd > 0 else (style.GREEN, "")
        axes.bar(place, usd, bottom=level, width=0.6, color=colour, hatch=hatch, edgecolor="white")
        axes.plot([place - 0.7, place + 0.3], [level, level], color=style.GREY, linewidth=0.8)
        _value(axes, place, max(level, level + usd), f"{usd:+.6f}", tilt)
        level += usd
        highest = max(highest, level)
    axes.bar(place + 1, level, width=0.6, color=style.ORANGE)
    _value(axes, place + 1, level, f"{level:.6f}", tilt)
    names = ["sync", *(_broken(part) for part in steps), "async"]
    # A turned name of several lines would overlap its neighbours.
    upright = {"rotation": _TILTED, "ha": "right", "rotation_mode": "anchor"} if narrow() else {}
    names = [name.replace("\n", "" if "-\n" in name else " ") for name in names] if narrow() else names
    axes.set_xticks(range(len(names)), names, fontsize=8, **upright)
    axes.set_ylim(0, highest * (1.4 if tilt else 1.15))


def _broken(name: str) -> str:
    """A name in lines as narrow as a bar."""
    for space, broken in ((" and ", "\n& "), (" out", "\nout"), (" metrics", "\nmetrics"), (" of ", "\nof ")):
        name = name.replace(space, broken)
    return name


def _value(axes: Any, place: float, height: float, text: str, tilt: float) -> None:
    axes.annotate(text, (place, height), xytext=(0, 3), textcoords="offset points", ha="center", size=8, rotation=tilt)


def over_time(
    infrastructure: Mapping[str, Points],
    tokens: Mapping[str, Points],
    *,
    marks: Marks = (),
    gate: Gate | None = None,
    unit: str,
) -> Shown:
    """A chart of the cost of a success over the phases, from the sealed records of the looks, with a gate's thresholds.

    Args:
        gate: a gate with the scope `infrastructure`; None: the gate judges the total, and the chart lacks its limits.
    """
    return timelines(
        [
            {"series": infrastructure, "title": "Infrastructure", "unit": f"USD / {unit}", "gate": gate},
            {"series": tokens, "title": "Tokens", "unit": f"USD / {unit}"},
        ],
        marks=marks,
        title=f"Cost of a successful {unit} through the rollout",
    )


def _told(parts: Mapping[str, float] | None) -> str:
    if parts is None:
        return "infinite, no success"
    return f"{math.fsum(parts.values()):.6f} in all, " + ", ".join(f"{name} {usd:.6f}" for name, usd in parts.items())
