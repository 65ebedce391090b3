"""The tables of a run say what its record says, under way and sealed, years later too."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.window import Window
from runbook_lib.observe.jobs.census import count, dated
from runbook_lib.record.archive import Archive
from runbook_lib.record.record import Record
from runbook_lib.rollout.explore import Tables

START = dt.datetime(2026, 11, 26, 4, tzinfo=dt.UTC)
DAY = Window(START, START + dt.timedelta(days=1))


def job(minute: float, seconds: float | None, error: str = "") -> dict[str, Any]:
    at = START + dt.timedelta(minutes=minute)
    one: dict[str, Any] = {"job_id": f"{minute}-{seconds}-{error}", "created_at": at.isoformat()}
    if error:
        return one | {"status": "FAILED", "error": error}
    if seconds is None:
        return one | {"status": "PROCESSING"}
    return one | {"status": "COMPLETED", "completed_at": (at + dt.timedelta(seconds=seconds)).isoformat()}


def tables(jobs: list[dict[str, Any]]) -> Tables:
    return Tables(Record(), [], count(dated(jobs), DAY, DAY.end, 300.0))


JOBS = st.lists(
    st.tuples(st.integers(0, 1439), st.sampled_from([20.0, 250.0, 299.0, 400.0, None, "boom", "throttled"])),
    max_size=60,
    unique=True,
)


@given(JOBS)
def test_the_census_is_all_there_whatever_became_of_the_jobs(drawn: list[tuple[int, Any]]) -> None:
    found = tables([job(m, None if isinstance(s, str) else s, s if isinstance(s, str) else "") for m, s in drawn])
    jobs = found.jobs()
    assert int(jobs["jobs"].sum()) == len(drawn)
    bad = [s for _, s in drawn if s is None or isinstance(s, str) or s > 300]
    assert int(jobs["bad"].sum()) == len(bad)
    per_quarter = pd.Series([m // 15 for m, _ in drawn]).value_counts()
    assert {(at - START) // dt.timedelta(minutes=15): n for at, n in zip(jobs["time"], jobs["jobs"], strict=True)} == (
        per_quarter.to_dict()
    )
    times = sorted((s for _, s in drawn if isinstance(s, float)), reverse=True)
    assert found.durations().tolist() == pytest.approx(times)
    assert int(found.errors().sum()) == sum(isinstance(s, str) for _, s in drawn)


def test_of_a_run_that_asked_nothing_every_table_is_empty_and_has_its_columns() -> None:
    one = Tables(Record(), [], None)
    assert (
        list(one.metrics()) == ["metric", "title", "unit", "stat", "time", "value", "period_s"] and one.metrics().empty
    )
    assert list(one.jobs()) == ["time", "jobs", "bad"] and one.jobs().nlargest(3, "bad").empty
    assert one.durations().empty and one.errors().empty and one.gates().empty
    assert json.loads(one.queries())["metrics"] == []


def answered(values: list[float]) -> list[dict[str, Any]]:
    times = [(START + dt.timedelta(minutes=place)).isoformat() for place in range(len(values))]
    address = {"Namespace": "AWS/ApiGateway", "MetricName": "Count", "Dimensions": [{"Name": "Stage", "Value": "prod"}]}
    query = {"label": "async_requests:Sum", "metric": "async_requests", "stat": "Sum", "period_s": 60, "whole": False}
    result = {"id": "q0", "status": "Complete", "messages": [], "times": times, "values": values}
    return [
        {
            "start": DAY.start.isoformat(),
            "end": DAY.end.isoformat(),
            "queries": [{**query, "address": address, "id": "q0"}],
            "pages": [{"messages": [], "results": [result]}],
        }
    ]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_every_point_has_its_unit_and_the_query_can_be_pasted(values: list[float]) -> None:
    one = Tables(Record(region="us-east-1"), answered(values), None)
    frame = one.metrics()
    assert frame["value"].tolist() == values
    assert set(frame["unit"]) == {"requests"} and set(frame["period_s"]) == {60}
    assert str(frame["time"].dt.tz) == "UTC" and frame["time"].iloc[0] == START
    (line,) = json.loads(one.queries())["metrics"]
    assert line == [
        "AWS/ApiGateway",
        "Count",
        "Stage",
        "prod",
        {"stat": "Sum", "period": 60, "label": "async_requests:Sum"},
    ]


def test_a_record_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no record starts with 'abc'"):
        Tables.sealed(Archive(tmp_path), "abc")
