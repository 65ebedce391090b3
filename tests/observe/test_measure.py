from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import judge_all
from runbook_lib.judge.model import Evidence, Look, Verdict
from runbook_lib.observe.census import Segment
from runbook_lib.observe.fetch import Answers
from runbook_lib.observe.measure import asks, asks_bounds, measure
from runbook_lib.observe.questions import label
from runbook_lib.observe.traffic import TrafficState
from runbook_lib.observe.window import Window
from runbook_lib.params import Params

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
LOOK = Look(hours=24, alpha=0.03)
LIVE = {
    "queue_visible": 0, "queue_in_flight": 0, "dlq_visible": 0, "dlq_in_flight": 0, "max_receives": 3,
    "memory_mb": {"submit": 256, "worker": 1024, "status": 256}, "timeout_s": {"worker": 300},
}  # fmt: skip


class Soak:
    """A healthy soak of 300 jobs, one every 4.8 minutes; each test spoils what it is about."""

    def __init__(self, params: Params, window: Window, now: dt.datetime, answered: Any) -> None:
        self.params, self.window, self.now, self.answered = params, window, now, answered
        self.live: dict[str, Any] = dict(LIVE)
        self.traffic = TrafficState(
            dial_percent=10,
            switch_on=True,
            weight=10,
            dial_since="2026-11-10T10:00:00Z",
            switch_since="2026-11-01T00:00:00Z",
        )
        self.segment: Segment | None = Segment(
            start=window.start, end=window.end, end_settled=window.end, completed=300,
            generation_s=tuple(30 + place / 10 for place in range(300)),
            input_tokens=300 * 7500, output_tokens=300 * 2200,
        )  # fmt: skip
        minutes = [window.start + place * MINUTE for place in range(2, 1440, 5)]
        jobs, polls, baseline = 300 / len(minutes), 2400 / len(minutes), 2700 / len(minutes)
        each = {
            "async_requests": jobs, "async_5xx": 0.0, "status_requests": polls, "status_5xx": 0.0,
            "sync_requests": baseline, "sync_5xx": baseline,
            "submit_invocations": jobs, "submit_errors": 0.0, "worker_invocations": jobs, "worker_errors": 0.0,
            "status_fn_invocations": polls, "status_fn_errors": 0.0,
            "submit_duration": 60 * jobs, "worker_duration": 45_000 * jobs, "status_fn_duration": 20 * polls,
            "queue_sent": jobs, "queue_received": jobs, "queue_deleted": jobs, "queue_empty_receives": 15.0,
            "table_writes": 3 * jobs, "table_reads": jobs, "gsi_writes": jobs, "gsi_reads": jobs,
            "jobs_created": jobs, "jobs_completed": jobs, "input_tokens": 7500 * jobs, "output_tokens": 2200 * jobs,
        }  # fmt: skip
        self.values: dict[str, Any] = {
            label(name): [(minute, value) for minute in minutes] for name, value in each.items()
        }
        self.values["submit_latency"] = 900.0
        self.values["submit_latency:n"] = 300.0
        for name in ("queue_visible", "dlq_visible"):
            level = 1.0 if name == "queue_visible" else 0.0
            self.values[label(name, "Maximum")] = [(window.start + k * 5 * MINUTE, level * (k % 2)) for k in range(288)]
        self.bounds: dict[str, Any] = {"submit_latency:upper": 1500.0, "submit_latency:low": 700.0}
        self.status: dict[str, str] = {}
        self.look: Look | None = LOOK

    def answers(self) -> Answers:
        first = self.answered(asks(self.params, self.window, self.now), self.values, self.status)
        more = asks_bounds(first, self.params, self.window, self.now, self.look)
        labels = {ask.label for ask in more}
        return first + self.answered(more, {k: v for k, v in self.bounds.items() if k in labels}, self.status)

    def evidence(self) -> dict[str, Evidence]:
        return measure(
            self.answers(), self.segment, self.live, self.traffic, self.params, self.window, self.now, self.look
        )

    def verdicts(self) -> dict[str, Verdict]:
        results = judge_all(self.params.policy.gates, self.evidence(), look=self.look)
        return {result.gate.id: result.verdict for result in results}

    def jobs(self, completed: int) -> None:
        """The census found so many, all of them completed."""
        assert self.segment is not None
        times = tuple(30 + place / 10 for place in range(completed))
        self.segment = self.segment.model_copy(update={"completed": completed, "generation_s": times})

    def drop(self, *metrics: str) -> None:
        for name in list(self.values):
            if name.split(":")[0] in metrics:
                self.values[name] = []


