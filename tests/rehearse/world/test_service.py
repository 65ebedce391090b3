"""The simulated service: repeatable, the same however time is cut, and as the service is described."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.rows import SIGNALS
from runbook_lib.rehearse.world.scenario import Scenario, load
from tests.rehearse.world.services import (
    DAY,
    HOUR,
    START,
    behaving,
    items_of,
    last_seen,
    rows_of,
    service,
    table,
)


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    one, two, other = (service(seed=seed).run(START + 6 * HOUR) for seed in (1, 1, 2))
    assert np.array_equal(table(one.rows), table(two.rows))
    assert one.jobs == two.jobs != other.jobs
    assert not np.array_equal(one.requests.at, other.requests.at)


STORMY = Scenario(
    name="stormy",
    title="everything at once",
    requests_per_day=9000,
    behaviour=Behaviour(job_crash=0.2, job_failed=0.1, submit_5xx=0.1, table_throttled=0.05, index_throttled=0.05),
    faults=(Fault(name="slow", start=1.3, end=2.1, times={"llm_time": 4.0}),),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.floats(1, 4 * HOUR - 1), max_size=30, unique=True))
def test_the_result_does_not_depend_on_how_time_is_cut(cuts: list[float]) -> None:
    whole = [service(STORMY, 0.7).run(START + 4 * HOUR)]
    lived = service(STORMY, 0.7)
    cut = [lived.run(START + at) for at in [*sorted(cuts), 4 * HOUR]]
    assert np.array_equal(table(rows_of(whole)), table(rows_of(cut)))
    assert items_of(whole) == items_of(cut)
    assert sorted(f for s in whole for f in s.failures) == sorted(f for s in cut for f in s.failures)


def test_steps_shorter_than_any_call_change_nothing() -> None:
    whole, cut = service(behaving(9000), 0.3), service(behaving(9000), 0.3)
    begin = START + 9.9 * HOUR
    whole.run(begin)
    cut.run(begin)
    in_one = whole.run(begin + 900)
    in_many = [cut.run(begin + at) for at in range(7, 907, 7)]
    many = rows_of(in_many)
    assert np.array_equal(table(in_one.rows), table(many.where(many.emit < begin + 900)))
    assert in_one.rows.only("sync_concurrent").value.max() > 3


def test_24_hours_are_24_times_one_hour() -> None:
    whole = service().run(START + DAY)
    lived = service()
    hours = [lived.run(START + h * HOUR) for h in range(1, 25)]
    assert np.array_equal(table(whole.rows), table(rows_of(hours)))


@pytest.mark.slow
def test_rates_are_near_the_declared() -> None:
    n = 30000
    step = service(behaving(n), 0.1, workers=1000).run(START + DAY)
    seen = step.requests
    assert abs(len(seen.at) - n) < 5 * math.sqrt(n)
    assert seen.is_async.mean() == pytest.approx(0.1, abs=5 * math.sqrt(0.09 / n))
    # Quick ones are 4 %; a generation of 30-60 s never is in time.
    assert seen.ok[~seen.is_async].mean() == pytest.approx(0.04, abs=0.007)
    assert np.percentile(step.rows.only("submit_latency").value, 95) == pytest.approx(400, rel=0.1)
    duration = step.rows.only("worker_duration").value
    assert np.percentile(duration, 95) == pytest.approx(59000, rel=0.02)
    done = [job for job in step.jobs if job.written in ("COMPLETED", "FAILED")]
    assert np.mean([job.failed for job in done]) == pytest.approx(0.002, abs=0.004)
    assert step.rows.only("input_tokens").value.mean() == pytest.approx(7500, rel=0.02)


def test_the_broken_baseline_waits_29_seconds_for_a_5xx_and_is_paid_for() -> None:
    rows = service(share=0.0).run(START + DAY).rows
    broken = rows.only("sync_5xx").value == 1
    latency = rows.only("sync_latency").value
    assert ((latency[broken] >= 29000) & (latency[broken] < 29100)).all()
    assert (latency[~broken] < 29000).all()
    assert rows.only("sync_duration").value.max() > 59000
    assert rows.total("vpr_generated") > 5 * (~broken).sum()
    assert rows.total("vpr_cost_usd") / rows.total("vpr_generated") == pytest.approx(0.0555, rel=0.03)


def test_nothing_is_known_before_it_happened() -> None:
    lived = service(STORMY, 0.5)
    for step in (lived.run(START + at) for at in (1000, 1234.5, 4000, 9000)):
        assert (step.rows.emit < step.end).all()
        assert (step.rows.emit >= step.start).all()
        assert (step.rows.stamp <= step.rows.emit).all()
        assert all(job.created < step.end for job in step.jobs)
        assert all(failure.at < step.end for failure in step.failures)


def test_jobs_in_flight_at_a_boundary_are_seen_so_and_finished_later() -> None:
    lived = service(share=1.0)
    first = lived.run(START + 10 * HOUR + 30)
    under_way = {job.job_id: job for job in first.jobs if job.written != "COMPLETED"}
    assert {job.written for job in under_way.values()} & {"PENDING", "PROCESSING"}
    assert all(job.finished > first.end for job in under_way.values() if job.written == "PROCESSING")
    later = last_seen([lived.run(first.end + 600)])
    assert {later[job_id].written for job_id in under_way} <= {"COMPLETED", "FAILED"}


@pytest.mark.slow
def test_every_change_of_status_is_handed_out_once() -> None:
    lived = service(share=1.0)
    seen: dict[str, list[str]] = {}
    for k in range(1, 600):
        for job in lived.run(START + 9 * HOUR + k * 20).jobs:
            seen.setdefault(job.job_id, []).append(job.written)
    order = ["PENDING", "PROCESSING", "COMPLETED", "FAILED"]
    assert all(order.index(a) < order.index(b) for said in seen.values() for a, b in pairwise(said))


@pytest.mark.slow
def test_a_change_of_the_dial_is_followed_when_clients_read_it() -> None:
    lived = service(behaving(400_000), 0.0, workers=100_000)
    lived.run(START + 9 * HOUR)
    changed = lived.now
    lived.set_weight(0.5)
    seen = lived.run(changed + HOUR).requests
    age = seen.at - changed
    assert seen.is_async[age < 1].mean() < 0.1
    assert seen.is_async[(age > 20) & (age < 40)].mean() == pytest.approx(0.25, abs=0.08)
    assert seen.is_async[age > 60].mean() == pytest.approx(0.5, abs=0.02)


def test_clients_that_do_not_read_the_flags_stay() -> None:
    assert not service(behaving(adoption=0.0), 1.0).run(START + 4 * HOUR).requests.is_async.any()


def test_polls_are_every_five_seconds_until_the_end_is_seen() -> None:
    step = service(behaving(2000), 1.0).run(START + DAY)
    done = [job for job in step.jobs if job.finished < step.end - 10]
    expected = sum(min(math.ceil((job.finished - job.enqueued) / 5), 60) for job in done)
    assert step.rows.total("status_query") == pytest.approx(expected, abs=13 * (len(step.jobs) - len(done)))
    assert step.rows.total("status_completed") + step.rows.total("status_failed") >= len(done)


def test_failed_jobs_are_silent_to_lambda_and_queue() -> None:
    step = service(load("async_failing"), 0.5).run(START + DAY)
    assert step.rows.total("jobs_failed") == len(step.failures) > 1000
    assert step.rows.total("jobs_completed") == step.rows.total("worker_errors") == 0
    assert step.rows.only("dlq_visible").value.max() == 0
    assert {failure.reason for failure in step.failures} == {"LLMError: 401 the provider refused the key"}


def test_submissions_answered_5xx_make_no_job() -> None:
    step = service(load("submit_5xx"), 0.5).run(START + DAY)
    refused = step.requests.is_async & ~step.requests.ok
    assert refused.sum() / step.requests.is_async.sum() == pytest.approx(0.2, abs=0.05)
    assert step.rows.total("submit_5xx") == step.rows.total("submit_errors") == pytest.approx(refused.sum(), abs=2)
    assert step.rows.total("jobs_created") == len(step.jobs)


def test_the_dlq_goes_silent_after_six_idle_hours_and_the_queue_does_not() -> None:
    rows = service().run(START + DAY).rows
    assert rows.only("dlq_visible").stamp.max() < START + 6 * HOUR
    assert rows.only("queue_visible").stamp.max() >= START + DAY - 300


def test_a_twin_that_looks_ahead_leaves_no_trace() -> None:
    plain, looked = service(STORMY, 0.7), service(STORMY, 0.7)
    for at in (HOUR, 1.5 * HOUR, 3 * HOUR):
        ahead = looked.fork().run(START + at)
        assert np.array_equal(table(ahead.rows), table(looked.run(START + at).rows))
        assert np.array_equal(table(ahead.rows), table(plain.run(START + at).rows))


def test_every_public_signal_is_produced_by_some_day() -> None:
    running = service(STORMY, 0.5)
    step = running.run(START + 8 * HOUR)
    running.set_routes(migrated=False, temporary=False)
    gone = running.run(START + 9 * HOUR)
    produced = {SIGNALS[i] for rows in (step.rows, gone.rows) for i in np.unique(rows.signal)}
    assert produced == {name for name in SIGNALS if not name.startswith("d_")}


def test_from_the_migration_on_every_request_is_a_job_whatever_the_flags_say() -> None:
    running = service(load("healthy"), 0.5)
    before = running.run(START + 8 * HOUR)
    assert 0 < before.requests.is_async.sum() < len(before.requests.at)
    running.set_routes(migrated=True, temporary=True)
    after = running.run(START + 12 * HOUR)
    assert after.requests.is_async.all() and after.requests.ok.all() and not after.requests.refused.any()
    # Each on the path that its client chose: half on either.
    counts = [after.rows.total(f"{path}_count") for path in ("sync", "submit")]
    assert min(counts) > 0.4 * sum(counts)
    assert after.rows.total("sync_invocations") <= 2, "only what was still running"
    assert after.rows.total("submit_invocations") == pytest.approx(sum(counts), abs=3)


def test_whoever_still_holds_the_old_weight_is_refused_if_the_route_goes_too_early() -> None:
    running = service(load("healthy"), 1.0)
    running.run(START + 9 * HOUR)
    running.set_routes(migrated=True, temporary=False)
    running.set_weight(0.0)
    step = running.run(START + 10 * HOUR)
    refused = step.requests.at[step.requests.refused]
    assert len(refused) > 0
    assert refused.max() < START + 9 * HOUR + Settings().client_poll_s
    assert step.rows.total("nowhere_4xx") == len(refused)
    assert not step.requests.ok[step.requests.refused].any()


def test_nobody_is_refused_if_the_route_outlives_the_clients_memory() -> None:
    running = service(load("healthy"), 1.0)
    running.run(START + 9 * HOUR)
    running.set_routes(migrated=True, temporary=True)
    running.set_weight(0.0)
    waiting = running.run(START + 9 * HOUR + Settings().client_poll_s)
    running.set_routes(migrated=True, temporary=False)
    after = running.run(START + 12 * HOUR)
    assert waiting.requests.ok.all() and after.requests.ok.all()
    assert not after.requests.refused.any()


def test_a_throttled_table_loses_submissions_and_jobs_until_it_has_enough_units() -> None:
    lived = service(behaving(3000, table_throttled=0.2), 1.0)
    before = lived.run(START + 12 * HOUR)
    assert before.rows.total("table_write_throttles") > 100
    assert before.rows.total("gsi_write_throttles") == 0
    assert 0.1 < before.rows.total("submit_5xx") / before.rows.total("submit_count") < 0.3
    assert {failure.reason.partition(":")[0] for failure in before.failures} >= {"ThrottlingException"}
    lived.set_units(table=100, index=100)
    after = lived.run(START + DAY)
    assert after.rows.total("table_write_throttles") == 0
    assert after.rows.total("submit_5xx") == 0
    assert not [failure for failure in after.failures if failure.reason.startswith("Throttling")]


def test_too_few_units_cure_nothing_and_the_index_wants_its_own() -> None:
    lived = service(behaving(3000, index_throttled=0.2), 1.0)
    lived.set_units(table=100, index=20)
    step = lived.run(START + 12 * HOUR)
    assert step.rows.total("gsi_write_throttles") > 100
    assert step.rows.total("table_write_throttles") == 0


@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=4))
@settings(max_examples=10)
def test_throttled_or_not_time_may_be_cut_anyhow(cuts: list[float]) -> None:
    scenario = behaving(2000, table_throttled=0.3, index_throttled=0.1)
    whole = service(scenario, 0.5).run(START + 4 * HOUR)
    lived, steps = service(scenario, 0.5), []
    for at in sorted({*(START + cut * 4 * HOUR for cut in cuts), START + 4 * HOUR}):
        steps.append(lived.run(at))
    assert rows_of(steps).total("table_write_throttles") == whole.rows.total("table_write_throttles")
    assert rows_of(steps).total("gsi_write_throttles") == whole.rows.total("gsi_write_throttles")


def test_the_units_that_a_job_s_end_costs_are_a_knob() -> None:
    plain, dear = (service(behaving(written_units=units), share=0.5) for units in (1, 100))
    usual, many = (rows_of([one.run(START + 6 * HOUR)]).total("table_writes") for one in (plain, dear))
    assert many > 20 * usual


def test_a_fault_that_comes_with_a_phase_has_its_hours_from_the_shift_on() -> None:
    fault = Fault(name="f", after="07", start=1, end=2, set={"job_failed": 1.0})
    scenario = Scenario(name="s", title="t", faults=(fault,))
    made = service(scenario, share=0.5)
    assert [scenario.begun("06_phase1", 5).at(hour).job_failed for hour in (0, 6.5)] == [0.002, 0.002]
    steps = [made.run(START + 9 * HOUR)]
    made.live_by(made.scenario.begun("07_phase2_50_percent", made.hour))
    steps.append(made.run(START + 13 * HOUR))
    failed = [failure.at for failure in steps[1].failures]
    assert len(failed) > 20 and len(steps[0].failures) < 5
    assert min(failed) > START + 10 * HOUR and max(failed) < START + 11 * HOUR + 120
