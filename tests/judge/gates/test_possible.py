"""Evidence that cannot be says nothing: no PASS, no FAIL, no traceback."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.possible import impossible
from runbook_lib.judge.model import Evidence, Gate, Look, Part
from runbook_lib.judge.planning.mutation import healthy
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

LOOK = Look(hours=24, alpha=0.03)
OPEN = (Verdict.NO_DATA, Verdict.INCONCLUSIVE)


def told(policy: Policy, id: str, **fields: Any) -> Any:
    gate = policy.gate(id)
    return judge(gate, healthy(gate).model_copy(update=fields), look=LOOK)


@pytest.mark.parametrize(
    ("id", "fields", "said"),
    [
        ("success_rate", {"start": "2026-11-24T00:00:00Z", "end": "2026-11-23T00:00:00Z"}, "of a window from"),
        ("success_rate", {"start": "2026-11-24T00:00:00Z", "end": "2026-11-24T00:00:00Z"}, "of a window from"),
        ("success_rate", {"start": "", "end": ""}, "of a window from"),
        ("success_rate", {"n": 10**18, "bad": 0}, "1000000000000000000 samples are impossible"),
        ("success_rate", {"n": -5, "bad": 0}, "-5 samples are impossible"),
        ("success_rate", {"n": 5000, "bad": 0, "doubtful": 9000}, "9000 doubtful failures"),
        ("success_rate", {"n": 5000, "bad": 0, "doubtful": -3}, "-3 doubtful failures"),
        ("success_rate", {"n": 5000, "bad": 9, "doubtful": 3, "untold": 4}, "4 of 3 doubtful failures"),
        ("success_rate", {"blocks": (("2026-11-23T00:00:00Z", -1, 5), ("2026-11-23T01:00:00Z", 0, 5))}, "-1 failures"),
        ("success_rate", {"blocks": (("2026-11-23T00:00:00Z", 6, 5), ("2026-11-23T01:00:00Z", 0, 5))}, "6 failures"),
        (
            "error_rate",
            {"bad": 4000, "n": 5000, "parts": (Part(name="a", bad=0, n=1), Part(name="b", bad=0, n=4999))},
            "contradict each other",
        ),
        ("error_rate", {"bad": 3, "n": 2, "parts": (Part(name="a", bad=3, n=2),)}, "a: 3 failures of 2"),
        ("submit_latency", {"value": 6.0, "bad": 0, "n": 5000}, "contradict each other"),
        ("submit_latency", {"value": 2.0, "bad": 2000, "n": 5000}, "contradict each other"),
        ("submit_latency", {"value": 262.0, "low": 178.0, "n": 16, "most": 58.0}, "262 s is more than 58 s"),
    ],
)
def test_what_cannot_be_is_no_data_and_the_reason_says_what(
    policy: Policy, id: str, fields: dict[str, Any], said: str
) -> None:
    result = told(policy, id, **fields)
    assert result.verdict is Verdict.NO_DATA
    assert said in result.reason


def test_a_source_of_which_nothing_was_counted_keeps_the_rate_from_passing(policy: Policy) -> None:
    parts = (Part(name="POST /submit", bad=0, n=0), Part(name="GET /status", bad=0, n=5000))
    result = told(policy, "error_rate", bad=0, n=5000, parts=parts)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "nothing was counted of POST /submit" in result.reason
    proven = told(policy, "error_rate", bad=0, n=5000, parts=parts, proven_zero_by="no request was made")
    assert proven.verdict is Verdict.PASS


def test_doubtful_failures_of_a_source_do_not_fail_it(policy: Policy) -> None:
    parts = (Part(name="a", bad=400, n=1000), Part(name="b", bad=0, n=1000))
    sure = told(policy, "error_rate", bad=400, n=2000, parts=parts)
    unsure = told(policy, "error_rate", bad=400, n=2000, parts=parts, doubtful=400)
    assert (sure.verdict, unsure.verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_an_amount_that_may_be_infinite_does_not_pass(policy: Policy) -> None:
    result = told(policy, "cost", value=0.003, low=0.002, high=math.inf)
    assert result.verdict is Verdict.INCONCLUSIVE


numbers = st.one_of(st.none(), st.integers(-10, 10**19))
floats = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@settings(max_examples=400, deadline=None)
@given(data=st.data(), final=st.booleans())
def test_no_evidence_whatever_breaks_the_judge(policy: Policy, data: st.DataObject, final: bool) -> None:
    gate: Gate = data.draw(st.sampled_from(policy.gates))
    block = st.tuples(st.just("2026-11-23T00:00:00Z"), st.integers(-3, 10**18), st.integers(-3, 10**18))
    evidence = Evidence(
        measure=gate.measure,
        kind=gate.kind,
        query="drawn",
        start=data.draw(st.sampled_from(["", "2026-11-23T00:00:00Z"])),
        end=data.draw(st.sampled_from(["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", "no time"])),
        bad=data.draw(numbers),
        n=data.draw(numbers),
        value=data.draw(floats),
        upper=data.draw(floats),
        low=data.draw(floats),
        high=data.draw(floats),
        values=tuple(data.draw(st.lists(st.floats(), max_size=5))),
        expected=data.draw(st.one_of(st.none(), st.integers(-5, 500))),
        live=data.draw(floats),
        weight=data.draw(floats),
        doubtful=data.draw(st.integers(-5, 10**18)),
        blocks=tuple(data.draw(st.lists(block, max_size=3))),
        partial=data.draw(st.booleans()),
    )
    result = judge(gate, evidence, look=LOOK if final else None)
    assert result.verdict in Verdict
    if evidence.partial:
        assert result.verdict is not Verdict.PASS


START, END = "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"
RATE = {"id": "g", "title": "Gate", "kind": "rate", "measure": "m", "unit": "ratio", "target": "> 0.99", "why": "test"}
SLOW = {**RATE, "kind": "quantile", "unit": "s", "quantile": 0.95, "target": "< 3", "alert": "> 5"}
FAST = {**SLOW, "target": "> 3", "alert": "< 2"}


def first(gate: dict[str, Any], **fields: Any) -> str:
    window = {"start": START, "end": END, "query": "by hand", "measure": "m"}
    return impossible(Gate.model_validate(gate), Evidence.model_validate({"kind": gate["kind"], **window, **fields}))


@pytest.mark.parametrize(
    ("gate", "fields", "said"),
    [
        # Where the window cannot be, and nothing was counted in it, there is nothing to refuse.
        (RATE, {"start": END, "end": START}, ""),
        (RATE, {"n": 1, "start": END, "end": START}, f"figures of a window from {END} to {START} are impossible"),
        (RATE, {"values": (1.0,), "start": END, "end": END}, f"figures of a window from {END} to {END} are impossible"),
        (
            RATE,
            {"value": 0.0, "start": START, "end": "now"},
            f"figures of a window from '{START}' to 'now' are impossible",
        ),
        (
            RATE,
            {"value": 0.0, "start": START, "end": "2026-11-24"},
            f"figures of a window from '{START}' to '2026-11-24' are impossible",
        ),
        (RATE, {"n": 10**15}, ""),
        (RATE, {"n": 10**15 + 1}, "1000000000000001 samples are impossible"),
        (RATE, {"n": 0}, ""),
        (RATE, {"n": -1}, "-1 samples are impossible"),
        (RATE, {"n": 9, "bad": 3, "doubtful": 3, "untold": 3}, ""),
        (RATE, {"n": 9, "bad": 3, "doubtful": 4}, "4 doubtful failures of 3 are impossible"),
        (RATE, {"n": 9, "doubtful": 1}, "1 doubtful failures of 0 are impossible"),
        (
            RATE,
            {"n": 9, "bad": 3, "doubtful": 2, "untold": 3},
            "3 of 2 doubtful failures that no look tells are impossible",
        ),
        (RATE, {"n": 9, "untold": -1}, "-1 of 0 doubtful failures that no look tells are impossible"),
        (RATE, {"n": 9, "bad": 2, "parts": (Part(name="a", bad=0, n=0), Part(name="b", bad=2, n=9))}, ""),
        (
            RATE,
            {"n": 9, "bad": 2, "parts": (Part(name="a", bad=9, n=9),)},
            "2 of 9 together, and 9 of 9 by its sources, contradict each other",
        ),
        (
            RATE,
            {"n": 9, "bad": 2, "parts": (Part(name="a", bad=2, n=8),)},
            "2 of 9 together, and 2 of 8 by its sources, contradict each other",
        ),
        (
            RATE,
            {"n": 3, "bad": 4, "parts": (Part(name="a", bad=4, n=3),)},
            "a: 4 failures of 3 requests are impossible",
        ),
        (RATE, {"parts": (Part(name="a", bad=0, n=0),)}, ""),
        (RATE, {"blocks": ((START, 5, 5), (START, 0, 0))}, ""),
        (RATE, {"blocks": ((START, 6, 5),)}, f"6 failures of 5 since {START} are impossible"),
        (RATE, {"course": ((START, -1, 5),)}, f"-1 failures of 5 since {START} are impossible"),
        (
            RATE,
            {"parts": (Part(name="a", bad=0, n=0, course=((END, 1, 0),)),)},
            f"1 failures of 0 since {END} are impossible",
        ),
        # The count beyond the limit and the quantile are views of the same samples.
        (SLOW, {"value": 58.0, "bad": 90, "n": 100, "most": 58.0}, ""),
        (
            SLOW,
            {"value": 58.1, "bad": 90, "n": 100, "most": 58.0},
            "58.1 s is more than 58 s, the largest possible value: is the unit right?",
        ),
        (
            SLOW,
            {"value": 5.1, "bad": 0, "n": 1000},
            "0 of 1,000 samples beyond 5 s, and a quantile of 5.10 s, contradict each other",
        ),
        (SLOW, {"value": 5.1, "bad": 1, "n": 1000}, ""),
        (SLOW, {"value": 5.0, "bad": 0, "n": 1000}, ""),
        # 5 % of 1,000 and half as many again, and 5: 80.
        (SLOW, {"value": 5.0, "bad": 80, "n": 1000}, ""),
        (
            SLOW,
            {"value": 5.0, "bad": 81, "n": 1000},
            "81 of 1,000 samples beyond 5 s, and a quantile of 5.00 s, contradict each other",
        ),
        (SLOW, {"value": 5.1, "bad": 81, "n": 1000}, ""),
        (SLOW, {"value": math.inf, "bad": 0, "n": 1000}, ""),
        (SLOW, {"value": 5.1, "bad": 0, "n": 0}, ""),
        (SLOW, {"value": 5.0, "bad": 1001, "n": 1000}, ""),
        # Where more is better, the quantile is one from below: 95 % of them may be beyond.
        (FAST, {"value": 2.0, "bad": 1000, "n": 1000}, ""),
        (
            FAST,
            {"value": 1.9, "bad": 0, "n": 1000},
            "0 of 1,000 samples beyond 2 s, and a quantile of 1.90 s, contradict each other",
        ),
        (
            {**FAST, "quantile": 0.05},
            {"value": 2.0, "bad": 81, "n": 1000},
            "81 of 1,000 samples beyond 2 s, and a quantile of 2.00 s, contradict each other",
        ),
        ({**FAST, "quantile": 0.05}, {"value": 2.0, "bad": 80, "n": 1000}, ""),
    ],
)
def test_the_first_contradiction_to_the_letter(gate: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    assert first(gate, **fields) == said


@pytest.mark.parametrize(
    ("counts", "so"),
    [
        ((3, 4, 5, 6, 7, 8), True),
        ((0, 0, 0, 0, 0, 0), True),
        ((5, 5, 5, 8, 8, 8), True),
        ((-1, 4, 5, 6, 7, 8), False),
        ((5, 4, 5, 6, 7, 8), False),
        ((3, 6, 5, 6, 7, 8), False),
        ((3, 4, 5, -1, 7, 8), False),
        ((3, 4, 5, 8, 7, 8), False),
        ((3, 4, 5, 6, 9, 8), False),
    ],
)
def test_the_counts_of_both_arms_lie_within_each_other(counts: tuple[int, ...], so: bool) -> None:
    names = ("bad", "most", "n", "other_bad", "other_most", "other_n")
    hour = {"at": START, **dict(zip(names, counts, strict=True))}
    told = first(RATE, arms=({"gate": "g", "other": "baseline", "hours": (hour,)},))
    assert told == ("" if so else "the counts of both arms in the hour of 2026-11-23 00:00 UTC are impossible")