@pytest.fixture
def day(params: Params, soak: Window, now: dt.datetime, answered: Any) -> Soak:
    return Soak(params, soak, now, answered)


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


def test_a_gap_of_the_census_with_jobs_in_it_is_partial(day: Soak) -> None:
    assert day.segment
    gap = (day.window.start, day.window.start + HOUR)
    day.segment = day.segment.model_copy(update={"gaps": (gap,)})
    found = day.evidence()["success"]
    assert found.partial
    assert found.extra["unseen"][0]["created"] == pytest.approx(12.5, abs=0.1)
    assert "no census of 2026-11-10T10:00:00Z" in found.notes[0]


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


def test_where_every_metric_is_late_the_silence_of_one_does_not_prove_another(day: Soak) -> None:
    cut = day.window.end - 4 * HOUR
    for name, points in day.values.items():
        if isinstance(points, list):
            day.values[name] = [(when, value) for when, value in points if when < cut]
    found = day.evidence()["queue_depth"]
    assert (len(found.values), found.expected, found.proven_zero_by) == (240, 288, None)
    assert "the census found 300 jobs, CloudWatch knows of 250 submissions: late or incomplete" in found.notes
    assert day.verdicts()["queue_depth"] is Verdict.INCONCLUSIVE


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
    assert found.start == "2026-11-10T10:32:00Z", "60 s of polling, and the next whole minute"
    assert found.weight == 0.1
    assert found.bad == 294 and found.n == 2938


def test_traffic_that_did_not_shift_fails(day: Soak) -> None:
    day.drop("async_requests")
    found = day.evidence()["observed_split"]
    assert (found.bad, found.n) == (0, 2700) and "no point for the submit route" in found.notes[0]
    assert day.verdicts()["observed_split"] is Verdict.FAIL


def test_the_baseline_is_the_gateways(day: Soak) -> None:
    found = day.evidence()["baseline_success"]
    assert (found.bad, found.n) == (2700, 2700)


def test_cost_adds_up_and_shows_the_tokens_beside_it(day: Soak) -> None:
    found = day.evidence()["cost_per_vpr"]
    assert found.n == 300 and found.value == pytest.approx(found.extra["infrastructure"])
    assert found.value == pytest.approx(0.0013, abs=0.0008), "DOMAIN.md: about $0.0013"
    assert found.extra["llm"] == pytest.approx(7500 * 3e-6 + 2200 * 15e-6)
    assert math.fsum(line["usd"] for line in found.extra["lines"]) == pytest.approx(found.extra["usd"])
    assert found.extra["usd"] == pytest.approx(300 * (found.extra["infrastructure"] + found.extra["llm"]))


def test_the_memory_of_the_worker_comes_from_its_live_configuration(day: Soak) -> None:
    cheap = day.evidence()["cost_per_vpr"].value
    day.live["memory_mb"] = {**LIVE["memory_mb"], "worker": 4096}  # type: ignore[dict-item]
    dear = day.evidence()["cost_per_vpr"].value
    assert cheap and dear and dear > 3 * cheap
    day.live["memory_mb"] = {"submit": 256, "status": 256}
    assert day.evidence()["cost_per_vpr"].value is None
    assert "the memory of worker" in day.evidence()["cost_per_vpr"].notes[0]


def test_cost_without_a_success_is_infinite(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(update={"completed": 0, "failed": 300})
    found = day.evidence()["cost_per_vpr"]
    assert found.value == math.inf and found.n == 0 and found.extra["infinite"] is True
    assert day.verdicts()["cost"] is Verdict.FAIL
    again = Evidence.model_validate_json(found.model_dump_json())
    assert again.value == math.inf


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
        Answers.from_raw(sealed["raw"]), Segment.model_validate(sealed["segment"]), sealed["live"],
        TrafficState.model_validate(sealed["traffic"]), day.params, day.window, day.now, day.look,
    )  # fmt: skip
    assert again == day.evidence()


def test_all_evidence_is_json(day: Soak) -> None:
    for one in day.evidence().values():
        assert Evidence.model_validate_json(one.model_dump_json()) == one
        json.dumps(one.extra, allow_nan=False)


CONFIGURED = {
    "functions": {
        "worker": {"memory_mb": 1024, "architecture": "x86_64"},
        "sync": {"memory_mb": 512, "architecture": "x86_64"},
    },
    "table": {"mode": "PAY_PER_REQUEST", "write_units": 0, "read_units": 0, "since": None},
    "report_days": 7.0,
    "unread": [],
}


