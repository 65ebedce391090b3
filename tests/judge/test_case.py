"""What a verdict was made of goes through JSON, and gives the same verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.judge.case import Case, CheckedCase, RollbackCase, settled
from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import Decision
from runbook_lib.params.policy import Policy

See = Callable[..., Evidence]


def evidence(policy: Policy, see: See, n: int, bad: int, cost: float) -> dict[str, Evidence]:
    zeros = {"values": (0.0,) * 288, "expected": 288, "live": 0.0}
    kinds: dict[str, dict[str, Any]] = {"rate": {"n": n, "bad": 0}, "gauge": zeros}
    fields: dict[str, dict[str, Any]] = {
        "success_rate": {"n": n, "bad": min(n, bad)},
        "submit_latency": {"n": n, "value": 1.2, "upper": 1.5},
        "generation_time": {"n": n, "value": 60.0, "upper": 70.0},
        "lambda_errors": {"n": 3 * n, "bad": 0},
        "cost": {"n": n, "value": cost},
        "observed_split": {"n": 10 * n, "bad": n, "weight": 0.1},
    }
    return {gate.measure: see(gate, **(fields.get(gate.id) or kinds[gate.kind])) for gate in policy.gates}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 2000),
    bad=st.integers(0, 2000),
    cost=st.sampled_from([0.0013, 0.02, float("inf")]),
    moment=st.sampled_from(["before", "during", "after", "taken_back", "void"]),
    last=st.booleans(),
)
def test_a_case_survives_json_with_its_verdict(
    policy: Policy, see: See, n: int, bad: int, cost: float, moment: Any, last: bool
) -> None:
    baseline = see(policy.gate("success_rate"), n=2700, bad=2610)
    case = Case(
        gates=policy.gates,
        evidence=evidence(policy, see, n, bad, cost),
        moment=moment,
        last_look=last,
        percent=10,
        look=Look(hours=24, alpha=0.03) if moment == "after" else None,
        baseline=baseline,
        void="a test",
    )
    again = Case.model_validate(json.loads(json.dumps(case.model_dump(mode="json"))))
    assert again == case
    assert again.verdict().model_dump_json() == case.verdict().model_dump_json()


def test_the_same_counts_promote_at_the_end_and_soak_before(policy: Policy, see: See) -> None:
    seen = evidence(policy, see, 1000, 1, 0.0013)
    end = Case(gates=policy.gates, evidence=seen, moment="after", look=Look(hours=24, alpha=0.03))
    assert end.verdict().decision is Decision.PROMOTE
    assert len(end.verdict().results) == len(policy.gates)
    assert Case(gates=policy.gates, evidence=seen, moment="during").verdict().decision is Decision.SOAK
    assert Case(moment="before", percent=10).verdict().decision is Decision.PLANNED


def test_a_promotion_holds_only_with_every_required_check(policy: Policy, see: See) -> None:
    seen = evidence(policy, see, 1000, 1, 0.0013)
    verdict = Case(gates=policy.gates, evidence=seen, moment="after", look=Look(hours=24, alpha=0.03)).verdict()
    fine, wrong = check("a.b", "A", True, "fine"), check("c.d", "C", False, "the route was changed")
    assert settled(verdict, [fine]) is verdict
    held = settled(verdict, [fine, wrong])
    assert (held.decision, held.results) == (Decision.HOLD, verdict.results)
    assert "the route was changed" in held.reason
    assert settled(verdict, [wrong.model_copy(update={"required": False})]) is verdict
    soaking = Case(gates=policy.gates, evidence=seen, moment="during").verdict()
    assert settled(soaking, [wrong]) is soaking


@pytest.mark.parametrize(
    ("ok", "applied", "decision"), [(True, True, "PROMOTE"), (True, False, "PLANNED"), (False, True, "HOLD")]
)
def test_checks_decide_again(ok: bool, applied: bool, decision: str) -> None:
    case = CheckedCase(checks=(check("a.b", "A", ok, "it is so"),), applied=applied, done="all is done", then="go on")
    again = CheckedCase.model_validate(json.loads(case.model_dump_json()))
    assert again.verdict() == case.verdict()
    assert case.verdict().decision == decision


@pytest.mark.parametrize(
    ("given", "decision", "says"),
    [
        ({"acted": False}, "PLANNED", "async goes off"),
        ({"acted": True}, "PROMOTE", "async is off"),
        ({"acted": True, "ok": None, "come_back_at": "2026-11-24T06:00:00Z"}, "SOAK", "async is off"),
        ({"acted": True, "ok": False, "falls_to": "rollback_1"}, "ROLLBACK", "it is so"),
        ({"acted": True, "no_way": "there is no way back; fix forward"}, "HOLD", "there is no way back"),
    ],
)
def test_a_rollback_decides_again(given: dict[str, Any], decision: str, says: str) -> None:
    ok = given.pop("ok", True)
    words = {"would": "async goes off", "done": "async is off", "then": "find the cause"}
    case = RollbackCase.model_validate({"checks": (check("a.b", "A", ok, "it is so"),), **words, **given})
    again = RollbackCase.model_validate(json.loads(case.model_dump_json()))
    assert again.verdict() == case.verdict()
    assert case.verdict().decision == decision
    assert says in case.verdict().reason


def test_the_baseline_is_told_at_the_confidence_of_the_case(policy: Policy, see: See) -> None:
    baseline = see(policy.gate("success_rate"), n=2700, bad=2610)
    assert (
        "(80 % 2.9-3.8 %, n = 2,700)" in Case(moment="taken_back", baseline=baseline, confidence=0.8).verdict().reason
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"look": Look(hours=24, alpha=0.05)}, {"look": Look(hours=24, alpha=0.001)}),
        (
            {"bad": 2, "looks": (Look(hours=24, alpha=0.03),)},
            {"looks": (Look(hours=24, alpha=0.03), Look(hours=30, alpha=0.001))},
        ),
        ({"confidence": 0.95}, {"confidence": 0.8}),
        ({"moment": "during", "look": None}, {"moment": "after"}),
        ({"alpha_early": 0.01, "look": None, "moment": "during", "bad": 18}, {"alpha_early": 1e-9}),
        ({"prior": (1.0, 9.0), "look": None, "moment": "during", "bad": 18}, {"prior": (1.0, 4000.0)}),
        ({"percent": 10, "moment": "during", "look": None}, {"percent": 50}),
        ({"moment": "before", "applied": True}, {"applied": False}),
        ({"last_look": True, "bad": 1, "look": Look(hours=24, alpha=0.001)}, {"last_look": False}),
        ({"moment": "during", "look": None, "come_back_at": "2026-11-24T06:00:00Z"}, {"come_back_at": None}),
        ({"bad": 20, "worse": True}, {"worse": False}),
        ({"bad": 20, "worse": True}, {"worse": True, "worse_baseline_holds": False}),
        ({"bad": 20, "way_back": True}, {"way_back": False}),
        ({"moment": "taken_back", "alarm": "a"}, {"alarm": "b"}),
        ({"moment": "taken_back", "alarm": "a", "alarm_at": "03:12"}, {"alarm_at": "03:13"}),
        ({"moment": "taken_back", "taken_back": "by hand"}, {"taken_back": None}),
        ({"moment": "void", "void": "the switch was off"}, {"void": "another weight"}),
    ],
    ids=str,
)
def test_every_field_of_a_case_counts(policy: Policy, see: See, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two cases that differ in one field only give two outcomes: nothing that is sealed is left out of the verdict."""

    def told(fields: dict[str, Any]) -> str:
        given = {"moment": "after", "look": Look(hours=24, alpha=0.03), "gates": policy.gates, **fields}
        seen = evidence(policy, see, 300, given.pop("bad", 0), 0.0013)
        gate = policy.gate("success_rate")
        baseline = see(gate, n=2700, bad=2610 if given.pop("worse", False) else 30)
        return Case.model_validate({"evidence": seen, "baseline": baseline, **given}).verdict().model_dump_json()

    assert told(one) == told(dict(one))
    assert told(one) != told({**one, **other})


def test_a_promotion_taken_back_says_what_to_do(policy: Policy, see: See) -> None:
    case = Case(
        gates=policy.gates,
        evidence=evidence(policy, see, 1000, 1, 0.0013),
        moment="after",
        look=Look(hours=24, alpha=0.03),
    )
    held = settled(case.verdict(), [check("c.d", "C", False, "the route was changed")])
    assert held.reason == "every gate passed, but the route was changed"
    assert held.next == "Put that right, then run this notebook again."


def test_a_case_of_checks_says_what_was_done_and_what_is_next() -> None:
    case = CheckedCase(
        checks=(check("a.b", "A", True, "it is so"),), applied=True, done="dev is deployed", then="Go on."
    )
    assert case.verdict().reason == "dev is deployed; the only required check passed"
    assert case.verdict().next == "Go on."
