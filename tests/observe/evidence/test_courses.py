"""How figures went in the order of time: each gate's course says what was counted, when, and never too much."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.window import iso
from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import RULES, UNORDERED, Verdict
from runbook_lib.observe.evidence import courses
from runbook_lib.observe.evidence.measure import measure
from runbook_lib.observe.evidence.questions import LATENCY, LEVELS, label
from runbook_lib.observe.jobs.census import count, dated
from runbook_lib.observe.jobs.segment import Segment, merge
from tests.observe.conftest import HOUR, MINUTE, Soak

LATE = 30
"""Of the soak's 288 busy minutes: this many at its end are bad."""


def spoil(day: Soak, metric: str, value: float) -> str:
    """The metric's last points are `value`; returns when they begin."""
    points = day.values[label(metric)]
    day.values[label(metric)] = [*points[:-LATE], *((at, value) for at, _ in points[-LATE:])]
    return iso(points[-LATE][0])


def said(day: Soak, gate: str, rules: int = RULES) -> tuple[Evidence, Verdict, str | None]:
    spec = day.params.policy.gate(gate)
    seen = measure(
        day.answers(), day.segment, day.live, day.traffic, day.params, day.window, day.now, None, rules=rules
    )[spec.measure]
    result = judge(spec, seen, look=None)
    return seen, result.verdict, result.since


@pytest.mark.parametrize(
    ("gate", "metric", "value", "worse"),
    [
        ("error_rate", "async_5xx", 1.0, "async"),
        ("error_rate", "status_5xx", 4.0, "status"),
        ("lambda_errors", "worker_errors", 1.0, "worker"),
    ],
)
def test_what_cloudwatch_counts_goes_wrong_late(day: Soak, gate: str, metric: str, value: float, worse: str) -> None:
    begins = spoil(day, metric, value)
    seen, verdict, since = said(day, gate)
    assert verdict is Verdict.FAIL and since == begins
    part = max(seen.parts, key=lambda one: one.bad)
    assert worse in part.name or part.name.startswith(("POST", "GET"))
    assert sum(bad for _, bad, _ in part.course) == part.bad
    assert 0.95 * part.n <= sum(n for _, _, n in part.course) <= part.n
    assert said(day, gate, rules=2)[0].parts[0].course == ()


def test_a_partial_answer_has_no_course(day: Soak) -> None:
    spoil(day, "worker_errors", 1.0)
    day.status[label("worker_errors")] = "PartialData"
    worker = next(part for part in said(day, "lambda_errors")[0].parts if part.name == "worker")
    assert worker.course == ()


def test_refusals_that_the_access_log_names_have_their_minutes(day: Soak) -> None:
    points = day.values[label("async_requests")][-LATE:]
    day.values[label("async_4xx")] = [(at, 1.0) for at, _ in points]
    day.live["door"] = {"cut": False, "counts": [[iso(at), 429, "THROTTLED", 1] for at, _ in points]}
    seen, verdict, since = said(day, "refused")
    assert verdict is Verdict.FAIL and since == iso(points[0][0]) and sum(bad for _, bad, _ in seen.course) == LATE
    day.live["door"] = None
    assert said(day, "refused")[0].course == (), "nobody knows which 4xx were refusals"


def test_the_split_goes_wrong_late(day: Soak) -> None:
    spoil(day, "async_requests", 0.0)
    seen, verdict, since = said(day, "observed_split")
    assert verdict is Verdict.FAIL and since is not None and since >= iso(day.window.end - 3 * HOUR)
    assert all(0 <= k <= n for _, k, n in seen.course)


def jobs_of(day: Soak, slow: int, quota: int) -> Segment:
    """300 jobs, of which the last are slow, and the last of these refused by the LLM."""
    found = []
    for place in range(300):
        at = day.window.start + place * 4.5 * MINUTE
        seconds = 200 if place >= 300 - slow - quota else 40
        job = {"job_id": str(place), "created_at": at.isoformat(), "status": "COMPLETED"}
        job["completed_at"] = (at + dt.timedelta(seconds=seconds)).isoformat()
        if place >= 300 - quota:
            job |= {"status": "FAILED", "error": "429 rate_limit_error"}
        found.append(job)
    return count(dated(found), day.window, day.window.end, 300)


def test_jobs_are_slow_late_and_the_figures_since_are_those_of_the_jobs_since(day: Soak) -> None:
    day.segment = jobs_of(day, slow=12, quota=0)
    seen, verdict, since = said(day, "generation_time")
    assert seen.value == 40 and verdict is Verdict.FAIL and since == iso(day.window.start + 288 * 4.5 * MINUTE)
    assert seen.onward is not None and (seen.onward[0], seen.onward[1]) == (since, 200)
    result = judge(day.params.policy.gate("generation_time"), seen, look=None)
    assert (result.value, result.n) == (200, 12)
    assert said(day, "generation_time", rules=2)[0].course == ()


def test_jobs_that_the_llm_refused_have_their_moments(day: Soak) -> None:
    day.segment = jobs_of(day, slow=0, quota=20)
    seen, verdict, since = said(day, "llm_quota")
    assert verdict is Verdict.FAIL and since is not None
    assert (sum(bad for _, bad, _ in seen.course), sum(n for _, _, n in seen.course)) == (20, 300)


