"""What was not seen is absent: for no gate does any kind of absence lead to PASS, a collapse or an infinite figure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates.gates import judge, judge_all
from runbook_lib.judge.model import Evidence, Gate, Look
from runbook_lib.judge.planning.mutation import healthy
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

LOOK = Look(hours=24, alpha=0.03)
NAN = math.nan
Spoil = Callable[[Evidence], Evidence | None]


def gone(evidence: Evidence) -> Evidence:
    """Nothing of it is there."""
    return Evidence(measure=evidence.measure, kind=evidence.kind, start=evidence.start, end=evidence.end, query="none")


def without(*fields: str) -> Spoil:
    return lambda evidence: evidence.model_copy(update=dict.fromkeys(fields))


ABSENT: dict[str, Spoil] = {
    "not taken": lambda _: None,
    "empty": gone,
    "no samples": lambda one: gone(one).model_copy(update={"n": 0}),
    "expired": lambda one: gone(one).model_copy(update={"n": 0, "bad": 0, "partial": True, "unseen": "items expired"}),
    "partial": lambda one: one.model_copy(update={"partial": True}),
    "half of it unreadable": lambda one: one.model_copy(update={"partial": True, "unseen": "half could not be read"}),
    "NaN": lambda one: one.model_copy(
        update={
            "value": NAN,
            "upper": NAN,
            "low": NAN,
            "high": NAN,
            "bad": None,
            "values": (NAN,) * len(one.values),
            "live": None,
            "weight": None,
        }
    ),
    "unknown counts": lambda one: one.model_copy(
        update={"n": None, "bad": None, "value": None, "values": (), "live": None, "weight": None}
    ),
}


def gates(policy: Policy) -> list[Gate]:
    return list(policy.gates)


@pytest.mark.parametrize("how", sorted(ABSENT))
def test_no_absence_passes_collapses_or_is_infinite(policy: Policy, how: str) -> None:
    for gate in gates(policy):
        evidence = ABSENT[how](healthy(gate))
        results = judge_all([gate], {} if evidence is None else {gate.measure: evidence}, look=LOOK)
        assert results[0].verdict in (Verdict.INCONCLUSIVE, Verdict.NO_DATA), (gate.id, how, results[0].reason)
        assert not results[0].collapsed
        assert results[0].value is None or math.isfinite(results[0].value)


bounds = st.one_of(st.none(), st.just(NAN), st.floats(-10, 1e6), st.just(math.inf), st.just(-math.inf))


@settings(max_examples=300, deadline=None)
@given(upper=bounds, low=bounds, value=st.floats(0.01, 200))
def test_a_bound_that_cannot_be_one_shows_nothing(policy: Policy, upper: Any, low: Any, value: float) -> None:
    """A quantile passes only by an upper bound that is a number, not below the value, and within the limit."""
    gate = policy.gate("submit_latency")
    evidence = healthy(gate).model_copy(update={"value": value, "upper": upper, "low": low, "bad": None})
    result = judge(gate, evidence, look=LOOK)
    if result.verdict is Verdict.PASS:
        assert upper is not None and value <= upper <= 5.0
    if result.verdict is Verdict.FAIL:
        assert low is not None and 5.0 < low <= value


@settings(max_examples=300, deadline=None)
@given(high=bounds, low=bounds, value=st.floats(0.0001, 1))
def test_an_amount_between_ends_that_cannot_be_is_judged_by_itself(
    policy: Policy, high: Any, low: Any, value: float
) -> None:
    gate = policy.gate("cost")
    result = judge(gate, healthy(gate).model_copy(update={"value": value, "high": high, "low": low}), look=LOOK)
    assert result.bound is None or not math.isnan(result.bound)
    if value >= 0.01:
        assert result.verdict is not Verdict.PASS


def test_what_could_not_be_seen_is_the_first_cause(policy: Policy) -> None:
    """Not "fewer than 100 samples, 8.9 days": 510 of 543 jobs were gone from the table."""
    gate = policy.gate("success_rate")
    gone = "510 of 543 jobs could not be seen: no look was taken in time, and they stay in the table for 10 min"
    evidence = healthy(gate).model_copy(update={"n": 33, "bad": 0, "partial": True, "unseen": gone})
    result = judge(gate, evidence, look=LOOK)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.lower().startswith(f"success rate: {gone}".lower())
    assert (result.needed, result.needed_hours) == (None, None)
