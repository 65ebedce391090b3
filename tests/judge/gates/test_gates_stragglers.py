"""Old clients that do not follow the weight: allowed for up to a share and a count, and no further."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import sequential
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.split import SPLIT_ALPHA
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

LOOK = Look(hours=24, alpha=0.03)
See = Callable[..., Evidence]


@pytest.mark.parametrize(
    ("weight", "k", "n", "verdict"),
    [
        (1.0, 1232, 1233, Verdict.PASS),
        (1.0, 1228, 1233, Verdict.PASS),
        (1.0, 1150, 1233, Verdict.FAIL),
        (0.0, 1, 5000, Verdict.FAIL),
        (0.1, 300, 3000, Verdict.PASS),
        (0.1, 420, 3000, Verdict.FAIL),
        (0.5, 1490, 3000, Verdict.PASS),
        (0.5, 1300, 3000, Verdict.FAIL),
    ],
)
def test_one_client_is_no_contradiction_and_many_are(
    policy: Policy, see: See, weight: float, k: int, n: int, verdict: Verdict
) -> None:
    gate = policy.gate("observed_split")
    found = see(gate, bad=k, n=n, weight=weight)
    assert judge(gate, found, look=LOOK).verdict is verdict
    interim = judge(gate, found, look=None).verdict
    assert (interim is Verdict.FAIL) == (verdict is Verdict.FAIL)


def test_without_an_allowance_it_is_as_before(policy: Policy, see: See) -> None:
    gate = policy.gate("observed_split").model_copy(update={"stragglers": ()})
    assert judge(gate, see(gate, bad=1232, n=1233, weight=1.0), look=LOOK).verdict is Verdict.FAIL


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 5000), weight=st.floats(0.05, 0.95), share=st.floats(0, 0.2), data=st.data())
def test_an_allowance_never_speaks_against_the_split(n: int, weight: float, share: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    strict = sequential.split_log_e(k, n, weight)
    assert sequential.split_log_e(k, n, weight, least=weight * (1 - share)) <= strict + 1e-9


@pytest.mark.mutants
@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.1, 0.5, 1.0])
def test_stragglers_within_the_allowance_fail_next_to_no_soak_however_often_one_looks(
    policy: Policy, weight: float
) -> None:
    gate = policy.gate("observed_split")
    reached = [one for one in gate.stragglers if one.from_percent <= 100 * weight]
    share = max(reached, key=lambda one: one.from_percent).share
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        sent = np.cumsum(rng.random(3000) < weight * (1 - share))
        looks = range(30, 3001, 30)
        wrong += any(
            sequential.split_log_e(int(sent[n - 1]), n, weight, least=weight * (1 - share)) >= -math.log(SPLIT_ALPHA)
            for n in looks
        )
    assert wrong <= 3


@pytest.mark.parametrize(("weight", "share"), [(0.5, 0.1), (1.0, 0.03)])
def test_many_times_the_allowance_is_found(policy: Policy, see: See, weight: float, share: float) -> None:
    gate, n = policy.gate("observed_split"), 3000
    found = see(gate, bad=round(n * weight * (1 - share)), n=n, weight=weight)
    assert judge(gate, found, look=LOOK).verdict is Verdict.FAIL


CLIENTS = {"web/1.9": 40, "cli/0.4": 20, "curl/8": 12, "bot": 8, "other": 3}


@pytest.mark.parametrize("k", [1150, 1232])
@pytest.mark.parametrize("look", [LOOK, None])
def test_the_reason_names_them_where_the_access_log_does(policy: Policy, see: See, k: int, look: Look | None) -> None:
    gate = policy.gate("observed_split")
    plain = judge(gate, see(gate, bad=k, n=1233, weight=1.0), look=look)
    named = judge(gate, see(gate, bad=k, n=1233, weight=1.0, extra={"clients": CLIENTS}), look=look)
    assert named.verdict is plain.verdict, "who they are changes no verdict"
    assert "the access log names web/1.9 (40), cli/0.4 (20), curl/8 (12) and 2 more" in named.reason
    assert "access log" not in plain.reason


def test_nobody_is_named_where_nobody_is_left(policy: Policy, see: See) -> None:
    gate = policy.gate("observed_split")
    found = judge(gate, see(gate, bad=1233, n=1233, weight=1.0, extra={"clients": CLIENTS}), look=LOOK)
    assert "access log" not in found.reason
