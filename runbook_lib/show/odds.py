"""How often alarms cry wolf: one row an alarm, one mark for each weight, on a scale that shows small chances."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.show import style
from runbook_lib.show.picture import WIDTH_IN, drawing, image
from runbook_lib.show.tables import Shown

_LEAST = 1e-6
_MARKERS = ("o", "s", "^", "D")


def odds_chart(rows: Mapping[str, Mapping[str, float]], limit: float) -> Shown:
    """Chance (0 to 1) that each alarm fires on a healthy day, by weight; `limit`: what a guard may at most.

    Chances below one in a million stand at the edge.
    """
    names, weights = list(rows), list(dict.fromkeys(weight for row in rows.values() for weight in row))
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(figsize=(WIDTH_IN, 1.5 + 0.32 * max(1, len(names))))
        for place, weight in enumerate(weights):
            chances = [max(_LEAST, rows[name].get(weight, 0.0)) for name in names]
            axes.plot(
                chances, names, linestyle="none", marker=_MARKERS[place % len(_MARKERS)], markersize=7,
                color=style.CYCLE[place], label=f"{weight} of the traffic", markeredgecolor="white",
            )  # fmt: skip
        axes.axvline(limit, color=style.ALERT, linestyle=(0, (5, 1.5)), label=f"a guard at most: {limit:.0%}")
        axes.set(xscale="log", xlim=(_LEAST, 2.0), xlabel="chance to fire on a healthy day (1: every day)")
        axes.set_title("False alarms a healthy day")
        axes.invert_yaxis()
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.legend(ncols=len(weights) + 1, loc="upper left", bbox_to_anchor=(0, -0.7 / figure.get_figheight()))
        figure.set_layout_engine("constrained")
        told = "; ".join(
            f"{name}: " + ", ".join(f"{weight} {chance:.2g}" for weight, chance in row.items())
            for name, row in rows.items()
        )
        return image(figure, f"Chance of a false alarm a day by alarm and weight, limit {limit:g}. {told}.")
