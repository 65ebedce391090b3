"""Charts: thresholds from the gate, the moments, UTC, "no data" in words; nothing overlaps, nothing is shown twice."""

from __future__ import annotations

import base64
import datetime as dt
import io
import itertools
import math
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from runbook_lib.judge.model import Gate
from runbook_lib.show import charts, style
from runbook_lib.show.picture import slim
from runbook_lib.show.points import Grid

T0 = dt.datetime(2026, 11, 10, 3, 0, tzinfo=dt.UTC)
Find = Callable[[str], Gate]


@pytest.fixture(autouse=True)
def _headless() -> None:
    mpl.use("Agg")


def timeline(series: Any, **group: Any) -> Any:
    """A panel of one chart."""
    return charts.panel([{"series": series, **group}])


def points(*values: float, step: int = 15) -> list[tuple[dt.datetime, float]]:
    return [(T0 + dt.timedelta(minutes=step * place), value) for place, value in enumerate(values)]


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def horizontals(axes: Any) -> list[float]:
    return [
        line.get_ydata()[0] for line in axes.lines if len(line.get_ydata()) == 2 and list(line.get_xdata()) == [0, 1]
    ]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_target_and_alert_come_from_the_gate(gate: Find) -> None:
    figure = timeline({"async": points(1, 2)}, title="P95 submit latency", unit="s", gate=gate("submit_latency"))
    axes = figure.axes[0]
    assert horizontals(axes) == [3, 5]
    assert {"target < 3 s", "alert > 5 s"} <= set(texts(axes))
    assert axes.get_title(loc="left") == "P95 submit latency"
    assert axes.get_ylabel() == "s"
    assert "UTC" in axes.get_xlabel()


def test_a_ratio_is_drawn_in_the_charts_percent(gate: Find) -> None:
    figure = timeline({"a": points(2, 3)}, title="5xx", unit="% of requests", gate=gate("error_rate"))
    assert horizontals(figure.axes[0]) == pytest.approx([1, 5])


def test_a_threshold_out_of_sight_is_named_not_drawn(gate: Find) -> None:
    """Drawn to scale, 50 would flatten a queue that never holds more than two messages."""
    figure = timeline({"queue": points(0, 2, 1)}, title="Queue", unit="messages", gate=gate("queue_depth"))
    axes = figure.axes[0]
    assert horizontals(axes) == [10]
    assert "↑ alert > 50" in texts(axes)
    assert axes.get_ylim()[1] < 15


def test_a_gate_on_the_weight_draws_no_threshold(gate: Find) -> None:
    figure = timeline({"split": points(0.1)}, title="Split", unit="ratio", gate=gate("observed_split"))
    assert horizontals(figure.axes[0]) == []


@pytest.mark.parametrize("kind", ["line", "step", "bar"])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_every_kind_draws_its_points(kind: Any, count: int) -> None:
    figure = timeline({"a": points(*range(count)), "b": points(*range(count))}, title="t", unit="u", kind=kind)
    axes = figure.axes[0]
    assert legend(axes) == ["a", "b"]
    if kind == "bar":
        assert len(axes.patches) == 2 * count
        assert sorted({round(patch.get_height()) for patch in axes.patches}) == list(range(count))
    else:
        assert [len(line.get_xdata()) for line in axes.lines] == [count, count]


def test_a_single_point_of_a_line_can_be_seen() -> None:
    assert timeline({"a": points(1)}, title="t", unit="u").axes[0].lines[0].get_marker() == "o"


def test_points_are_drawn_in_order_of_time() -> None:
    figure = timeline({"a": list(reversed(points(1, 2, 3)))}, title="t", unit="u")
    assert list(figure.axes[0].lines[0].get_ydata()) == [1, 2, 3]


def test_an_empty_chart_says_no_data_and_still_shows_the_thresholds(gate: Find) -> None:
    figure = timeline({"a": [], "b": []}, title="t", unit="s", gate=gate("submit_latency"))
    axes = figure.axes[0]
    assert "no data" in texts(axes)
    assert horizontals(axes) == [3, 5]
    assert legend(axes) == ["a: no data", "b: no data"]
    assert list(timeline({}, title="t", unit="s").axes[0].get_yticks()) == []


def test_one_empty_series_is_named_in_the_legend() -> None:
    axes = timeline({"a": points(1, 2), "b": []}, title="t", unit="u").axes[0]
    assert legend(axes) == ["a", "b: no data"]
    assert "no data" not in texts(axes)


