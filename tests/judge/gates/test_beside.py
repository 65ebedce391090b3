"""The canary beside its neighbours: swapped arms turn the verdict round, few requests tell nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates.beside import LEAST_PERIODS, Beside, latency, success
from runbook_lib.judge.gates.compare import difference
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

RULE = Beside()
TURNED = {Verdict.PASS: Verdict.FAIL, Verdict.FAIL: Verdict.PASS}


@pytest.fixture(scope="session")
def arm(policy: Policy, see: Callable[..., Evidence]) -> Callable[[int | None, int | None], Evidence]:
    return lambda bad, n: see(policy.gate("success_rate"), bad=bad, n=n)


Arm = Callable[[int | None, int | None], Evidence]


def test_a_working_canary_beside_a_broken_baseline_is_better_beyond_doubt(arm: Arm) -> None:
    found = success(arm(1, 300), arm(2650, 2700), RULE, 0.95)
    assert (found.verdict, found.required) == (Verdict.PASS, False)
    assert "better beyond doubt" in found.reason
    assert found.found == "+97.8 points"
    swapped = success(arm(2650, 2700), arm(1, 300), RULE, 0.95)
    assert swapped.verdict is Verdict.FAIL and swapped.found == "-97.8 points"
    assert "worse beyond doubt" in swapped.reason


def test_as_good_within_the_margin_is_as_good(arm: Arm) -> None:
    assert success(arm(12, 5000), arm(10, 5000), RULE, 0.95).verdict is Verdict.PASS
    assert success(arm(12, 5000), arm(10, 5000), Beside(margin=0.0), 0.95).verdict is Verdict.INCONCLUSIVE
    assert "): too few requests to tell" in success(arm(0, 40), arm(30, 3000), RULE, 0.95).reason


@pytest.mark.parametrize(
    ("canary", "baseline"), [((None, None), (1, 300)), ((1, 300), (0, 0)), ((None, 300), (1, 300))]
)
def test_an_arm_that_cannot_be_seen_is_no_data(arm: Arm, canary: tuple[int, int], baseline: tuple[int, int]) -> None:
    assert success(arm(*canary), arm(*baseline), RULE, 0.95).verdict is Verdict.NO_DATA


counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts, counts)
def test_what_one_side_fails_the_other_passes(arm: Arm, one: tuple[int, int], other: tuple[int, int]) -> None:
    mine, theirs = success(arm(*one), arm(*other), RULE, 0.95), success(arm(*other), arm(*one), RULE, 0.95)
    if mine.verdict is Verdict.FAIL:
        assert theirs.verdict is Verdict.PASS


def test_slower_than_before_is_said_and_swapping_turns_it_round() -> None:
    before = [1.0 + place / 100 for place in range(96)]
    slower = [value + 1 for value in before]
    found = latency(slower, before, RULE, 0.95)
    assert found.verdict is Verdict.FAIL and "it has become slower" in found.reason
    swapped = latency(before, slower, RULE, 0.95)
    assert swapped.verdict is TURNED[found.verdict] and "it is the faster one" in swapped.reason
    same = latency(before, before, RULE, 0.95)
    assert same.verdict is Verdict.PASS and "not become slower to that degree" in same.reason


def test_few_periods_say_nothing() -> None:
    few = [1.0] * (LEAST_PERIODS - 1)
    assert latency(few, [1.0] * 96, RULE, 0.95).verdict is Verdict.NO_DATA
    assert latency([], [], RULE, 0.95).verdict is Verdict.NO_DATA
    mixed = [1.0, 3.0] * (LEAST_PERIODS // 2)
    assert latency(mixed, [0.9, 2.0] * (LEAST_PERIODS // 2), RULE, 0.95).verdict is Verdict.INCONCLUSIVE


def test_what_is_told_word_by_word(arm: Arm) -> None:
    found = success(arm(12, 5000), arm(10, 5000), RULE, 0.95)
    assert (found.title, found.expected) == ("Success, canary against baseline", "at most 1 point worse")
    assert found.reason == (
        "canary minus baseline is -0.0 points (95 % -0.2 points to +0.2 points, n = 5,000 and 5,000): "
        "the canary is not worse by more than 1 point."
    )
    for margin, wanted in ((0.02, "2 points"), (0.014, "1.4 points"), (0.01, "1 point")):
        found = success(arm(12, 5000), arm(10, 5000), Beside(margin=margin), 0.95)
        assert found.expected == f"at most {wanted} worse"
    wider = success(arm(12, 5000), arm(10, 5000), RULE, 0.999)
    assert "(99.9 % -0.4 points to +0.3 points" in wider.reason
    assert success(arm(1, 300), arm(2650, 2700), RULE, 0.95).reason.endswith(": the canary is better beyond doubt.")
    none = success(arm(None, None), arm(1, 300), RULE, 0.95)
    assert (none.reason, none.found) == ("one of the arms cannot be seen.", "not known")


def test_a_little_worse_on_few_requests_is_neither(arm: Arm) -> None:
    """The interval lies below the margin on its good side and reaches beyond it on its bad one."""
    assert success(arm(30, 2000), arm(15, 2000), RULE, 0.95).verdict is Verdict.INCONCLUSIVE


def test_exactly_at_the_margin_is_neither_within_it_nor_beyond(arm: Arm) -> None:
    found = difference(4988, 5000, 4990, 5000, 0.95)
    assert success(arm(12, 5000), arm(10, 5000), Beside(margin=-found.low), 0.95).verdict is Verdict.INCONCLUSIVE
    worse = difference(2000, 3000, 2900, 3000, 0.95)
    assert success(arm(1000, 3000), arm(100, 3000), Beside(margin=-worse.high), 0.95).verdict is Verdict.INCONCLUSIVE
    assert success(arm(1000, 3000), arm(100, 3000), Beside(margin=0.1), 0.95).verdict is Verdict.FAIL


def test_the_latency_is_told_word_by_word() -> None:
    before = [1.0 + place / 100 for place in range(96)]
    slower = [value + 0.5 for value in before]
    found = latency(slower, before, RULE, 0.95)
    assert (found.title, found.expected) == (
        "Submit latency, against the phase before",
        "slower in fewer than 71 % of pairs",
    )
    assert found.found == "88.5 %"
    assert found.reason == (
        "a period of this phase is slower than one of the phase before in 88.5 % of pairs "
        "(95 % 84.1-92.9 %, 96 and 96 periods): it has become slower."
    )
    assert "(99.9 % 81.1-96.0 %" in latency(slower, before, RULE, 0.999).reason
    same = latency(before, before, RULE, 0.95).reason
    assert same.endswith(": it has not become slower to that degree.")
    assert latency([1.0], before, RULE, 0.95).found == "not known"
    assert latency(before, slower, RULE, 0.95).reason.endswith(": it is the faster one.")


def test_exactly_on_the_line_is_beyond_it_on_neither_side() -> None:
    """Arms that do not overlap, or are all alike, have a point for an interval."""
    low, high = [1.0, 2.0] * LEAST_PERIODS, [10.0, 11.0] * LEAST_PERIODS
    assert latency(high, low, Beside(slower=1.0), 0.95).verdict is Verdict.INCONCLUSIVE
    assert latency(low, low[::-1], Beside(slower=0.5), 0.95).verdict is not Verdict.FAIL
    assert latency([5.0] * 20, [5.0] * 20, Beside(slower=0.5), 0.95).verdict is Verdict.INCONCLUSIVE
    assert "not become slower" in latency(low, high, Beside(slower=1.0), 0.95).reason
