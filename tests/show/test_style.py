"""Colours in the light and in the dark: read by everybody, told apart by the colour-blind.

A report turns its charts over by one CSS filter; here it is computed as the standard says (Filter Effects 1, `invert`,
`hue-rotate`). Colour blindness: Machado et al. 2009, severity 1. Distances: CIE 1976.
"""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest

from runbook_lib.show import style
from runbook_lib.show.cost_charts import COLOURS
from runbook_lib.show.levels import dark as small

CSS = (Path(style.__file__).parents[1] / "record" / "templates" / "report.css").read_text()
Colour = tuple[float, float, float]
TURN = ((-0.574, 1.430, 0.144), (0.426, 0.430, 0.144), (0.426, 1.430, -0.856))
SEEN = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
INKS = (*style.CYCLE, style.NAMED["failed"])
BARS = (*INKS, *COLOURS)


def rgb(colour: str) -> Colour:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))  # type: ignore[return-value]


def through(matrix: tuple[tuple[float, ...], ...], colour: Colour) -> Colour:
    return tuple(  # type: ignore[return-value]
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, colour, strict=True)))) for row in matrix
    )


def in_the_light(colour: str) -> Colour:
    return rgb(colour)


def in_the_dark(colour: str) -> Colour:
    """As the report's filter makes it."""
    found = re.search(r"filter: invert\(([.\d]+)\) hue-rotate\(180deg\)", CSS)
    assert found is not None
    by = float(found[1])
    return through(TURN, tuple(by + part * (1 - 2 * by) for part in rgb(colour)))  # type: ignore[arg-type]


def linear(colour: Colour) -> Colour:
    return tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour)  # type: ignore[return-value]


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted(
        sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(each), strict=True)) for each in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def lab(colour: Colour, eyes: str) -> Colour:
    red, green, blue = through(SEEN[eyes], linear(colour))
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("shown", [in_the_light, in_the_dark])
@pytest.mark.parametrize("eyes", list(SEEN))
def test_no_two_series_look_alike(shown: type, eyes: str) -> None:
    seen = {ink: lab(shown(ink), eyes) for ink in INKS}
    near = min((math.dist(seen[one], seen[other]), one, other) for one, other in itertools.combinations(INKS, 2))
    assert near[0] > 10, near


@pytest.mark.parametrize("shown", [in_the_light, in_the_dark])
def test_letters_of_a_chart_can_be_read(shown: type) -> None:
    paper = shown("#ffffff")
    for letters in (style.BLACK, "#4a4f57", small(style.TARGET), small(style.ALERT)):
        assert contrast(shown(letters), paper) >= 4.5, letters
    for badge in style.BADGES.values():
        assert contrast(shown(style.BLACK), shown(style.tint(badge.colour))) >= 4.5, badge
        assert contrast(rgb(style.BLACK), rgb(badge.colour)) >= 4.5, "the badge of a table is the same day and night"


def test_every_series_stands_out_from_the_dark_paper() -> None:
    paper = in_the_dark("#ffffff")
    assert max(paper) < 0.1
    assert {
        ink: round(contrast(in_the_dark(ink), paper), 1) for ink in BARS if contrast(in_the_dark(ink), paper) < 3
    } == {}
