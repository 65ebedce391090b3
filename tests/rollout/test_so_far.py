"""The chart of the users' success: what it draws is what was counted and what the judge says of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.window import parse
from runbook_lib.judge.gates import sequence
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.params.load import load_file
from runbook_lib.rollout.so_far import so_far
from runbook_lib.show import charts

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


def drawn(seen: Evidence, look: Look | None = None) -> dict[str, Any] | None:
    how = {"confidence": POLICY.confidence, "prior": POLICY.early_prior}
    result = judge(GATE, seen, look=look, looks=LOOKS, alpha_early=POLICY.alpha_early, **how)
    return so_far(seen, result, look=look, looks=LOOKS, **how)


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
