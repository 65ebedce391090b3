"""Colours and type of all tables and charts: Okabe and Ito's palette, which colour-blind people can distinguish.

Colour is never the only sign: each verdict also has its word and its icon, each threshold its own dash.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from runbook_lib.judge.terms import OF_CHECKS, Word

BLACK, ORANGE, SKY, GREEN = "#1a1a1a", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8a8f98"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK)
NAMED = {"failed": VERMILLION}
"""Series with the same colour in every chart; that colour is not in `CYCLE`."""
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
TARGET, ALERT = GREEN, VERMILLION
DPI = 110
TINT = 0.45
"""Share of a colour in its tint; the rest is white."""


_PLACES = {str(word): place for place, word in enumerate(OF_CHECKS)}


def rank(word: str) -> int:
    """The place of a verdict, or of its word, in every table: FAIL first."""
    return _PLACES.get(word.replace("_", " "), len(_PLACES))


def colour(name: str, place: int) -> str:
    """The colour of the series `name`, the `place`-th of its chart."""
    return NAMED.get(name, CYCLE[place % len(CYCLE)])


def tint(colour: str) -> str:
    """A colour as background for dark letters: mixed with white, so that it also suits the inverted dark theme."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * TINT):02x}" for part in parts)


class Badge(NamedTuple):
    """The look of a word: black on each of these colours has a contrast above 5:1."""

    icon: str
    colour: str


BADGES: dict[str, Badge] = {
    Word.FAIL: Badge("✘", VERMILLION),
    Word.NO_DATA: Badge("∅", SKY),
    Word.INCONCLUSIVE: Badge("?", ORANGE),
    Word.TO_DO: Badge("✎", SKY),
    Word.WATCH: Badge("◔", SKY),
    Word.PASS: Badge("✔", GREEN),
    Word.PLANNED: Badge("✎", SKY),
    Word.SOAK: Badge("◔", SKY),
    Word.PROMOTE: Badge("✔", GREEN),
    Word.HOLD: Badge("‖", ORANGE),
    Word.ROLLBACK: Badge("↩", VERMILLION),
    Word.DONE: Badge("✔", GREEN),
    Word.ASYNC_IS_OFF: Badge("◔", SKY),
    Word.MITIGATED: Badge("◔", SKY),
    Word.FAILED: Badge("✘", VERMILLION),
    Word.CANCELLED: Badge("■", GREY),
    Word.DIED: Badge("✘", VERMILLION),
    Word.CLOSED: Badge("•", GREY),
}


def badge_of(word: str) -> Badge:
    """The look of a word, or of a verdict or decision; an unknown word of another version is plain."""
    return BADGES.get(word.replace("_", " "), BADGES[Word.CLOSED])


NO_LOOKS = ("backend", "backend_fallback", "interactive", "toolbar")
"""Settings of matplotlib that say where a figure is shown, and not how it looks."""


def rc() -> Any:
    """Settings for matplotlib: white paper in any theme, quiet axes, type that is readable in a report.

    What a file of this user sets otherwise is undone: with `text.usetex`, no chart came about.
    """
    import matplotlib as mpl

    usual = {name: value for name, value in mpl.rcParamsDefault.items() if name not in NO_LOOKS}
    return {
        **{name: value for name, value in usual.items() if mpl.rcParams[name] != value},
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "axes.labelcolor": BLACK,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        # Fixed: to find it out, matplotlib would lay out every tick of a chart twice for each title.
        "axes.titley": 1.0,
        "axes.titleweight": "bold",
        "axes.labelsize": 9,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": "#e3e5e8",
        "grid.linewidth": 0.7,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.color": BLACK,
        "ytick.color": BLACK,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "font.family": ["DejaVu Sans"],
        "svg.fonttype": "none",
    }


def use() -> None:
    """Sets the style for the whole kernel, for charts drawn by hand in a cell."""
    import matplotlib as mpl

    mpl.rcParams.update(rc())
