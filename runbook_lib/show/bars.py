"""Bars: how much of each, made of what."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.show import style
from runbook_lib.show.picture import WIDTH_IN, drawing, image
from runbook_lib.show.tables import Shown

COLOURS = (style.GREEN, style.VERMILLION, style.ORANGE, style.BLUE, style.GREY)
_HATCHES = ("", "//", "..", "\\\\", "xx")


def bars(rows: Mapping[str, Mapping[str, float]], *, title: str, unit: str) -> Shown:
    """One horizontal bar a row, made of parts; the parts have the same names in every row, in the order of the legend.

    Colours are told apart by the colour-blind, and by hatches where there is no colour.
    """
    names = list(rows)
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    with drawing() as pyplot:
        figure, axes = pyplot.subplots(figsize=(WIDTH_IN, 1.0 + 0.26 * max(1, len(names))))
        left = [0.0] * len(names)
        for place, part in enumerate(parts):
            widths = [float(rows[name].get(part, 0.0)) for name in names]
            axes.barh(
                names, widths, left=left, label=part, height=0.66, color=COLOURS[place % len(COLOURS)],
                hatch=_HATCHES[place % len(_HATCHES)], edgecolor="white", linewidth=0.5,
            )  # fmt: skip
            left = [before + width for before, width in zip(left, widths, strict=True)]
        for name, total in zip(names, left, strict=True) if parts else ():
            axes.annotate(f"{total:g}", (total, name), xytext=(4, 0), textcoords="offset points", va="center", size=8.5)
        axes.invert_yaxis()
        axes.set(title=title, xlabel=unit)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        if any(left):
            axes.legend(ncols=len(parts), loc="upper left", bbox_to_anchor=(0.0, -0.55 / figure.get_figheight()))
        figure.set_layout_engine("constrained")
        told = "; ".join(
            f"{name}: " + ", ".join(f"{part} {row[part]:g}" for part in parts if row.get(part))
            for name, row in rows.items()
        )
        return image(figure, f"{title} ({unit}). {told}.")
