"""All gates of a look in one figure: value and interval on a scale from target to alert limit to collapse.

Each gate has its own unit; the scale makes them comparable: 0 is the target, 1 the alert limit, 2 the collapse. Left
of the target is better. Each verdict has a word, a mark and a colour, in this order of importance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill, wrap
from typing import Any

from pydantic import ValidationError

from runbook_lib.judge import words
from runbook_lib.judge.model import Gate, GateResult
from runbook_lib.judge.terms import Verdict, Word
from runbook_lib.show import style
from runbook_lib.show.picture import drawing, image, narrow, width
from runbook_lib.show.style import rank
from runbook_lib.show.tables import Shown

_MARKS = {Verdict.FAIL: "X", Verdict.NO_DATA: "s", Verdict.INCONCLUSIVE: "D", Verdict.PASS: "o"}
BEST, WORST = -1.0, 2.5
"""Ends of the scale; a value beyond one is an arrow at the end."""
_ROW_IN, _HEAD_IN, _FRAME_IN = 0.36, 0.62, 0.95
_TOGETHER = 16
"""Number of rows that stay together on one printed page."""
_LEFT, _RIGHT = 0.41, 0.765
"""Left and right end of the scale, as shares of the width: names are on the left, numbers on the right."""
_WORD = -(_LEFT - 0.008) / (_RIGHT - _LEFT)
"""Place of the verdict, in widths of the scale."""
_CHARACTERS = 47
"""Most characters of a name on one line."""
_SLIM_ROW_IN, _SLIM_CHARACTERS = 0.92, 40
"""Height and characters of a row on a telephone, where verdict, name and numbers are above the scale."""


def failing_first(results: Sequence[GateResult], interim: bool = False) -> list[GateResult]:
    """The results in order: FAIL, not seen or decided, PASS; severe ones first, gates that do not decide last.

    Args:
        interim: between two declared looks (`words.of_gate`): INCONCLUSIVE comes before WATCH.
    """
    return sorted(results, key=lambda one: importance(one.gate, words.of_gate(one, interim)))


def importance(gate: Gate, word: str) -> tuple[bool, int, int]:
    """The place of a gate with this word among others, the first being the smallest."""
    return bool(gate.muted) or not gate.required, style.rank(word), -gate.severity


def position(gate: Gate, value: float) -> float | None:
    """Place of a value on the scale of `gate`: 0 at its target, 1 at its alert limit, 2 at its collapse; worse is more.

    Between two of them it is linear. A gate without an alert limit reaches 1 at twice the target (or one unit beyond
    0); one whose alert limit is its target jumps there from 0 to 1. None: a split, whose target is the weight, or a
    value that is not a number.
    """
    if gate.kind == "split" or math.isnan(value):
        return None
    sign = -1.0 if gate.higher_is_better else 1.0
    beyond = sign * (value - gate.target.limit)
    step = abs(gate.alert.limit - gate.target.limit) if gate.alert else 0.0
    jump = 1.0 if gate.alert and not step and beyond > 0 else 0.0
    step = step or abs(gate.target.limit) or (0.01 if gate.unit == "ratio" else 1.0)
    if gate.collapse is None or gate.alert is None or beyond <= step:
        return jump + beyond / step
    past = sign * (value - gate.alert.limit)
    return 1.0 + past / (abs(gate.collapse.limit - gate.alert.limit) or step)


def gates_figure(results: Sequence[GateResult], interim: bool = False) -> Any:
    """The closed figure, with one row a gate, failing gates first."""
    rows = failing_first(results, interim)
    with drawing() as pyplot:
        height = _FRAME_IN + (_SLIM_ROW_IN if narrow() else _ROW_IN) * max(1, len(rows))
        figure, axes = pyplot.subplots(figsize=(width(), height))
        left, right = (0.01, 0.99) if narrow() else (_LEFT, _RIGHT)
        figure.subplots_adjust(left=left, right=right, top=1 - _HEAD_IN / height, bottom=0.33 / height)
        _ground(axes, len(rows))
        for place, result in enumerate(rows):
            _row(axes, place, result, words.of_gate(result, interim))
        title = "Gates: value and interval between target, alert limit and collapse"
        axes.set_title(fill(title, 36) if narrow() else title, x=0 if narrow() else _WORD, pad=22)
        figure.set_label(describe(rows, interim))
    return figure


def gates_picture(results: Sequence[GateResult], interim: bool = False) -> Shown:
    """`gates_figure` as an image with its description; empty where no gate was judged.

    Args:
        interim: whether the look is between two declared ones (`words.of_gate`).
    """
    if not results:
        return Shown("", "")
    rows = failing_first(results, interim)
    parts = [rows[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER)]
    ends = [_HEAD_IN + _ROW_IN * min(len(rows), _TOGETHER * (place + 1)) for place in range(len(parts))]
    return image(
        lambda: gates_figure(results, interim),
        cuts=[(end, describe(part, interim)) for end, part in zip(ends, parts, strict=True)],
    )


def describe(results: Sequence[GateResult], interim: bool = False) -> str:
    """The figure in words: each gate with verdict, value, interval and limits."""
    told = [f"{_title(one.gate)} {words.of_gate(one, interim)}: {numbers(one)}; {limits(one)}" for one in results]
    return ". ".join(["Gates from target to alert limit to collapse", *told]) + "."


def _ground(axes: Any, rows: int) -> None:
    for start, end, colour, alpha in (
        (BEST - 0.2, 0, style.GREEN, 0.10),
        (0, 1, style.YELLOW, 0.14),
        (1, WORST + 0.2, style.VERMILLION, 0.12),
    ):
        axes.axvspan(start, end, color=colour, alpha=alpha, linewidth=0)
    for at, dash in ((0, (0, (6, 2))), (1, (0, (2, 1.5)))):
        axes.axvline(at, color=style.GREY, linewidth=1, linestyle=dash, zorder=1)
    axes.set_xlim(BEST - 0.2, WORST + 0.2)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.xaxis.tick_top()
    axes.set_xticks([0, 1, 2], ["target", "alert limit", "collapse"], fontsize=8.5)
    axes.tick_params(length=0)
    axes.set_yticks([])
    told = (
        "better ← own unit → worse (arrow: beyond)"
        if narrow()
        else ("better  ←  each gate in its own unit  →  worse (an arrow: beyond the scale)")
    )
    axes.set_xlabel(told, fontsize=8.5, labelpad=4)
    for side in axes.spines.values():
        side.set_visible(False)


def _row(axes: Any, place: int, result: GateResult, said: Word) -> None:
    gate, badge = result.gate, style.badge_of(said)
    side = {"va": "center", "fontsize": 8.5, "transform": axes.get_yaxis_transform()}
    word = f"{badge.icon} {said}"
    strong = "bold" if result.verdict is Verdict.FAIL else "normal"
    if narrow():
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        name = fill(f"{word}  {_title(gate)}", _SLIM_CHARACTERS)
        below = place - 0.46 + 0.17 * (name.count("\n") + 1)
        side |= {"va": "top", "ha": "left"}
        axes.text(0.01, place - 0.46, name, fontweight="bold", bbox=paper, **side)
        axes.text(0.01, below, numbers(result), fontweight=strong, bbox=paper, **side)
    else:
        axes.text(_WORD, place, word, ha="left", fontweight="bold", **side)
        axes.text(-0.015, place, "\n".join(wrap(_title(gate), _CHARACTERS)), ha="right", fontweight=strong, **side)
        axes.text(1.015, place, numbers(result), ha="left", fontweight=strong, **side)
    small = {"va": "bottom", "fontsize": 8, "color": "#4a4f57"}
    for at, text in _lines(gate):
        axes.text(at + 0.02, place + (0.12 if narrow() else -0.12), text, ha="left", **small)
    if gate.collapse is not None and not gate.against:
        axes.plot([2, 2], [place - 0.42, place + 0.42], color=style.BLACK, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    low = place + (0.3 if narrow() else 0.14)
    dot, ends = _places(result)
    if dot is not None and ends:
        axes.plot([min([dot, *ends]), max([dot, *ends])], [low] * 2, color=style.BLACK, linewidth=1.4, zorder=3)
    if dot is None:
        told = "compared with the weight in force" if gate.kind == "split" else "no value"
        told = "nothing to compare with" if gate.against and result.value is not None else told
        axes.text(0.5, low, told, ha="center", va="center", fontsize=8, style="italic", color="#4a4f57")
        return
    outside = {BEST: "<", WORST: ">"}.get(dot)
    mark = {"marker": outside or _MARKS[result.verdict], "markersize": 7.5, "clip_on": False, "zorder": 4}
    axes.plot([dot], [low], color=badge.colour, markeredgecolor=style.BLACK, markeredgewidth=0.8, **mark)


def _lines(gate: Gate) -> list[tuple[float, str]]:
    """The places of the scale's lines for a gate, with their words."""
    if gate.margin is not None:
        return [(0, "as good"), (1, f"{words.points(gate.margin)} worse")]
    named = ((0, gate.target), (1, gate.alert), (2, gate.collapse))
    return [] if gate.kind == "split" else [(at, words.comparison(one, gate.unit)) for at, one in named if one]


