"""Title and legend above a chart, on a page and on a telephone."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.judge.model import Gate
from runbook_lib.show import charts, heads, multiples
from runbook_lib.show.picture import slim
from tests.show.test_charts import T0, points
from tests.show.test_charts import legend as named
from tests.show.test_multiples import TILES

WIDE_LOOK = {"title": "P95 VPR generation time so far, without any wait", "unit": "s"}


def _inside(figure: Any) -> None:
    """All words are within the figure, and none of a chart's head stands on another."""
    figure.canvas.draw()
    wide, high = figure.get_size_inches() * figure.dpi
    for axes in figure.axes:
        boxes = [one.get_window_extent() for one in (*axes.texts, axes.get_legend(), axes.title, axes._left_title)]
        for box in boxes:
            assert box.width == 0 or (box.x0 >= -2 and box.x1 <= wide + 2 and box.y1 <= high + 2), box


def test_on_a_telephone_thresholds_are_named_above_the_chart_and_nothing_leaves_it(gate: Any) -> None:
    limits: Gate = gate("submit_latency")
    group = {"series": {"async": points(1, 2), "sync": points(2, 1)}, "gate": limits, **WIDE_LOOK}
    figure = slim(lambda: charts.panel([group, group], marks=[(T0, "shift")], title="How sure it is"))
    assert {"target < 3 s", "alert > 5 s"} <= {name.strip("↑ ") for name in named(figure.axes[0])}
    assert "shift" in [text.get_text() for text in figure.axes[0].texts]
    _inside(figure)


def test_a_gates_tile_is_whole_on_a_telephone() -> None:
    figure = slim(lambda: multiples.multiples_figure(TILES, [(T0 - dt.timedelta(days=400), "long ago")]))
    assert len({axes.get_position().x0 for axes in figure.axes}) == 1, "one below the other"
    _inside(figure)


def test_two_columns_only_where_they_fit() -> None:
    assert heads.legend_lines(["a", "b", "c"]) == 2
    assert heads.legend_lines(["GET /api/vpr/status/{job_id}", "b", "interval at every look"]) == 3
