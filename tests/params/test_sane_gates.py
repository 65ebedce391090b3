"""A gate that can be read and makes no sense is refused, and a record that holds one is still read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Gate, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy
from runbook_lib.params.sane_gates import LINES, check
from tests import own_gates

POLICY = Policy.model_validate(own_gates.policy())
T0, T1 = "2026-11-23T03:00:00Z", "2026-11-24T03:00:00Z"


def said(gate: str, /, **fields: Any) -> list[str]:
    """What is said of one of our gates with other fields."""
    raw = {**POLICY.gate(gate).model_dump(), **fields}
    return [f"{key} {value}: {wanted}" for key, value, wanted in check(Gate.model_validate(raw), POLICY)]


@pytest.mark.parametrize("gate", [gate.id for gate in POLICY.gates])
def test_ours_make_sense(gate: str) -> None:
    assert said(gate) == []


@pytest.mark.parametrize(
    ("gate", "fields", "told"),
    [
        ("success_rate", {"collapse": "> 0.5"}, "collapse '> 0.5': it lies on the other side"),
        ("success_rate", {"collapse": ">= 0.9"}, "expects '< ...'"),
        ("error_rate", {"collapse": "< 0.9"}, "expects '> ...'"),
        ("error_rate", {"collapse": "> 0.5", "alert": None}, "without an `alert` nothing leads to it"),
        ("error_rate", {"alert": "> 1"}, "alert '> 1': no value meets it; a ratio is 0 to 1"),
        ("lost_jobs", {"target": "< 0"}, "target '< 0': no value meets it"),
        ("queue_depth", {"target": "< 0"}, "no value meets it; it is 0 or more"),
        ("queue_depth", {"alert": ">= 0", "target": "<= 0"}, "every value meets it"),
        ("submit_latency", {"implausible": "< 3"}, None),
        ("submit_latency", {"implausible": "<= 3"}, "would call a value at its target < 3 implausible"),
        ("submit_latency", {"implausible": "> 4"}, "would call a value at its alert > 5 implausible"),
        ("success_rate", {"implausible": "> 0.999"}, "the gate would call the best possible ratio implausible"),
        ("success_rate", {"quantile": 0.9}, "quantile '0.9': it says which percentile is judged; a gate of kind rate"),
        ("success_rate", {"steady": 0.9}, "steady '0.9': it is the share of a gauge's points; a gate of kind rate"),
        ("dlq", {"failing": "came"}, "failing 'came': it says what the failures of a rate did; a gate of kind gauge"),
        ("dlq", {"min_samples": 5}, "min_samples '5': it counts samples, and a gauge has periods"),
        ("dlq", {"stragglers": ({"from_percent": 0, "share": 0.1},)}, "stragglers 1 of them: it are"),
        ("observed_split", {"alert": "> 1"}, "judged by the weight in force"),
        ("cost", {"id": ""}, "id '': expects small letters"),
        ("cost", {"id": "a b"}, "id 'a b': expects small letters"),
        ("cost", {"id": "../x"}, "id '../x': expects small letters"),
        ("cost", {"id": "<b>"}, "id '<b>': expects small letters"),
        ("cost", {"title": "x" * 200}, "it has 200 characters"),
        ("cost", {"unit": "\x07"}, "cannot be printed"),
        (
            "basket",
            {"measure": "connections"},
            "of kind gauge, and the gate of kind amount; those of kind",
        ),
    ],
)
def test_what_makes_no_sense_is_told(gate: str, fields: dict[str, Any], told: str | None) -> None:
    found = said(gate, **fields)
    assert (told is None and not found) or any(told is not None and told in one for one in found), found


LIMITS = st.sampled_from([0, 0.001, 0.1, 0.5, 0.9, 0.98, 0.99, 1, 2, 50])
COMPARISONS = st.builds(lambda op, limit: f"{op} {limit:g}", st.sampled_from(["<", "<=", ">", ">="]), LIMITS)


@given(st.sampled_from([gate.id for gate in POLICY.gates]), st.sampled_from(LINES), COMPARISONS)
def test_every_limit_that_is_taken_can_be_met_and_missed(id: str, field: str, line: str) -> None:
    """Of what can be seen (0 or more, a ratio at most 1), some is on each side; collapse lies beyond alert."""
    try:
        found = said(id, **{field: line})
        gate = Gate.model_validate({**POLICY.gate(id).model_dump(), field: line})
    except ValueError:
        return
    if found or gate.kind == "split":
        return
    top = 1.0 if gate.unit == "ratio" else 1e6
    seen = [0.0, *(top * one / 997 for one in range(1, 997)), *(one / 997 for one in range(997)), top]
    seen += [kept.limit for name in LINES if (kept := getattr(gate, name)) is not None]
    for name in LINES:
        kept = getattr(gate, name)
        if kept is not None:
            assert any(map(kept.holds, seen)) and not all(map(kept.holds, seen)), (name, kept)
    if gate.collapse is not None:
        assert gate.alert is not None
        assert all(gate.alert.holds(one) for one in seen if gate.collapse.holds(one) and one != gate.collapse.limit)
        assert not any(gate.collapse.holds(one) for one in seen if gate.target.holds(one))


def test_a_collapse_on_the_wrong_side_would_have_rolled_a_bearable_service_back() -> None:
    """Why it is refused: 97 % of successes would be past collapse, and a broken baseline no reason to stay."""
    gate = Gate.model_validate({**POLICY.gate("success_rate").model_dump(), "collapse": "> 0.5"})
    seen = Evidence.model_validate(
        {"measure": "success", "kind": "rate", "query": "", "bad": 300, "n": 10_000, "start": T0, "end": T1}
    )
    look = Look(hours=24, alpha=0.03)
    result = judge(gate, seen, look=look, looks=(look,))
    assert result.verdict is Verdict.FAIL and result.collapsed
    assert any(re.match("collapse", key) for key, _, _ in check(gate, POLICY))
