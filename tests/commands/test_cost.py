"""`runbook cost` off line: times, gaps of the census, and what programs get."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

from runbook_lib.commands.cost import CostReport, filled
from runbook_lib.judge.model import Evidence
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.record.journal import plain

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
LINES = [
    {"service": "Lambda", "item": "x", "quantity": 1.0, "usd": 1 / 3, "fixed": False, "llm": False},
    {"service": "LLM", "item": "x", "quantity": 1.0, "usd": 2 / 3, "fixed": False, "llm": True},
]


def answers(**values: float) -> Answers:
    at = "2026-11-18T12:00:00Z"
    queries = [
        {"id": f"q{k}", "label": f"{name}:Sum", "metric": name, "stat": "Sum", "period_s": 60, "whole": False}
        for k, name in enumerate(values)
    ]
    results = [
        {"id": f"q{k}", "status": "Complete", "messages": [], "times": [at], "values": [value]}
        for k, value in enumerate(values.values())
    ]
    call = {
        "start": "2026-11-18T00:00:00Z",
        "end": "2026-11-20T12:00:00Z",
        "queries": queries,
        "pages": [{"messages": [], "results": results}],
    }
    return Answers.from_raw([call])


def segment(**more: Any) -> Segment:
    start = NOW - dt.timedelta(days=2)
    return Segment(start=start, end=NOW, end_settled=NOW, completed=10, input_tokens=100, **more)


def test_gaps_of_the_census_are_filled_from_the_kpis_and_it_is_said() -> None:
    gap = (NOW - dt.timedelta(days=2), NOW - dt.timedelta(days=1))
    found, note = filled(segment(gaps=(gap,)), answers(jobs_completed=30, jobs_failed=2, input_tokens=300))
    assert (found.completed, found.failed, found.input_tokens, found.gaps) == (40, 2, 400, ())
    assert "2026-11-18 12:00 UTC to 2026-11-19 12:00 UTC" in note[0] and "replace them" in note[0]


def test_without_gaps_or_kpis_the_census_stays() -> None:
    assert filled(segment(), answers(jobs_completed=30)) == (segment(), ())
    gap = (NOW - dt.timedelta(hours=30), NOW - dt.timedelta(hours=28))
    assert filled(segment(gaps=(gap,)), answers(jobs_completed=30)) == (segment(gaps=(gap,)), ())


def report(n: int = 3, **extra: Any) -> CostReport:
    def evidence(**more: Any) -> Evidence:
        return Evidence(
            measure="m",
            kind="amount",
            start="2026-11-19T00:00:00Z",
            end="2026-11-20T00:00:00Z",
            query="q",
            n=n,
            value=0.1 if n else float("inf"),
            extra={"lines": LINES, "requests": 4, "hours": 24.0, "scope": "total", **more},
        )

    return CostReport("prod", "a", "b", evidence(**extra), evidence(), (), None, None)


def test_csv_adds_up() -> None:
    rows = list(csv.DictReader(io.StringIO(report().as_csv())))
    mine = [row for row in rows if row["side"] == "async"]
    assert [row["usd"] for row in mine] == ["0.333333", "0.333333", "0.666667", "0.666667", "1.000000"]
    assert {row["side"] for row in rows} == {"async", "sync"}


def test_json_is_json_also_where_the_cost_is_infinite() -> None:
    told = json.loads(json.dumps(plain(report(0).as_dict()), allow_nan=False))
    assert told["async"]["value"] == "Infinity" and told["async"]["statement"][0]["usd_per_vpr"] == "infinite"
    assert told["gate"] is None and told["break_even"] is None


def test_old_prices_are_told() -> None:
    assert report(stale="too old").stale == "too old" and report().stale is None
