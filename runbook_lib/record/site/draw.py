"""The site's drawings, as SVG: the traffic weight of a rollout over time, and a gate over all its runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from runbook_lib.base.foreign import html
from runbook_lib.base.window import parse, when
from runbook_lib.judge import words
from runbook_lib.judge.terms import Word
from runbook_lib.record.said import entry_title
from runbook_lib.record.site.asked import comparison
from runbook_lib.show.style import badge_of

LEFT, RIGHT = 56, 14
_LARGEST = 1e300
MOST = 400
"""Most judgements in one drawing: the newest ones."""


class Size(NamedTuple):
    """The size of a drawing, in the pixels of its letters."""

    name: str
    """The size's class in the style sheet, which shows one of the two."""
    width: int
    times: int
    """Number of times along the bottom."""


WIDE, SLIM = Size("wide", 1100, 5), Size("slim", 360, 2)
"""Sizes for a screen and for a telephone, where the wide one's letters would have seven pixels."""


class _Scale(NamedTuple):
    """Maps values to coordinates."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = 0.5 if self.high == self.low else (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)


def _s(at: str) -> float:
    return parse(at).timestamp()


def _timed(row: dict[str, Any]) -> bool:
    """Whether a row has a time that fits on an axis."""
    try:
        return bool(row.get("at")) and 1970 <= parse(row["at"]).year < 3000
    except (ValueError, OverflowError):
        return False


def _figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < _LARGEST


def _time(rows: Sequence[dict[str, Any]], size: Size) -> _Scale:
    times = [_s(row["at"]) for row in rows]
    pad = max((max(times) - min(times)) * 0.02, 60)
    return _Scale(min(times) - pad, max(times) + pad, LEFT, size.width - RIGHT)


def _axis(x: _Scale, y: float, above: float, times: int) -> str:
    """Times along the bottom, in UTC."""
    found = []
    for part in range(times):
        at = x.low + (x.high - x.low) * (part + 0.5) / times
        told = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M")
        found.append(
            f'<line class="tick" x1="{x(at)}" x2="{x(at)}" y1="{above}" y2="{y}"/>'
            f'<text class="axis" x="{x(at)}" y="{y + 16}" text-anchor="middle">{told}</text>'
        )
    return "".join(found)


def _svg(size: Size, height: float, title: str, inside: Iterable[str], role: str = "img") -> str:
    return (
        f'<svg viewBox="0 0 {size.width} {height}" role="{role}" aria-label="{html(title)}" '
        f'class="drawing {size.name}">'
        f"<title>{html(title)}</title>{''.join(inside)}</svg>"
    )


def weights(runs: Sequence[dict[str, Any]], people: Sequence[dict[str, Any]], size: Size = WIDE) -> str:
    """The percentage of asynchronous requests over time, with each decision and each entry of a person; UTC.

    Args:
        runs: of one rollout, oldest first, with `at`, `weight_before`, `weight_after` and `word`.
        people: entries of the same rollout, with `said_at` and `kind`.
    """
    timed = [row for row in runs if _timed(row)]
    if not timed:
        return ""
    said = [one for one in ({"at": one["said_at"], **one} for one in people) if _timed(one)]
    x, y = _time([*timed, *said], size), _Scale(0, 100, 150, 24)
    inside = [
        f'<line class="tick" x1="{LEFT}" x2="{size.width - RIGHT}" y1="{y(at)}" y2="{y(at)}"/>'
        f'<text class="axis" x="{LEFT - 8}" y="{y(at) + 4}" text-anchor="end">{at} %</text>'
        for at in (0, 10, 50, 100)
    ]
    inside.append(_axis(x, 190, 24, size.times))
    path, last = "", None
    for row in timed:
        for weight in (row["weight_before"], row["weight_after"]):
            if weight is None:
                continue
            at = x(_s(row["at"]))
            path += f"M{at} {y(weight)}" if last is None else f"H{at}V{y(weight)}"
            last = weight
    if path:
        inside.append(f'<path class="weight" d="{path}H{x(_s(timed[-1]["at"]))}"/>')
    for row in timed:
        if row["word"] in (Word.CLOSED, Word.WATCH):  # it decided nothing
            continue
        badge, at = badge_of(row["word"]), x(_s(row["at"]))
        told = f"{row['notebook']}: {row['word']}, {when(row['at'])}"
        inside.append(
            f'<a href="#{html(row["run"])}"><title>{html(told)}</title>'
            f'<circle cx="{at}" cy="172" r="9" fill="{badge.colour}"/>'
            f'<text class="mark" x="{at}" y="176" text-anchor="middle">{badge.icon}</text></a>'
        )
    for one in said:
        told = f"{entry_title(one['kind'], one['item'])} by {one['person']}, {when(one['at'])}"
        inside.append(f'<path class="person" d="M{x(_s(one["at"]))} 6l5 9h-10z"><title>{html(told)}</title></path>')
    return _svg(size, 214, "Weight of the asynchronous route, percent, with each decision", inside, "group")


def gate(rows: Sequence[dict[str, Any]], size: Size = WIDE) -> str:
    """Value and interval of one gate at its newest `MOST` runs, with its newest limits; UTC.

    Args:
        rows: judgements of one gate, oldest first, with `at`, `value`, `low`, `high`, `word`, `target` and `alert`.
    """
    timed = [row for row in rows if _timed(row) and _figure(row["value"])][-MOST:]
    if not timed:
        return ""
    unit = timed[-1]["unit"] or ""
    limits = {name: comparison(timed[-1][name]) for name in ("target", "alert")}

    seen = [row[name] for row in timed for name in ("value", "low", "high") if _figure(row[name])]
    seen += [one.limit for one in limits.values() if one is not None]
    pad = (max(seen) - min(seen)) * 0.06 or abs(max(seen)) * 0.1 or 1
    x, y = _time(timed, size), _Scale(min(seen) - pad, max(seen) + pad, 230, 14)
    inside = [_axis(x, 236, 14, size.times)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = min(seen) + (max(seen) - min(seen)) * share
        told = html(words.number(at, unit))
        inside.append(f'<text class="axis" x="{LEFT - 6}" y="{y(at) + 4}" text-anchor="end">{told}</text>')
    for name, limit in limits.items():
        if limit is not None:
            at, end = y(limit.limit), size.width - RIGHT
            label = f"{name} {words.comparison(limit, unit)}"
            inside.append(
                f'<line class="{name}" x1="{LEFT}" x2="{end}" y1="{at}" y2="{at}"/>'
                f'<text class="axis" x="{end}" y="{at - 4}" text-anchor="end">{html(label)}</text>'
            )
    for row in timed:
        at, badge = x(_s(row["at"])), badge_of(row["word"])
        if _figure(row["low"]) and _figure(row["high"]):
            inside.append(f'<line class="whisker" x1="{at}" x2="{at}" y1="{y(row["low"])}" y2="{y(row["high"])}"/>')
        told = f"{row['env']} {row['release']} {row['notebook']}: {words.number(row['value'], unit)} {row['word']}"
        place = f'cx="{at}" cy="{y(row["value"])}" r="5" fill="{badge.colour}"'
        inside.append(f"<circle {place}><title>{html(told)}</title></circle>")
    return _svg(size, 262, "Value and interval of the gate at each run", inside)


def both(drawing: Callable[[Size], str]) -> str:
    """A drawing for a screen and one for a telephone; empty where there is nothing to draw."""
    return drawing(WIDE) + drawing(SLIM)
