from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.judge.model import Evidence, Gate, Outcome, bad_side
from runbook_lib.judge.terms import Decision, Word

GATE: dict[str, Any] = {
    "id": "g",
    "title": "Gate",
    "kind": "rate",
    "measure": "m",
    "unit": "ratio",
    "target": "> 0.99",
    "why": "test",
}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"alert": "> 0.98"}, "point the same way"),
        ({"alert": "< 0.995"}, "wrong side"),
        ({"target": "< 3", "alert": "> 2"}, "wrong side"),
        ({"alert": "< 0.98", "collapse": "< 0.985"}, "milder"),
        ({"target": "< 3", "alert": "> 5", "collapse": "> 4"}, "milder"),
        ({"kind": "quantile", "alert": "< 0.98"}, "needs its `quantile`"),
        ({"kind": "quantile"}, "needs its `quantile`"),
        ({"target": "about 3"}, "number without unit"),
        ({"tagret": "> 3"}, "Extra inputs"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Gate.model_validate({**GATE, **changed})


def test_gate_round_trip() -> None:
    gate = Gate.model_validate({**GATE, "alert": "< 0.98", "collapse": "< 0.9", "implausible": "< 0.001"})
    assert gate.higher_is_better
    assert gate.model_dump()["alert"] == "< 0.98"
    assert Gate.model_validate_json(gate.model_dump_json()) == gate


def test_infinity_and_nan_survive_json() -> None:
    seen = Evidence(measure="m", kind="amount", start="", end="", query="", value=math.inf, values=(math.nan, 1.0))
    back = Evidence.model_validate_json(seen.model_dump_json())
    assert back.value == math.inf and math.isnan(back.values[0]) and back.values[1] == 1.0


def test_a_rollback_that_is_complete_reads_done_and_what_is_held_then_does_not() -> None:
    done = Outcome(decision=Decision.PROMOTE, said=Word.DONE, reason="async is off", next="n")
    assert (done.word, done.told) == ("DONE", "DONE: async is off")
    held = done.held("the queue is deep", next="look")
    assert (held.decision, held.told, held.next) == ("HOLD", "HOLD: the queue is deep", "look")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"kind": "quantile"}, "a gate of kind quantile needs its `quantile`"),
        ({"margin": 0.01}, "margin 0.01 without `against`: say what the gate compares with"),
        ({"against": "baseline"}, "against baseline needs its `margin`: how much worse is as good, such as 0.01"),
        (
            {"kind": "gauge", "against": "baseline", "margin": 0.01},
            "against baseline: a gate of kind gauge cannot be compared, only a rate or a quantile",
        ),
        ({"alert": ">= 0.98"}, "target > 0.99 and alert >= 0.98 point the same way"),
        ({"target": "< 3", "alert": "<= 4"}, "target < 3 and alert <= 4 point the same way"),
        ({"alert": "< 0.991"}, "target > 0.99 is on the wrong side of its alert limit < 0.991"),
        ({"target": "<= 3", "alert": ">= 2.9"}, "target <= 3 is on the wrong side of its alert limit >= 2.9"),
        ({"alert": "< 0.98", "collapse": "< 0.981"}, "collapse < 0.981 is milder than the alert limit < 0.98"),
        ({"target": "< 3", "alert": "> 5", "collapse": "> 4.9"}, "collapse > 4.9 is milder than the alert limit > 5"),
    ],
)
def test_what_a_gate_lacks_is_said_to_the_letter(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Gate.model_validate({**GATE, **changed})
    assert [one["msg"] for one in refused.value.errors()] == [f"Value error, {why}"]


@pytest.mark.parametrize(
    "changed",
    [
        {"alert": "<= 0.99", "collapse": "< 0.99"},
        {"target": ">= 0.99", "alert": "< 0.99"},
        {"target": "< 3", "alert": ">= 3", "collapse": "> 3"},
        {"target": "<= 3", "alert": "> 3"},
        {"kind": "quantile", "quantile": 0.95, "against": "phase_before", "margin": 0.01},
        {"against": "baseline", "margin": 0.01},
    ],
)
def test_a_gate_whose_limits_are_the_same_makes_sense(changed: dict[str, Any]) -> None:
    assert Gate.model_validate({**GATE, **changed})


@pytest.mark.parametrize(
    ("target", "alert", "higher", "bad"),
    [
        ("> 0.99", "< 0.98", True, "< 0.98"),
        ("> 0.99", None, True, "<= 0.99"),
        (">= 0.99", None, True, "< 0.99"),
        ("< 3", None, False, ">= 3"),
        ("<= 3", None, False, "> 3"),
        ("<= 3", "> 5", False, "> 5"),
    ],
)
def test_the_bad_side_is_the_alert_limit_or_the_target_negated(
    target: str, alert: str | None, higher: bool, bad: str
) -> None:
    gate = Gate.model_validate({**GATE, "target": target, "alert": alert})
    assert (gate.higher_is_better, str(bad_side(gate))) == (higher, bad)
