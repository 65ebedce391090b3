from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.window import Window
from runbook_lib.judge.gates.decide import decide
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.evidence.measure import asks, asks_bounds, measure
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import Deployment, TrafficState
from runbook_lib.params.contract import Kpi
from runbook_lib.params.contract_inside import Table
from runbook_lib.params.load import Params
from tests.observe.conftest import HOUR, LIVE, MINUTE, Soak


def test_a_healthy_soak_passes_every_gate(day: Soak) -> None:
    assert set(day.verdicts().values()) == {Verdict.PASS}
    assert not any(one.partial for one in day.evidence().values())


def test_nothing_fetched_passes_no_gate(day: Soak) -> None:
    day.values, day.segment, day.live, day.bounds = {}, None, {}, {}
    assert set(day.verdicts().values()) == {Verdict.NO_DATA}


@pytest.mark.parametrize(
    ("measure", "metrics"),
    [
        ("async_5xx", ("async_requests", "status_requests")),
        ("submit_latency", ("submit_latency",)),
        ("lambda_errors", ("submit_invocations", "worker_invocations", "status_fn_invocations")),
        ("observed_split", ("async_requests", "sync_requests")),
        ("cost_per_vpr", ("worker_invocations",)),
        ("cost_per_vpr", ("worker_duration",)),
        ("queue_depth", ("queue_visible",)),
    ],
)
def test_a_missing_metric_is_no_data(day: Soak, measure: str, metrics: tuple[str, ...]) -> None:
    day.drop(*metrics)
    gate = next(gate.id for gate in day.params.policy.gates if gate.measure == measure)
    assert day.verdicts()[gate] in (Verdict.NO_DATA, Verdict.INCONCLUSIVE)
    if measure != "queue_depth":
        assert day.verdicts()[gate] is Verdict.NO_DATA


@pytest.mark.parametrize("metric", ["async_5xx", "worker_errors", "worker_duration", "async_requests"])
def test_partial_answers_never_pass(day: Soak, metric: str) -> None:
    day.status[label(metric)] = "PartialData"
    measured = {
        "async_5xx": "error_rate",
        "worker_errors": "lambda_errors",
        "worker_duration": "cost",
        "async_requests": "observed_split",
    }
    assert day.verdicts()[measured[metric]] is not Verdict.PASS


