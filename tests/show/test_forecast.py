"""The forecast's table and chart say the same, and never draw below zero."""

from __future__ import annotations

import datetime as dt

import pytest

from runbook_lib.judge.incidents.backlog import Load, forecast, options
from runbook_lib.show.forecast import _figure, described, forecast_chart, forecast_table
from runbook_lib.show.picture import slim

AT = dt.datetime(2026, 11, 25, 3, 0, tzinfo=dt.UTC)
LOAD = Load(waiting=120, arrivals_per_s=0.12, service_s=45, workers=5)
FOUND = [forecast(LOAD, one) for one in options(LOAD, 10)]
ACTUAL = [(AT + dt.timedelta(minutes=i), float(level)) for i, level in enumerate(range(120, 60, -6))]


def test_the_table_names_every_option_with_its_time() -> None:
    text = str(forecast_table(FOUND))
    assert "120 jobs wait" in text
    assert "goes on growing" in text
    assert "never" in text
    assert "19.6 min" in text
    assert "18.0 min" in text


def test_the_chart_carries_its_description() -> None:
    shown = forecast_chart(FOUND, AT, ACTUAL, marks=[(AT, "raised")], limits={"alert > 50": 50})
    assert 'alt="Forecast of the backlog. nothing: 5 workers: never empty; 10 workers: 19.6 min' in shown._repr_html_()


@pytest.mark.slow
def test_without_anything_measured_it_says_so() -> None:
    assert described(FOUND, []).endswith("Nothing was measured.")
    assert forecast_chart(FOUND, AT, [])._repr_html_()
    assert "nothing to show" in str(forecast_table([]))


def test_its_time_axis_is_that_of_every_chart() -> None:
    axes = _figure(FOUND, AT, ACTUAL, [], {}).axes[0]
    assert axes.get_xlabel() == "day and hour (UTC), from 2026-11-25 03:00 UTC"
    assert axes.get_xticklabels()[0].get_text().startswith("25 0")


def test_on_a_telephone_title_and_legend_are_whole_and_the_chart_is_wide() -> None:
    figure = slim(lambda: _figure(FOUND, AT, ACTUAL, [], {}))
    figure.canvas.draw()
    axes, right = figure.axes[0], figure.get_figwidth() * figure.dpi
    assert axes.title.get_window_extent().x1 <= right
    assert axes.get_legend().get_window_extent().x1 <= right
    assert axes.get_window_extent().width > 0.7 * right
