"""Tables and charts of what a soak can decide, and of the quiet hours of the week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.planning.door import LIMITS
from runbook_lib.judge.planning.mutation import TITLES, Trial
from runbook_lib.judge.planning.power import Power
from runbook_lib.judge.planning.weekly import DAYS, HOURS, Quiet
from runbook_lib.judge.terms import Verdict
from runbook_lib.show import style
from runbook_lib.show.picture import drawing, narrow, width
from runbook_lib.show.tables import Cell, Shown, mark, table

_ORDER = {Verdict.FAIL: 0, Verdict.NO_DATA: 1, Verdict.INCONCLUSIVE: 2, Verdict.PASS: 3}
_TOLD = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "undecided", "NO_DATA": "no data"}


def power_table(found: Sequence[Power], power: float) -> Shown:
    """A line for each gate of each phase: samples expected and needed, what passes, what is detected, and a note where
    needed.
    """
    rows = []
    levels = dict.fromkeys(one.title for one in found if _level(one))
    for one in found:
        if _level(one):
            continue
        expected = f"{one.expected:,}" + (f" (quietest {one.quietest:,})" if one.quietest is not None else "")
        rows.append(
            [
                Cell(one.phase.partition("_")[0], nowrap=True),
                Cell(one.title, f"<b>{foreign.html(one.title)}</b>"),
                mark(one.decides, ("yes", "no", "")),
                Cell(expected if one.needed is not None or not one.decides else "–", nowrap=True),
                "–" if one.needed is None else f"{one.needed:,}",
                "–" if one.allowed is None else f"{one.allowed:,} bad",
                "–" if one.detects is None else words.number(one.detects, "ratio"),
                "" if one.decides and one.needed is not None else one.reason,
            ]
        )
    head = ("Phase", "Gate", "Can be decided", "Samples expected", "Needed", "Passes with", "Detects", "Note")
    level = words.sure(power)
    note = (
        "Detects: the smallest true share of bad samples (for the split: the largest share of async requests) that "
        f"the first declared look calls wrong in {level} of soaks. Quietest: the quietest stretch as long as the soak."
    )
    if levels:
        note += f" Levels, read every few minutes, need no traffic: {', '.join(levels)}."
    return table(head, rows, caption="What the planned soaks can decide", note=note)


def _level(one: Power) -> bool:
    """Whether a gate is decided with any traffic, so that its line would be the same in each phase."""
    return one.decides and one.needed is None


def door_table(found: Mapping[str, Sequence[Check]], phases: Mapping[str, float], note: str) -> Shown:
    """A line for each limit in front of the functions, and a column for each phase: how many times its peak fits."""
    by_id = {(name, one.id.rpartition(".")[2]): one for name, checks in found.items() for one in checks}
    rows: list[list[object]] = []
    for id, title in LIMITS.items():
        checks = [by_id[name, id] for name in phases if (name, id) in by_id]
        worst = min(checks, key=lambda one: _ORDER[one.verdict], default=None)
        rows.append(
            [
                Cell(title, f"<b>{foreign.html(title)}</b>"),
                *(_fits(one) for one in checks),
                "" if worst is None or _unlimited(worst) else worst.reason.removeprefix(f"{title}: "),
            ]
        )
    head = ("Limit", *(f"{name.partition('_')[0]} at {percent:g} %" for name, percent in phases.items()), "Note")
    return table(head, rows, caption="Whether the peak fits through the door", note=note, last_below=True)


def _unlimited(one: Check) -> bool:
    """Whether there is no limit: the check passes without a factor."""
    return bool(one.ok) and one.facts.get("factor") is None


def _fits(one: Check) -> Cell:
    """A limit's cell: without colour where there is no limit, and red only where the peak does not fit."""
    if _unlimited(one):
        return Cell(one.found, nowrap=True)
    known = None if one.verdict is Verdict.INCONCLUSIVE else one.ok
    return mark(known, (one.found, one.found or "no data", one.found), style.ORANGE)


def trials_table(trials: Sequence[Trial]) -> Shown:
    """A line for each gate, and a column for each bad input, with the verdicts; wrong verdicts are marked."""
    gates = dict.fromkeys((one.gate, one.title) for one in trials)
    said = {(one.gate, one.mutation): one for one in trials}
    rows: list[list[object]] = []
    shown = [id for id in TITLES if any(one.mutation == id for one in trials)]
    for gate, title in gates:
        row: list[object] = [Cell(title, f"<b>{foreign.html(title)}</b>")]
        for id in shown:
            one = said.get((gate, id))
            told = "–" if one is None else _TOLD[one.verdict]
            row.append(told if one is None or one.ok else mark(False, ("", told, "")))
        rows.append(row)
    note = "A gate must pass the healthy day, and nothing else. –: cannot happen to this kind of gate."
    head = ("Gate", *(TITLES[id] for id in shown))
    return table(head, rows, caption="Bad inputs in front of every gate", note=note, wrap_head=True)


