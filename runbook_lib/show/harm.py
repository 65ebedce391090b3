"""A table and a chart of what a failure would cost the users until it is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_lib.judge import words
from runbook_lib.judge.planning.harm import Harm, Pair
from runbook_lib.show import style
from runbook_lib.show.picture import drawing, narrow, width
from runbook_lib.show.tables import Cell, Shown, table

_BY = {"guard": "guard", "watch": "a look of the watch", "look": "a declared look"}
NEVER = "not stopped"


def harm_table(rows: Sequence[Harm], *, percent: float, confidence: float, note: str) -> Shown:
    """A line for each failing share and its beginning: requests, time and users, the median and the upper limit."""
    sure = words.sure(confidence)
    lines: list[list[object]] = []
    for one in rows:
        lines.append(
            [
                Cell(f"{share_of(one.share)}, {begins(one)}", nowrap=True),
                _pair(one.requests),
                _pair(one.minutes, minutes=True),
                _pair(one.users),
                "–" if one.baseline is None else _pair(one.baseline),
                _pair(one.by_looks),
                _by(one),
            ]
        )
    head = (
        "Failing, beginning",
        "Requests",
        "Time until stopped",
        "Users harmed",
        "By the baseline",
        "If no guard counts it",
        "Stopped by",
    )
    caption = f"What a failure would cost at {percent:g} % (forecast: median / at {sure}, until it is stopped)"
    told = (
        "By the baseline: users that the synchronous endpoint would have failed of the same requests. If no guard "
        "counts it: users harmed where only those who look can tell."
    )
    return table(head, lines, caption=caption, note=f"{note} {told}")


def share_of(share: float) -> str:
    """A share in percent: `5 %`."""
    return f"{share * 100:.0f} %"


def begins(one: Harm) -> str:
    """When the failure begins, in words."""
    return "at once" if not one.begins_h else f"after {one.begins_h:g} h"


def _pair(pair: Pair, *, minutes: bool = False) -> Cell:
    def told(value: float | None) -> str:
        if value is None:
            return NEVER
        return words.hours(value / 60) if minutes else f"{value:,.0f}"

    middle, most = told(pair.median), told(pair.most)
    return Cell(middle if middle == most else f"{middle} / {most}", nowrap=True)


def _by(one: Harm) -> str:
    """What stops the failure, with its share of the plays, most frequent first; and how often nothing does."""
    known = {who: share for who, share in one.stopped_by.items() if share > 0}
    said = [f"{_BY[who]} {share_of(share)}" for who, share in sorted(known.items(), key=lambda pair: -pair[1])]
    return ", ".join([*said, *([f"{NEVER} {share_of(one.goes_on)}"] if one.goes_on > 0 else [])])


def harm_chart(rows: Sequence[Harm], *, percent: float, confidence: float, users: int | None) -> Any:
    """A chart of users harmed by failing share: from median to upper limit, at once and late; with the budget."""
    sure = words.sure(confidence)
    hours = sorted({one.begins_h for one in rows})
    shares = sorted({one.share for one in rows})
    with drawing() as plt:
        figure, axes = plt.subplots(figsize=(width(), 3.6 if narrow() else 2.9), layout="constrained")
        for place, begin in enumerate(hours):
            colour = (style.BLUE, style.VERMILLION)[place % 2]
            label = "at once" if not begin else f"after {begin:g} h"
            mine = [one for one in rows if one.begins_h == begin and one.users.median is not None]
            at = [shares.index(one.share) + (place - (len(hours) - 1) / 2) * 0.24 for one in mine]
            middle = [max(0.5, one.users.median or 0.0) for one in mine]
            most = [max(0.5, one.users.most or 0.0) for one in mine]
            axes.vlines(at, middle, [max(pair) for pair in zip(middle, most, strict=True)], color=colour, lw=3)
            axes.plot(at, middle, "o", color=colour, label=f"{label}: median to {sure}")
            base = [(x, one.baseline.median) for x, one in zip(at, mine, strict=True) if one.baseline]
            known = [(x, value) for x, value in base if value]
            if known:
                axes.plot(*zip(*known, strict=True), "_", color=style.GREY, ms=11, mew=2)
        if any(one.baseline for one in rows):
            axes.plot([], [], "_", color=style.GREY, ms=11, mew=2, label="the baseline would have harmed (median)")
        if users is not None:
            axes.axhline(users, color=style.BLACK, ls="--", lw=1, label=f"budget {users:,}")
        axes.set_yscale("log")
        axes.set_xticks(range(len(shares)), [share_of(one) for one in shares])
        axes.set_xlabel("share of the requests that fail")
        axes.set_ylabel("users")
        axes.set_title(_title(percent), loc="left")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y")
        if narrow():
            figure.legend(loc="outside lower left", fontsize=8, frameon=False)
        else:
            axes.legend(fontsize=8, frameon=False)
        told = [f"{share_of(one.share)} failing {begins(one)}: {_pair(one.users).text}" for one in rows]
        figure.set_label(f"Users harmed before a failure is stopped: median, and {sure}. {'; '.join(told)}.")
    return figure


def _title(percent: float) -> str:
    return f"Users harmed before it is stopped,{chr(10) if narrow() else ' '}at {percent:g} % of the traffic"
