"""Bars: an image with the figures beside it in words, for whom the image says nothing."""

from __future__ import annotations

import pytest

from runbook_lib.show.bars import _bars, _odds, bars
from runbook_lib.show.picture import slim

ROWS = {"queue": {"hold": 6, "do not": 1}, "table <b>": {"hold": 9, "do not": 0}}


def test_the_figures_are_in_the_words() -> None:
    shown = bars(ROWS, title="Settings", unit="settings")
    assert str(shown) == "Settings (settings). queue: hold 6, do not 1; table <b>: hold 9."
    markup = shown._repr_html_()
    assert "<img" in markup or "<svg" in markup
    assert "table <b>" not in markup.split("alt=")[-1].split(">")[0]


@pytest.mark.slow
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


@pytest.mark.parametrize("parts", [("hold", "required, do not hold", "advisory, do not hold"), ("hold", "do not")])
def test_a_legend_is_whole_on_a_telephone_and_names_what_is_there(parts: tuple[str, ...]) -> None:
    rows = {"Alarm on the dead-letter queue of the service": dict.fromkeys(parts, 3.0), "queue": {parts[0]: 1.0}}
    rows = {name: {**row, "never": 0.0} for name, row in rows.items()}
    figure = slim(lambda: _bars(rows, "Settings", "settings"))
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(parts)
    width = figure.get_figwidth() * figure.dpi
    assert all(0 <= edge <= width for text in legend.get_texts() for edge in text.get_window_extent().intervalx)


def test_equal_odds_are_beside_each_other_and_the_axis_is_in_percent() -> None:
    rows = {"worker": {"10 %": 1.0, "50 %": 1.0, "100 %": 1.0}, "guard": {"10 %": 0.0, "50 %": 1e-9, "100 %": 1e-4}}
    axes = _odds(rows, 0.01).axes[0]
    marks = [line for line in axes.lines if str(line.get_label()).endswith("of the traffic")]
    places = [tuple(point) for line in marks for point in zip(line.get_xdata(), line.get_ydata(), strict=True)]
    assert len(marks) == 3 and len(set(places)) == len(places)
    assert [tick.get_text() for tick in axes.get_xticklabels()][-2:] == ["10 %", "100 %"]
    assert min(x for x, _ in places) == axes.get_xlim()[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(rows)