def lines(found: Evidence) -> dict[str, float]:
    """USD by item."""
    usd: dict[str, float] = {}
    for line in found.extra["lines"]:
        usd[line["item"]] = usd.get(line["item"], 0.0) + line["usd"]
    return usd


def test_the_cost_has_an_interval_over_the_hours(day: Soak) -> None:
    heavy = [(at, value * (1 + at.hour % 3)) for at, value in day.values[label("worker_duration")]]
    day.values[label("worker_duration")] = heavy
    found = day.evidence()["cost_per_vpr"]
    assert found.low is not None and found.value is not None and found.high is not None
    assert 0 < found.low < found.value < found.high
    assert found.extra["method"] == "delta method over 24 periods"
    day.drop("jobs_completed")
    assert day.evidence()["cost_per_vpr"].low is None, "without the KPIs nobody knows the hours' successes"


def test_what_is_fixed_is_apart(day: Soak) -> None:
    extra = day.evidence()["cost_per_vpr"].extra
    assert extra["fixed"] + extra["variable"] == pytest.approx(extra["infrastructure"])
    # 15 empty receives in each of 288 five minutes, and eight KPI metrics for 24 of a month's 730 hours.
    assert extra["fixed"] * 300 == pytest.approx(15 * 288 * 0.4e-6 + 8 * 0.3 * 24 / 730)


def test_the_scope_of_the_gate_is_the_policys(day: Soak) -> None:
    policy = day.params.policy.model_copy(update={"cost_scope": "total"})
    day.params = day.params.model_copy(update={"policy": policy})
    found = day.evidence()["cost_per_vpr"]
    assert found.value == pytest.approx(found.extra["infrastructure"] + found.extra["llm"])
    assert day.verdicts()["cost"] is Verdict.FAIL, "the tokens are several cents"


