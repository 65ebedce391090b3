"""One alpha for all gates: what each may spend, what that does to a verdict, and what nobody spends."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.family import Family, spends, told
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Evidence, Gate
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

WEIGHT = st.floats(0.01, 100)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alpha=st.floats(0.001, 0.4), weights=st.dictionaries(st.sampled_from(["success_rate", "refused"]), WEIGHT))
def test_the_shares_add_up_to_the_familys_alpha(policy: Policy, alpha: float, weights: dict[str, float]) -> None:
    split = Family(alpha_early=alpha, shares=weights).split(policy.gates)
    assert math.fsum(split.values()) == pytest.approx(alpha)
    assert all(0 < one < 1 for one in split.values())
    for id, weight in weights.items():
        assert split[id] / split["error_rate"] == pytest.approx(weight)


def test_who_spends_of_it_and_who_does_not(policy: Policy) -> None:
    by_chance = {gate.id for gate in policy.gates if gate.kind in ("rate", "quantile") and gate.required}
    assert {gate.id for gate in policy.gates if spends(gate)} == by_chance - {"lost_jobs"}, (
        "one lost job is a FAIL: no matter of chance; nor are levels, money and the split, which has its own alpha"
    )
    muted = policy.gate("refused").model_copy(update={"muted": "a reason"})
    advisory = policy.gate("refused").model_copy(update={"required": False})
    assert not spends(muted) and not spends(advisory)


def evidence(gate: Gate, see: Callable[..., Evidence]) -> Evidence:
    return see(gate, n=60, bad=9)


def test_a_gate_fails_early_only_by_its_own_share(policy: Policy, see: Callable[..., Evidence]) -> None:
    gate = policy.gate("success_rate")
    seen = {gate.measure: evidence(gate, see)}

    def verdict(alphas: dict[str, float]) -> tuple[Verdict, str]:
        (found,) = judge_all([gate], seen, look=None, alphas=alphas)
        return found.verdict, found.reason

    assert verdict({})[0] is verdict({"another": 1e-9})[0] is Verdict.FAIL
    assert verdict({gate.id: 1e-9})[0] is Verdict.INCONCLUSIVE
    assert "shown at 97 % by the test" in verdict({gate.id: 0.03})[1]


def test_the_case_keeps_the_split_and_one_without_it_is_judged_as_before(
    policy: Policy, see: Callable[..., Evidence]
) -> None:
    gate = policy.gate("success_rate")
    plain = Case(gates=(gate,), evidence={gate.measure: evidence(gate, see)}, moment="during")
    raw = plain.model_dump(mode="json")
    del raw["alphas"]
    assert Case.model_validate(raw).verdict() == plain.verdict()
    strict = plain.model_copy(update={"alphas": {gate.id: 1e-9}})
    assert (plain.verdict().decision, strict.verdict().decision) == ("ROLLBACK", "SOAK")
    assert Case.model_validate_json(strict.model_dump_json()).verdict() == strict.verdict()


def test_a_policy_with_a_family_gives_each_gate_its_share_and_says_it(policy: Policy) -> None:
    raw = policy.model_dump(mode="json")
    shared = Policy.model_validate({**raw, "family": {"alpha_early": 0.05, "shares": {"success_rate": 4}}})
    one = 0.05 / (sum(map(spends, policy.gates)) + 3)  # success_rate has four shares, each other gate one
    assert shared.alpha_of(shared.gate("success_rate")) == pytest.approx(4 * one)
    assert shared.alpha_of(shared.gate("refused")) == pytest.approx(one)
    assert shared.alpha_of(shared.gate("lost_jobs")) == policy.alpha_early
    assert told(shared.alphas).startswith(
        f"The gates share 5 % for a false FAIL before the end of a soak: success_rate {400 * one:.4g} %"
    )
    assert policy.alphas == {} and told(policy.alphas) == ""
    with pytest.raises(
        ValidationError, match=r"family: 'sucess_rate' is not a gate that spends.*did you mean 'success_rate'"
    ):
        Policy.model_validate({**raw, "family": {"alpha_early": 0.05, "shares": {"sucess_rate": 4}}})


GATE = {"id": "g", "title": "Gate", "measure": "m", "unit": "ratio", "why": "test"}


@pytest.mark.parametrize(
    ("gate", "so"),
    [
        ({"kind": "rate", "target": "> 0.99", "alert": "< 0.98"}, True),
        ({"kind": "rate", "target": ">= 1", "alert": "< 1"}, False),
        ({"kind": "rate", "target": ">= 1"}, False),
        ({"kind": "rate", "target": "<= 0"}, False),
        ({"kind": "rate", "target": "<= 0.001"}, True),
        ({"kind": "rate", "target": "<= 1.5"}, False),
        ({"kind": "quantile", "target": "< 3", "alert": "> 5", "quantile": 0.95}, True),
        ({"kind": "quantile", "target": "<= 0", "quantile": 0.95}, True),
        ({"kind": "gauge", "target": "< 0.5"}, False),
        ({"kind": "amount", "target": "< 0.5"}, False),
        ({"kind": "split", "target": "< 0.5"}, False),
        ({"kind": "rate", "target": "<= 0.001", "muted": "why"}, False),
        ({"kind": "rate", "target": "<= 0.001", "required": False}, False),
    ],
)
def test_a_gate_spends_where_chance_may_fail_it(gate: dict[str, object], so: bool) -> None:
    assert spends(Gate.model_validate({**GATE, **gate})) is so


def test_the_split_by_hand_and_in_words() -> None:
    gates = [
        Gate.model_validate({**GATE, "id": id, "kind": kind, "target": "<= 0.01"})
        for id, kind in (("a", "rate"), ("b", "rate"), ("c", "rate"), ("depth", "gauge"))
    ]
    split = Family(alpha_early=0.05, shares={"b": 3, "depth": 7}).split(gates)
    assert split == {"a": pytest.approx(0.01), "b": pytest.approx(0.03), "c": pytest.approx(0.01)}
    assert told(split) == ("The gates share 5 % for a false FAIL before the end of a soak: b 3 %, a 1 %, c 1 %.")
    assert told({}) == "" and Family(alpha_early=0.05).split(gates[3:]) == {}


@pytest.mark.parametrize("wrong", [{"alpha_early": 0}, {"alpha_early": 0.5}, {"alpha_early": 0.1, "shares": {"a": 0}}])
def test_a_family_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Family.model_validate(wrong)
