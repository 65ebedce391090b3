"""A remedy is proposed only where the symptom that it cures is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.decide import Moment, decide
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.remedies import Remedy, choose, in_order
from runbook_lib.judge.model import Evidence, GateResult
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.params.policy import Policy

Run = Callable[..., GateResult]
SLOW = {"value": 150.0, "n": 300, "bad": 250, "upper": 155.0, "low": 140.0}


def depth(*values: float, live: float | None = None) -> dict[str, Any]:
    return {"values": values, "expected": len(values), "live": live}


def test_slow_reports_with_a_short_queue_hold_and_say_why(policy: Policy, run: Run) -> None:
    found = [run("generation_time", **SLOW), run("queue_depth", **depth(0.0, 1.0, 0.0, live=0))]
    outcome = decide("after", found, percent=10, remedies=policy.remedies)
    assert (outcome.decision, outcome.scenario) == (Decision.HOLD, "rollback_1")
    assert (
        "no remedy of this runbook cures it: more workers would not cure it: the queue's depth is 1" in outcome.reason
    )
    assert "one command away: run rollback_1" in outcome.next


def test_a_backlog_that_is_gone_is_no_symptom(policy: Policy, run: Run) -> None:
    """It peaked a quarter of an hour ago and nothing waits now: rollback 2 would find nothing to do."""
    found = [run("generation_time", **SLOW), run("queue_depth", **depth(0.0, 99.0, 0.0, live=0))]
    outcome = decide("after", found, percent=10, remedies=policy.remedies)
    assert outcome.scenario != "rollback_2"
    assert "the queue's depth is 99, and 0 now" in outcome.reason


def test_slow_reports_behind_a_full_queue_are_a_backlog_and_no_baseline_is_spoken_of(policy: Policy, run: Run) -> None:
    found = [run("generation_time", **SLOW), run("queue_depth", **depth(0.0, 40.0, 45.0, live=45))]
    outcome = decide("after", found, percent=10, remedies=policy.remedies)
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_2")
    assert "baseline" not in outcome.reason and "async stays on" in outcome.reason


def test_a_backlog_that_was_worked_off_is_not_worked_off_again(policy: Policy, run: Run) -> None:
    bad = run("queue_depth", **depth(80.0, 60.0, 0.0, 0.0, 0.0, live=0))
    assert bad.verdict is Verdict.FAIL
    assert decide("after", [bad], remedies=policy.remedies).decision is Decision.HOLD
    there = run("queue_depth", **depth(80.0, 60.0, 0.0, 0.0, 0.0, live=70))
    assert decide("after", [there], remedies=policy.remedies).scenario == "rollback_2"


def test_what_fails_users_is_rolled_back_whatever_else_no_remedy_fits(policy: Policy, run: Run) -> None:
    found = [
        run("generation_time", **SLOW),
        run("queue_depth", **depth(0.0, live=0)),
        run("success_rate", n=300, bad=90),
    ]
    assert decide("after", found, percent=10, remedies=policy.remedies).scenario == "rollback_1"


def test_the_table_can_name_another_answer_for_a_gate(policy: Policy, run: Run) -> None:
    table = dict(policy.remedies)
    table["backlog"] = table["backlog"].model_copy(update={"gates": {"generation_time": "switch_off"}})
    outcome = decide("after", [run("generation_time", **SLOW)], remedies=table)
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert "the queue's depth was not seen" in outcome.reason


def test_a_record_without_the_table_is_judged_as_before(run: Run) -> None:
    gate = run("generation_time", **SLOW)
    old = Case(gates=(gate.gate,), evidence={"generation_time": gate.evidence}, moment="after", look=None)
    assert "remedies" not in old.model_dump(exclude_defaults=True)
    outcome = decide("after", [gate])
    assert outcome.scenario == "rollback_2" and "the baseline's own success is not known" in outcome.reason


def _evidence(policy: Policy, draw: Any) -> dict[str, Evidence]:
    level = st.floats(0, 200, allow_nan=False).map(round).map(float)
    found = {}
    for name in ("queue_depth", "throttle_events"):
        values = draw(st.lists(level, max_size=20))
        live = draw(st.none() | level) if name == "queue_depth" else None
        found[name] = (values, live)
    window = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}
    return {
        name: Evidence(
            measure=name, kind="gauge", values=tuple(values), expected=max(1, len(values)), live=live, **window
        )
        for name, (values, live) in found.items()
    } | {
        "generation_time": Evidence(
            measure="generation_time", kind="quantile", n=300, value=draw(st.floats(20, 400)), **window
        ),
        "success": Evidence(measure="success", kind="rate", n=300, bad=draw(st.integers(0, 300)), **window),
    }


@given(st.data())
def test_a_proposed_remedy_has_its_symptom_in_the_evidence(policy: Policy, data: st.DataObject) -> None:
    evidence = _evidence(policy, data.draw)
    gates = [gate for gate in policy.gates if gate.measure in evidence]
    results = [
        judge(gate, evidence[gate.measure], look=policy.phases["06_phase1_10_percent"].looks[0]) for gate in gates
    ]
    moment: Moment = data.draw(st.sampled_from(["during", "after", "void"]))
    outcome = decide(moment, results, percent=10, remedies=policy.remedies)
    depth, events = evidence["queue_depth"], evidence["throttle_events"]
    if outcome.scenario == "rollback_2":
        newest = [*depth.values[-3:], *([] if depth.live is None else [depth.live])]
        assert max(newest) >= 5
    if outcome.scenario == "rollback_3":
        assert max(events.values[-12:]) > 0
    if outcome.scenario in ("rollback_2", "rollback_3"):
        assert "baseline" not in outcome.reason


@given(st.lists(st.floats(0, 1e4), max_size=8), st.none() | st.floats(0, 1e4), st.integers(1, 8), st.floats(0, 1e4))
def test_more_of_a_symptom_never_takes_its_remedy_away(
    values: list[float], live: float | None, periods: int, more: float
) -> None:
    window = {"start": "a", "end": "b", "query": "by hand"}
    remedy = Remedy.model_validate(
        {"symptoms": [{"measure": "m", "shows": "> 15", "periods": periods, "title": "depth"}], "cures": "more"}
    )
    seen = Evidence(measure="m", kind="gauge", values=tuple(values), live=live, **window)
    worse = seen.model_copy(
        update={"values": tuple(v + more for v in values), "live": None if live is None else live + more}
    )
    assert remedy.fits({"m": worse}) or not remedy.fits({"m": seen})
    assert not remedy.fits({})


def test_a_response_that_needs_no_symptom_is_taken_as_it_is(policy: Policy) -> None:
    assert choose(policy.gate("success_rate"), {}, policy.remedies).response == "switch_off"
    assert choose(policy.gate("cost"), {}, policy.remedies).response == "hold"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"symptoms": [{"measure": "queue_dept", "shows": "> 1", "title": "x"}]},
            "'queue_dept' is not a gauge",
        ),
        ({"gates": {"generation_tim": "hold"}}, "gate 'generation_tim' is not declared"),
        ({"symptoms": []}, "at least 1 item"),
    ],
)
def test_a_typo_in_the_table_is_an_error(policy: Policy, changed: dict[str, Any], says: str) -> None:
    raw = policy.model_dump(mode="json")
    raw["remedies"]["backlog"] |= changed
    with pytest.raises(ValueError, match=says):
        Policy.model_validate(raw)


@pytest.mark.parametrize(
    ("levels", "n", "verdict"),
    [
        ([], 0, Verdict.INCONCLUSIVE),
        ([150.0], 19, Verdict.INCONCLUSIVE),
        ([150.0], 20, Verdict.FAIL),
        ([119.0], 20, Verdict.PASS),
    ],
)
def test_a_gate_is_in_order_by_what_was_measured_since(
    policy: Policy, levels: list[float], n: int, verdict: Verdict
) -> None:
    found = in_order(policy.gate("generation_time"), levels=levels, n=n, at_least=20)
    assert (found.gate, found.verdict) == ("generation_time", verdict)


@pytest.mark.parametrize("over", [None, "2026-09-14T14:20:00Z"])
def test_capacity_is_raised_for_what_lasts_and_not_for_what_is_over(policy: Policy, over: str | None) -> None:
    slow = policy.gate("generation_time").model_copy(update={"response": "backlog"})
    waiting = {
        "queue_depth": Evidence(
            measure="queue_depth", kind="gauge", start="", end="", query="", values=(40.0, 45.0), live=45.0
        )
    }
    chosen = choose(slow, waiting, policy.remedies, over)
    assert chosen.response == ("hold" if over else "backlog")
    assert bool(over) == ("it was over at" in chosen.unfit)


def test_what_fails_users_is_rolled_back_though_it_is_over(policy: Policy) -> None:
    assert choose(policy.gate("success_rate"), {}, policy.remedies, "2026-09-14T14:20:00Z").response == "switch_off"