def test_the_shift_is_a_line_with_its_word_and_hour_in_utc() -> None:
    cet = dt.timezone(dt.timedelta(hours=1))
    at = dt.datetime(2026, 11, 10, 4, 30, tzinfo=cet)
    axes = timeline({"a": points(*range(20))}, title="t", unit="u", marks=[(at, "shift to 10 %")]).axes[0]
    assert "shift to 10 %, 2026-11-10 03:30 UTC" in texts(axes)
    assert len(axes.lines) == 2


def test_a_mark_outside_of_what_is_shown_does_not_stretch_the_axis() -> None:
    far = [(T0 - dt.timedelta(days=9), "long ago")]
    figure = timeline({"a": points(*range(20))}, title="t", unit="u", marks=far)
    assert texts(figure.axes[0]) == []
    span = figure.axes[0].get_xlim()
    assert span[1] - span[0] < 1, "days"


def test_marks_alone_give_the_axis_its_time() -> None:
    axes = timeline({"a": []}, title="t", unit="u", marks=[(T0, "shift")]).axes[0]
    assert "shift, 2026-11-10 03:00 UTC" in texts(axes)


def test_a_log_scale_takes_zero_too() -> None:
    assert timeline({"a": points(1, 10, 1000)}, title="t", unit="u", log=True).axes[0].get_yscale() == "log"
    assert timeline({"a": points(0, 10, 1000)}, title="t", unit="u", log=True).axes[0].get_yscale() == "symlog"


