from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.judge.model import Evidence, Gate, Outcome, of_today
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
    ("decision", "reason", "said", "rest"),
    [
        ("HOLD", "HOLD: x", None, "x"),
        ("PROMOTE", "DONE: async is off", "DONE", "async is off"),
        ("PROMOTE", "what was DONE: all", None, "what was DONE: all"),
        ("HOLD", "06 says HOLD: x", None, "06 says HOLD: x"),
        ("HOLD", "ROLLBACK: x", None, "ROLLBACK: x"),
        (None, "PROMOTE: a look", None, "PROMOTE: a look"),
        ("HOLD", None, None, ""),
    ],
)
def test_the_word_in_the_reason_of_version_0_1_is_a_field(
    decision: str | None, reason: str | None, said: str | None, rest: str
) -> None:
    found = of_today({"decision": decision, "reason": reason, "next": "n"})
    assert found == {"decision": decision, "said": said, "reason": rest, "next": "n"}
    assert of_today(found) == found, "of today already"
