"""Bars: an image with the figures beside it in words, for whom the image says nothing."""

from __future__ import annotations

import pytest

from runbook_lib.show.bars import _bars, bars
from runbook_lib.show.picture import slim

ROWS = {"queue": {"hold": 6, "do not": 1}, "table <b>": {"hold": 9, "do not": 0}}


def test_the_figures_are_in_the_words() -> None:
    shown = bars(ROWS, title="Settings", unit="settings")
    assert str(shown) == "Settings (settings). queue: hold 6, do not 1; table <b>: hold 9."
    markup = shown._repr_html_()
    assert "<img" in markup or "<svg" in markup
    assert "table <b>" not in markup.split("alt=")[-1].split(">")[0]


@pytest.mark.parametrize("rows", [{}, {"queue": {}}, {"queue": {"hold": 0}}])
def test_nothing_to_draw_is_drawn(rows: dict[str, dict[str, float]]) -> None:
    assert str(bars(rows, title="Settings", unit="settings")).startswith("Settings (settings).")


def test_parts_that_a_row_lacks_are_zero() -> None:
    assert "b: two 2" in str(bars({"a": {"one": 1}, "b": {"two": 2}}, title="t", unit="u"))


def test_a_long_title_is_whole_on_a_telephone() -> None:
    name = "Settings of each resource against what must hold"
    figure = slim(lambda: _bars({"failed jobs filter": {"hold": 7}}, name, "settings"))
    figure.canvas.draw()
    assert " ".join(figure._suptitle.get_text().split()) == name
    assert figure._suptitle.get_window_extent().x1 <= figure.get_figwidth() * figure.dpi