def test_the_architecture_and_the_billing_mode_are_the_configured_ones(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    usual = lines(day.evidence()["cost_per_vpr"])
    arm = {**CONFIGURED["functions"], "worker": {"memory_mb": 1024, "architecture": "arm64"}}  # type: ignore[dict-item]
    table = {"mode": "PROVISIONED", "write_units": 200, "read_units": 200, "since": None}
    day.live["configured"] = {**CONFIGURED, "functions": arm, "table": table}
    found = lines(day.evidence()["cost_per_vpr"])
    assert found["lambda.gb_seconds.arm64"] == pytest.approx(300 * 45 * 0.0000133334)
    assert found["lambda.gb_seconds.x86_64"] < usual["lambda.gb_seconds.x86_64"] / 50
    assert found["dynamodb.write_capacity"] == pytest.approx(200 * 24 * 0.00065)
    assert usual["dynamodb.write_units"] > 0 and not found["dynamodb.write_units"]


def test_reports_that_are_never_expired_are_kept_longer(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    week = lines(day.evidence()["cost_per_vpr"])["s3.storage"]
    day.live["configured"] = {**CONFIGURED, "report_days": None}
    assert lines(day.evidence()["cost_per_vpr"])["s3.storage"] == pytest.approx(week * (730 / 24) / 7)


def test_tokens_of_failed_and_crashed_runs_are_paid(day: Soak) -> None:
    assert day.segment
    each = day.evidence()["cost_per_vpr"].extra["llm"]
    finished = {"input_tokens": 280 * 7500, "output_tokens": 280 * 2200}
    day.segment = day.segment.model_copy(update={"completed": 280, "failed": 20, **finished})
    day.values[label("worker_errors")] = [(day.window.start + MINUTE, 10.0)]
    found = day.evidence()["cost_per_vpr"]
    assert found.extra["llm"] == pytest.approx(each * 310 / 280)
    assert any("30 runs called the LLM and left no count" in note for note in found.notes)
    limited = {"LLMError: <n> rate_limit_error: too many requests at a time": 20}
    day.segment = day.segment.model_copy(update={"errors": limited})
    assert day.evidence()["cost_per_vpr"].extra["llm"] == pytest.approx(each * 290 / 280), "refused calls cost nothing"


def test_what_could_not_be_read_is_said(day: Soak) -> None:
    day.live["configured"] = {**CONFIGURED, "unread": ["reading the billing mode: AWS answered AccessDenied"]}
    notes = day.evidence()["cost_per_vpr"].notes
    assert any("AccessDenied" in note for note in notes)
    assert any("logs have no metric" in note for note in notes)
    day.live.pop("configured")
    assert any(note.startswith("the bill assumes") for note in day.evidence()["cost_per_vpr"].notes)


def test_each_part_of_the_window_is_billed_by_its_own_mode(day: Soak) -> None:
    """Rollback 3 provisioned after 18 of 24 hours, and recorded when."""
    table = {"mode": "PROVISIONED", "write_units": 200, "read_units": 200, "since": "2026-11-11T04:00:00Z"}
    day.live["configured"] = {**CONFIGURED, "table": table}
    found = lines(day.evidence()["cost_per_vpr"])
    day.live["configured"] = CONFIGURED
    usual = lines(day.evidence()["cost_per_vpr"])
    assert found["dynamodb.write_capacity"] == pytest.approx(200 * 6 * 0.00065)
    assert found["dynamodb.write_units"] == pytest.approx(usual["dynamodb.write_units"] * 18 / 24, rel=0.01)
    table["since"] = "2026-11-01T00:00:00Z"
    day.live["configured"] = {**CONFIGURED, "table": table}
    assert lines(day.evidence()["cost_per_vpr"])["dynamodb.write_capacity"] == pytest.approx(200 * 24 * 0.00065)
    day.live["configured"] = {**CONFIGURED, "table": {**table, "since": None}}
    assert any("nobody recorded when" in note for note in day.evidence()["cost_per_vpr"].notes)


@pytest.mark.parametrize("metric", ["table_writes", "gsi_reads", "queue_empty_receives", "worker_log_bytes"])
def test_a_bill_of_answers_that_are_not_whole_never_passes(day: Soak, metric: str) -> None:
    day.status[label(metric)] = "PartialData"
    assert day.evidence()["cost_per_vpr"].partial
    assert day.verdicts()["cost"] is not Verdict.PASS


def test_requests_of_our_own_are_said(day: Soak) -> None:
    assert day.segment
    day.segment = day.segment.model_copy(update={"probes": 12})
    assert any("12 requests of our own" in note for note in day.evidence()["cost_per_vpr"].notes)


def test_a_change_of_the_billing_mode_within_the_window_is_said(day: Soak) -> None:
    table = {**CONFIGURED["table"], "since": "2026-11-10T20:00:00Z"}  # type: ignore[dict-item]
    day.live["configured"] = {**CONFIGURED, "table": table}
    assert any("went on demand at 2026-11-10T20:00:00Z" in note for note in day.evidence()["cost_per_vpr"].notes)


def test_the_synchronous_side_pays_for_what_nobody_waited_for(day: Soak) -> None:
    day.live["configured"] = CONFIGURED
    at = day.window.start + MINUTE
    for name, value in {"sync_requests": 100, "sync_5xx": 96, "sync_fn_invocations": 100, "sync_fn_duration": 4.5e6,
                        "vpr_generated": 90, "vpr_cost_usd": 4.5}.items():  # fmt: skip
        day.values[label(name)] = [(at, float(value))]
    found = day.evidence()["cost_per_vpr_sync"]
    assert found.n == 4 and found.extra["llm"] == pytest.approx(4.5 / 90 * 100 / 4), "ten were cut off, and paid for"
    assert found.extra["infrastructure"] > 100 * 45 * 0.5 * 0.0000166667 / 4
    day.values[label("sync_5xx")] = [(at, 100.0)]
    assert day.evidence()["cost_per_vpr_sync"].value == math.inf
    day.drop("sync_fn_invocations")
    assert day.evidence()["cost_per_vpr_sync"].notes == ("no data for sync_fn_invocations",)


def test_the_runbooks_own_bill_is_counted_from_its_own_questions(day: Soak) -> None:
    found = day.evidence()["cost_per_vpr"]
    own = {line["item"]: line["quantity"] for line in found.extra["runbook"]}
    assert own["cloudwatch.metrics_asked"] == sum(len(call["queries"]) for call in day.answers().raw)
    made = [alarm for alarm in day.params.policy.alarms if alarm.owner == "runbook"]
    assert own["cloudwatch.alarm_metrics"] >= len(made) * 24 / 730 * 0.99
    assert own["cloudwatch.dashboards"] == pytest.approx(24 / 730)


def test_prices_that_are_too_old_are_told(day: Soak) -> None:
    assert day.evidence()["cost_per_vpr"].extra["stale"] is None
    old = day.params.prices.model_copy(update={"date": dt.date(2025, 1, 1)})
    day.params = day.params.model_copy(update={"prices": old})
    assert "2025-01-01" in day.evidence()["cost_per_vpr"].extra["stale"]
