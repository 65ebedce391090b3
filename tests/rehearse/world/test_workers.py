"""Deliveries to workers: how many at once, in which order, and what comes back."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.scenario import Scenario
from tests.rehearse.world.services import (
    DAY,
    HOUR,
    START,
    behaving,
    last_seen,
    rows_of,
    service,
)


@pytest.mark.slow
def test_at_most_five_reports_are_written_at_once_first_come_first_served() -> None:
    lived = service(behaving(20000), 1.0)
    step = lived.run(START + 10 * HOUR)
    assert step.rows.only("worker_concurrent").value.max() == 5
    begun = sorted((job.enqueued, job.started) for job in step.jobs if job.started < math.inf)
    assert all(a[1] <= b[1] for a, b in pairwise(begun))
    assert step.rows.only("queue_visible").value.max() > 50
    assert step.rows.only("queue_age").value.max() > 300


@pytest.mark.slow
def test_more_workers_take_up_the_backlog_from_that_moment_on() -> None:
    lived = service(behaving(20000), 1.0)
    lived.run(START + 9 * HOUR)
    lived.workers = 100
    step = lived.run(START + 9.5 * HOUR)
    assert step.rows.only("queue_visible").value[-1] < 50
    late = [job.started for job in step.jobs if job.enqueued < step.start and job.written != "PENDING"]
    assert sum(at >= step.start for at in late) > 50


def test_no_worker_no_report_and_the_client_polls_60_times() -> None:
    lived = service(behaving(100), 1.0, workers=0)
    step = lived.run(START + 12 * HOUR)
    quiet = lived.run(START + 12 * HOUR + 301)
    jobs = [job for job in last_seen([step, quiet]).values() if job.enqueued < step.end - 301]
    assert {job.written for job in jobs} == {"PENDING"}
    polls = step.rows.total("status_query")
    assert 60 * len(jobs) <= polls <= 60 * sum(job.written == "PENDING" for job in step.jobs)


def test_a_message_that_crashes_its_worker_three_times_is_in_the_dlq_1980_seconds_later() -> None:
    # From the first hour on nobody comes any more, so every message has its time.
    silence = Fault(name="silence", start=1, set={"traffic": 0.0})
    scenario = Scenario(name="s", title="t", behaviour=Behaviour(job_crash=1.0), faults=(silence,))
    step = service(scenario, 1.0).run(START + 4 * HOUR)
    n = len(step.jobs)
    assert n > 10
    assert step.rows.total("worker_errors") == step.rows.total("queue_received") == 3 * n
    dlq = step.rows.only("dlq_visible")
    assert dlq.value[-1] == n
    first = min(job.enqueued for job in step.jobs) + 3 * 660
    assert first <= dlq.stamp[dlq.value > 0].min() < first + 600
    assert {job.written for job in step.jobs} == {"PROCESSING"}


def test_workers_beyond_the_llms_limit_fail_their_jobs() -> None:
    few, many = (service(behaving(20000, llm_slots=6), 1.0, workers=workers) for workers in (5, 10))
    assert not [one for one in few.run(START + 6 * HOUR).failures if "429" in one.reason]
    refused = [one for one in many.run(START + 6 * HOUR).failures if "429" in one.reason]
    assert len(refused) > 30


@pytest.mark.slow
def test_a_poison_message_crashes_every_worker_and_dies_and_the_others_are_well() -> None:
    made = service(behaving(poison=0.05), share=1.0)
    steps = [made.run(START + DAY)]
    jobs = last_seen(steps).values()
    dead = [job for job in jobs if job.poison and job.gone < made.now]
    assert dead and all(job.receives == 3 and job.finished == math.inf for job in dead)
    assert 0.03 < sum(job.poison for job in jobs) / len(jobs) < 0.07
    assert {job.receives for job in jobs if not job.poison and job.finished < made.now} == {1}
    assert rows_of(steps).total("worker_errors") > 2 * len(dead)


def test_where_the_event_source_is_off_for_an_hour_jobs_wait_for_its_end() -> None:
    off = Fault(name="off", start=10, end=11, set={"worker_limit": 0})
    made = service(Scenario(name="s", title="t", faults=(off,)), share=0.5)
    steps = [made.run(START + DAY)]
    starts = np.array([job.started for job in last_seen(steps).values() if job.started < math.inf])
    assert not ((starts >= START + 10 * HOUR) & (starts < START + 11 * HOUR)).any()
    assert ((starts >= START + 11 * HOUR) & (starts < START + 11.2 * HOUR)).sum() > 10
    assert rows_of(steps).only("queue_visible").value.max() > 30


@pytest.mark.parametrize("how", ["a fault", "nothing reserved for the worker"])
def test_without_concurrency_each_receive_is_throttled_and_counts_until_healthy_messages_are_dead(how: str) -> None:
    """docs/domain.md, trap 21: three receives of 660 s, no invocation, the job not begun."""
    made = service(behaving(concurrency=0) if how == "a fault" else behaving(), share=0.5)
    made.workers = made.workers if how == "a fault" else 0
    steps = [made.run(START + 2 * HOUR), made.run(START + 6 * HOUR)]
    jobs, told = list(last_seen(steps).values()), rows_of(steps)
    assert len(jobs) > 50 and {job.status(made.now) for job in jobs} == {"PENDING"}
    receives = [min(3, 1 + int((made.now - job.enqueued) // 660)) for job in jobs if job.enqueued < made.now]
    assert told.total("worker_throttles") == told.total("queue_received") == sum(receives)
    assert told.total("worker_invocations") == 0
    level = told.only("dlq_visible")
    last = level.stamp.max()
    assert level.value.max() == sum(job.enqueued + 3 * 660 <= last for job in jobs) > 50


def test_concurrency_that_comes_back_works_off_what_is_not_dead_yet() -> None:
    gone = Fault(name="gone", start=12, end=12.25, set={"concurrency": 0})
    made = service(Scenario(name="s", title="t", faults=(gone,)), share=0.5)
    steps = [made.run(START + 15 * HOUR)]
    met = [job for job in last_seen(steps).values() if 12 <= (job.enqueued - START) / HOUR < 12.25]
    assert len(met) > 5 and all(job.status(made.now) in ("COMPLETED", "FAILED") for job in met)
    assert all(job.receives > 1 and job.started >= START + 12.25 * HOUR for job in met)
    told = rows_of(steps)
    assert told.total("worker_throttles") >= len(met)
    assert told.only("dlq_visible").value.max(initial=0) == 0
