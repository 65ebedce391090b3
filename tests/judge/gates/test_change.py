"""A change for the worse inside a soak: how soon it is found, how seldom one is found that is none, and since when."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look, Verdict
from runbook_lib.params.policy import Policy

PRIOR, LIMIT, ALPHA = (1.0, 9.0), 0.02, 0.01
ENOUGH = -math.log(ALPHA)
PER_MINUTE = 3000 / 1440


def minutes(rng: np.random.Generator, rates: np.ndarray) -> tuple[list[int], list[int], np.ndarray]:
    """Failures and requests of each minute, and the minute's place by request, at 3,000 requests a day."""
    at = np.floor(np.cumsum(rng.exponential(1 / PER_MINUTE, len(rates)))).astype(int)
    _, place = np.unique(at, return_inverse=True)
    failed = rng.random(len(rates)) < rates
    return np.bincount(place, failed).astype(int).tolist(), np.bincount(place).tolist(), place


def found_after(rng: np.random.Generator, good: int, share: float, then: int) -> float:
    """Requests since the change until a look after each minute finds it; infinite if none does."""
    bad, n, place = minutes(rng, np.where(np.arange(good + then) < good, 0.002, share))
    for k in range(int(place[good]) + 1, len(bad) + 1):
        # Good minutes take nothing for granted: only a failure can raise the evidence.
        if bad[k - 1] and change.tested(bad[:k], n[:k], LIMIT, PRIOR)[0] >= ENOUGH:
            return sum(n[:k]) - good
    return math.inf


@pytest.mark.parametrize(
    ("good", "share", "most"),
    [
        *[(0, 0.10, 75), (0, 0.2, 27), (0, 0.5, 9), (0, 1.0, 6)],
        *[(300, 0.10, 125), (300, 0.2, 46), (300, 0.5, 15), (300, 1.0, 9)],
        *[(2900, 0.05, 620), (2900, 0.10, 135), (2900, 0.2, 46), (2900, 0.5, 16), (2900, 1.0, 9)],
    ],
)
def test_good_hours_do_not_hide_a_change(good: int, share: float, most: int) -> None:
    """Medians of 61 soaks, looked at each minute; `make bench-judge` has the exact ones, of thousands."""
    rng = np.random.default_rng(7)
    assert np.median([found_after(rng, good, share, 1500) for _ in range(61)]) <= most