def _places(result: GateResult) -> tuple[float | None, list[float]]:
    """The places of value and interval on the scale; for two arms those of their difference, which is 0 where they are
    equal and 1 at the margin.
    """
    gate, both = result.gate, result.compared
    if gate.margin is not None:
        sign = -1 if gate.kind == "rate" and gate.higher_is_better else 1
        at = [sign * one / gate.margin for one in (both.difference, both.low, both.high)] if both else []
    else:
        known = [None if one is None else position(gate, one) for one in (result.value, result.low, result.high)]
        if known[0] is None:
            return None, []
        at = [one for one in known if one is not None]
    clipped = [min(WORST, max(BEST, one)) for one in at]
    return (clipped[0], clipped[1:]) if clipped else (None, [])


def _title(gate: Gate) -> str:
    return gate.title if gate.required and not gate.muted else f"{gate.title} (does not decide)"


def numbers(result: GateResult) -> str:
    """Value and interval in words, in the gate's unit."""
    gate, low, high = result.gate, result.low, result.high
    if result.value is None:
        return "no value"
    if result.compared is not None:
        _, moved, ends = words.arms(result.compared)
        return f"{moved} ({ends})"
    told = words.number(result.value, gate.unit, (gate.alert or gate.target).limit)
    if low is not None and high is not None and low < high:
        return f"{told} ({words.interval(low, high, gate.unit)})"
    return f"{told} (≤ {words.number(high, gate.unit)})" if low is None and high is not None else told


def limits(result: GateResult) -> str:
    """Target, alert limit and collapse in words, as declared."""
    gate = result.gate
    if gate.kind == "split":
        return "target: as the weight"
    if gate.margin is not None:
        return f"target {words.demand(gate)}"
    named = (("target", gate.target), ("alert", gate.alert), ("collapse", gate.collapse))
    return ", ".join(f"{name} {words.comparison(limit, gate.unit)}" for name, limit in named if limit is not None)


def sealed_failing_first(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sealed gates or checks, FAIL first, severe ones first, those that do not decide last; else in sealed order."""
    return sorted(found, key=_sealed_place)


def _sealed_place(one: Mapping[str, Any]) -> tuple[bool, int, int]:
    """A check, and a gate of an unreadable version, have their verdict only."""
    try:
        return importance(Gate.model_validate(one.get("gate")), str(one.get("verdict")))
    except ValidationError:
        return False, rank(str(one.get("verdict"))), 0
