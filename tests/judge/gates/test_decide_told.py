"""What a person reads at each decision: reason and next step, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.judge.gates import statistics
from runbook_lib.judge.gates.decide import decide
from runbook_lib.judge.model import Evidence, Gate, GateResult, Outcome
from runbook_lib.judge.terms import Decision

LATER = "2026-11-24T06:00:00Z"
WINDOW = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}


def row(id: str, verdict: str, *, gate: dict[str, Any] | None = None, **fields: Any) -> GateResult:
    """A verdict whose reason is `<id> is <verdict>.`; a rate of 300 requests unless said otherwise."""
    declared = Gate.model_validate(
        {
            "id": id,
            "title": f"Gate {id}",
            "kind": "rate",
            "measure": id,
            "unit": "ratio",
            "target": "> 0.99",
            "alert": "< 0.98",
            "why": "test",
            **(gate or {}),
        }
    )
    seen = Evidence.model_validate({"measure": declared.measure, "kind": declared.kind, **WINDOW})
    given = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 300, "reason": f"{id} is {verdict}.", **fields}
    return GateResult.model_validate({"gate": declared, "evidence": seen, "verdict": verdict, **given})


def baseline(bad: int, n: int) -> Evidence:
    return Evidence.model_validate({"measure": "baseline_success", "kind": "rate", "bad": bad, "n": n, **WINDOW})


USERS = {"measure": "success", "response": "switch_off", "severity": 5}
OFF = {"response": "switch_off"}
A, B, C = (row(id, "FAIL") for id in "abc")
UNKNOWN = "the baseline's own success is not known"

TOLD: list[tuple[str, list[GateResult], dict[str, Any], str, str, str]] = [
    (
        "before",
        [],
        {},
        "PLANNED",
        "nothing is in force; apply would set the weight and start the soak.",
        "Read the plan, then run again with mode=apply and confirm=<environment>.",
    ),
    (
        "before",
        [row("a", "PASS"), row("b", "FAIL")],
        {"percent": 50},
        "PLANNED",
        "nothing is in force; apply would set the weight of 50 % and start the soak, while already failing: gate b.",
        "Read the plan, then run again with mode=apply and confirm=<environment>.",
    ),
    (
        "before",
        [B, C],
        {"percent": 10, "applied": True, "come_back_at": LATER},
        "SOAK",
        "the weight of 10 % was set by this run and the soak has begun, while already failing: gate b, gate c.",
        "Run this notebook again at 2026-11-24 06:00 UTC.",
    ),
    (
        "during",
        [row("a", "INCONCLUSIVE")],
        {"percent": 10, "come_back_at": LATER},
        "SOAK",
        "the weight of 10 % is in force and nothing has failed so far.",
        "Run this notebook again at 2026-11-24 06:00 UTC.",
    ),
    (
        "during",
        [row("a", "NO_DATA"), row("b", "NO_DATA")],
        {},
        "SOAK",
        "the weight is in force and nothing has failed so far, but there is no data yet for gate a, gate b.",
        "Run this notebook again later.",
    ),
    (
        "after",
        [row("a", "PASS"), row("u", "PASS", gate=USERS)],
        {"percent": 10},
        "PROMOTE",
        "all 2 required gates passed at the end of the soak at the weight of 10 %, first of all: u is PASS.",
        "Go on with the next phase.",
    ),
    (
        "after",
        [row("a", "PASS", gate={"kind": "quantile", "quantile": 0.95})],
        {"percent": 100},
        "PROMOTE",
        "all 1 required gate passed at the end of the soak at the weight of 100 %.",
        "Go on with the next phase.",
    ),
    (
        "after",
        [row("a", "PASS", n=0), row("b", "PASS", gate={"kind": "gauge"})],
        {"percent": 10},
        "HOLD",
        "no request was judged, and a soak without traffic shows nothing.",
        "The weight of 10 % stays; find out why there is no traffic, then run again.",
    ),
    (
        "after",
        [row("a", "PASS", n=0, gate={"kind": "quantile", "quantile": 0.95})],
        {"percent": 10},
        "HOLD",
        "no request was judged, and a soak without traffic shows nothing.",
        "The weight of 10 % stays; find out why there is no traffic, then run again.",
    ),
    (
        "after",
        [],
        {},
        "HOLD",
        "no gate is left to decide.",
        "Give the phase a gate that is required and not muted.",
    ),
    (
        "after",
        [row("a", "PASS"), row("b", "NO_DATA")],
        {"percent": 10},
        "HOLD",
        "b is NO_DATA.",
        "The weight of 10 % stays; find out why nothing is seen, then run again.",
    ),
    (
        "after",
        [row(id, "NO_DATA") for id in "abc"],
        {},
        "HOLD",
        "a is NO_DATA; also without data: gate b, gate c.",
        "The weight stays; find out why nothing is seen, then run again.",
    ),
    (
        "after",
        [row("a", "INCONCLUSIVE")],
        {"percent": 10, "come_back_at": LATER},
        "SOAK",
        "extended, a is INCONCLUSIVE.",
        "Run this notebook again at 2026-11-24 06:00 UTC, the next declared look.",
    ),
    (
        "after",
        [row(id, "INCONCLUSIVE") for id in "abc"],
        {"percent": 10},
        "SOAK",
        "extended, a is INCONCLUSIVE; also undecided: gate b, gate c.",
        "Run this notebook again later, the next declared look.",
    ),
    (
        "after",
        [row(id, "INCONCLUSIVE") for id in "abc"],
        {"percent": 10, "last_look": True},
        "HOLD",
        "the last look of the soak is not conclusive: a is INCONCLUSIVE; also undecided: gate b, gate c; "
        "the baseline's own success is not known.",
        "The weight of 10 % stays; a human decides: soak again with the next attempt (attempt + 1), or go back "
        "(run rollback_1: it turns async off at once).",
    ),
    (
        "after",
        [A],
        {"percent": 10},
        "HOLD",
        "a is FAIL.",
        "The weight of 10 % stays as it is; a human decides, since no rollback cures this.",
    ),
    (
        "during",
        [A, B, C],
        {},
        "HOLD",
        "a is FAIL; also failing: gate b, gate c.",
        "The weight stays as it is; a human decides, since no rollback cures this.",
    ),
    (
        "after",
        [A],
        {"way_back": False},
        "HOLD",
        "a is FAIL; there is no way back: the old endpoint is gone.",
        "Call people: fix forward, or deploy the archived function again.",
    ),
    (
        "after",
        [A, B, C],
        {"way_back": False},
        "HOLD",
        "a is FAIL; there is no way back: the old endpoint is gone; also failing: gate b, gate c.",
        "Call people: fix forward, or deploy the archived function again.",
    ),
    (
        "after",
        [row("a", "FAIL", gate=OFF), B, C],
        {"percent": 10},
        "ROLLBACK",
        f"a is FAIL; also failing: gate b, gate c; {UNKNOWN}.",
        "Run rollback_1: it turns async off at once.",
    ),
    (
        "after",
        [row("a", "FAIL", gate={"response": "backlog"})],
        {"baseline": baseline(5, 2700)},
        "ROLLBACK",
        "a is FAIL; the baseline itself succeeds in 99.8 % (95 % 99.6-99.9 %, n = 2,700).",
        "Run rollback_2: it works off the backlog.",
    ),
    (
        "after",
        [row("a", "FAIL", gate={"response": "throttling"})],
        {"baseline": baseline(0, 30), "confidence": 0.9},
        "ROLLBACK",
        "a is FAIL; the baseline itself succeeds in 100.0 % (90 % 90.5-100.0 %, n = 30).",
        "Run rollback_3: it ends the throttling.",
    ),
    (
        "after",
        [row("u", "FAIL", gate={**USERS, "collapse": "< 0.9"}, collapsed=True)],
        {"baseline": baseline(9, 9)},
        "ROLLBACK",
        "u is FAIL, past collapse (< 90 %); the baseline itself succeeds in 0.0 % (95 % 0.0-33.6 %, "
        "n = 9), that is, it is broken: a rollback stops new harm and restores nothing.",
        "Run rollback_1: it turns async off at once.",
    ),
    (
        "after",
        [row("u", "FAIL", gate={**USERS, "collapse": "< 0.9"})],
        {"worse_baseline_holds": False},
        "ROLLBACK",
        f"u is FAIL; {UNKNOWN}.",
        "Run rollback_1: it turns async off at once.",
    ),
    (
        "during",
        [row("u", "FAIL", gate=USERS)],
        {"percent": 10, "baseline": baseline(9, 9)},
        "HOLD",
        "u is FAIL, but the baseline is shown to be worse: the baseline itself succeeds in 0.0 % "
        "(95 % 0.0-33.6 %, n = 9), that is, it is broken: a rollback stops new harm and restores nothing.",
        "The weight of 10 % is frozen; call people; the rollback is one command away: run rollback_1: it turns async "
        "off at once.",
    ),
    (
        "during",
        [row("u", "FAIL", gate=USERS), B, C],
        {"baseline": baseline(9, 9)},
        "HOLD",
        "u is FAIL, but the baseline is shown to be worse: the baseline itself succeeds in 0.0 % "
        "(95 % 0.0-33.6 %, n = 9), that is, it is broken: a rollback stops new harm and restores nothing; "
        "also failing: gate b, gate c.",
        "The weight is frozen; call people; the rollback is one command away: run rollback_1: it turns async off at "
        "once.",
    ),
    (
        "taken_back",
        [],
        {},
        "ROLLBACK",
        "AppConfig took the weight back by itself when an alarm fired that it does not name; this is in "
        f"effect already, whatever the metrics say; {UNKNOWN}.",
        "Run rollback_1: it proves that async is off and turns the switch off too; then find the cause.",
    ),
    (
        "taken_back",
        [],
        {"percent": 0, "alarm": "dlq", "alarm_at": "03:12 UTC"},
        "ROLLBACK",
        "AppConfig took the weight back to 0 % by itself when alarm dlq fired at 03:12 UTC; this is in "
        f"effect already, whatever the metrics say; {UNKNOWN}.",
        "Run rollback_1: it proves that async is off and turns the switch off too; then find the cause.",
    ),
    (
        "void",
        [],
        {},
        "HOLD",
        "the soak is void: the weight in force was not the one that should have soaked.",
        "Find out who changed it and why; the soak starts again from the beginning with a new attempt.",
    ),
    (
        "void",
        [row("a", "PASS", gate={"muted": "known"}), row("b", "FAIL", gate={"required": False})],
        {"void": "the switch was off."},
        "HOLD",
        "the soak is void: the switch was off; not counted: gate a PASS (muted: known), gate b FAIL (advisory).",
        "Find out who changed it and why; the soak starts again from the beginning with a new attempt.",
    ),
    (
        "void",
        [row("a", "FAIL", gate=OFF)],
        {"percent": 10, "void": "the switch was off"},
        "ROLLBACK",
        f"a is FAIL; {UNKNOWN}; also, the soak is void: the switch was off.",
        "Run rollback_1: it turns async off at once.",
    ),
]


@pytest.mark.parametrize(("moment", "results", "more", "decision", "reason", "then"), TOLD)
def test_what_is_told(
    moment: Any, results: list[GateResult], more: dict[str, Any], decision: str, reason: str, then: str
) -> None:
    outcome: Outcome = decide(moment, results, **more)
    assert (str(outcome.decision), outcome.reason, outcome.next) == (decision, reason, then)


def test_a_baseline_just_as_good_as_it_may_be_is_not_shown_worse() -> None:
    """Intervals that touch overlap: only one that lies wholly below is worse."""
    _, high = statistics.clopper_pearson(3, 10, 0.95)
    touching, apart = (row("u", "FAIL", gate=USERS, low=low) for low in (high, high + 1e-9))
    assert decide("after", [touching], baseline=baseline(7, 10)).decision is Decision.ROLLBACK
    assert decide("after", [apart], baseline=baseline(7, 10)).decision is Decision.HOLD
