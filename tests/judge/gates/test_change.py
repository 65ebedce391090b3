"""A change for the worse inside a soak: how soon it is found, how seldom one is found that is none, and since when."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import change, older
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.sequential import log_e
from runbook_lib.judge.gates.statistics import clopper_pearson
from runbook_lib.judge.model import Evidence, Look, Part
from runbook_lib.judge.terms import OVER_AT_ONCE, Verdict
from runbook_lib.params.policy import Policy

PRIOR, LIMIT, ALPHA = (1.0, 9.0), 0.02, 0.01
ENOUGH = -math.log(ALPHA)
LOOK = Look(hours=24, alpha=0.03)
PER_MINUTE = 3000 / 1440


def minutes(rng: np.random.Generator, rates: np.ndarray) -> tuple[list[int], list[int], np.ndarray]:
    """Failures and requests of each minute, and the minute's place by request, at 3,000 requests a day."""
    at = np.floor(np.cumsum(rng.exponential(1 / PER_MINUTE, len(rates)))).astype(int)
    _, place = np.unique(at, return_inverse=True)
    failed = rng.random(len(rates)) < rates
    return np.bincount(place, failed).astype(int).tolist(), np.bincount(place).tolist(), place


def told(bad: list[int], n: list[int]) -> change.Tested:
    return change.tested(bad, n, LIMIT, PRIOR, ALPHA)


def first_look(bad: list[int], n: list[int]) -> int:
    """Minutes after which a look finds it; more than there are if none does. What was found once stays found."""
    return bisect.bisect_left(range(1, len(bad) + 1), True, key=lambda k: told(bad[:k], n[:k]).log_e >= ENOUGH) + 1


def found_after(rng: np.random.Generator, good: int, share: float, then: int) -> float:
    """Requests since the change until a look after each minute finds it; infinite if none does."""
    bad, n, place = minutes(rng, np.where(np.arange(good + then) < good, 0.002, share))
    k = first_look(bad, n)
    return sum(n[:k]) - good if int(place[good]) < k <= len(bad) else math.inf


@pytest.mark.slow
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
        wrong += told(bad, n).log_e >= ENOUGH
    assert wrong <= 9


def wealth(bad: list[int], n: list[int]) -> float:
    """The e-value at the end, and the weight of all the starts that are still to come."""
    k, m = np.array(bad), np.array(n)
    failing = np.flatnonzero(k) + 1
    parts = zip(np.split(k, failing), np.split(m, failing), strict=True)
    rows = np.array([(int(one.sum()), int(of.sum())) for one, of in parts], dtype=float)
    start = change.START_SHARE * math.exp(float(log_e(sum(bad), sum(n), LIMIT, PRIOR)))
    later = math.exp(change._after_failures(rows[:, 0], rows[:, 1], LIMIT, PRIOR)[-1])
    return start + later + (1 - change.START_SHARE) * change.EVEN / (len(failing) + change.EVEN)


@pytest.mark.slow
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


def opened(bad: list[int], n: list[int]) -> float:
    """The e-value at the end where a start lies before each minute, and the weight of all starts still to come."""
    failing, _, later = change._course(bad, n, LIMIT, PRIOR, None, 0, range(len(bad)))
    start = change.START_SHARE * math.exp(float(log_e(sum(bad), sum(n), LIMIT, PRIOR)))
    rest = 1 - change.START_SHARE
    soon = change.OPENING_SHARE * change.OPENING_EVEN / (len(bad) - 1 + change.OPENING_EVEN)
    return (
        start
        + math.exp(later[-1])
        + rest * ((1 - change.OPENING_SHARE) * change.EVEN / (len(failing) + change.EVEN) + soon)
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.002, 0.1), st.integers(1, 40), st.floats(0.0, LIMIT))
def test_nor_do_the_starts_by_the_clock(seed: int, before: float, n_next: int, rate: float) -> None:
    bad, n, _ = minutes(np.random.default_rng(seed), np.full(300, before))
    for p in (rate, LIMIT):
        chances = [math.comb(n_next, k) * p**k * (1 - p) ** (n_next - k) for k in range(n_next + 1)]
        after = math.fsum(one * opened([*bad, k], [*n, n_next]) for k, one in enumerate(chances))
        assert after <= opened(bad, n) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.002, 0.3), st.integers(1, 200))
