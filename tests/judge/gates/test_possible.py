"""Evidence that cannot be says nothing: no PASS, no FAIL, no traceback."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates.gates import judge
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
