"""What a phase takes from its earlier looks."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.record.record import Record
from runbook_lib.steps.phase.look import censuses

T0 = dt.datetime(2026, 11, 2, 3, tzinfo=dt.UTC)


def segment(completed: int, hour: int) -> Segment:
    start, end = (T0 + dt.timedelta(hours=one) for one in (hour, hour + 1))
    return Segment(start=start, end=end, end_settled=end, completed=completed)


def test_the_jobs_that_earlier_looks_counted_are_taken_from_their_records_in_order() -> None:
    looks = [[segment(8, 0)], [], [segment(5, 1), segment(2, 2)]]
    facts: dict[str, Any] = {"notebook": "06", "status": "completed"}
    records = [
        Record.model_validate({**facts, "census": [one.model_dump(mode="json") for one in look]}) for look in looks
    ]
    assert censuses(records) == [one for look in looks for one in look]