def test_what_is_told_is_the_largest_e_value_that_a_look_after_each_part_would_have_seen(
    seed: int, rate: float, count: int
) -> None:
    """A look finds what any look before it would have found; and the grid of rates costs next to nothing."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6, count)
    bad = rng.binomial(n, np.where(rng.random(count) < 0.5, rate, 0.0))
    k, m = bad.tolist(), n.tolist()
    each = [
        older.at_the_end(k[:at], m[:at], LIMIT, PRIOR, (sum(k[:at]), sum(m[:at]))).log_e for at in range(1, count + 1)
    ]
    said = told(k, m)
    # The start that comes with the last failure has its weight already, and no evidence yet: at most a half.
    assert math.exp(said.log_e) == pytest.approx(math.exp(max(each)), rel=0.02, abs=0.5)
    if said.over is not None and said.log_e >= ENOUGH:
        assert each[said.over] == pytest.approx(said.log_e, abs=0.02)
        assert each[-1] < ENOUGH
    if said.peak is not None and said.log_e >= ENOUGH:
        assert each[said.peak] == pytest.approx(said.log_e, abs=0.02)
        assert said.over in (None, said.peak) and (said.over is None) == (each[-1] >= ENOUGH)


def test_a_limit_next_to_nothing_gives_a_number() -> None:
    assert math.isfinite(change.tested([1], [31.0], 5e-324, (2.5, 1.2), 0.95).log_e)


def test_the_weights_add_up_to_their_half() -> None:
    assert change.START_SHARE + np.exp(change.weights(10**6)).sum() == pytest.approx(1, abs=1e-5)
    assert change.START_SHARE + np.exp(change.weights(10**6)).sum() <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 40)), min_size=1, max_size=1200))
def test_it_is_a_number_for_any_course_and_the_moment_lies_in_it(course: list[tuple[int, int]]) -> None:
    bad, n = [one for one, _ in course], [one for _, one in course]
    assert not math.isnan(told(bad, n).log_e)
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

    def said(*between: tuple[int, int]) -> change.Tested:
        rows = [*course[:place], *between, *course[place:]]
        return told([k for k, _ in rows], [n for _, n in rows])

    one, other = said((0, good), (0, more)), said((0, good + more))
    assert (one.log_e, one.later) == (pytest.approx(other.log_e), other.later)


@pytest.mark.slow
def test_the_interval_holds_the_change_in_nine_of_ten_soaks() -> None:
    """300 services that turn bad (10 to 50 % fail) after 200 to 2,000 good requests, when the test has found it."""
    rng = np.random.default_rng(5)
    held, named = 0, 0
    while named < 300:
        good = int(rng.integers(200, 2000))
        share = float(rng.choice([0.1, 0.2, 0.5]))
        bad, n, place = minutes(rng, np.where(np.arange(good + 400) < good, 0.002, share))
        k = first_look(bad, n)
        if k > len(bad) or not told(bad[:k], n[:k]).later:
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


def test_a_dip_that_was_over_before_the_look_is_found(policy: Policy) -> None:
    """The largest e-value there ever was is what counts; the figures are the dip's, and no collapse is told of now."""
    seen = course_of([2, 3, 1, 2, 4, 2, *[0] * 400])
    result = judge(policy.gate("success_rate"), seen, look=LOOK)
    assert result.verdict is Verdict.FAIL and not result.collapsed
    assert (result.n, result.value) == (24, pytest.approx(10 / 24))
    assert result.until is not None and result.since is not None
    assert (result.since, result.until) == ("2026-11-23T12:30:00+00:00", "2026-11-23T12:36:00+00:00")
    assert result.reason.startswith(
        "success rate 41.7 % (95 % 22.1-63.4 %, n = 24) was below the alert limit 98 %: from 2026-11-23 12:30 UTC to "
        "2026-11-23 12:36 UTC 14 of 24 failed, and it is over: 0 of 1,600 since, shown at 99 %"
    )
    assert result.present == pytest.approx(clopper_pearson(1610, 1624, 0.95)), "from its beginning up to now"
    assert judge(policy.gate("success_rate"), seen, look=LOOK, version=OVER_AT_ONCE - 1).present is None
    before = judge(policy.gate("success_rate"), seen, look=LOOK, version=2)
    assert before.since is None and before.until is None, "records of rules 2 forget it, as they did"


def test_a_soak_that_began_badly_and_recovered_says_until_when(policy: Policy) -> None:
    result = judge(policy.gate("success_rate"), course_of([2, 2, 1, 2, 1, *[0] * 300], before=0), look=None)
    assert result.verdict is Verdict.FAIL
    assert (result.since, result.until) == ("2026-11-23T00:00:00+00:00", "2026-11-23T00:05:00+00:00")


def test_each_source_of_a_rate_has_a_course_and_a_share_of_alpha(policy: Policy) -> None:
    """A thousand polls of the status route hide nothing of the submissions."""
    seen = course_of([0, 0, 1, 1, 2, 1, 2, 1, 1, 2], n=4)
    rows, bad, n = seen.course, seen.bad or 0, seen.n or 0
    parts = (Part(name="POST", bad=bad, n=n, course=rows), Part(name="GET", bad=0, n=9000))
    two = seen.model_copy(update={"parts": parts, "n": n + 9000, "course": ()})
    result = judge(policy.gate("error_rate"), two, look=None)
    assert result.verdict is Verdict.FAIL and result.since is not None and result.n is not None and result.n <= 32


