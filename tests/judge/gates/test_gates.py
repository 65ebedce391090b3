from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge import words
from runbook_lib.judge.gates.gates import judge, judge_all
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("verdicts.yaml").read_text(encoding="utf-8"))
ORDER = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def _case_id(case: dict[str, Any]) -> str:
    return f"{case['gate']}-{'interim' if case.get('interim') else 'final'}-{case.get('fill', '')}{case['seen']}"


@pytest.mark.parametrize("case", CASES, ids=_case_id)
def test_golden_table(case: dict[str, Any], run: Callable[..., GateResult], at5: Look) -> None:
    seen = dict(case["seen"])
    if "fill" in case:
        seen["values"] = tuple(float(value) for value, times in case["fill"] for _ in range(times))
        seen.setdefault("expected", len(seen["values"]))
    result = run(case["gate"], look=None if case.get("interim") else at5, changed=case.get("changed"), **seen)
    assert result.verdict == case["verdict"], result.reason
    assert case.get("says", "") in result.reason
    if "needed" in case:
        assert result.needed == case["needed"], result.reason
    if "collapsed" in case:
        assert result.collapsed is case["collapsed"]
    assert result.reason[-1] in ".?" and not result.reason.endswith("..") and "\n" not in result.reason
    assert GateResult.model_validate_json(result.model_dump_json()) == result or _has_nan(result)


def _has_nan(result: GateResult) -> bool:
    seen = result.evidence
    return any(value is not None and math.isnan(value) for value in (seen.value, *seen.values))


