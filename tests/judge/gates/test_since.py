"""A worse time in figures and words: above all, that it is called over where it is, and nowhere else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.gates.since import Course, Since, found, is_over

LIMIT, PRIOR, ALPHA, GOOD = 0.02, (1.0, 9.0), 0.01, 0.002
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = "2026-01-02T00:00:00+00:00"


def course(*shares: tuple[int, float], seed: int) -> Course:
    """One request a row: so many of each share of failures, drawn."""
    rng = np.random.default_rng(seed)
    failed = np.concatenate([rng.random(count) < share for count, share in shares])
    return [((START + dt.timedelta(seconds=place)).isoformat(), int(bad), 1) for place, bad in enumerate(failed)]


def looks(rows: Course, begins: int, *, supposed: bool) -> list[Since | None]:
    """What a look after each fifty requests finds; looks that find nothing are left out."""
    seen = (found(rows[:last], LIMIT, PRIOR, ALPHA, END, supposed=supposed) for last in range(begins, len(rows), 50))
    return [since for worse, since in seen if worse]


def called_over(share: float, *, supposed: bool) -> float:
    """Of the looks that find a lasting fault: the share of those that call it over."""
    said = [
        one
        for seed in range(12)
        for one in looks(course((1000, GOOD), (1500, share), seed=seed), 1000, supposed=supposed)
    ]
    assert len(said) > 100
    return sum(one is not None and one.until is not None for one in said) / len(said)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_fault_that_lasts_is_not_called_over(share: float) -> None:
    """Where one in twenty fails, the evidence falls below the threshold again and again, by chance alone."""
    assert called_over(share, supposed=False) <= 0.03


def test_older_rules_called_it_over_at_one_look_in_ten() -> None:
    assert called_over(0.05, supposed=True) > 0.12


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