def test_a_service_at_the_limit_is_failed_in_at_most_one_soak_of_a_hundred() -> None:
    """A day's 3,000 requests, looked at whenever one failed, 400 soaks: 4 are allowed on the mean, 9 by chance."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(400):
        bad, n, _ = minutes(rng, np.full(3000, LIMIT))
        failing = [k + 1 for k, one in enumerate(bad) if one]
        wrong += any(change.tested(bad[:k], n[:k], LIMIT, PRIOR)[0] >= ENOUGH for k in failing)
    assert wrong <= 9


def wealth(bad: list[int], n: list[int]) -> float:
    """The e-value, and the weight of all the starts that are still to come."""
    starts = sum(one > 0 for one in bad)
    return math.exp(change.tested(bad, n, LIMIT, PRIOR)[0]) + (1 - change.START_SHARE) * change.EVEN / (
        starts + change.EVEN
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.002, 0.1), st.integers(1, 40), st.floats(0.0, LIMIT))
def test_whatever_came_before_the_next_minute_of_a_good_service_adds_nothing_on_average(
    seed: int, before: float, n_next: int, rate: float
) -> None:
    """The promise itself: a martingale at the limit, a supermartingale below it."""
    bad, n, _ = minutes(np.random.default_rng(seed), np.full(300, before))

    def next_at(p: float) -> float:
        return sum(
            math.comb(n_next, k) * p**k * (1 - p) ** (n_next - k) * wealth([*bad, k], [*n, n_next])
            for k in range(n_next + 1)
        )

    assert next_at(LIMIT) == pytest.approx(wealth(bad, n))
    assert next_at(rate) <= wealth(bad, n) * (1 + 1e-9)


def test_the_weights_add_up_to_their_half() -> None:
    assert change.START_SHARE + np.exp(change.weights(10**6)).sum() == pytest.approx(1, abs=1e-5)
    assert change.START_SHARE + np.exp(change.weights(10**6)).sum() <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 40)), min_size=1, max_size=1200))
def test_it_is_a_number_for_any_course_and_the_moment_lies_in_it(course: list[tuple[int, int]]) -> None:
    bad, n = [one for one, _ in course], [one for _, one in course]
    assert not math.isnan(change.tested(bad, n, LIMIT, PRIOR)[0])
    if not any(bad):
        with pytest.raises(ValueError, match="no failure"):
            change.moment(bad, n, LIMIT, PRIOR)
        return
    when = change.moment(bad, n, LIMIT, PRIOR)
    assert 0 <= when.earliest <= when.first <= when.latest < len(course)
    assert bad[when.first] > 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(2, 9)), min_size=1, max_size=80), st.data())
def test_minutes_without_a_failure_may_be_joined(course: list[tuple[int, int]], data: st.DataObject) -> None:
    """A record that keeps every minute and one that joins the good ones say the same."""
    place, good, more = (
        data.draw(st.integers(0, len(course))),
        data.draw(st.integers(1, 30)),
        data.draw(st.integers(1, 9)),
    )

    def told(*between: tuple[int, int]) -> tuple[float, bool]:
        rows = [*course[:place], *between, *course[place:]]
        return change.tested([k for k, _ in rows], [n for _, n in rows], LIMIT, PRIOR)

    assert told((0, good), (0, more)) == pytest.approx(told((0, good + more)))


def test_the_interval_holds_the_change_in_nine_of_ten_soaks() -> None:
    """300 services that turn bad (10 to 50 % fail) after 200 to 2,000 good requests, when the test has found it."""
    rng = np.random.default_rng(5)
    held, named = 0, 0
    while named < 300:
        good = int(rng.integers(200, 2000))
        share = float(rng.choice([0.1, 0.2, 0.5]))
        bad, n, place = minutes(rng, np.where(np.arange(good + 400) < good, 0.002, share))
        for k in range(int(place[good]) + 1, len(bad) + 1):
            if not bad[k - 1]:
                continue
            log_e, later = change.tested(bad[:k], n[:k], LIMIT, PRIOR)
            if log_e >= ENOUGH:
                break
        if not later:
            continue
        when = change.moment(bad[:k], n[:k], LIMIT, PRIOR)
        named += 1
        held += when.earliest <= place[good] <= when.latest
    assert held / named >= 0.9


def course_of(failing: list[int], *, before: int = 600, n: int = 4) -> Evidence:
    """A good service for so many requests, by quarters of an hour, then minutes of `n` requests with failures."""
    start = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    good = [((start + dt.timedelta(minutes=15 * k)).isoformat(), 0, 12) for k in range(before // 12)]
    then = start + dt.timedelta(minutes=15 * len(good))
    rows = [*good, *(((then + dt.timedelta(minutes=k)).isoformat(), bad, n) for k, bad in enumerate(failing))]
    return Evidence(
        measure="success",
        kind="rate",
        start=start.isoformat(),
        end="2026-11-24T12:00:00+00:00",
        query="by hand",
        bad=sum(failing),
        n=sum(row[2] for row in rows),
        course=tuple(rows),
    )


def test_value_interval_n_collapse_and_words_are_those_since_the_change(policy: Policy) -> None:
    gate = policy.gate("success_rate")
    seen = course_of([2, 3, 1, 2, 4, 2])
    result = judge(gate, seen, look=None)
    assert result.verdict is Verdict.FAIL
    assert (result.n, result.value) == (24, pytest.approx(10 / 24))
    assert result.low is not None and result.high is not None
    assert result.low < 10 / 24 < result.high < 0.7
    assert result.since == "2026-11-23T12:30:00+00:00"
    assert result.since_between is not None and result.since_between[0] <= result.since <= result.since_between[1]
    assert result.collapsed, "the time since the change has collapsed, whatever the soak's mean"
    assert result.reason == (
        "success rate 41.7 % (95 % 22.1-63.4 %, n = 24) is below the alert limit 98 %: since 2026-11-23 12:30 UTC "
        "14 of 24 failed, shown at 99 % by the test for a change that holds at every look; the whole time: 97.8 % "
        "(n = 624)."
    )
    without = seen.model_copy(update={"course": ()})
    assert judge(gate, without, look=None).verdict is Verdict.INCONCLUSIVE, "the mean alone hides it"


def test_the_reason_names_the_interval_in_which_the_change_lies(policy: Policy) -> None:
    """A failure some time before may or may not belong to it."""
    result = judge(policy.gate("success_rate"), course_of([1, *[0] * 20, 1, 0, 0, 1, 1, 0, 2, 1, 0, 1, 1]), look=None)
    assert result.since_between is not None and result.since_between[0] < result.since_between[1]
    assert "(the change came between 2026-11-23 12:" in result.reason


def test_a_service_that_was_bad_from_the_start_has_no_change(policy: Policy) -> None:
    result = judge(policy.gate("success_rate"), course_of([1, 2, 1, 2, 1, 1, 2], before=0), look=None)
    assert result.verdict is Verdict.FAIL and result.since is None
    assert "10 of 28 failed, shown at 99 % by the test that holds at every look" in result.reason


def test_failures_whose_time_is_not_known_count_from_the_start(policy: Policy) -> None:
    """What the ledger misses is in the counts and in no minute."""
    seen = course_of([0], before=120).model_copy(update={"bad": 40, "n": 160})
    result = judge(policy.gate("success_rate"), seen, look=None)
    assert result.verdict is Verdict.FAIL and result.since is None and result.n == 160


@pytest.mark.parametrize("look", [None, Look(hours=24, alpha=0.03)])
def test_a_healthy_soak_is_not_failed_by_its_course(policy: Policy, look: Look | None) -> None:
    rows = itertools.chain.from_iterable([1, *[0] * 40] for _ in range(3))
    result = judge(policy.gate("success_rate"), course_of(list(rows), before=720), look=look)
    assert result.verdict is not Verdict.FAIL and result.since is None
