"""A gate that compares with another arm: what it says of each pair of arms, and when it is no gate."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.judge.gates.against import ALONE, supposed
from runbook_lib.judge.gates.decide import decide
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Arms, Evidence, Gate, GateResult, Hour, Look, Outcome
from runbook_lib.judge.planning.mutation import CONTROL, trial
from runbook_lib.judge.planning.power import fewest
from runbook_lib.judge.terms import OVER_IS_SHOWN, RULES, Decision, Verdict
from runbook_lib.judge.threshold import Threshold

LOOKS = (Look(hours=24, alpha=0.03), Look(hours=30, alpha=0.01))
RATE = Gate.model_validate(
    {
        "id": "beside_baseline",
        "title": "Success beside the baseline",
        "kind": "rate",
        "measure": "success",
        "unit": "ratio",
        "target": "> 0.99",
        "alert": "< 0.98",
        "collapse": "< 0.90",
        "against": "baseline",
        "margin": 0.01,
        "response": "switch_off",
        "min_samples": 100,
        "why": "a canary that is no worse than what it replaces",
    }
)
ERRORS = Gate.model_validate(
    {
        **RATE.model_dump(),
        "id": "errors",
        "measure": "async_5xx",
        "target": "< 0.01",
        "alert": "> 0.02",
        "collapse": None,
    }
)
LATENCY = Gate.model_validate(
    {
        **RATE.model_dump(),
        "id": "latency",
        "title": "P95 submit latency beside the phase before",
        "kind": "quantile",
        "quantile": 0.95,
        "measure": "submit_latency",
        "unit": "s",
        "target": "< 3",
        "alert": "> 5",
        "implausible": "< 0.005",
        "collapse": None,
        "against": "phase_before",
        "margin": 0.02,
    }
)


def hours(bad: int, n: int, other_bad: int, other_n: int, count: int = 24, **more: Any) -> tuple[Hour, ...]:
    figures = {"bad": bad, "most": bad, "n": n, "other_bad": other_bad, "other_most": other_bad, "other_n": other_n}
    return tuple(Hour(at=f"2026-01-05T{at:02d}:00:00Z", **{**figures, **more}) for at in range(count))


def seen(gate: Gate, arms: Arms, **more: Any) -> Evidence:
    bad, n = sum(one.most for one in arms.hours), sum(one.n for one in arms.hours)
    own = {"bad": bad} if gate.kind == "rate" else {"value": 1.0}
    window = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z", "query": "by hand"}
    return Evidence.model_validate(
        {"measure": gate.measure, "kind": gate.kind, **window, **own, "n": n, "arms": (arms,), **more}
    )


def said(gate: Gate, rows: tuple[Hour, ...], *, look: Look | None = LOOKS[0], **more: Any) -> GateResult:
    arms = Arms(gate=gate.id, other="the baseline", share=0.1, hours=rows, **more.pop("arms", {}))
    version = more.pop("version", RULES)
    return judge(gate, seen(gate, arms, **more), look=look, looks=LOOKS, version=version)


@pytest.mark.parametrize("gate", [RATE, ERRORS, LATENCY], ids=lambda gate: gate.id)
@pytest.mark.parametrize(
    ("rows", "interim", "final"),
    [
        (hours(0, 30, 0, 270), Verdict.INCONCLUSIVE, Verdict.PASS),
        (hours(3, 30, 2, 270), Verdict.FAIL, Verdict.FAIL),
        (hours(1, 30, 2, 270), Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (hours(0, 1, 0, 9), Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (hours(0, 30, 0, 0), Verdict.NO_DATA, Verdict.NO_DATA),
    ],
)
def test_the_table_of_verdicts(gate: Gate, rows: tuple[Hour, ...], interim: Verdict, final: Verdict) -> None:
    assert said(gate, rows, look=None).verdict is interim
    assert said(gate, rows).verdict is final


def test_a_pass_says_both_values_the_difference_and_the_bound() -> None:
    found = said(RATE, hours(0, 30, 0, 270))
    assert found.reason == (
        "success beside the baseline 100.0 % (n = 720), of the baseline 100.0 % (n = 6,480): -0.00 points "
        "(95 % -0.51 to +0.06): its 97 % bound -0.49 points is within the margin of 1 point."
    )
    both = found.compared
    assert both is not None and (both.value, both.other_value, both.other_n, both.other) == (1, 1, 6480, "the baseline")


def test_of_few_samples_it_says_how_few() -> None:
    found = said(RATE, hours(0, 1, 0, 9))
    assert ", which rests on fewer than 100 samples" in found.reason and found.needed == 76


def test_how_many_more_would_decide_it_is_a_number_only_where_they_would() -> None:
    found = said(RATE, hours(0, 5, 0, 45))
    assert found.needed is not None and 200 < found.needed < 500 and f"{found.needed} more requests" in found.reason
    assert said(RATE, hours(1, 30, 2, 270)).needed is None, "it is worse by more than the margin"


def test_a_quantile_is_told_by_the_share_beyond_its_limit() -> None:
    assert "beyond 5 s are 0.0 % (n = 720), of the baseline" in said(LATENCY, hours(0, 30, 0, 270)).reason


def test_a_fail_is_final_at_any_look_and_says_so() -> None:
    found = said(RATE, hours(3, 30, 2, 270), look=None)
    assert found.reason.endswith(
        "worse by more than 1 point, shown at 99 % by the test of both arms that holds at every look."
    )
    assert (found.alpha, found.collapsed) == (0.01, False) and found.compared is not None
    assert found.compared.difference == pytest.approx(-(0.1 - 2 / 270))
    assert found.compared.low < found.compared.difference < found.compared.high < -0.01
    assert said(RATE, hours(6, 30, 2, 270), look=None).collapsed


def test_of_failures_positive_is_bad_and_of_successes_negative() -> None:
    good, bad = said(RATE, hours(3, 30, 2, 270)).compared, said(ERRORS, hours(3, 30, 2, 270)).compared
    assert good is not None and bad is not None
    assert (bad.difference, bad.low, bad.high) == pytest.approx((-good.difference, -good.high, -good.low))
    assert (bad.value, bad.other_value) == pytest.approx((1 - good.value, 1 - good.other_value))


@pytest.mark.parametrize(
    ("gate", "told"),
    [(RATE, "3.7 % (95 % 3.3-4.2 %, n = 6,480)"), (LATENCY, "96.3 % beyond 5 s (95 % 95.8-96.7 %, n = 6,480)")],
)
def test_beside_a_baseline_that_is_broken_it_is_no_gate(gate: Gate, told: str) -> None:
    for look in (None, LOOKS[0]):
        found = said(gate, hours(3, 30, 260, 270), look=look)
        assert found.verdict is Verdict.INCONCLUSIVE and found.gate.muted == "the baseline is itself broken"
        assert (
            f"is no gate here: the baseline is itself broken, {told}: being as good as that shows nothing."
            in found.reason
        )


def test_what_is_no_gate_does_not_decide() -> None:
    own = Gate.model_validate({**RATE.model_dump(), "id": "own", "against": None, "margin": None})
    passed = judge(own, seen(own, Arms(gate="own", other="", hours=hours(0, 30, 0, 1))), look=LOOKS[0], looks=LOOKS)
    alone = said(RATE, hours(0, 30, 0, 0), arms={"absent": "at a weight of 100 % nobody is sent to the baseline"})
    assert passed.verdict is Verdict.PASS and alone.gate.muted == ALONE
    outcome: Outcome = decide("after", [passed, alone], percent=100)
    assert outcome.decision is Decision.PROMOTE
    assert f"not counted: success beside the baseline INCONCLUSIVE (muted: {ALONE})" in outcome.reason
    undecided = said(RATE, hours(0, 1, 0, 9))
    assert decide("after", [passed, undecided], percent=10).decision is Decision.SOAK, "too few are too few"


def test_a_worse_canary_rolls_back_where_the_baseline_works() -> None:
    found = said(RATE, hours(3, 30, 2, 270))
    window = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z", "query": "q"}
    baseline = Evidence.model_validate({"measure": "b", "kind": "rate", **window, "bad": 48, "n": 6480})
    outcome = decide("during", [found], percent=10, baseline=baseline)
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")


def test_an_hour_that_goes_on_is_not_counted_for_a_fail() -> None:
    """Its counts still grow; the bet on it is settled when it is over."""
    rows = (*hours(0, 30, 0, 270, count=2), *hours(20, 30, 0, 270, count=3)[2:])
    end = {"end": "2026-01-05T02:40:00Z"}
    assert said(RATE, rows, look=None, **end).verdict is Verdict.INCONCLUSIVE
    assert said(RATE, rows, look=None, end="2026-01-05T03:00:00Z").verdict is Verdict.FAIL


def test_what_was_shown_once_stays_shown() -> None:
    bad, good = hours(6, 30, 2, 270, count=6), hours(0, 30, 2, 270)[6:]
    assert said(RATE, bad, look=None).verdict is Verdict.FAIL
    assert said(RATE, (*bad, *good), look=None).verdict is Verdict.FAIL


def test_a_canary_that_becomes_worse_late_fails_with_the_figures_since_then() -> None:
    """Twenty-two good hours, then three of ten fail."""
    rows = (*hours(0, 10, 1, 90)[:22], *hours(3, 10, 1, 90)[22:])
    more = tuple(one.model_copy(update={"at": one.at.replace("-05T", "-06T")}) for one in hours(3, 10, 1, 90)[:4])
    found = said(RATE, (*rows, *more), look=None, end="2026-01-06T04:00:00Z")
    assert (found.verdict, found.since, found.until) == (Verdict.FAIL, "2026-01-05T22:00:00Z", None)
    assert (found.value, found.n, found.collapsed) == (pytest.approx(0.7), 60, True)
    assert found.low is not None and found.high is not None and found.low < 0.7 < found.high
    assert found.compared is not None and found.compared.difference == pytest.approx(-(0.3 - 1 / 90))
    assert (found.since_between, found.alpha) == (("2026-01-05T20:00:00Z", "2026-01-05T23:00:00Z"), 0.01)
    assert found.reason == (
        "success beside the baseline 70.0 % (n = 60), of the baseline 98.9 % (n = 540): -28.89 points "
        "(95 % -42.12 to -17.66): worse by more than 1 point since 2026-01-05 22:00 UTC (the change came between "
        "2026-01-05 20:00 UTC and 2026-01-05 23:00 UTC), shown at 99 % by the test of both arms for a change that "
        "holds at every look; the whole time: -5.32 points (n = 280)."
    )


def test_a_time_that_was_worse_and_is_over_fails_says_until_when_and_is_no_collapse() -> None:
    """Seen at the next look, hours later; how it is now is counted from its beginning to the end."""
    rows = (*hours(0, 30, 2, 270)[:8], *hours(12, 30, 2, 270)[8:10], *hours(0, 30, 2, 270)[10:])
    found = said(RATE, rows, look=None)
    assert (found.verdict, found.since) == (Verdict.FAIL, "2026-01-05T08:00:00Z")
    assert (found.until, found.n, found.collapsed) == ("2026-01-05T10:00:00Z", 60, False)
    assert "to 2026-01-05 10:00 UTC" in found.reason
    assert "and it is over: since then +0.74 points (n = 420), shown at" in found.reason
    assert said(RATE, rows, look=None, version=OVER_IS_SHOWN - 1).until == found.until
    once = said(RATE, rows[:10], look=None, end="2026-01-05T10:00:00Z")
    assert once.until is None and once.collapsed


def test_a_gross_failure_is_over_at_the_next_look() -> None:
    """All of an hour failed: for days the evidence for it stays above the threshold."""
    rows = (*hours(0, 30, 2, 270)[:8], *hours(30, 30, 2, 270)[8:9], *hours(0, 30, 2, 270)[9:])
    found = said(RATE, rows[:10], look=None, end="2026-01-05T10:00:00Z")
    assert (found.verdict, found.until, found.n) == (Verdict.FAIL, "2026-01-05T09:00:00Z", 30)
    before = said(RATE, rows, look=None, version=OVER_IS_SHOWN)
    assert before.until is None
    fresh = said(RATE, (*rows[:9], *hours(30, 30, 2, 270)[9:10]), look=None, end="2026-01-05T09:30:00Z")
    assert (fresh.until, fresh.n) == (None, 60), "the hour that goes on fails as well"


def test_a_second_fault_does_not_hide_behind_a_larger_one_that_is_over() -> None:
    """All of two hours failed, then twelve were good; in the last one all fail again."""
    good, bad = hours(0, 300, 2, 2700), hours(300, 300, 2, 2700)
    rows = (*good[:4], *bad[4:6], *good[6:23], *hours(40, 40, 2, 2700)[23:])
    first = said(RATE, rows[:23], look=None, end="2026-01-05T23:00:00Z")
    assert (first.until, first.n) == ("2026-01-05T06:00:00Z", 600)
    found = said(RATE, rows, look=None)
    assert (found.since, found.until, found.n, found.collapsed) == ("2026-01-05T23:00:00Z", None, 40, True)


def test_a_worse_time_without_enough_after_it_lasts() -> None:
    """Four good hours of ten requests: the evidence falls below the threshold, and nobody knows that it is over."""
    rows = (*hours(0, 10, 0, 90)[:12], *hours(2, 10, 1, 90)[12:17], *hours(0, 10, 0, 90)[17:21])
    found = said(RATE, rows, look=None, end="2026-01-05T21:00:00Z")
    assert (found.verdict, found.since, found.until, found.n) == (Verdict.FAIL, "2026-01-05T12:00:00Z", None, 90)
    before = said(RATE, rows, look=None, end="2026-01-05T21:00:00Z", version=OVER_IS_SHOWN - 1)
    assert (before.verdict, before.until, before.n) == (Verdict.FAIL, "2026-01-05T17:00:00Z", 50)


def test_a_soak_that_began_worse_and_has_not_recovered_for_sure_is_told_as_a_whole() -> None:
    rows = (*hours(2, 10, 1, 90)[:3], *hours(0, 10, 0, 90)[3:6])
    found = said(RATE, rows, look=None, end="2026-01-05T06:00:00Z")
    assert (found.verdict, found.since, found.until, found.n) == (Verdict.FAIL, None, None, 60)
    more = said(RATE, (*rows, *hours(0, 60, 0, 540)[6:14]), look=None, end="2026-01-05T14:00:00Z")
    assert (more.since, more.until, more.n) == ("2026-01-05T00:00:00Z", "2026-01-05T03:00:00Z", 30)


@pytest.mark.parametrize(("bad", "told"), [(0, "nothing shows"), (1, "that does not yet show")])
def test_so_far_the_words_agree_with_the_difference(bad: int, told: str) -> None:
    found = said(RATE, hours(bad, 30, 0, 270, count=2), look=None)
    assert f"so far: {told} that it is worse by more than 1 point" in found.reason


def test_a_latency_that_becomes_worse_keeps_its_whole_quantile_and_says_since_when() -> None:
    rows = (*hours(0, 30, 2, 270)[:18], *hours(12, 30, 2, 270)[18:])
    found = said(LATENCY, rows, look=None)
    assert (found.verdict, found.since, found.value) == (Verdict.FAIL, "2026-01-05T18:00:00Z", 1.0)
    assert found.compared is not None and found.compared.value == pytest.approx(0.4)


@pytest.mark.parametrize("gate", [RATE, LATENCY], ids=lambda gate: gate.id)
def test_the_hours_of_a_change_may_be_of_the_phase_before(gate: Gate) -> None:
    beside = Gate.model_validate({**gate.model_dump(), "against": "phase_before"})
    rows = (*hours(0, 30, 2, 270)[:18], *hours(12, 30, 2, 270)[18:])
    found = said(beside, rows, look=None)
    assert (found.verdict, found.since) == (Verdict.FAIL, "2026-01-05T18:00:00Z")


def test_records_of_rules_3_are_judged_by_the_whole_soak() -> None:
    rows = (*hours(0, 10, 1, 90)[:20], *hours(3, 10, 1, 90)[20:])
    evidence = seen(RATE, Arms(gate=RATE.id, other="the baseline", share=0.1, hours=rows))
    then, now = (judge(RATE, evidence, look=None, looks=LOOKS, version=version) for version in (3, 4))
    assert (then.verdict, then.since) == (Verdict.INCONCLUSIVE, None)
    assert (now.verdict, now.since) == (Verdict.FAIL, "2026-01-05T20:00:00Z")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), min_size=1, max_size=24))
def test_what_fails_says_a_time_within_the_soak(failures: list[tuple[int, int]]) -> None:
    rows = tuple(
        hour.model_copy(update={"bad": k, "most": k, "other_bad": j, "other_most": j})
        for hour, (k, j) in zip(hours(0, 12, 0, 108), failures, strict=False)
    )
    end = f"2026-01-05T{len(rows):02d}:00:00Z" if len(rows) < 24 else "2026-01-06T00:00:00Z"
    found = said(RATE, rows, look=None, end=end)
    assert found == said(RATE, rows, look=None, end=end)
    if found.since is None:
        assert found.until is None and found.since_between is None
        return
    assert found.verdict is Verdict.FAIL and found.since_between is not None
    low, high = found.since_between
    assert "2026-01-05T00:00:00Z" <= low <= found.since < (found.until or end) and low <= high <= end
    assert found.n is not None and found.n % 12 == 0 and 0 < found.n <= 12 * len(rows)


def test_doubt_keeps_it_from_passing_and_does_not_fail_it() -> None:
    doubted = hours(0, 30, 0, 270, most=3)
    assert said(RATE, doubted, look=None).verdict is Verdict.INCONCLUSIVE
    assert said(RATE, doubted).verdict is Verdict.INCONCLUSIVE
    slow = hours(3, 30, 0, 270, other_most=40)
    assert said(LATENCY, slow).verdict is Verdict.INCONCLUSIVE, "the other arm may have been as slow"


def test_partial_data_of_either_arm_never_pass() -> None:
    rows = hours(0, 30, 0, 270)
    for more in ({"arms": {"partial": True}}, {"partial": True}):
        found = said(RATE, rows, **more)
        assert found.verdict is Verdict.INCONCLUSIVE and "partial data never passes" in found.reason


def test_the_second_day_of_a_soak_is_held_against_the_same_hours_of_the_day_before() -> None:
    """The phase before lasted a day, this one goes on: at its look all of it counts, and no hour is bet on twice."""
    first = hours(0, 15, 0, 30)
    later = tuple(
        one.model_copy(update={"at": one.at.replace("-05T", "-06T"), "other_n": 0}) for one in hours(2, 15, 0, 1)
    )
    rows = (*first, *(one.model_copy(update={"other_bad": 0}) for one in later[:12]))
    gate = Gate.model_validate({**RATE.model_dump(), "against": "phase_before"})
    found, alone = said(gate, rows), said(RATE, rows)
    assert found.compared is not None and found.compared.value == pytest.approx(1 - 24 / 540)
    assert alone.compared is not None and alone.compared.difference == 0, "of the baseline only the same hour counts"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"bad": None, "n": None}, "nothing was counted in the window"),
        ({"bad": 9, "n": 5}, "9 failures of 5 requests are impossible"),
        ({"arms": ()}, "its hours are not known"),
        ({"n": 0, "bad": 0}, "nothing was counted in the window"),
    ],
)
def test_no_data_is_no_data(fields: dict[str, Any], told: str) -> None:
    evidence = seen(RATE, Arms(gate=RATE.id, other="the baseline", hours=hours(0, 30, 0, 270)))
    found = judge(RATE, evidence.model_copy(update=fields), look=LOOKS[0], looks=LOOKS)
    assert found.verdict is Verdict.NO_DATA and told in found.reason


def test_counts_that_cannot_be_are_no_data() -> None:
    found = said(RATE, (*hours(0, 30, 0, 270)[:-1], *hours(1, 30, 0, 270, most=0)[-1:]))
    assert (
        found.verdict is Verdict.NO_DATA
        and "both arms in the hour of 2026-01-05 23:00 UTC are impossible" in found.reason
    )


def test_what_a_gate_that_compares_lets_through_is_tried_as_of_any_other() -> None:
    trials = trial([RATE, ERRORS, LATENCY], look=LOOKS[0], looks=LOOKS)
    assert [(one.gate, one.mutation, one.reason) for one in trials if not one.ok] == []
    assert sum(one.mutation == CONTROL for one in trials) == 3


def test_how_many_requests_it_wants_is_known_beforehand() -> None:
    n = fewest(RATE, LOOKS[0])
    assert n is not None and 300 < n < 400
    window = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z", "query": "q", "bad": 0}
    for few, verdict in ((n - 1, Verdict.INCONCLUSIVE), (n, Verdict.PASS)):
        evidence = Evidence.model_validate({"measure": "success", "kind": "rate", **window, "n": few})
        assert judge(RATE, supposed(RATE, evidence), look=LOOKS[0], looks=LOOKS).verdict is verdict


@given(st.integers(100, 2000), st.integers(0, 3), st.integers(1, 9))
def test_what_it_says_would_decide_it_does_if_nothing_changes(n: int, bad: int, times: int) -> None:
    """Counts cannot be fractions: the canary's failures are rounded down, the other arm's up."""
    found = judged_at(LOOKS[-1], bad, n, bad * times, n * times)
    if found.needed is None:
        return
    more = 1 + found.needed / n
    after = (math.floor(bad * more), math.ceil(n * more), math.ceil(bad * times * more), math.ceil(n * times * more))
    assert judged_at(LOOKS[-1], *after).verdict is Verdict.PASS


def judged_at(look: Look, *counts: int) -> GateResult:
    gate = RATE.model_copy(update={"alert": Threshold(op="<", limit=0.5), "collapse": None})
    return said(gate, hours(*counts, count=1), look=look)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"margin": None}, "against baseline needs its `margin`"),
        ({"against": None}, "margin 0.01 without `against`"),
        ({"kind": "gauge"}, "a gate of kind gauge cannot be compared"),
        ({"against": "yesterday"}, "'baseline' or 'phase_before'"),
        ({"margin": 0}, "greater than 0"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Gate.model_validate({**RATE.model_dump(), **fields})
