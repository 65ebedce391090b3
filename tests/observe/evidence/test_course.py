"""How a measure went: every measure that a gate may judge has its course. (Against real looks: test_gate_charts.py.)"""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_lib.judge.terms import MEASURES
from runbook_lib.observe.evidence import course
from runbook_lib.observe.evidence.levels import nearest_rank
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.params.load import load_file, params_dir

START = dt.datetime(2026, 11, 9, 4, tzinfo=dt.UTC)
PARAMS = load_file(params_dir() / "prod.yaml")
PLACE = int(START.timestamp() // 900)


def segment(hour: int, times: dict[float, int], *, told: bool = True) -> Segment:
    """Of one hour; `times`: seconds to the quarter they were created in."""
    start = START + dt.timedelta(hours=hour)
    end = start + dt.timedelta(hours=1)
    ordered = sorted(times)
    at = tuple(90 * (PLACE + 4 * hour + times[one]) for one in ordered) if told else ()
    return Segment(
        start=start, end=end, end_settled=end, completed=len(times), generation_s=tuple(ordered), generation_at=at
    )


def went(found: Segment) -> course.Course:
    seen: Any = SimpleNamespace(segment=found, params=PARAMS)
    return course.course("generation_time", seen)


def test_every_measure_has_its_course() -> None:
    assert set(course._COURSES) == set(MEASURES)
    with pytest.raises(KeyError):
        course.course("unknown", SimpleNamespace(params=PARAMS))  # type: ignore[arg-type]


def test_generation_times_of_several_censuses_end_with_the_quantile_of_all() -> None:
    merged = merge([segment(1, {90.0: 0, 40.0: 3}), segment(0, {50.0: 0, 60.0: 0, 70.0: 2})])
    found = went(merged)
    assert found.points["so far"][-1][1] == nearest_rank(merged.generation_s, 0.95) == 90.0
    assert [value for _, value in found.periods["every 15 min"]] == [60.0, 70.0, 90.0, 40.0]
    assert found.periods["every 15 min"][0][0] == START


def test_a_census_that_did_not_keep_when_leaves_the_looks_alone() -> None:
    merged = merge([segment(0, {50.0: 0}), segment(1, {40.0: 0}, told=False)])
    assert merged.generation_s == (40.0, 50.0) and merged.generation_at == ()
    assert went(merged) == course.Course()