def quiet_table(best: Quiet | None, days: Sequence[Quiet], note: str) -> Shown:
    """A table of the quietest window of the week, and of each day."""
    rows = [
        [Cell(one.words, nowrap=True), f"{one.per_hour:.1f}", f"{100 * one.share:.0f} %", "the quietest of the week"]
        for one in ([best] if best else [])
    ]
    rows += [
        [Cell(one.words, nowrap=True), f"{one.per_hour:.1f}", f"{100 * one.share:.0f} %", ""]
        for one in days
        if best is None or one.start != best.start
    ]
    head = ("Window", "Requests an hour", "Of the mean hour", "")
    return table(head, rows, caption="The quietest hours, in which to shift", note=note)


def week_chart(by_hour: Mapping[int, float], quiet: Quiet | None) -> Any:
    """A chart of the week, with a row of hours for each day, darker with more traffic; the quiet window has a frame."""
    nan = float("nan")
    cells = [[by_hour.get(day * 24 + hour, nan) for hour in range(24)] for day in range(7)]
    with drawing() as pyplot:
        from matplotlib.patches import Rectangle

        figure, axes = pyplot.subplots(figsize=(width(), 3.2 if narrow() else 2.9), layout="constrained")
        drawn = axes.imshow(cells, aspect="auto", cmap="cividis_r", vmin=0, interpolation="none")
        axes.set_facecolor("#eceef1")
        for hour in quiet_hours(quiet):
            place = (hour % 24 - 0.5, hour // 24 - 0.5)
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=style.VERMILLION, linewidth=2.2))
        hours = range(0, 24, 6 if narrow() else 3)
        axes.set_xticks(hours, [f"{hour:02d}" for hour in hours])
        axes.set_yticks(range(7), [day[:3] for day in DAYS])
        axes.grid(visible=False)
        axes.set_xlabel("hour of the day (UTC); grey: not seen")
        title = "Traffic by hour of the week" + (f"; framed: {quiet.words}" if quiet else "")
        axes.set_title(fill(title, 34) if narrow() else title)
        where: dict[str, Any] = {"location": "bottom", "pad": 0.03} if narrow() else {"pad": 0.01}
        figure.colorbar(drawn, ax=axes, label="requests an hour", **where)
        figure.set_label(week_words(by_hour, quiet))
    return figure


def quiet_hours(quiet: Quiet | None) -> list[int]:
    """The hours of the week in a window."""
    return [(quiet.start + step) % HOURS for step in range(quiet.hours)] if quiet else []


def week_words(by_hour: Mapping[int, float], quiet: Quiet | None) -> str:
    """The chart of the week in one sentence."""
    if not by_hour:
        return "Traffic by hour of the week: no data."
    low, high = min(by_hour.values()), max(by_hour.values())
    tail = f" Quietest: {quiet.words}, {quiet.per_hour:.1f} an hour." if quiet else ""
    return f"Traffic by hour of the week: {low:.0f} to {high:.0f} requests an hour.{tail}"


def power_chart(found: Sequence[Power]) -> Any:
    """A chart of expected and needed samples, by gate and phase, on a logarithmic scale."""
    asked = [one for one in found if one.needed is not None]
    phases = list(dict.fromkeys(one.phase for one in asked))
    with drawing() as pyplot:
        high = 0.75 + (0.4 if narrow() else 0.32) * max(
            (sum(one.phase == name for one in asked) for name in phases), default=1
        )
        many = max(1, len(phases))
        rows, columns = (many, 1) if narrow() else (1, many)
        figure, grid = pyplot.subplots(
            rows, columns, figsize=(width(), high * rows + 0.4), sharey=True, squeeze=False, layout="constrained"
        )
        row = [grid.flatten()]
        if not asked:
            row[0][0].text(0.5, 0.5, "no data", ha="center", va="center", transform=row[0][0].transAxes)
        for axes, name in zip(row[0], phases, strict=False):
            _bars(axes, [one for one in asked if one.phase == name])
        handles, labels = row[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower right", ncols=1 if narrow() else 3)
        words_of = [
            f"{one.phase} {one.title}: {one.expected:,} expected, {one.needed:,} needed" for one in asked if one.needed
        ]
        figure.set_label(f"Samples that each soak will see, and needs. {'; '.join(words_of) or 'No data'}.")
    return figure


def _bars(axes: Any, found: Sequence[Power]) -> None:
    places = range(len(found))
    for place, one in zip(places, found, strict=True):
        colour = style.BLUE if one.decides else style.VERMILLION
        axes.plot([one.needed, max(one.expected, 0.5)], [place, place], color=colour, linewidth=2, alpha=0.4)
    enough, few = (
        [(p, one) for p, one in zip(places, found, strict=True) if one.decides is ok] for ok in (True, False)
    )
    for chosen, name, colour, marker in (
        (enough, "expected, enough", style.BLUE, "o"),
        (few, "expected, too few", style.VERMILLION, "X"),
    ):
        seen = [max(one.expected, 0.5) for _, one in chosen]
        axes.plot(
            seen, [place for place, _ in chosen], marker, color=colour, markersize=8, label=name, linestyle="none"
        )
    axes.plot(
        [one.needed for one in found],
        list(places),
        "|",
        color=style.BLACK,
        markersize=15,
        markeredgewidth=2.5,
        label="needed",
        linestyle="none",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_yticks(list(places), [fill(one.title, 22) if narrow() else one.title for one in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.set_xlabel("samples")
    axes.set_title(f"{found[0].percent:g} % for {found[0].hours:g} h")