def boxes(figure: Any, axes: Any) -> list[tuple[str, Any]]:
    """Everything written, with its place in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    title = next(
        child for child in axes.get_children() if getattr(child, "get_text", str)() == axes.get_title(loc="left")
    )
    written = [(text.get_text(), text) for text in [*axes.texts, title]]
    return [
        (name, item.get_window_extent(canvas.get_renderer()))
        for name, item in [*written, ("legend", axes.get_legend())]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("values", [(0, 0), (0, 2), (0, 9), (0, 45), (0, 60), (0, 4000)])
@pytest.mark.parametrize("name", ["queue_depth", "error_rate", "submit_latency", "success_rate"])
def test_no_two_labels_overlap(gate: Find, name: str, values: tuple[float, ...]) -> None:
    marks = [(T0 + dt.timedelta(minutes=minutes), "shift to 10 %") for minutes in (0, 10, 60, 280)]
    figure = timeline(
        {"sync": points(*values * 10), "async": points(*values * 10)},
        title="Title",
        unit="u",
        gate=gate(name),
        marks=marks,
    )
    for (one, first), (other, second) in itertools.combinations(boxes(figure, figure.axes[0]), 2):
        assert not first.padded(-1).overlaps(second.padded(-1)), f"{one} / {other}"


@pytest.mark.slow
@pytest.mark.parametrize("title", ["Jobs", "P95 worker duration, without the wait in the queue, of each function"])
@pytest.mark.parametrize("name", [None, "error_rate", "queue_depth", "generation_time"])
@pytest.mark.parametrize("values", [(100, 100), (0, 60), (3, 90, 400), (0, 0)])
def test_a_legend_covers_no_data(gate: Find, title: str, name: str | None, values: tuple[float, ...]) -> None:
    series = {"the synchronous route": points(*values * 12), "the asynchronous route": points(*values * 12)}
    figure = timeline(series, title=title, unit="s", gate=gate(name) if name else None)
    axes = figure.axes[0]
    box = dict(boxes(figure, axes))["legend"]
    drawn = [point for line in axes.lines if len(line.get_xdata()) > 2 for point in line.get_xydata()]
    assert len(drawn) >= 2 * 12
    assert [at for at in axes.transData.transform(drawn) if box.contains(*at)] == []


def test_nothing_is_cut_off(gate: Find) -> None:
    marks = [(T0 + dt.timedelta(minutes=285), "taken back by AppConfig")]
    figure = timeline(
        {"a": points(*range(20))}, title="Title", unit="messages", gate=gate("generation_time"), marks=marks
    )
    width, height = figure.canvas.get_width_height()
    for name, box in boxes(figure, figure.axes[0]):
        assert box.x0 >= -1, name
        assert box.x1 <= width + 1, name
        assert box.y1 <= height + 1, name


def test_a_panel_shares_one_time_axis(gate: Find) -> None:
    groups = [
        {"series": {"a": points(1, 2)}, "title": "first", "unit": "u", "kind": "step"},
        {"series": {"b": points(*range(40))}, "title": "second", "unit": "s", "gate": gate("submit_latency")},
        {"series": {"c": []}, "title": "third", "unit": "u"},
    ]
    figure = charts.panel(groups, marks=[(T0, "shift")], title="All of it")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["first", "second", "third"]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert [bool(axes.get_xlabel()) for axes in figure.axes] == [False, False, True]
    assert ["shift, 2026-11-10 03:00 UTC" in texts(axes) for axes in figure.axes] == [True, False, False]
    assert figure.get_label().startswith("All of it: first (u): a 1 to 2, last 2; shift at 2026-11-10 03:00 UTC.")
    with pytest.raises(ValueError, match="at least one group"):
        charts.panel([])


@pytest.mark.parametrize("drawn", [charts.panel, lambda groups: slim(lambda: charts.panel(groups))])
def test_charts_without_anything_in_them_are_low(gate: Find, drawn: Any) -> None:
    full = {"series": {"a": points(1, 2)}, "title": "A", "unit": "jobs"}
    bare = {"series": {"b": []}, "title": "B", "unit": "jobs"}
    limits = {**bare, "gate": gate("generation_time")}
    seen, empty, judged = drawn([full, bare, limits]).axes
    heights = [axes.get_position().height * axes.figure.get_figheight() for axes in (seen, empty, judged)]
    assert heights[1] < 0.4 * heights[0] and heights[2] == pytest.approx(heights[0]) and heights[1] > 0.3
    all_full = drawn([full, full, full])
    assert heights[0] == pytest.approx(all_full.axes[0].get_position().height * all_full.get_figheight())


def test_an_image_describes_itself() -> None:
    shown = charts.timelines([{"series": {"a": points(1, 2500)}, "title": 'A "title" <b>', "unit": "u"}])
    markup = shown._repr_html_()
    assert 'alt="A &quot;title&quot; &lt;b&gt; (u): a 1 to 2,500, last 2,500."' in markup
    data = re.search(r"base64,([A-Za-z0-9+/=]+)", markup)
    assert data is not None
    assert base64.b64decode(data[1]).startswith(b"\x89PNG")
    assert str(shown) == 'A "title" <b> (u): a 1 to 2,500, last 2,500.'


def test_the_description_names_thresholds_and_gaps(gate: Find) -> None:
    told = charts.describe({"a": [], "b": points(float("nan"))}, title="t", unit="s", gate=gate("submit_latency"))
    assert told == "t (s): a no data; b no data; target < 3 s; alert > 5 s."
    assert charts.describe({}, title="t", unit="s") == "t (s): no series."


def test_figures_are_closed_and_the_readers_style_is_left_alone(gate: Find) -> None:
    mine = pyplot.figure()
    before = mpl.rcParams["axes.grid"], mpl.rcParams["figure.dpi"]
    charts.timelines([{"series": {"a": points(1)}, "title": "t", "unit": "u"}])
    with pytest.raises(TypeError):
        charts.timelines([{"series": {"a": points(1)}, "unit": "u"}])
    assert pyplot.get_fignums() == [mine.number], "ours are closed, the reader's is not"
    assert (mpl.rcParams["axes.grid"], mpl.rcParams["figure.dpi"]) == before
    pyplot.close(mine)


def test_use_makes_the_style_the_kernels_own() -> None:
    with mpl.rc_context():
        style.use()
        assert mpl.rcParams["axes.grid"] is True
        assert mpl.rcParams["figure.dpi"] == style.DPI


def test_series_differ_in_dash_as_well_as_in_colour() -> None:
    axes = timeline({name: points(1, 2, 3) for name in "abcd"}, title="t", unit="u").axes[0]
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in axes.lines}) == 4
    assert len({line.get_color() for line in axes.lines}) == 4


@pytest.mark.slow
def test_tables_do_not_load_matplotlib_or_pandas() -> None:
    heavy = "{'matplotlib', 'pandas'}"
    code = f"import sys, runbook_lib.show.tables, runbook_lib.show.charts; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_shares_near_all_are_not_drawn_from_zero(gate: Find) -> None:
    near = timeline({"a": points(99.9, 99.7)}, title="S", unit="%", gate=gate("success_rate")).axes[0]
    assert near.get_ylim()[0] > 97 and near.get_ylim()[1] > 100
    assert horizontals(near) == pytest.approx([99, 98])
    low = timeline({"a": points(99.9, 60)}, title="S", unit="%", gate=gate("success_rate")).axes[0]
    assert low.get_ylim()[0] < 0


def test_a_long_title_and_many_lines_do_not_lie_on_one_another() -> None:
    title = "API Gateway 4xx/5xx, async routes"
    names = [f"submit route p9{place}" for place in range(5)]
    full = timeline({name: points(1, 2) for name in names}, title=title, unit="u").axes[0]
    assert legend(full) == names
    full.figure.canvas.draw()
    assert full.get_legend().get_window_extent().y1 <= full.title.get_window_extent().y0
    empty = timeline({name: points() for name in names}, title=title, unit="u").axes[0]
    assert legend(empty) == ["5 lines: no data"]
    empty.figure.canvas.draw()
    assert empty.get_legend().get_window_extent().x0 > empty.title.get_window_extent().x1


GRID = Grid(900, T0, T0 + dt.timedelta(minutes=310))


def test_a_count_falls_to_zero_and_its_open_period_is_grey() -> None:
    failed = [points(*range(1, 22))[place] for place in (2, 9, 15, 20)]
    axes = timeline(
        {"failed": failed}, title="Jobs", unit="jobs / 15 min", kind="step", grid=GRID, counts=["failed"]
    ).axes[0]
    closed, begun = axes.lines[0], axes.lines[1]
    assert [value for value in closed.get_ydata()[:-1] if value] == [3, 10, 16]
    assert (closed.get_color(), begun.get_color()) == (style.VERMILLION, style.GREY)
    assert list(begun.get_ydata()) == [21, 21], "no part of the line"
    assert "still open" in legend(axes)


def test_a_level_has_a_gap_and_what_stands_alone_is_a_whole_dot() -> None:
    some = [points(*range(21))[place] for place in (0, 1, 2, 7, 12, 13, 14)]
    figure = timeline({"p95": some}, title="P95", unit="s", grid=GRID)
    line, dot = figure.axes[0].lines[:2]
    assert [math.isnan(value) for value in line.get_ydata()].count(True) == 2
    assert (list(dot.get_ydata()), dot.get_clip_on()) == ([7], False)
    assert "0 to 14, last 14" in figure.get_label()


def test_the_sentence_leaves_the_open_period_out() -> None:
    whole = {"async": points(*[5.0] * 20, 1.0)}
    told = timeline(whole, title="Requests", unit="requests", grid=GRID, counts=["async"]).get_label()
    assert "async 5 to 5, last 5" in told


@pytest.mark.parametrize("names", [["failed"], ["created", "failed"], ["a", "b", "c", "d", "e", "f", "failed"]])
def test_failed_has_one_colour_and_nothing_else_has_it(names: list[str]) -> None:
    axes = timeline({name: points(1, 2, 3) for name in names}, title="t", unit="u").axes[0]
    for line in axes.lines:
        assert (line.get_color() == style.VERMILLION) == (line.get_label() == "failed")


def test_the_words_of_marks_stand_above_the_data() -> None:
    marks = [(T0 + dt.timedelta(minutes=30), "shift"), (T0 + dt.timedelta(minutes=90), "async off")]
    figure = timeline({"a": points(*[30.0] * 21)}, title="t", unit="u", marks=marks)
    axes = figure.axes[0]
    highest = axes.transData.transform((0, 30))[1]
    assert all(box.y0 > highest for name, box in boxes(figure, axes) if "UTC" in name)


@pytest.mark.slow
def test_a_panel_is_cut_between_its_charts_and_each_part_says_what_it_is() -> None:
    start = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
    points = [(start + dt.timedelta(hours=hour), float(hour)) for hour in range(5)]
    groups = [{"series": {name: points}, "title": name, "unit": "s"} for name in ("first", "second", "third")]
    for few in (1, 2):
        assert charts.timelines(groups[:few])._repr_html_().count("<img") == 1
    markup = charts.timelines(groups)._repr_html_()
    told = re.findall(r'alt="([^"]+)"', markup)
    assert [text.split(" ")[0] for text in told] == ["first", "second"]
    assert ". third (s): " in told[1], "the last two stay together: the time axis is theirs"
    for data in re.findall(r"base64,([A-Za-z0-9+/=]+)", markup):
        picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
        for row in (0, picture.height - 1):
            edge = picture.crop((0, row, picture.width, row + 1)).getextrema()
            assert edge[0] > 250, "no letter and no line is cut through"
