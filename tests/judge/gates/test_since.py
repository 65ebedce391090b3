"""A worse time in figures and words: above all, that it is called over where it is, and nowhere else."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.gates.since import Course, Since, found, is_over, opens
from runbook_lib.judge.terms import OVER_IS_SHOWN, RULES, UNORDERED

LIMIT, PRIOR, ALPHA, GOOD = 0.02, (1.0, 9.0), 0.01, 0.002
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = "2026-01-02T00:00:00+00:00"


def course(*shares: tuple[int, float], seed: int) -> Course:
    """One request a row: so many of each share of failures, drawn."""
    rng = np.random.default_rng(seed)
    failed = np.concatenate([rng.random(count) < share for count, share in shares])
    return [((START + dt.timedelta(seconds=place)).isoformat(), int(bad), 1) for place, bad in enumerate(failed)]


def looks(rows: Course, begins: int, rules: int) -> list[Since | None]:
    """What a look after each fifty requests finds; looks that find nothing are left out."""
    seen = (found(rows[:last], LIMIT, PRIOR, ALPHA, END, rules=rules) for last in range(begins, len(rows), 50))
    return [since for worse, since in seen if worse]


def test_a_dip_within_one_part_is_found_and_told() -> None:
    """Of 900 good requests, one minute in which 20 of 42 failed, and 900 good ones, known by minutes."""
    minutes = [(0, 42)] * 21 + [(20, 42)] + [(0, 42)] * 21
    rows = [((START + dt.timedelta(minutes=at)).isoformat(), bad, n) for at, (bad, n) in enumerate(minutes)]
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END)
    assert worse and since is not None and (since.at, since.bad, since.n) == (rows[21][0], 20, 42)
    assert since.until == rows[22][0] and since.now == (20, 42 * 22)
    assert found(rows, LIMIT, PRIOR, ALPHA, END, rules=UNORDERED - 1) == (False, None)


def called_over(share: float, rules: int = RULES) -> float:
    """Of the looks that find a lasting fault: the share of those that call it over."""
    said = [one for seed in range(12) for one in looks(course((1000, GOOD), (1500, share), seed=seed), 1000, rules)]
    assert len(said) > 100
    return sum(one is not None and one.until is not None for one in said) / len(said)


@pytest.mark.slow
@pytest.mark.mutants
@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_fault_that_lasts_is_not_called_over(share: float) -> None:
    """Where one in twenty fails, the evidence falls below the threshold again and again, by chance alone."""
    assert called_over(share) <= 0.02


@pytest.mark.mutants
@pytest.mark.slow
def test_older_rules_called_it_over_at_one_look_in_ten() -> None:
    assert called_over(0.05, OVER_IS_SHOWN - 1) > 0.12


def requests_until_over(good: int, length: int, share: float, seed: int, rules: int = RULES) -> int | None:
    """How many good requests after a dip it takes until it is called over; None: more than four thousand."""
    rows = course((good, GOOD), (length, share), (4000, 0.0), seed=seed)
    for more in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000):
        worse, since = found(rows[: good + length + more], LIMIT, PRIOR, ALPHA, END, rules=rules)
        assert worse
        if since is not None and since.until is not None:
            return more
    return None


@pytest.mark.slow
@pytest.mark.mutants
@pytest.mark.parametrize("good", [0, 300, 2900])
@pytest.mark.parametrize(("length", "share", "most"), [(8, 1.0, 20), (100, 1.0, 3), (1000, 1.0, 3), (200, 0.5, 50)])
def test_a_gross_failure_is_called_over_within_a_few_requests(good: int, length: int, share: float, most: int) -> None:
    """However much evidence there is for it: what it had to fall below the threshold took thousands of requests."""
    told = [requests_until_over(good, length, share, seed) for seed in range(4)]
    assert all(one is not None and one <= most for one in told), told


def test_older_rules_told_it_as_lasting_for_thousands() -> None:
    assert (requests_until_over(1000, 100, 1.0, 1, OVER_IS_SHOWN) or math.inf) > 2000


@given(
    parts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans()), min_size=1, max_size=60),
    good=st.integers(0, 60),
)
def test_what_came_since_began_when_it_was_over_or_later(parts: list[tuple[int, int, bool]], good: int) -> None:
    """Rows of one time stamp have no order: none of them lies on either side of the end."""
    at, rows = 0, []
    for bad, more, same in [*parts, *[(0, 5, False)] * good]:
        at += 0 if same else 10
        rows.append(((START + dt.timedelta(seconds=at)).isoformat(), bad, bad + more))
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END)
    if not worse or since is None:
        return
    until = since.until or END
    within = [one for one in rows[since.first :] if one[0] < until]
    assert (since.bad, since.n) == (sum(one[1] for one in within), sum(one[2] for one in within))
    now = sum(one[1] for one in rows[since.first :]), sum(one[2] for one in rows[since.first :])
    assert since.now == now or (since.until is None and since.now[0] * now[1] > now[0] * since.now[1])


@pytest.mark.parametrize("untimed", [0, 400])
def test_good_requests_of_the_last_failures_time_stamp_do_not_hide_it(untimed: int) -> None:
    """They lie on its side of the end, so nothing came after it; and with them the whole time is within the limit."""
    at = [(START + dt.timedelta(seconds=10 * place)).isoformat() for place in range(3)]
    rows = [(at[0], 0, 2), (at[0], 1, 1), (at[1], 2, 3), (at[2], 1, 1), (at[2], 0, 200)]
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END, whole=(4, 207 + untimed))
    assert worse and since is not None
    assert (since.at, since.until, since.bad, since.n, since.now) == (at[0], None, 4, 207, (4, 207))


@pytest.mark.parametrize("length", [8, 20, 50])
def test_a_second_fault_does_not_hide_behind_a_larger_one_that_is_over(length: int) -> None:
    """Among all that came after the first it is far below the limit; it lasts, and it is the present."""
    rows = course((500, GOOD), (100, 1.0), (6000, GOOD), (length, 1.0), seed=1)
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END)
    assert worse and since is not None
    assert (since.first, since.until, since.bad, since.n) == (6600, None, length, length)
    assert since.now == (length, length)


def test_a_weak_second_fault_does_not_make_the_harm_of_the_first_smaller() -> None:
    rows = course((500, GOOD), (1000, 1.0), (5000, 0.0), (800, 0.06), seed=1)
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END)
    assert worse and since is not None and since.until is None and since.first > 6000
    assert since.now[0] / since.now[1] > 1000 / 6800 > since.bad / since.n


def test_the_gravest_of_two_dips_that_are_over_is_told() -> None:
    rows = course((500, 0.0), (100, 1.0), (2000, 0.0), (8, 1.0), (2000, 0.0), seed=1)
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END)
    assert worse and since is not None
    assert (since.first, since.bad, since.n, since.now) == (500, 100, 100, (108, 4108)) and since.until


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize(("length", "share"), [(8, 1.0), (20, 0.6), (100, 0.2)])
def test_a_dip_is_called_over_soon_after_it(length: int, share: float) -> None:
    plays = [course((1000, GOOD), (length, share), (1500, GOOD), seed=seed) for seed in range(12)]
    ends = [found(rows, LIMIT, PRIOR, ALPHA, END) for rows in plays]
    told = [since for worse, since in ends if worse]
    assert len(told) >= 10
    assert all(since is not None and since.until is not None for since in told)


def test_the_words_tell_what_came_after_it() -> None:
    worse, since = found(course((180, 0.0), (10, 1.0), (500, 0.0), seed=1), LIMIT, PRIOR, ALPHA, END)
    assert worse and since is not None
    assert since.told("failed") == (
        "from 2026-01-01 00:03 UTC to 2026-01-01 00:04 UTC 10 of 10 failed, and it is over: 0 of 500 since"
    )


def test_nothing_after_it_shows_nothing() -> None:
    rows = [("2026-01-01T12:30:00+00:00", 6, 6), ("2026-01-01T12:40:00+00:00", 0, 0)]
    worse, since = found(rows, LIMIT, PRIOR, ALPHA, END, whole=(6, 400))
    assert worse and (since is None or since.until is None)


@pytest.mark.parametrize(
    ("worse", "after", "over"),
    [
        ((14, 24), (0, 50), True),
        ((14, 24), (0, 3), False),
        ((19, 225), (6, 158), False),  # a run of failures in a service in which one in twenty fails
        ((19, 225), (0, 80), False),
        ((19, 225), (0, 200), True),
        ((90, 100), (30, 100), False),  # better, and still bad
        ((14, 24), (0, 0), False),
        ((5, 30), (9, 3000), True),
    ],
)
def test_over_is_what_is_better_beyond_doubt_and_not_above_the_limit(
    worse: tuple[int, int], after: tuple[int, int], over: bool
) -> None:
    assert is_over(worse, after, LIMIT) is over


@given(bad=st.integers(1, 40), good=st.integers(0, 400), later=st.integers(0, 5000))
def test_more_good_requests_after_it_never_make_it_last_again(bad: int, good: int, later: int) -> None:
    worse = (bad, bad + good)
    assert not is_over(worse, (0, later), LIMIT) or is_over(worse, (0, later + 1), LIMIT)


def test_of_failures_in_the_same_ten_seconds_the_first_opens_them() -> None:
    seconds = ((0, 1), (12, 0), (13, 1), (15, 1), (31, 1), (31, 1), (59, 0))
    rows = [((START + dt.timedelta(seconds=at)).isoformat(), bad, 1) for at, bad in seconds]
    assert opens(rows) == [0, 0, 1, 0, 3, 0, 0]