def test_success_counts_the_census(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(
        update={"completed": 290, "failed": 6, "late": 3, "lost": 1, "in_flight": 4, "probes": 7}
    )
    found = day.evidence()["success"]
    assert (found.bad, found.n, found.in_flight) == (10, 300, 4)
    assert found.extra["probes"] == 7 and found.extra["lost"] == 1


def test_the_course_has_failures_one_by_one_and_what_lies_between_by_quarters(day: Soak) -> None:
    assert day.segment
    first = int(day.window.start.timestamp() // 10)  # 10:00
    steps = [
        (first, 0, 2),
        (first + 18, 0, 1),
        (first + 31, 1, 2),
        (first + 32, 0, 4),
        (first + 84, 0, 1),
        (first + 90, 0, 3),
        (first + 177, 0, 1),
    ]
    day.segment = day.segment.model_copy(update={"steps": tuple(steps)})
    day.values[label("async_5xx")] = [(day.window.start + 29 * MINUTE, 2.0)]
    found = day.evidence()["success"]
    at = [f"2026-11-10T10:{moment}Z" for moment in ("00:00", "05:10", "05:20", "15:00", "29:00")]
    assert found.course == tuple(zip(at, (0, 1, 0, 0, 2), (3, 2, 5, 3, 3), strict=True))
    assert found.blocks == ()


def test_a_census_of_a_record_without_steps_keeps_its_quarters(day: Soak) -> None:
    assert day.segment
    first = int(day.window.start.timestamp() // 900)
    day.segment = day.segment.model_copy(update={"blocks": ((first, 1, 9), (first + 2, 0, 4))})
    day.values[label("async_5xx")] = [(day.window.start + 31 * MINUTE, 2.0)]
    found = day.evidence()["success"]
    assert found.blocks == (("2026-11-10T10:00:00Z", 1, 9), ("2026-11-10T10:30:00Z", 2, 6))
    assert found.course == ()


def test_a_gap_of_the_census_with_jobs_in_it_is_partial(day: Soak) -> None:
    assert day.segment
    gap = (day.window.start, day.window.start + HOUR)
    day.segment = day.segment.model_copy(update={"gaps": (gap,)})
    found = day.evidence()["success"]
    assert found.partial
    assert found.extra["unseen"][0]["created"] == pytest.approx(12.5, abs=0.1)
    assert "no census of 2026-11-10 10:00 UTC" in found.notes[0]


def test_a_gap_of_the_census_without_jobs_is_none(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(update={"gaps": ((day.window.start, day.window.start + MINUTE),)})
    assert not day.evidence()["success"].partial
    day.drop("jobs_created")
    assert day.evidence()["success"].partial, "no KPI at all does not tell that the gap was empty"


def test_kpis_that_contradict_the_census_are_noted(day: Soak) -> None:
    assert day.evidence()["success"].notes == ()
    day.values[label("jobs_created")] = [(day.window.start, 400.0)]
    assert "VPRJobCreated counts 400" in day.evidence()["success"].notes[0]
    service = day.params.service
    own = service.contract.model_copy(update={"kpi": {"jobs_created": Kpi(metric="ExportsBegun")}})
    day.params = day.params.model_copy(update={"service": service.model_copy(update={"contract": own})})
    assert "KPI ExportsBegun counts 400" in day.evidence()["success"].notes[0], "as the service calls it"


def test_errors_at_the_gateway(day: Soak) -> None:
    day.values[label("async_5xx")] = [(day.window.start, 3.0)]
    day.values[label("status_5xx")] = [(day.window.start, 2.0)]
    found = day.evidence()["async_5xx"]
    assert (found.bad, found.n) == (5, 2700)


def test_no_5xx_published_with_requests_counted_is_zero_and_says_so(day: Soak) -> None:
    day.drop("async_5xx", "status_5xx")
    found = day.evidence()["async_5xx"]
    assert (found.bad, found.n) == (0, 2700) and found.proven_zero_by


def test_never_more_failures_than_requests(day: Soak) -> None:
    day.values[label("async_5xx")] = [(day.window.start, 9000.0)]
    found = day.evidence()["async_5xx"]
    assert (found.bad, found.n) == (2700, 2700) and found.partial and found.notes


def test_lambda_errors_are_zero_where_invocations_prove_it(day: Soak) -> None:
    day.drop("submit_errors", "worker_errors", "status_fn_errors")
    found = day.evidence()["lambda_errors"]
    assert found.bad == 0 and found.n and found.proven_zero_by == "invocations without any Errors"


@pytest.mark.parametrize(
    ("gate", "measure", "errors", "requests"),
    [
        ("error_rate", "async_5xx", "async_5xx", "async_requests"),
        ("error_rate", "async_5xx", "status_5xx", "status_requests"),
        ("lambda_errors", "lambda_errors", "worker_errors", "worker_invocations"),
    ],
)
def test_one_that_is_not_seen_beside_others_never_passes(
    day: Soak, gate: str, measure: str, errors: str, requests: str
) -> None:
    """The others' good figures do not speak for the one whose requests are not counted, still less for its failures."""
    day.drop(requests)
    found = day.evidence()[measure]
    assert found.partial and any("cannot be seen" in note for note in found.notes), found.notes
    assert day.verdicts()[gate] is Verdict.INCONCLUSIVE
    day.values[label(errors)] = [(day.window.start, 40.0)]
    found = day.evidence()[measure]
    assert found.partial and any("40 failures" in note for note in found.notes), found.notes
    assert day.verdicts()[gate] is Verdict.INCONCLUSIVE


@given(
    jobs=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 300), st.booleans()), max_size=60),
    start=st.integers(0, 60),
    hours=st.integers(0, 90),
    now=st.integers(0, 200),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_jobs_across_the_edges_never_give_more_errors_than_runs(
    params: Params, answered: Any, jobs: list[tuple[int, int, bool]], start: int, hours: int, now: int
) -> None:
    """A run lasts minutes, and its error is stamped with its start: wherever the window is cut, k <= n by itself."""
    at = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
    window, clock = Window(at + start * MINUTE, at + (start + hours) * MINUTE), at + now * MINUTE
    # What CloudWatch has: a run is published when it has ended, under the minute in which it began.
    known = [(at + minute * MINUTE, crashed) for minute, lasts, crashed in jobs if minute * 60 + lasts <= now * 60]
    runs, errors = Counter(when for when, _ in known), Counter(when for when, crashed in known if crashed)
    values = {
        label("worker_invocations"): [(when, float(n)) for when, n in runs.items()],
        label("worker_errors"): [(when, float(errors[when])) for when in runs],
    }
    answers = answered(asks(params, window, clock), values)
    state = TrafficState(dial_percent=10, switch_on=True, weight=10, dial_since="2026-11-10T09:00:00Z")
    found = measure(answers, None, LIVE, state, params, window, clock, None)["lambda_errors"]
    settled = [when for when, _ in known if window.start <= when and when + MINUTE <= clock - 10 * MINUTE]
    if found.n:
        assert found.bad is not None and 0 <= found.bad <= found.n <= len(settled)
        assert not any("cut to" in note for note in found.notes)
    asked = [(at + minute * MINUTE, crashed) for minute, _, crashed in jobs]
    inside = [
        crashed
        for when, crashed in asked
        if dt.datetime.fromisoformat(found.start) <= when < dt.datetime.fromisoformat(found.end)
    ]
    assert (found.n or 0, found.bad or 0) == (len(inside), sum(inside)), "every run of the settled part, and no other"


def test_lambda_errors_leave_the_last_minutes_out(day: Soak) -> None:
    day.now = day.window.end
    found = day.evidence()["lambda_errors"]
    assert found.end == "2026-11-11T09:50:00Z", "5 min delay and 5 min in which a job may still crash"
    assert day.evidence()["async_5xx"].end == "2026-11-11T09:55:00Z"


def test_at_weight_zero_silence_is_proven(day: Soak) -> None:
    day.traffic = TrafficState(dial_percent=0, switch_on=True, weight=0, dial_since="2026-11-01T00:00:00Z")
    day.segment = Segment(start=day.window.start, end=day.window.end, end_settled=day.window.end)
    day.values = {name: values for name, values in day.values.items() if name.startswith("sync")}
    found = day.evidence()
    for name in ("success", "async_5xx", "lambda_errors", "submit_latency", "generation_time", "cost_per_vpr"):
        assert found[name].proven_zero_by == "the weight, which was 0 throughout", name
        assert found[name].n == 0
    assert (found["observed_split"].bad, found["observed_split"].n, found["observed_split"].weight) == (0, 2700, 0)


def test_a_weight_that_was_above_zero_in_the_window_proves_nothing(day: Soak) -> None:
    day.traffic = TrafficState(dial_percent=0, switch_on=True, weight=0, dial_since="2026-11-10T20:00:00Z")
    day.drop("async_requests", "status_requests")
    found = day.evidence()["async_5xx"]
    assert found.proven_zero_by is None and found.n is None


def test_latency_is_in_seconds_with_its_bounds(day: Soak) -> None:
    found = day.evidence()["submit_latency"]
    assert (found.value, found.upper, found.low, found.n) == (0.9, 1.5, 0.7, 300)
    assert "p95" in found.query


@pytest.mark.parametrize(
    ("n", "look", "upper"),
    [(300, None, "p97.33"), (58, None, None), (59, None, "p100"), (300, Look(hours=24, alpha=0.05), "p97.33")],
)
def test_the_bound_is_a_higher_percentile(day: Soak, n: int, look: Look | None, upper: str | None) -> None:
    day.values["submit_latency:n"] = float(n)
    first = day.answered(asks(day.params, day.window, day.now), day.values)
    stats = {ask.label: ask.stat for ask in asks_bounds(first, day.params, day.window, day.now, look)}
    assert stats.get("submit_latency:upper") == upper
    low = stats.get("submit_latency:low")
    assert low is None or float(low[1:]) < 95


def test_a_stricter_look_asks_for_a_higher_percentile(day: Soak) -> None:
    def upper(alpha: float) -> float:
        first = day.answered(asks(day.params, day.window, day.now), day.values)
        bounds = asks_bounds(first, day.params, day.window, day.now, Look(hours=24, alpha=alpha))
        return next(float(str(ask.stat)[1:]) for ask in bounds if ask.label == "submit_latency:upper")

    assert upper(0.01) > upper(0.05)


def test_bounds_that_cannot_be_are_not_believed(day: Soak) -> None:
    day.bounds = {"submit_latency:upper": 100.0, "submit_latency:low": 5000.0}
    found = day.evidence()["submit_latency"]
    assert found.upper is None and found.low is None and len(found.notes) == 2
    assert day.verdicts()["submit_latency"] is Verdict.INCONCLUSIVE


def test_two_buckets_give_a_bound_and_say_so(day: Soak) -> None:
    start = day.window.start
    day.values["submit_latency"] = [(start, 900.0), (start + HOUR, 1200.0)]
    found = day.evidence()["submit_latency"]
    assert found.value == 1.2 and "several buckets" in found.notes[0]


def test_samples_without_a_percentile_are_no_data(day: Soak) -> None:
    day.values["submit_latency"] = []
    assert day.verdicts()["submit_latency"] is Verdict.NO_DATA


def test_generation_time_is_exact(day: Soak) -> None:
    found = day.evidence()["generation_time"]
    assert found.value == pytest.approx(30 + 28.4), "the 285th of 300"
    assert found.upper == pytest.approx(30 + 29.2), "the 293rd: one-sided at the look's 3 %"
    assert found.low is not None and found.low < found.value
    assert (found.n, found.bad) == (300, 0)


def test_generation_time_counts_what_is_beyond_the_alert_limit(day: Soak) -> None:
    assert day.segment
    times = (*(50.0 for _ in range(290)), *(121.0 for _ in range(10)))
    day.segment = day.segment.model_copy(update={"generation_s": times, "failed": 2})
    found = day.evidence()["generation_time"]
    assert found.bad == 10
    assert "2 jobs never completed" in found.notes[0]


def test_requests_that_the_table_or_its_index_turns_away_ask_for_scenario_3(day: Soak) -> None:
    quiet = day.evidence()["throttle_events"]
    assert (set(quiet.values), len(quiet.values), quiet.expected) == ({0.0}, 288, 288)
    day.values[label("gsi_write_throttles")] = [(day.window.start + HOUR, 10.0)]
    day.values[label("table_read_throttles")] = [(day.window.start + HOUR, 2.0)]
    found = day.evidence()["throttle_events"]
    assert (max(found.values), found.extra["gsi_write_throttles"]) == (12.0, 10.0)
    assert day.verdicts()["throttling"] is Verdict.FAIL
    outcome = decide("during", judge_all(day.params.policy.gates, day.evidence(), look=None))
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_3")


def test_no_throttle_events_of_a_table_that_nobody_used_or_told_of_are_no_data(day: Soak) -> None:
    day.drop("table_writes")
    assert day.evidence()["throttle_events"].values == ()
    assert day.verdicts()["throttling"] is Verdict.NO_DATA


def test_where_every_metric_is_late_the_silence_of_one_does_not_prove_another(day: Soak) -> None:
    cut = day.window.end - 4 * HOUR
    for name, points in day.values.items():
        if isinstance(points, list):
            day.values[name] = [(when, value) for when, value in points if when < cut]
    found = day.evidence()["queue_depth"]
    assert (len(found.values), found.expected, found.proven_zero_by) == (240, 288, None)
    assert "the census found 300 jobs, CloudWatch knows of 250 submissions: late or incomplete" in found.notes
    assert day.verdicts()["queue_depth"] is Verdict.INCONCLUSIVE
    assert len(day.evidence()["throttle_events"].values) == 240
    assert day.verdicts()["throttling"] is Verdict.INCONCLUSIVE


def test_queue_depth_is_the_peak_of_each_period(day: Soak) -> None:
    found = day.evidence()["queue_depth"]
    assert (len(found.values), found.expected, found.live, found.proven_zero_by) == (288, 288, 0, None)


def test_a_silent_queue_is_empty_if_nothing_was_sent_and_nothing_waits(day: Soak) -> None:
    day.drop("queue_visible", "queue_sent", "async_requests")
    day.jobs(0)
    found = day.evidence()["queue_depth"]
    assert set(found.values) == {0} and found.expected == 288 and found.proven_zero_by
    day.live["queue_visible"] = 4
    assert day.evidence()["queue_depth"].values == ()
    day.live = {}
    assert day.evidence()["queue_depth"].values == ()


def test_a_silent_queue_with_requests_is_no_data(day: Soak) -> None:
    day.drop("queue_visible")
    found = day.evidence()["queue_depth"]
    assert found.values == () and found.proven_zero_by is None


def test_an_idle_night_is_zero_but_a_hole_after_a_backlog_is_missing(day: Soak) -> None:
    night = Window(day.window.start + 12 * HOUR, day.window.start + 20 * HOUR)

    def outside(points: list[tuple[dt.datetime, float]]) -> list[tuple[dt.datetime, float]]:
        return [(when, value) for when, value in points if not night.start <= when < night.end]

    name = label("queue_visible", "Maximum")
    for metric in (name, label("queue_sent"), label("async_requests")):
        day.values[metric] = outside(day.values[metric])
    day.jobs(200)
    missing = day.evidence()["queue_depth"]
    assert len(missing.values) == 288 - 96 and missing.proven_zero_by is None
    day.values[name] = [(when, 0.0) for when, _ in day.values[name]]
    proven = day.evidence()["queue_depth"]
    assert len(proven.values) == 288 and proven.proven_zero_by


def test_a_healthy_dlq_may_have_no_metric_at_all(day: Soak) -> None:
    day.drop("dlq_visible")
    found = day.evidence()["dlq_depth"]
    assert found.values == () and found.expected == 288 and found.live == 0 and found.proven_zero_by
    assert day.verdicts()["dlq"] is Verdict.PASS
    day.live = {}
    assert day.evidence()["dlq_depth"].proven_zero_by is None
    assert day.verdicts()["dlq"] is Verdict.NO_DATA


@pytest.mark.parametrize("live", [{"dlq_visible": 1}, {"dlq_visible": 0, "dlq_in_flight": 1}])
def test_a_message_in_the_dlq_now_fails_even_without_a_metric(day: Soak, live: dict[str, int]) -> None:
    day.drop("dlq_visible")
    day.live.update(live)
    assert day.verdicts()["dlq"] is Verdict.FAIL


def test_the_dlq_settles_late(day: Soak) -> None:
    day.now = day.window.end + 10 * MINUTE
    found = day.evidence()["dlq_depth"]
    assert "33 min" in found.notes[0]
    assert found.extra["settled_until"] == "2026-11-11T09:37:00Z"


def test_the_split_counts_only_minutes_in_effect(day: Soak) -> None:
    day.traffic = day.traffic.model_copy(update={"dial_since": "2026-11-10T10:30:30Z"})
    found = day.evidence()["observed_split"]
    assert found.start == "2026-11-10T10:32:00Z", (
        "60 s of polling, 29 s until the gateway gives up, the next whole minute"
    )
    assert found.weight == 0.1
    assert found.bad == 294 and found.n == 2938


def renewed(*steps: tuple[float, int, str]) -> tuple[Deployment, ...]:
    """Deployments of the dial, newest first, from (percent, minute after 10:00, state) in order of time."""
    made = [
        Deployment(
            number=place,
            state=state,
            percent=percent,
            started_at=f"2026-11-{10 + minute // 1440}T{10 + minute % 1440 // 60:02}:{minute % 60:02}:00Z",
        )
        for place, (percent, minute, state) in enumerate(steps, 1)
    ]
    return tuple(reversed(made))


def test_hours_judged_again_after_the_bake_was_renewed_have_their_split(day: Soak) -> None:
    history = renewed((0, 0, "COMPLETE"), (10, 0, "COMPLETE"), (0, 1446, "COMPLETE"), (10, 1446, "BAKING"))
    since = history[0].started_at
    day.traffic = day.traffic.model_copy(update={"dial_since": since, "history": history})
    day.now = day.window.end + HOUR
    found = day.evidence()["observed_split"]
    assert (found.n, found.extra["since"]) == (3000, "2026-11-10T10:00:00Z")
    assert day.verdicts()["observed_split"] is Verdict.PASS
    # Taken back or shifted anew after the window: nothing of it is the split of the weight in force now.
    for other in (((0, 1446, "COMPLETE"), (50, 1446, "BAKING")), ((0, 1440, "COMPLETE"), (10, 1446, "BAKING"))):
        history = renewed((0, 0, "COMPLETE"), (10, 0, "COMPLETE"), *other)
        day.traffic = day.traffic.model_copy(update={"dial_since": history[0].started_at, "history": history})
        assert day.verdicts()["observed_split"] is Verdict.NO_DATA


def test_a_bake_renewed_twice_counts_from_the_first_shift() -> None:
    steps = [(0, 0, "COMPLETE"), (10, 0, "COMPLETE"), (0, 60, "COMPLETE"), (10, 60, "COMPLETE"), (0, 90, "COMPLETE")]
    history = renewed(*steps, (10, 90, "BAKING"))
    state = TrafficState(dial_percent=10, switch_on=True, weight=10, history=history)
    assert state.before_renewal(60) == "2026-11-10T10:00:00Z"
    assert TrafficState(dial_percent=10, switch_on=True, weight=10, history=history[4:]).before_renewal(60) is None


def test_the_last_request_to_the_old_route_is_counted_when_it_is_answered(day: Soak) -> None:
    day.traffic = day.traffic.model_copy(
        update={"dial_percent": 100, "weight": 100, "dial_since": "2026-11-10T10:30:00Z"}
    )
    # Sent by the flags of 10:30:59, and given up by the gateway 29 s later.
    straggler = day.window.start.replace(hour=10, minute=31)
    day.values[label("sync_requests")] = [(straggler, 60.0)]
    assert day.verdicts()["observed_split"] is Verdict.PASS
    day.values[label("sync_requests")] = [(straggler + MINUTE, 60.0)]
    assert day.verdicts()["observed_split"] is Verdict.FAIL, "more than the allowance for old clients"


def test_traffic_that_did_not_shift_fails(day: Soak) -> None:
    day.drop("async_requests")
    found = day.evidence()["observed_split"]
    assert (found.bad, found.n) == (0, 2700) and "no point for the submit route" in found.notes[0]
    assert day.verdicts()["observed_split"] is Verdict.FAIL


def test_the_baseline_is_the_gateways(day: Soak) -> None:
    found = day.evidence()["baseline_success"]
    assert (found.bad, found.n) == (2700, 2700)


def test_a_window_that_has_not_settled_is_no_data(day: Soak) -> None:
    day.now = day.window.start + MINUTE
    day.values, day.bounds, day.look = {}, {}, None
    day.segment = Segment(start=day.window.start, end=day.window.end, end_settled=day.window.start)
    found = day.evidence()
    assert all("nothing of the window has settled yet" in one.notes for one in found.values())
    assert set(day.verdicts().values()) == {Verdict.NO_DATA}


def test_the_same_answers_give_the_same_evidence_offline(day: Soak) -> None:
    assert day.segment
    answers = day.answers()
    sealed = json.loads(
        json.dumps(
            {
                "raw": answers.raw,
                "segment": day.segment.model_dump(mode="json"),
                "live": day.live,
                "traffic": day.traffic.model_dump(mode="json"),
            },
            allow_nan=False,
        )
    )
    again = measure(
        Answers.from_raw(sealed["raw"]),
        Segment.model_validate(sealed["segment"]),
        sealed["live"],
        TrafficState.model_validate(sealed["traffic"]),
        day.params,
        day.window,
        day.now,
        day.look,
    )
    assert again == day.evidence()


def test_all_evidence_is_json(day: Soak) -> None:
    for one in day.evidence().values():
        assert Evidence.model_validate_json(one.model_dump_json()) == one
        json.dumps(one.extra, allow_nan=False)


def test_how_it_was_asked_is_told_in_the_services_own_words(day: Soak) -> None:
    """An operator repeats the question by them: the runbook's own words stand in no item of the table."""
    table = Table(
        status="phase",
        created_at="queued_s",
        completed_at="printed_s",
        completed=("PRINTED", "MAILED"),
        failed=("SPOILED",),
    )
    contract = day.params.service.contract.model_copy(update={"table": table})
    service = day.params.service.model_copy(update={"contract": contract})
    day.params = day.params.model_copy(update={"service": service})
    asked = {id: one.query for id, one in day.evidence().items()}
    assert "PRINTED or MAILED within 300 s is success; refused, 5xx, SPOILED, later" in asked["success"]
    assert asked["generation_time"].startswith("printed_s - queued_s of every PRINTED or MAILED job")
    assert ": SPOILED with the LLM's 429" in asked["llm_quota"]
    assert "/ jobs PRINTED or MAILED in time" in asked["cost_per_vpr"]
    assert not [one for one in asked.values() if "COMPLETED" in one or "FAILED" in one or "completed_at" in one]
