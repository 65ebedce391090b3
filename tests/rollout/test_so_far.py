"""The chart of the users' success: what it draws is what was counted and what the judge says of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from runbook_lib.base.window import parse, when
from runbook_lib.judge import words
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates import sequence
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look, Part
from runbook_lib.judge.terms import RULES
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.params.load import load_file
from runbook_lib.rollout.so_far import how_sure, quantile_so_far, so_far
from runbook_lib.show import charts
from runbook_lib.show.multiples import Tile, changes, multiples_figure
from tests.judge.gates import test_sequence as sequences

POLICY = load_file(Path(__file__).parents[2] / "params" / "prod.yaml").policy
GATE = POLICY.gate("success_rate")
LOOKS = POLICY.phases["06_phase1_10_percent"].looks
START = dt.datetime(2026, 11, 23, 10, 2, tzinfo=dt.UTC)


def evidence(failing: list[int], *, quarters: int = 40, n: int = 10) -> Evidence:
    """Good quarters of an hour, then minutes with failures of four requests each."""
    first = START.replace(minute=0)
    rows = [((first + dt.timedelta(minutes=15 * k)).isoformat(), 0, n) for k in range(quarters)]
    then = first + dt.timedelta(minutes=15 * quarters)
    rows += [((then + dt.timedelta(minutes=k)).isoformat(), bad, 4) for k, bad in enumerate(failing)]
    end = max(then + dt.timedelta(minutes=len(failing)), then)
    return Evidence(
        measure="success",
        kind="rate",
        start=START.isoformat(),
        end=end.isoformat(),
        query="by hand",
        bad=sum(failing),
        n=sum(one[2] for one in rows),
        course=tuple(rows),
    )


def case(look: Look | None = None, **fields: Any) -> Case:
    """A look at a soak, by the policy."""
    fields = {"alpha_early": POLICY.alpha_early, "confidence": POLICY.confidence, "prior": POLICY.early_prior, **fields}
    return Case(rules=RULES, moment="during", look=look, looks=LOOKS, **fields)


def drawn(seen: Evidence, look: Look | None = None) -> dict[str, Any] | None:
    how = {"confidence": POLICY.confidence, "prior": POLICY.early_prior}
    result = judge(GATE, seen, look=look, looks=LOOKS, alpha_early=POLICY.alpha_early, **how)
    return so_far(seen, result, case(look))


def test_the_value_so_far_lies_in_its_interval_and_ends_with_what_was_counted() -> None:
    seen = evidence([1, 0, 0, 0, 0, 0])
    chart = drawn(seen)
    assert chart is not None and list(chart["series"]) == ["so far"]
    points, band = chart["series"]["so far"], chart["band"]
    assert [at for at, _ in points] == [at for at, _, _ in band]
    assert all(low <= value <= high for (_, value), (_, low, high) in zip(points, band, strict=True))
    assert points[-1] == (parse(seen.end), pytest.approx(100 * (1 - 1 / 424)))
    assert [high - low for _, low, high in band[:40]] == sorted(
        (high - low for _, low, high in band[:40]), reverse=True
    )


def test_a_declared_look_ends_with_its_own_narrower_interval() -> None:
    seen = evidence([1, 0, 0, 0])
    interim, declared = drawn(seen), drawn(seen, LOOKS[0])
    assert interim is not None and declared is not None
    assert interim["band"][:-1] == declared["band"][:-1]
    low, high = sequence.at_declared(1, 416, POLICY.confidence, len(LOOKS))
    assert declared["band"][-1][1:] == (pytest.approx(100 * (1 - high)), pytest.approx(100 * (1 - low)))
    assert interim["band"][-1][1] < declared["band"][-1][1]


def test_since_a_change_the_value_is_drawn_from_there() -> None:
    seen = evidence([3, 2, 4, 3, 2, 4] * 6)
    chart = drawn(seen)
    assert chart is not None
    since = chart["series"]["since the change"]
    assert since[0][0] > parse(seen.course[40][0]) and since[-1][1] == pytest.approx(100 * (1 - 108 / 144))


def test_a_worse_time_that_is_over_is_shaded_and_what_came_after_is_drawn_too() -> None:
    """The text said "from .. to .., and it is over: 0 of 600 since"; the chart had a line that broke off."""
    seen = evidence([3, 2, 4, 3, 2, 4] * 6)
    end = parse(seen.end)
    rows = [((end + dt.timedelta(minutes=15 * k)).isoformat(), 0, 20) for k in range(30)]
    last = end + dt.timedelta(minutes=15 * 30)
    seen = seen.model_copy(update={"course": (*seen.course, *rows), "n": (seen.n or 0) + 600, "end": last.isoformat()})
    result = judge(GATE, seen, look=None, looks=LOOKS, alpha_early=POLICY.alpha_early, confidence=POLICY.confidence)
    assert result.until is not None and "and it is over" in result.reason
    chart = so_far(seen, result, case())
    assert chart is not None and list(chart["series"]) == ["so far", "worse", "after it"]
    assert {value for _, value in chart["series"]["after it"]} == {100.0}
    since, until = chart["worse"]
    assert chart["series"]["worse"][-1] == (until, pytest.approx(100 * (result.value or 0)))
    marks = changes(result)
    assert [word for _, word in marks] == ["change", "over"]
    assert [words.instant(at) for at in (result.since, result.until)] == [when(at) for at, _ in marks]
    assert all(when(at) in result.reason for at, _ in marks), "the chart names the minutes that the reason names"
    assert until < last - dt.timedelta(hours=7), "it is drawn to its end"
    axes = charts.panel([chart], marks=marks).axes[0]
    figure = charts.panel([{**chart, "title": POLICY.gate("refused").title}], marks=marks)
    written = [one.xyann[1] for one in figure.axes[0].texts if "UTC" in one.get_text()]
    assert written == [-22, -35], "the legend inside the chart, 18 points high, hides no moment's words"
    assert max(figure.axes[0].get_yticks()) <= 100, "no share is above 100 %"
    tile = Tile(result, words.of_gate(result, True), chart["series"], [(last, 20.0)], band=chart["band"])
    figure = multiples_figure([tile, tile], marks)
    (canvas := FigureCanvasAgg(figure)).draw()
    legend = figure.axes[0].get_legend().get_window_extent(canvas.get_renderer())
    assert legend.x1 <= figure.bbox.width / 2, "a tile's legend ends in its tile"
    assert len(axes.patches) == 1 and f"worse {when(since)} to {when(until)}" in axes.figure.get_label()


def test_where_nothing_was_counted_or_no_course_is_kept_there_is_nothing_to_draw() -> None:
    assert drawn(evidence([1]).model_copy(update={"course": ()})) is None
    assert drawn(evidence([]).model_copy(update={"bad": None, "n": None})) is None


def test_it_is_drawn_with_target_alert_limit_collapse_and_the_interval() -> None:
    chart = drawn(evidence([3, 2, 4, 3, 2, 4] * 6))
    assert chart is not None
    figure = charts.panel([chart])
    words = [text.get_text() for text in figure.axes[0].texts]
    assert {"target > 99 %", "alert < 98 %", "collapse < 90 %"} <= set(words)
    assert len(figure.axes[0].collections) == 1
    assert "interval at the end" in figure.get_label()


def test_a_collapse_far_below_what_is_seen_is_named_at_the_edge_and_keeps_the_scale() -> None:
    chart = drawn(evidence([0, 0], quarters=90, n=30))
    assert chart is not None
    axes = charts.panel([chart]).axes[0]
    assert "↓ collapse < 90 %" in [text.get_text() for text in axes.texts]
    assert axes.get_ylim()[0] > 95


def test_a_quantile_so_far_lies_in_its_interval_and_since_a_change_it_is_that_of_the_jobs_since() -> None:
    """Twelve hours of jobs of 40 s or so, then an hour of jobs of 200 s."""
    gate = POLICY.gate("generation_time")
    jobs = [(START + dt.timedelta(minutes=3 * k), 40.0 + k % 20 if k < 240 else 200.0) for k in range(260)]
    end = START + dt.timedelta(minutes=3 * 260)
    how = {"confidence": POLICY.confidence, "prior": POLICY.early_prior}
    rows = tuple((at.isoformat(), int(value > 120), 1) for at, value in jobs)
    fields: dict[str, Any] = {
        "measure": "generation_time",
        "kind": "quantile",
        "query": "by hand",
        "value": 200.0,
        "n": 260,
        "bad": 20,
    }
    seen = Evidence(start=START.isoformat(), end=end.isoformat(), course=rows, **fields)
    result = judge(gate, seen, look=None, looks=LOOKS, alpha_early=POLICY.alpha_early, **how)
    assert result.since == rows[240][0]
    chart = quantile_so_far(jobs, result, case(), end=end)
    assert chart is not None
    values = dict(chart["series"]["so far"])
    assert len(chart["band"]) > 20 and all(low <= values[at] <= high for at, low, high in chart["band"])
    assert {value for _, value in chart["series"]["since the change"]} == {200.0}
    assert quantile_so_far([], result, case(), end=end) is None
    figure = charts.panel([chart])
    assert {"target < 90 s", "alert > 120 s"} <= {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize(
    ("id", "kind", "unit"), [("submit_latency", "quantile", "beyond"), ("observed_split", "split", "")]
)
def test_a_change_of_any_gate_with_a_course_can_be_drawn(id: str, kind: str, unit: str) -> None:
    seen = evidence([3, 2, 4, 3, 2, 4] * 6).model_copy(update={"kind": kind, "value": 2.0, "weight": 0.0, "bad": None})
    gate = POLICY.gate(id)
    result = judge(gate, seen.model_copy(update={"bad": 0}) if kind == "split" else seen, look=None)
    chart = so_far(seen, result, case(confidence=0.95))
    assert chart is not None and unit in chart["title"] and chart["gate"] is None
    assert chart["series"]["so far"][-1][1] == pytest.approx(100 * 108 / 544)


def test_success_and_times_are_always_drawn_and_of_the_others_what_shows_a_change() -> None:
    good, worse = evidence([0, 0]), evidence([3, 2, 4, 3, 2, 4] * 6)
    routes = (Part(name="POST", bad=108, n=544, course=worse.course), Part(name="GET", bad=0, n=9000))
    errors = worse.model_copy(update={"parts": routes, "n": 9544, "course": ()})
    first = int(START.timestamp() // 10)
    jobs = Segment(
        start=START,
        end=START + dt.timedelta(hours=9),
        end_settled=START + dt.timedelta(hours=9),
        completed=90,
        generation_s=(40.0,) * 90,
        generation_at=tuple(first + 36 * place for place in range(90)),
    )
    times = good.model_copy(update={"kind": "quantile", "value": 40.0, "course": (), "n": 90, "bad": 0})
    seen = {"success": good, "async_5xx": errors, "generation_time": times, "refused": good}
    judged = case(gates=POLICY.gates, evidence=seen)
    results = judged.verdict().results
    found = how_sure(judged, results, jobs)
    titles = [chart["title"] for chart, _ in found]
    assert titles == [
        "Success rate so far",
        f"{POLICY.gate('error_rate').title}, POST so far",
        "P95 VPR generation time so far",
    ]
    assert [one.since is not None for _, one in found] == [False, True, False]
    older = jobs.model_copy(update={"generation_at": ()})
    assert len(how_sure(judged, results, older)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("declared", [False, True])
def test_the_band_of_the_chart_is_the_sequence_s_at_each_quarter_of_an_hour(declared: bool) -> None:
    """Of soaks whose traffic and failures drift; so its coverage is the one that is measured there."""
    bad, n, truth = sequences.drifting(np.random.default_rng(6), 12)
    look, held = (LOOKS[-1], 0) if declared else (None, 0)
    for soak in range(len(n)):
        each = [
            ((START.replace(minute=0) + dt.timedelta(minutes=15 * at)).isoformat(), int(k), int(of))
            for at, (k, of) in enumerate(zip(np.diff(bad[soak], prepend=0), np.diff(n[soak], prepend=0), strict=True))
        ]
        seen = evidence([]).model_copy(
            update={
                "end": (START.replace(minute=0) + dt.timedelta(hours=36)).isoformat(),
                "bad": int(bad[soak, -1]),
                "n": int(n[soak, -1]),
                "course": tuple(each),
            }
        )
        chart = drawn(seen, look)
        assert chart is not None
        used = n[soak] > 0
        ends = sequence.band(
            bad[soak][used].tolist(),
            n[soak][used].tolist(),
            [*[False] * (int(used.sum()) - 1), declared],
            looks=len(LOOKS),
            confidence=POLICY.confidence,
            prior=POLICY.early_prior,
        )
        assert [one[1:] for one in chart["band"]] == [
            (pytest.approx(100 * (1 - high)), pytest.approx(100 * (1 - low))) for low, high in ends
        ]
        held += all(
            low <= 100 * (1 - rate) <= high
            for (_, low, high), rate in zip(chart["band"], truth[soak][used], strict=True)
        )
    assert held >= 11