def test_the_look_says_the_alpha(run: Callable[..., GateResult], looks: tuple[Look, ...]) -> None:
    """Later looks pay: 1 failure of 300 passes at 3 %, not at 1 %, where it would take more requests."""
    first, last = run("success_rate", look=looks[0], n=300, bad=1), run("success_rate", look=looks[2], n=300, bad=1)
    assert (first.verdict, last.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert (first.alpha, last.alpha) == (0.03, 0.01)
    assert "97 % bound" in first.reason and "99 % bound" in last.reason


def test_needed_is_for_the_next_look(run: Callable[..., GateResult], looks: tuple[Look, ...]) -> None:
    """At the first look's alpha 174 would do; the next look spends 1 %, which takes 228."""
    result = run("success_rate", look=looks[0], n=170, bad=0)
    assert result.needed == 228 - 170
    assert result.needed_hours == pytest.approx(58 / 170 * 24)
    assert "58 more requests (8.2 h at the rate seen) would decide it" in result.reason


def test_infinite_cost_survives_the_record(run: Callable[..., GateResult]) -> None:
    result = run("cost", value=math.inf, n=0)
    back = GateResult.model_validate(json.loads(json.dumps(json.loads(result.model_dump_json()))))
    assert back.value == math.inf and back == result


def test_kind_mismatch_is_no_data(policy: Policy, see: Callable[..., Evidence], at5: Look) -> None:
    gate = policy.gate("cost")
    result = judge(gate, see(gate, kind="rate", n=1000, bad=0), look=at5)
    assert result.verdict is Verdict.NO_DATA and "of kind rate, not amount" in result.reason


def test_judge_all_leaves_no_gate_out(policy: Policy, see: Callable[..., Evidence], at5: Look) -> None:
    gate = policy.gate("success_rate")
    results = judge_all(policy.gates, {"success": see(gate, n=300, bad=0)}, look=at5)
    assert [result.gate.id for result in results] == [gate.id for gate in policy.gates]
    assert {result.gate.id for result in results if result.verdict is not Verdict.NO_DATA} == {"success_rate"}
    assert "'cost_per_vpr' was not measured" in next(r for r in results if r.gate.id == "cost").reason


@given(st.integers(1, 2000), st.data(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rates_are_monotone_in_failures(n: int, data: st.DataObject, final: bool) -> None:
    gate, look = _success(), Look(hours=24, alpha=0.03) if final else None
    bad = data.draw(st.integers(0, n - 1))
    fewer, more = (judge(gate, _rate(n, k), look=look).verdict for k in (bad, bad + 1))
    assert ORDER[fewer] <= ORDER[more]


@given(st.permutations([0.0, 1, 2, 3, 9, 11, 40, 60, math.nan, -1]), st.booleans())
@settings(max_examples=30)
def test_gauges_do_not_mind_the_order(values: list[float], final: bool) -> None:
    look = Look(hours=24, alpha=0.05) if final else None
    results = [judge(_gauge(), _levels(order), look=look) for order in (values, sorted(values))]
    assert results[0].reason == results[1].reason and results[0].verdict is results[1].verdict


@given(st.lists(st.floats(0, 100) | st.just(math.nan), max_size=50), st.booleans())
@settings(max_examples=60)
def test_a_higher_peak_is_never_better(values: list[float], final: bool) -> None:
    look = Look(hours=24, alpha=0.05) if final else None
    before, after = (judge(_gauge(), _levels(v), look=look).verdict for v in (values, [*values, 60.0]))
    assert after is Verdict.FAIL
    assert before is not Verdict.PASS or values


NOTHING = [
    {},
    {"n": 0, "bad": 0},
    {"n": 0, "bad": 0, "weight": 0.1},
    {"value": math.nan, "n": 0},
    {"values": (math.nan,) * 5, "expected": 5},
    {"values": (), "expected": 1440},
    {"n": 300, "bad": 400, "weight": 0.1},
    {"value": -1.0, "n": 300},
    {"values": (-3.0,) * 100, "expected": 100},
]


@pytest.mark.parametrize("fields", NOTHING, ids=str)
@pytest.mark.parametrize("partial", [False, True])
def test_nothing_never_passes(
    fields: dict[str, Any], partial: bool, policy: Policy, run: Callable[..., GateResult]
) -> None:
    """Every configured gate, fed with nothing or nonsense: never PASS."""
    for gate in policy.gates:
        assert run(gate, partial=partial, **fields).verdict is not Verdict.PASS, gate.id


def test_no_interim_look_ever_passes(run: Callable[..., GateResult]) -> None:
    for case in CASES:
        if case["verdict"] == "PASS" and "fill" not in case:
            assert run(case["gate"], look=None, changed=case.get("changed"), **case["seen"]).verdict is not Verdict.PASS


def test_swapped_arms_turn_the_verdict_round(run: Callable[..., GateResult]) -> None:
    """Failures taken for successes: 2 of 300 becomes 298 of 300."""
    assert run("success_rate", n=400, bad=2).verdict is Verdict.PASS
    swapped = run("success_rate", n=400, bad=398)
    assert swapped.verdict is Verdict.FAIL and swapped.collapsed


def _success() -> Gate:
    return Gate.model_validate(
        {
            "id": "s",
            "title": "Success rate",
            "kind": "rate",
            "measure": "success",
            "unit": "ratio",
            "target": "> 0.99",
            "alert": "< 0.98",
            "min_samples": 100,
            "why": "test",
        }
    )


def _gauge() -> Gate:
    return Gate.model_validate(
        {
            "id": "q",
            "title": "Queue depth",
            "kind": "gauge",
            "measure": "q",
            "unit": "messages",
            "target": "< 10",
            "alert": "> 50",
            "steady": 0.5,
            "why": "test",
        }
    )


def _rate(n: int, bad: int) -> Evidence:
    return Evidence(
        measure="success", kind="rate", start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", query="", n=n, bad=bad
    )


def _levels(values: list[float]) -> Evidence:
    return Evidence(
        measure="q",
        kind="gauge",
        start="2026-01-01T00:00:00Z",
        end="2026-01-02T00:00:00Z",
        query="",
        values=tuple(values),
        expected=len(values),
    )


def test_gauges_where_more_is_better(see: Callable[..., Evidence], at5: Look) -> None:
    """The peak is then the lowest point, and the typical level is reached by the steady share from above."""
    gate = Gate.model_validate(
        {
            "id": "w",
            "title": "Workers free",
            "kind": "gauge",
            "measure": "w",
            "unit": "messages",
            "target": ">= 2",
            "alert": "<= 0",
            "steady": 0.75,
            "why": "test",
        }
    )
    good = judge(gate, see(gate, values=(5.0, 4.0, 3.0, 1.0), expected=4), look=at5)
    assert (good.verdict, good.value, good.low) == (Verdict.PASS, 3.0, 1.0)
    assert judge(gate, see(gate, values=(5.0, 4.0, 3.0, 0.0), expected=4), look=at5).verdict is Verdict.FAIL


def test_amounts_and_quantiles_where_more_is_better(see: Callable[..., Evidence], at5: Look) -> None:
    base = {"title": "Speed", "measure": "m", "target": "> 10", "alert": "< 5", "evidence": "limit", "why": "test"}
    amount = Gate.model_validate({**base, "id": "a", "kind": "amount", "unit": "USD"})
    assert judge(amount, see(amount, value=12, low=6, high=20, n=3), look=at5).verdict is Verdict.PASS
    assert judge(amount, see(amount, value=12, low=4, high=20, n=3), look=at5).verdict is Verdict.INCONCLUSIVE
    assert judge(amount, see(amount, value=3, low=2, high=4, n=3), look=at5).verdict is Verdict.FAIL
    slow = Gate.model_validate({**base, "id": "q", "kind": "quantile", "unit": "s", "quantile": 0.05})
    assert judge(slow, see(slow, value=12, low=6, upper=20, n=300), look=at5).verdict is Verdict.PASS
    assert judge(slow, see(slow, value=12, n=59, bad=0), look=at5).verdict is Verdict.PASS
    assert judge(slow, see(slow, value=3, low=2, upper=4, n=300), look=at5).verdict is Verdict.FAIL


ROWS: list[tuple[str, dict[str, Any], tuple[Any, ...], str]] = [
    (
        "success_rate",
        {"n": 300, "bad": 12},
        ("FAIL", 0.96, 0.931171, 0.979163, 300, 0.976760, 0.05, None),
        "success rate 96.0 % (95 % 93.1-97.9 %, n = 300) is below the alert limit 98 %.",
    ),
    (
        "success_rate",
        {"n": 300, "bad": 7},
        ("INCONCLUSIVE", 0.976667, 0.952517, 0.990568, 300, 0.988999, 0.05, 4921),
        "success rate 97.7 % (95 % 95.3-99.1 %, n = 300) is below the alert limit 98 %, but too few samples show it; "
        "4,921 more requests (16.4 days at the rate seen) would decide it if nothing changes.",
    ),
    (
        "success_rate",
        {"n": 10, "bad": 4, "look": None},
        ("FAIL", 0.6, 0.262378, 0.878448, 10, 0.871652, 0.03, None),
        "success rate 60.0 % (95 % 26.2-87.8 %, n = 10) is below the alert limit 98 %: 4 of 10 failed, shown at 99 % "
        "by the test that holds at every look.",
    ),
    (
        "success_rate",
        {"n": 300, "bad": 0, "changed": {"evidence": "target"}},
        ("PASS", 1.0, 0.987779, 1.0, 300, 0.990064, 0.05, None),
        "success rate 100.0 % (95 % 98.8-100.0 %, n = 300) meets the target > 99 %, and its 95 % bound 99.01 % clears "
        "the target.",
    ),
    (
        "submit_latency",
        {"value": 7, "n": 300, "upper": 9, "low": 5.1},
        ("FAIL", 7, 5.1, 9, 300, 5.1, 0.05, None),
        "P95 submit latency 7.00 s (bounds 5.10-9.00 s, n = 300) is above the alert limit 5 s.",
    ),
    (
        "submit_latency",
        {"value": 7, "n": 40, "low": 5.5, "look": None},
        ("FAIL", 7, 5.5, None, 40, 5.5, 0.03, None),
        "P95 submit latency 7.00 s (n = 40) is above the alert limit 5 s: even its lower bound 5.50 s is beyond 5 s.",
    ),
    (
        "submit_latency",
        {"value": 1, "n": 30, "changed": {"min_samples": 1}},
        ("INCONCLUSIVE", 1, None, None, 30, None, 0.05, 29),
        "P95 submit latency 1.00 s (n = 30) meets the target < 3 s, but there are too few samples for a bound; 29 more "
        "samples (23.2 h at the rate seen) would decide it if nothing changes.",
    ),
    (
        "cost",
        {"value": 0.06, "low": 0.055, "high": 0.07, "n": 30, "look": None},
        ("FAIL", 0.06, 0.055, 0.07, 30, 0.055, 0.03, None),
        "cost per VPR $0.0600 (95 % $0.0550-$0.0700, n = 30) is above the alert limit $0.05: even its lower end "
        "$0.0550 is.",
    ),
    (
        "cost",
        {"value": 0.009, "low": 0.001, "high": 0.06, "n": 290, "changed": {"evidence": "limit"}},
        ("INCONCLUSIVE", 0.009, 0.001, 0.06, 290, 0.06, 0.05, None),
        "cost per VPR $0.0090 (95 % $0.0010-$0.0600, n = 290) meets the target < $0.01, but its 95 % bound $0.0600 "
        "does not clear the alert limit $0.05.",
    ),
    (
        "observed_split",
        {"bad": 300, "n": 3000, "weight": 0.1},
        ("PASS", 0.1, 0.089492, 0.111295, 3000, None, 0.001, None),
        "observed traffic split: 10.0 % async (95 % 8.9-11.1 %, 300 of 3,000) agrees with the weight in force, 10 % "
        "(p = 1).",
    ),
    (
        "observed_split",
        {"bad": 237, "n": 3000, "weight": 0.1},
        ("FAIL", 0.079, 0.069595, 0.089235, 3000, None, 0.001, None),
        "observed traffic split: 7.9 % async (95 % 7.0-8.9 %, 237 of 3,000) contradicts the weight in force, 10 %: the "
        "weight is not what takes effect.",
    ),
    (
        "observed_split",
        {"bad": 0, "n": 0, "weight": 0.1},
        ("NO_DATA", None, None, None, None, None, None, None),
        "observed traffic split: no data, no request was seen in the window.",
    ),
]


@pytest.mark.parametrize(("gate", "seen", "row", "reason"), ROWS)
def test_a_whole_row_of_the_table(
    gate: str, seen: dict[str, Any], row: tuple[Any, ...], reason: str, run: Callable[..., GateResult]
) -> None:
    """Verdict, value, interval, samples, bound, alpha, how many more, and the sentence to the letter."""
    found = run(gate, **seen)
    told = (found.verdict, found.value, found.low, found.high, found.n, found.bound, found.alpha, found.needed)
    assert told[0] == row[0]
    for mine, wanted in zip(told[1:], row[1:], strict=True):
        assert mine == (None if wanted is None else pytest.approx(wanted, abs=1e-6))
    assert found.reason == reason


def test_what_all_gates_are_judged_by_reaches_each(policy: Policy, see: Callable[..., Evidence], at5: Look) -> None:
    gate = policy.gate("success_rate")
    looks = (at5, Look(hours=30, alpha=0.001))

    def one(bad: int, **rules: Any) -> GateResult:
        given = {"look": at5, "looks": (at5,), **rules}
        return judge_all((gate,), {"success": see(gate, n=300, bad=bad)}, **given)[0]

    assert one(2) == judge_all((gate,), {"success": see(gate, n=300, bad=2)}, look=at5)[0]
    assert one(2, looks=looks).needed != one(2).needed
    assert one(2, confidence=0.8).low != one(2).low
    assert one(18, look=None).verdict is Verdict.FAIL
    assert one(18, look=None, alpha_early=1e-12).verdict is Verdict.INCONCLUSIVE
    assert one(18, look=None, prior=(1.0, 4000.0)).reason != one(18, look=None).reason


@pytest.mark.parametrize(
    ("gate", "fields", "needed"),
    [
        # The first declared look spends 3 %: 174 requests without a failure; with one in 120 all along, 517.
        ("success_rate", {"n": 100, "bad": 0}, 74),
        ("success_rate", {"n": 120, "bad": 1}, 397),
        ("success_rate", {"n": 174, "bad": 0}, None),
        ("success_rate", {"n": 100, "bad": 4}, None),  # more of the same would not help
        ("cost", {"value": 0.0013, "n": 10}, None),
    ],
)
def test_an_interim_look_says_how_many_more_are_wanted(
    gate: str, fields: dict[str, Any], needed: int | None, run: Callable[..., GateResult]
) -> None:
    result = run(gate, look=None, **fields)
    assert (result.verdict, result.needed) == (Verdict.INCONCLUSIVE, needed)
    if needed:
        hours = needed / (fields["n"] / 24)
        assert result.needed_hours == pytest.approx(hours)
        assert (
            f"{needed} more requests ({words.hours(hours)} at the rate seen) are needed for a verdict" in result.reason
        )
    else:
        assert "are needed" not in result.reason
