"""Every measure, taken where nothing or only a part could be seen: no PASS, no collapse, no infinite figure."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.window import Window, iso
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.observe.evidence.measure import measure
from runbook_lib.observe.evidence.questions import asks
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers, Series
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.load import load_file

PARAMS = load_file(Path(__file__).resolve().parents[3] / "params" / "prod.yaml")
START = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
NOW = START + dt.timedelta(hours=80)
WINDOW = Window(START, START + dt.timedelta(hours=24))
LOOK = Look(hours=24, alpha=0.03)
SHIFT = Deployment(number=1, state="COMPLETE", percent=10, started_at=iso(START))
STATE = TrafficState(dial_percent=10, switch_on=True, weight=10, history=(SHIFT,), dial_since=iso(START))
EMPTY = Answers([], {})
LIVE = {
    "queue_visible": 0,
    "queue_in_flight": 0,
    "dlq_visible": 0,
    "dlq_in_flight": 0,
    "memory_mb": {"submit": 256, "worker": 1024, "status": 256},
}


def segment(**more: Any) -> Segment:
    return Segment(start=START, end=WINDOW.end, end_settled=WINDOW.end, **more)


def counted(**totals: float) -> Answers:
    at = START + dt.timedelta(hours=1)
    series = {
        f"{name}:Sum": Series(f"{name}:Sum", name, "Sum", 60, False, ((at, value),), False, ())
        for name, value in totals.items()
    }
    return Answers([], series)


EXPIRED = segment(gaps=((START, WINDOW.end),))
"""The first look ever, 80 h after the shift: every item has left the table."""
SEEN: dict[str, tuple[Answers, Segment | None, dict[str, Any]]] = {
    "nothing at all": (EMPTY, None, {}),
    "no census": (EMPTY, None, LIVE),
    "an empty table": (EMPTY, segment(), LIVE),
    "an expired table": (EMPTY, EXPIRED, LIVE),
    "an expired table, and the KPIs": (counted(jobs_created=45, jobs_completed=44, async_requests=45), EXPIRED, LIVE),
    "jobs, and no metric": (EMPTY, segment(completed=500, untold=500), LIVE),
    "nothing read live": (counted(async_requests=300, jobs_created=300), segment(completed=300), {}),
}


@pytest.mark.parametrize("how", sorted(SEEN))
def test_no_gate_passes_on_what_was_not_seen(how: str) -> None:
    answers, jobs, live = SEEN[how]
    found = measure(answers, jobs, live, STATE, PARAMS, WINDOW, NOW, LOOK)
    results = {one.gate.id: one for one in judge_all(PARAMS.policy.gates, found, look=LOOK)}
    assert all(one.value is None or math.isfinite(one.value) for one in results.values())
    assert not any(one.collapsed for one in results.values())
    passed = {id for id, one in results.items() if one.verdict is Verdict.PASS}
    # What was seen in that case may pass; what rests on something else may not.
    may = {
        "nothing read live": {"success_rate", "refused", "llm_quota"},
        "jobs, and no metric": {"llm_quota", "generation_time"},
        "an expired table, and the KPIs": {"refused"},
    }
    proven = {id for id in passed if results[id].evidence.proven_zero_by}
    assert passed - proven <= may.get(how, set()), {id: results[id].reason for id in passed}


def test_a_census_that_came_too_late_is_no_infinite_cost() -> None:
    """KPIs count 44 of 45 completed: the cost is spread over them, or there is none; never "not one success"."""
    answers, jobs, live = SEEN["an expired table, and the KPIs"]
    cost = measure(answers, jobs, live, STATE, PARAMS, WINDOW, NOW, LOOK)["cost_per_vpr"]
    assert cost.value is None or math.isfinite(cost.value)
    success = measure(answers, jobs, live, STATE, PARAMS, WINDOW, NOW, LOOK)["success"]
    assert "45 of 45 jobs could not be seen" in success.unseen


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_series_may_be_missing(data: st.DataObject) -> None:
    """Healthy answers with a random half of the series gone: nothing becomes infinite or a collapse."""
    named = sorted({one.label for one in asks(PARAMS, WINDOW, NOW)})
    kept = data.draw(st.sets(st.sampled_from(named)))
    totals = {
        label.removesuffix(":Sum"): 300.0
        for label in kept
        if label.endswith(":Sum")
        and "5xx" not in label
        and "errors" not in label
        and "throttles" not in label
        and "4xx" not in label
    }
    jobs = data.draw(st.sampled_from([None, segment(), EXPIRED, segment(completed=300, vanished_of=300)]))
    found = measure(counted(**totals), jobs, data.draw(st.sampled_from([{}, LIVE])), STATE, PARAMS, WINDOW, NOW, LOOK)
    for one in judge_all(PARAMS.policy.gates, found, look=LOOK):
        assert not one.collapsed, one.reason
        assert one.value is None or math.isfinite(one.value), one.reason