def test_a_quantile_since_a_change_is_that_of_the_samples_since(policy: Policy) -> None:
    gate = policy.gate("generation_time")
    seen = course_of([2, 3, 1, 2, 4, 2]).model_copy(update={"kind": "quantile", "value": 61.0})
    blank = judge(gate, seen, look=None)
    assert blank.verdict is Verdict.FAIL and blank.value == 61.0 and "hides a change: since" in blank.reason
    figures = (seen.course[50][0], 171.0, 150.0, None)
    known = judge(gate, seen.model_copy(update={"onward": figures}), look=None)
    assert (known.value, known.low, known.high, known.n) == (171.0, 150.0, None, 24)
    assert "171 s" in known.reason and "14 of 24 beyond 120 s" in known.reason
    other = judge(gate, seen.model_copy(update={"onward": (seen.course[3][0], *figures[1:])}), look=None)
    assert other.value == 61.0, "figures of another time are not those since the change"


def split_of(*hours: tuple[int, int]) -> Evidence:
    """Async requests, and all, of each hour, at a weight of 50 %."""
    start = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    rows = tuple(((start + dt.timedelta(hours=place)).isoformat(), k, n) for place, (k, n) in enumerate(hours))
    return Evidence(
        measure="observed_split",
        kind="split",
        start=start.isoformat(),
        end=(start + dt.timedelta(hours=len(hours))).isoformat(),
        query="by hand",
        bad=sum(k for k, _ in hours),
        n=sum(n for _, n in hours),
        weight=0.5,
        course=rows,
    )


@pytest.mark.parametrize(("then", "value"), [((3, 60), 0.05), ((58, 60), 58 / 60)])
def test_a_split_that_goes_wrong_after_good_hours_is_found_on_either_side(
    policy: Policy, then: tuple[int, int], value: float
) -> None:
    seen = split_of(*[(50, 100)] * 12, then)
    gate = policy.gate("observed_split")
    result = judge(gate, seen, look=None)
    assert result.verdict is Verdict.FAIL and result.value == pytest.approx(value)
    assert result.since == "2026-11-23T12:00:00+00:00" and "were async" in result.reason
    assert judge(gate, seen.model_copy(update={"course": ()}), look=None).verdict is Verdict.INCONCLUSIVE


@pytest.mark.mutants
@pytest.mark.slow
def test_a_split_that_is_what_it_should_be_is_failed_in_at_most_one_soak_of_a_thousand(policy: Policy) -> None:
    """Looked at every hour of a day: 400 soaks, of which the odd one may be."""
    rng, gate = np.random.default_rng(2), policy.gate("observed_split")
    soaks = rng.binomial(40, 0.5, (400, 24))
    wrong = [judge(gate, split_of(*((int(k), 40) for k in soak)), look=None) for soak in soaks]
    assert sum(one.verdict is Verdict.FAIL for one in wrong) <= 3


def test_every_gate_has_a_test_for_a_change_or_says_why_not(policy: Policy) -> None:
    """What can be ordered in time is: a rate, a quantile or a split is found to change, by the gate's own rules."""
    for gate in policy.gates:
        if gate.no_change_test is not None:
            assert len(gate.no_change_test.split()) >= 5, f"{gate.id}: a reason in words"
            continue
        assert gate.kind in ("rate", "quantile", "split"), f"{gate.id}: a {gate.kind} has no course, and says no reason"
        worse = split_of(*[(50, 100)] * 12, (0, 60)) if gate.kind == "split" else course_of([3, 4, 4, 3, 4, 4])
        kind = {"kind": gate.kind} | ({"value": gate.target.limit * 0.9} if gate.kind == "quantile" else {})
        assert judge(gate, worse.model_copy(update=kind), look=None).since is not None, gate.id


@pytest.mark.mutants
@pytest.mark.slow
def test_work_is_linear_in_the_parts() -> None:
    """A week of ten-second steps, each with a failure: of starts by starts it would be four thousand million."""
    begun = time.process_time()
    assert told([1] * 60_000, [50] * 60_000).log_e < ENOUGH
    assert time.process_time() - begun < 5


def test_no_failure_is_forgiven_unless_it_is_said() -> None:
    bad, n = [1, 0, 2], [10, 10, 10]
    assert told(bad, n) == change.tested(bad, n, LIMIT, PRIOR, ALPHA, forgiven=0)
    assert told(bad, n).log_e > change.tested(bad, n, LIMIT, PRIOR, ALPHA, forgiven=1).log_e