def test_a_merged_census_keeps_times_and_moments_together_or_drops_the_moments(day: Soak) -> None:
    whole = jobs_of(day, slow=12, quota=3)
    middle = day.window.start + 12 * HOUR
    halves = [
        replace_times(whole, lambda at: at < middle.timestamp(), start=whole.start, end_settled=middle),
        replace_times(whole, lambda at: at >= middle.timestamp(), start=middle, end_settled=whole.end_settled),
    ]
    both = merge(halves)
    assert sorted(zip(both.generation_s, both.generation_at, strict=True)) == sorted(
        zip(whole.generation_s, whole.generation_at, strict=True)
    )
    older = halves[0].model_copy(update={"generation_at": ()})
    assert merge([older, halves[1]]).generation_at == () and merge([older, halves[1]]).generation_s == both.generation_s


def replace_times(whole: Segment, mine: object, **fields: object) -> Segment:
    kept = [
        (seconds, at)
        for seconds, at in zip(whole.generation_s, whole.generation_at, strict=True)
        if mine(at * 10)  # type: ignore[operator]
    ]
    times = {"generation_s": tuple(one for one, _ in kept), "generation_at": tuple(at for _, at in kept)}
    return whole.model_copy(update={**times, **fields})


def test_latencies_beyond_the_limit_are_counted_from_the_percentiles_of_five_minutes(day: Soak) -> None:
    times = [day.window.start + place * 5 * MINUTE for place in range(288)]
    for stat in LEVELS:
        day.values[LATENCY.level(stat)] = [(at, 900.0 if place < 260 else 6100.0) for place, at in enumerate(times)]
    day.values[LATENCY.level("SampleCount")] = [(at, 1.0) for at in times]
    seen, verdict, since = said(day, "submit_latency")
    assert verdict is Verdict.FAIL and since == iso(times[260])
    assert sum(bad for _, bad, _ in seen.course) == 28
    day.status[LATENCY.level("p90")] = "PartialData"
    assert said(day, "submit_latency")[0].course == ()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.sampled_from(["lower", "higher", "linear", "nearest", "midpoint", "hazen", "weibull"]),
)
def test_no_more_are_counted_beyond_the_limit_than_there_are(values: list[int], how: str) -> None:
    """However CloudWatch interpolates; and of one or two none is missed."""
    told = {"Minimum": min(values), "Maximum": max(values)}
    told |= {stat: float(np.percentile(values, float(stat[1:]), method=how)) for stat in ("p50", "p90")}  # type: ignore[call-overload]
    found = courses.beyond_at_least(len(values), {stat: value > 5 for stat, value in told.items()})
    true = sum(value > 5 for value in values)
    assert found <= true
    assert len(values) > 2 or found == true


def test_no_statistic_no_count() -> None:
    assert courses.beyond_at_least(12, {}) == 0


def test_failures_at_the_door_are_not_seen_before_the_requests_among_which_they_came(day: Soak) -> None:
    """A million requests a day, of which 1.8 % get a 5xx, within the limit of 2 %: by rules 7 it failed."""
    rng = np.random.default_rng(8)
    minutes, first = 1_380, int(day.window.start.timestamp() // 10)
    refused, good = rng.binomial(700, 0.018, minutes), rng.poisson(115, (minutes, 6))
    assert day.segment
    steps = tuple((first + 6 * at + step, 0, int(good[at, step])) for at in range(minutes) for step in range(6))
    day.segment = day.segment.model_copy(update={"steps": steps, "completed": int(good.sum()), "failed": 0, "late": 0})
    times = [day.window.start + at * MINUTE for at in range(minutes)]
    day.values[label("async_5xx")] = [(at, float(bad)) for at, bad in zip(times, refused, strict=True)]
    total = good.sum(axis=1) + refused
    day.values[label("async_requests")] = [(at, float(n)) for at, n in zip(times, total, strict=True)]

    def largest(rules: int) -> float:
        course = said(day, "success_rate", rules)[0].course
        assert sum(bad for _, bad, _ in course) == refused.sum() and sum(n for _, _, n in course) == total.sum()
        return change.tested([one[1] for one in course], [one[2] for one in course], 0.02, (1.0, 9.0), 0.01).log_e

    assert largest(UNORDERED) < 2 < -math.log(0.01) < largest(UNORDERED - 1)


@pytest.mark.slow
def test_slow_jobs_of_one_burst_are_not_seen_after_its_fast_ones(day: Soak) -> None:
    """In a burst of 200 jobs in ten seconds 5 % are slow, as the alert limit allows. By rules 7 nearly each failed."""
    rng = np.random.default_rng(9)
    at, failed = int(day.window.start.timestamp() // 10) + 60, dict.fromkeys((UNORDERED, UNORDERED - 1), 0)
    for _ in range(8):
        slow = rng.random(200) < 0.05
        times = tuple(sorted(float(one) for one in np.where(slow, 150, 20) + rng.random(200)))
        assert day.segment
        day.segment = day.segment.model_copy(
            update={"completed": 200, "generation_s": times, "generation_at": (at,) * 200}
        )
        for rules in failed:
            seen, verdict, _ = said(day, "generation_time", rules)
            failed[rules] += verdict is Verdict.FAIL
            assert sum(bad for _, bad, _ in seen.course) == slow.sum() or not slow.any()
    assert failed[UNORDERED] == 0 and failed[UNORDERED - 1] > 4
