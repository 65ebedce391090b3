from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window, iso
from runbook_lib.observe.jobs.census import count, dated, take, taken
from runbook_lib.observe.jobs.segment import Segment, merge
from runbook_lib.params.load import Params, load_file, params_dir

T = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
WINDOW = Window(T, T + HOUR)
LATER = T + 2 * HOUR


def job(created: dt.datetime, status: str = "COMPLETED", after: float | None = 45.0, **more: Any) -> dict[str, Any]:
    found = {"status": status, "created_at": iso(created), "source": "client", **more}
    if after is not None and status in ("COMPLETED", "FAILED"):
        found["completed_at"] = iso(created + dt.timedelta(seconds=after))
    return found


def counted(*jobs: dict[str, Any], end_settled: dt.datetime = WINDOW.end) -> Segment:
    return count(dated(jobs), WINDOW, end_settled, 300)


def tagged(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: tagged(one) for name, one in value.items()}}
    return {"N": str(value)} if isinstance(value, (int, float)) else {"S": str(value)}


class DynamoDB:
    """A table that answers Scan in pages, keeping what it was asked."""

    def __init__(self, jobs: list[dict[str, Any]], page: int = 2, units: float = 10.0) -> None:
        self.jobs, self.page, self.units, self.requests = jobs, page, units, []

    def scan(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        values = request["ExpressionAttributeValues"]
        start = int(request.get("ExclusiveStartKey", {"at": {"N": "0"}})["at"]["N"])
        part = self.jobs[start : start + self.page]
        low, high = values[":low"]["S"], values[":high"]["S"]
        items = [
            {name: tagged(value) for name, value in one.items()} for one in part if low <= one["created_at"] < high
        ]
        answer: dict[str, Any] = {"Items": items, "ConsumedCapacity": {"CapacityUnits": self.units}}
        if start + self.page < len(self.jobs):
            answer["LastEvaluatedKey"] = {"at": {"N": str(start + self.page)}}
        return answer


@pytest.mark.parametrize(
    ("one", "fate"),
    [
        (job(T), "completed"),
        (job(T, after=300), "completed"),
        (job(T, after=300.001), "late"),
        (job(T, "FAILED"), "failed"),
        (job(T, "PENDING"), "lost"),
        (job(T, "PROCESSING"), "lost"),
        (job(T, "SOMETHING NEW"), "lost"),
        (job(T, after=None), "failed"),
        (job(T, after=-5), "failed"),
        (job(T) | {"completed_at": "yesterday"}, "failed"),
    ],
)
def test_what_became_of_a_job(one: dict[str, Any], fate: str) -> None:
    segment = counted(one)
    assert {name: getattr(segment, name) for name in ("completed", "late", "failed", "lost")} == {
        "completed": 0,
        "late": 0,
        "failed": 0,
        "lost": 0,
        fate: 1,
    }
    assert (segment.n, segment.bad) == (1, fate != "completed")


def test_the_window_is_half_open() -> None:
    assert counted(job(T - MINUTE), job(T), job(WINDOW.end - SECOND), job(WINDOW.end)).n == 2


def test_the_young_are_nothing_yet_even_if_they_are_done() -> None:
    segment = counted(
        job(T),
        job(T + 50 * MINUTE),
        job(T + 51 * MINUTE, "PENDING"),
        job(T + 52 * MINUTE, "FAILED"),
        end_settled=T + 50 * MINUTE,
    )
    assert (segment.n, segment.completed, segment.in_flight) == (1, 1, 1)


def test_probes_are_in_no_users_number() -> None:
    segment = counted(job(T), job(T, source="probe:smoke"), job(T, "FAILED", source="probe:smoke"))
    assert (segment.n, segment.bad, segment.probes, segment.probes_bad) == (1, 0, 2, 1)
    assert len(segment.generation_s) == 1


def test_times_tokens_errors_and_duplicates() -> None:
    segment = counted(
        job(T, after=60, token_usage={"input": 7000.0, "output": 2000.0}, idempotency_key="a"),
        job(T, after=30, token_usage={"input": 500.0}, idempotency_key="a"),
        job(
            T, "FAILED", error="RateLimit: request 12 of job 2f0c9f7e-1111-4222-8333-444455556666", idempotency_key="b"
        ),
        job(T, "FAILED", error="RateLimit: request 99 of job 0a0c9f7e-1111-4222-8333-444455556666", token_usage=None),
    )
    assert (segment.n, segment.completed, segment.failed) == (3, 1, 2), "items under one key are one user"
    assert segment.generation_s == (60,)
    assert (segment.input_tokens, segment.output_tokens, segment.duplicates) == (7500, 2000, 1)
    assert segment.errors == {"RateLimit: request <n> of job <id>": 2}


def test_every_page_is_read_and_paid_for(params: Params) -> None:
    table = DynamoDB([job(T + place * MINUTE) for place in range(5)])
    slept: list[float] = []
    segment = take(table, params, WINDOW, LATER, sleep=slept.append)
    assert segment.n == 5 and segment.read_units == 30
    assert slept == [10 / 200, 10 / 200], "census_reads_per_s is 200; nothing to wait for after the last page"
    assert table.requests[0]["TableName"] == "careervp-jobs-table-prod"
    assert table.requests[0]["ReturnConsumedCapacity"] == "TOTAL"


def test_times_compare_with_and_without_fractions_and_zone(params: Params) -> None:
    jobs = [
        job(T) | {"created_at": text}
        for text in ("2026-11-10T10:00:00.000Z", "2026-11-10T10:00:00", "2026-11-10T10:59:59.999999")
    ]
    for one in jobs:
        one["completed_at"] = "2026-11-10T11:00:30Z"
    assert take(DynamoDB(jobs), params, WINDOW, LATER, sleep=lambda _: None).n == 3


def test_an_early_census_ends_the_deadline_before_now(params: Params) -> None:
    segment = take(DynamoDB([]), params, WINDOW, T + 30 * MINUTE, sleep=lambda _: None)
    assert (segment.end_settled, segment.end) == (T + 25 * MINUTE, WINDOW.end)
    young = take(DynamoDB([]), params, WINDOW, T + MINUTE, sleep=lambda _: None)
    assert young.end_settled == young.start == T


def test_what_its_ttl_may_have_taken_is_a_gap_and_not_counted(params: Params) -> None:
    table = DynamoDB([job(T + MINUTE, "FAILED"), job(T + 40 * MINUTE)])
    now = T + dt.timedelta(hours=24, minutes=30)
    segment = take(table, params, WINDOW, now, sleep=lambda _: None)
    assert segment.gaps == ((T, T + 30 * MINUTE),)
    assert (segment.n, segment.bad) == (1, 0)
    gone = take(table, params, WINDOW, now + 24 * HOUR, sleep=lambda _: None)
    assert gone.gaps == ((T, WINDOW.end),) and gone.n == 0


def test_segments_go_through_json(params: Params) -> None:
    segment = take(DynamoDB([job(T), job(T, "FAILED", error="x")]), params, WINDOW, LATER, sleep=lambda _: None)
    assert Segment.model_validate(json.loads(json.dumps(segment.model_dump(mode="json")))) == segment


def segment(start: float, end: float, **counts: Any) -> Segment:
    at = T + start * HOUR
    return Segment(start=at, end=T + end * HOUR, end_settled=T + end * HOUR, **counts)


def test_merging_names_the_gap() -> None:
    merged = merge([segment(2, 3, completed=5), segment(0, 1, completed=1, failed=2, generation_s=(9.0,))])
    assert (merged.completed, merged.failed, merged.n) == (6, 2, 8)
    assert merged.gaps == ((T + HOUR, T + 2 * HOUR),)
    assert (merged.start, merged.end_settled) == (T, T + 3 * HOUR)


def test_merging_counts_nothing_twice() -> None:
    merged = merge([segment(0, 2, completed=20), segment(1, 3, completed=20), segment(2, 3, completed=10)])
    assert merged.completed == 30 and merged.gaps == ()
    whole = merge([segment(0, 1, completed=10), segment(0, 3, completed=31), segment(2, 3, completed=10)])
    assert whole.completed == 31


def test_merging_takes_the_newest_in_flight_and_all_reads() -> None:
    merged = merge([segment(0, 1, in_flight=4, read_units=10), segment(1, 2, in_flight=1, read_units=20)])
    assert (merged.in_flight, merged.read_units) == (1, 30)


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        merge([])
    empty = segment(1, 1)
    assert merge([empty, segment(1, 2, completed=3)]).n == 3
    assert merge([empty]).n == 0


JOB = st.builds(
    lambda at, status, after, probe: job(
        T + at * SECOND, status, after, source="probe:x" if probe else "client", token_usage={"input": 1.0}
    ),
    st.integers(-900, 4500),
    st.sampled_from(["COMPLETED", "FAILED", "PENDING", "PROCESSING"]),
    st.floats(0, 1200),
    st.booleans(),
)


@given(jobs=st.lists(JOB, max_size=40), cut=st.integers(0, 60), now=st.integers(0, 200))
def test_never_more_failures_than_jobs(jobs: list[dict[str, Any]], cut: int, now: int) -> None:
    end = WINDOW.settled(T + now * MINUTE, 300).end
    one = count(dated(jobs), WINDOW, end, 300)
    assert 0 <= one.bad <= one.n
    assert one.n + one.in_flight + one.probes <= len(jobs)
    assert len(one.generation_s) <= one.n
    middle = T + cut * MINUTE
    first = count(dated(jobs), Window(T, middle), min(middle, end), 300)
    second = count(dated(jobs), Window(middle, WINDOW.end), max(middle, end), 300)
    assert merge([second, first]).bad <= merge([second, first]).n


@given(jobs=st.lists(JOB, max_size=40), cuts=st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_looks_at_the_edges_add_up_to_one_look(jobs: list[dict[str, Any]], cuts: list[int]) -> None:
    edges = [T, *(T + cut * MINUTE for cut in sorted(cuts)), WINDOW.end]
    parts = [count(dated(jobs), Window(a, b), b, 300) for a, b in pairwise(edges)]
    assert merge(parts) == count(dated(jobs), WINDOW, WINDOW.end, 300)


@given(jobs=st.lists(JOB, max_size=40))
def test_every_job_that_counts_is_in_one_step_and_failures_stand_apart(jobs: list[dict[str, Any]]) -> None:
    found = count(dated(jobs), WINDOW, WINDOW.end, 300)
    places = [place for place, _, _ in found.steps]
    assert places == sorted(places)
    assert (sum(bad for _, bad, _ in found.steps), sum(n for _, _, n in found.steps)) == (found.bad, found.n)
    assert all(n == 0 or WINDOW.start.timestamp() // 10 <= place for place, _, n in found.steps)
    for (at, bad, _), (then, worse, _) in pairwise(found.steps):
        assert bad or worse or at // 6 < then // 6, "two good steps of a minute are one"


@given(
    jobs=st.lists(JOB, max_size=30),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=5),
)
def test_overlapping_looks_never_count_a_job_twice(jobs: list[dict[str, Any]], spans: list[tuple[int, int]]) -> None:
    parts = [
        count(dated(jobs), Window(T + a * MINUTE, T + b * MINUTE), T + b * MINUTE, 300)
        for a, b in (sorted(span) for span in spans)
    ]
    whole = count(dated(jobs), WINDOW, WINDOW.end, 300)
    merged = merge(parts)
    for name in ("completed", "failed", "late", "lost", "probes", "input_tokens"):
        assert getattr(merged, name) <= getattr(whole, name)


@pytest.mark.parametrize("late_h", [54, 59, 60.5, 61, 65, 200])
def test_a_look_so_late_that_nothing_is_left_names_the_whole_time_as_a_gap(late_h: float) -> None:
    """The second look came when every job since the first had left the table: 24 to 36 h are unseen, not judged."""
    start = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
    hour = dt.timedelta(hours=1)
    params = load_file(params_dir() / "prod.yaml")
    first = Segment(start=start, end=start + 24 * hour, end_settled=start + 24 * hour, completed=324)
    window = Window(start + 24 * hour, start + 36 * hour)
    fresh = taken(lambda _: ([], 0.0), params, window, start + late_h * hour, since=start)
    merged = merge([first, fresh])
    assert merged.end_settled == start + 36 * hour
    unseen = sum((high - low).total_seconds() for low, high in merged.gaps) / 3600
    gone = min(36.0, max(24.0, late_h - params.service.job_ttl_s / 3600)) - 24
    assert unseen == pytest.approx(gone, abs=0.1)
