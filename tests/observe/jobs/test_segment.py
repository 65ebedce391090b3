"""Rows of a census: in which order failures came is kept, rows stay few, and older rows stay what they were."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.jobs import segment
from runbook_lib.observe.jobs.segment import ONE_BY_ONE, Row, added_up, joined, ordered

QUARTER = 1_764_201_600.0
JOBS = st.lists(st.tuples(st.integers(0, 18_000).map(lambda at: QUARTER + at / 10), st.booleans()), max_size=60)


def test_good_jobs_before_a_failure_of_the_same_ten_seconds_stay_before_it() -> None:
    good, bad = [(QUARTER + k / 10, False) for k in range(30)], [(QUARTER + 5 + k, True) for k in range(3)]
    place = int(QUARTER // 10)
    assert ordered([*bad, *good, (QUARTER + 8, False)]) == ((place, 1, 31), (place, 1, 1), (place, 1, 1), (place, 0, 1))


@given(JOBS)
def test_each_job_is_in_its_ten_seconds_and_each_failure_ends_a_row(jobs: list[tuple[float, bool]]) -> None:
    rows = ordered(jobs)
    by_place = {
        place: (sum(bad for _, bad in one), len(one))
        for place, same in itertools.groupby(sorted(jobs), key=lambda job: int(job[0] // 10))
        for one in [list(same)]
    }
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert {
        place: (sum(bad for _, bad, _ in same), sum(n for _, _, n in same))
        for place, found in itertools.groupby(rows, key=lambda row: row[0])
        for same in [list(found)]
    } == by_place
    at = 0
    moments = [list(same) for _, same in itertools.groupby(sorted(jobs), key=lambda job: job[0])]
    for _, bad, n in rows:  # of each row only the last moment has failures
        mine = 0
        while mine < n:
            moment = moments[at]
            at, mine = at + 1, mine + len(moment)
            assert mine == n or not any(failed for _, failed in moment)
        assert mine == n and bad == sum(failed for _, failed in moments[at - 1])


def test_after_many_failures_the_rest_of_a_quarter_of_an_hour_is_not_cut() -> None:
    """And what is cut does not depend on what comes later."""
    jobs = [(QUARTER + k / 4, k % 2 == 0) for k in range(4 * 1200)]
    rows = ordered(jobs)
    first = [row for row in rows if row[0] * 10 < QUARTER + 900]
    assert ONE_BY_ONE + 60 < len(first) <= 2 * ONE_BY_ONE + 1
    assert len(rows) > len(first) + ONE_BY_ONE, "the next quarter is cut again"
    for end in (10, 500, 3_000):
        part = ordered(jobs[:end])
        assert part[:-1] == rows[: len(part) - 1]


@given(st.lists(st.dictionaries(st.integers(0, 20), st.tuples(st.integers(0, 3), st.integers(3, 9))), max_size=3))
def test_rows_of_older_records_add_up_as_they_did(counts: list[dict[int, tuple[int, int]]]) -> None:
    rows: list[list[Row]] = [[(place, *one[place]) for place in sorted(one)] for one in counts]
    found = added_up(rows)
    wanted = {
        place: tuple(sum(column) for column in zip(*(one[place] for one in counts if place in one), strict=True))
        for place in sorted({place for one in counts for place in one})
    }
    assert list(found) == [(place, *wanted[place]) for place in wanted]


def test_a_place_of_several_counts_is_one_row() -> None:
    fine, door = [(7, 1, 9), (7, 1, 1), (8, 1, 4)], [(7, 2, 2)]
    assert added_up([fine, door]) == ((7, 4, 12), (8, 1, 4))
    assert added_up([fine, []]) == tuple(fine)
    assert joined(fine, segment.STEPS_A_MINUTE) == tuple(fine)


def test_the_good_rest_of_a_failing_place_may_stay_apart() -> None:
    rows = [(7, 1, 2), (7, 0, 5), (8, 0, 9), (9, 0, 9), (10, 1, 1), (12, 0, 4), (13, 0, 4)]
    assert joined(rows, 90) == ((7, 1, 2), (7, 0, 23), (10, 1, 1), (12, 0, 8))
    assert joined(rows, 90, apart=True) == ((7, 1, 2), (7, 0, 5), (8, 0, 18), (10, 1, 1), (12, 0, 8))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 9)), max_size=60))
def test_joined_apart_no_good_request_has_the_time_of_a_failure_before_its_place(
    steps: list[tuple[int, bool, int]],
) -> None:
    place, rows = 0, []
    for later, bad, n in steps:
        place += later
        rows.append((place, int(bad), n))
    found, plain = joined(rows, 90, apart=True), joined(rows, 90)
    for side in (1, 2):
        assert sum(one[side] for one in found) == sum(one[side] for one in plain) == sum(one[side] for one in rows)
    failing = {at for at, bad, _ in rows if bad}
    for at in failing:
        assert sum(one[2] for one in found if one[0] == at) <= sum(one[2] for one in rows if one[0] == at)
