from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.decide import Moment, decide
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.params.policy import Policy

LATER = "2026-11-24T06:00:00Z"
Run = Callable[..., GateResult]


@pytest.fixture
def good(run: Run) -> list[GateResult]:
    """Every gate of phase 1, passed."""
    return [
        run("success_rate", n=300, bad=0),
        run("error_rate", n=300, bad=0),
        run("submit_latency", value=1.2, n=300, upper=1.5),
        run("generation_time", value=60, n=300, upper=70),
        run("queue_depth", values=(0.0,) * 1440, expected=1440, live=0),
        run("dlq", values=(0.0,) * 1440, expected=1440, live=0),
        run("lambda_errors", n=900, bad=0),
        run("cost", value=0.0013, n=300),
        run("observed_split", bad=300, n=3000, weight=0.1),
    ]


@pytest.fixture
def broken() -> Evidence:
    """The synchronous baseline of production: 3.3 % success."""
    return _baseline(2610, 2700)


def _baseline(bad: int, n: int) -> Evidence:
    window = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}
    return Evidence.model_validate({"measure": "baseline_success", "kind": "rate", "bad": bad, "n": n, **window})


def _with(results: list[GateResult], *changed: GateResult) -> list[GateResult]:
    swap = {result.gate.id: result for result in changed}
    return [swap.get(result.gate.id, result) for result in results]


def test_before_is_a_plan(policy: Policy) -> None:
    outcome = decide("before", [], percent=10)
    assert outcome.decision is Decision.PLANNED
    assert outcome.reason == "nothing is in force; apply would set the weight of 10 % and start the soak."
    assert outcome.come_back_at is None


def test_before_applied_soaks(run: Run) -> None:
    outcome = decide("before", [], percent=10, applied=True, come_back_at=LATER)
    assert (outcome.decision, outcome.come_back_at) == (Decision.SOAK, LATER)
    assert "2026-11-24 06:00 UTC" in outcome.next


def test_before_names_what_fails_already(run: Run) -> None:
    outcome = decide("before", [run("dlq", values=(1.0,), expected=1)])
    assert outcome.decision is Decision.PLANNED
    assert "already failing: DLQ depth" in outcome.reason


def test_all_passed_promotes(good: list[GateResult]) -> None:
    outcome = decide("after", good, percent=10)
    assert outcome.decision is Decision.PROMOTE
    assert "all 9 required gates passed" in outcome.reason and "n = 300" in outcome.reason
    assert outcome.results == tuple(good)


def test_all_passed_during_the_soak_does_not(good: list[GateResult]) -> None:
    outcome = decide("during", good, percent=10, come_back_at=LATER)
    assert (outcome.decision, outcome.come_back_at) == (Decision.SOAK, LATER)


def test_during_names_silence(good: list[GateResult], run: Run) -> None:
    outcome = decide("during", _with(good, run("success_rate", look=None, n=0, bad=0)))
    assert outcome.decision is Decision.SOAK and "no data yet for success rate" in outcome.reason
    assert outcome.next == "Run this notebook again later."


def test_inconclusive_extends_then_holds(good: list[GateResult], run: Run) -> None:
    few = _with(good, run("success_rate", n=300, bad=2), run("error_rate", n=99, bad=0))
    outcome = decide("after", few, percent=10, come_back_at=LATER)
    assert (outcome.decision, outcome.come_back_at) == (Decision.SOAK, LATER)
    assert "extended, success rate 99.3 %" in outcome.reason
    assert "also undecided: error rate" in outcome.reason
    held = decide("after", few, percent=10, last_look=True)
    assert held.decision is Decision.HOLD and "last look" in held.reason


def test_no_data_holds(good: list[GateResult], run: Run) -> None:
    silent = _with(good, run("success_rate", n=0, bad=0), run("cost"))
    outcome = decide("after", silent, percent=10, come_back_at=LATER)
    assert outcome.decision is Decision.HOLD
    assert "success rate: no data" in outcome.reason and "also without data: cost per VPR" in outcome.reason


def test_no_traffic_at_all_holds(run: Run) -> None:
    """Proofs that nothing happened add up to no proof that it works."""
    outcome = decide("after", [run("lambda_errors", n=0, bad=0, proven_zero_by="no invocations")])
    assert outcome.decision is Decision.HOLD and "no request was judged" in outcome.reason


def test_no_gate_holds(good: list[GateResult]) -> None:
    assert decide("after", []).decision is Decision.HOLD


def test_fail_rolls_back_in_words(good: list[GateResult], run: Run) -> None:
    title = {"title": "Worker error rate", "min_samples": 1}
    outcome = decide(
        "after", _with(good, run("lambda_errors", changed=title, n=431, bad=31)), baseline=_baseline(5, 2700)
    )
    assert outcome.decision is Decision.ROLLBACK and outcome.scenario == "rollback_1"
    assert outcome.reason.startswith("worker error rate 7.2 % (95 % 4.9-10.1 %, n = 431) is above the alert limit 5 %")
    assert "the baseline itself succeeds in 99.8 % (95 % 99.6-99.9 %, n = 2,700)." in outcome.reason
    assert "broken" not in outcome.reason


@pytest.mark.parametrize("moment", ["during", "after"])
def test_a_baseline_shown_worse_holds(moment: Moment, good: list[GateResult], run: Run, broken: Evidence) -> None:
    """Trap 13: 96 % is below the alert limit, and better than 3.3 %."""
    bad = _with(good, run("success_rate", n=300, bad=12))
    outcome = decide(moment, bad, percent=10, baseline=broken)
    assert (outcome.decision, outcome.scenario) == (Decision.HOLD, "rollback_1")
    assert "3.3 %" in outcome.reason and "it is broken" in outcome.reason
    assert "frozen" in outcome.next and "one command away" in outcome.next
    assert decide(moment, bad, percent=10, baseline=broken, worse_baseline_holds=False).decision is Decision.ROLLBACK


@pytest.mark.parametrize(("after", "decision"), [(20, Decision.ROLLBACK), (1500, Decision.HOLD)])
def test_a_gross_failure_that_is_over_is_held_against_the_baseline_with_what_came_after_it(
    after: int, decision: Decision, good: list[GateResult], run: Run, broken: Evidence
) -> None:
    """All of a dip failed: the baseline is no worse than that, but it is worse than what a rollback would end."""
    dip = [(f"2026-11-23T06:{minute:02d}:00Z", 1, 1) for minute in range(30)]
    rows = (("2026-11-23T00:00:00Z", 0, 900), *dip, ("2026-11-23T07:00:00Z", 0, after))
    failed = run("success_rate", n=930 + after, bad=30, course=rows)
    assert failed.until and (failed.value, failed.n) == (0, 30)
    assert decide("during", _with(good, failed), percent=10, baseline=broken).decision is decision


@pytest.mark.parametrize(
    "baseline",
    [None, _baseline(0, 0), _baseline(10, 300), _baseline(1, 2), _baseline(5, 4)],
    ids=["unknown", "no requests", "as good", "too few to show", "nonsense"],
)
def test_a_baseline_not_shown_worse_rolls_back(baseline: Evidence | None, good: list[GateResult], run: Run) -> None:
    outcome = decide("after", _with(good, run("success_rate", n=300, bad=12)), baseline=baseline)
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert "baseline" in outcome.reason


def test_swapping_canary_and_baseline_turns_it_round(good: list[GateResult], run: Run) -> None:
    worse = decide("after", _with(good, run("success_rate", n=2700, bad=135)), baseline=_baseline(700, 2700))
    better = decide("after", _with(good, run("success_rate", n=2700, bad=265)), baseline=_baseline(135, 2700))
    assert (worse.decision, better.decision) == (Decision.HOLD, Decision.ROLLBACK)


def test_collapse_always_rolls_back(good: list[GateResult], run: Run, broken: Evidence) -> None:
    bad = _with(good, run("success_rate", n=300, bad=40), run("error_rate", n=300, bad=40))
    outcome = decide("after", bad, baseline=broken)
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert "past collapse (< 90 %)" in outcome.reason and "restores nothing" in outcome.reason


def test_data_loss_always_rolls_back(good: list[GateResult], run: Run, broken: Evidence) -> None:
    bad = _with(good, run("success_rate", n=300, bad=12), run("dlq", values=(1.0,), expected=1))
    outcome = decide("during", bad, baseline=broken)
    assert outcome.decision is Decision.ROLLBACK
    assert outcome.reason.startswith("DLQ depth") and "also failing: success rate" in outcome.reason


@pytest.mark.parametrize(
    ("response", "decision", "scenario"),
    [
        ("switch_off", Decision.ROLLBACK, "rollback_1"),
        ("backlog", Decision.ROLLBACK, "rollback_2"),
        ("throttling", Decision.ROLLBACK, "rollback_3"),
        ("hold", Decision.HOLD, None),
    ],
)
def test_each_response(
    response: str, decision: Decision, scenario: str | None, good: list[GateResult], run: Run
) -> None:
    bad = run("queue_depth", changed={"response": response}, values=(60.0,), expected=1)
    outcome = decide("after", _with(good, bad))
    assert (outcome.decision, outcome.scenario) == (decision, scenario)


def test_a_backlog_is_worked_off_whatever_the_baseline(good: list[GateResult], run: Run, broken: Evidence) -> None:
    bad = run("queue_depth", values=(60.0,), expected=1)
    assert decide("after", _with(good, bad), baseline=broken).scenario == "rollback_2"


def test_fails_are_ranked_by_severity(good: list[GateResult], run: Run) -> None:
    bad = _with(good, run("cost", value=0.06, n=300), run("queue_depth", values=(60.0,), expected=1))
    outcome = decide("after", _with(bad, run("error_rate", n=300, bad=30)))
    assert outcome.reason.startswith("error rate (each async route, 5xx) 10.0 %")
    assert "also failing: queue depth, cost per VPR" in outcome.reason


def test_no_way_back_holds(good: list[GateResult], run: Run) -> None:
    outcome = decide("after", _with(good, run("success_rate", n=300, bad=60)), way_back=False)
    assert (outcome.decision, outcome.scenario) == (Decision.HOLD, None)
    assert "no way back" in outcome.reason and "fix forward" in outcome.next


def test_taken_back_names_alarm_and_time(good: list[GateResult], broken: Evidence) -> None:
    outcome = decide(
        "taken_back",
        good,
        percent=0,
        alarm="careervp-vpr-dlq-alarm-prod",
        alarm_at="2026-11-23T03:12:00Z",
        baseline=broken,
    )
    assert (outcome.decision, outcome.scenario) == (Decision.ROLLBACK, "rollback_1")
    assert "alarm careervp-vpr-dlq-alarm-prod fired at 2026-11-23 03:12 UTC" in outcome.reason
    assert "AppConfig took the weight back to 0 % by itself" in outcome.reason
    assert "in effect already" in outcome.reason and "3.3 %" in outcome.reason
    assert "does not name" in decide("taken_back", good).reason
    by_hand = decide("taken_back", good, taken_back="the weight was taken back by hand at 03:12 UTC").reason
    assert "by hand at 03:12 UTC; this is in effect already" in by_hand and "AppConfig" not in by_hand


def test_void_holds_unless_users_are_failing(good: list[GateResult], run: Run) -> None:
    why = "the switch was off from 03:00 to 04:00 UTC"
    outcome = decide("void", good, percent=10, void=why)
    assert outcome.decision is Decision.HOLD and why in outcome.reason
    assert "void" in decide("void", good).reason
    bad = _with(good, run("success_rate", n=300, bad=60))
    assert decide("void", bad, percent=0, void=why).decision is Decision.HOLD, "nobody is on async"
    failing = decide("void", bad, percent=50, void=why)
    assert failing.decision is Decision.ROLLBACK and why in failing.reason


def _aside(result: GateResult, **fields: Any) -> GateResult:
    gate = Gate.model_validate({**result.gate.model_dump(), **fields})
    return result.model_copy(update={"gate": gate})


@pytest.mark.parametrize("fields", [{"muted": "known, ticket 4711"}, {"required": False}], ids=["muted", "advisory"])
def test_muted_and_advisory_never_decide(fields: dict[str, Any], good: list[GateResult], run: Run) -> None:
    for bad in (run("success_rate", n=300, bad=60), run("cost"), run("lambda_errors", n=5, bad=0)):
        results = _with(good, _aside(bad, **fields))
        outcome = decide("after", results)
        assert outcome.decision is Decision.PROMOTE
        assert outcome.results == tuple(results), "never dropped"
        assert "not counted: " in outcome.reason and str(bad.verdict) in outcome.reason
        assert ("ticket 4711" in outcome.reason) == ("muted" in fields)


VERDICTS = st.sampled_from(list(Verdict))


@given(
    verdicts=st.lists(VERDICTS, min_size=9, max_size=9),
    muted=st.lists(st.booleans(), min_size=9, max_size=9),
    last=st.booleans(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_only_counted_gates_decide(
    verdicts: list[Verdict], muted: list[bool], last: bool, good: list[GateResult]
) -> None:
    """PROMOTE exactly where every gate that counts passes; what the others say changes nothing."""
    results = [
        _aside(result, muted="x" if mute else None).model_copy(update={"verdict": verdict})
        for result, verdict, mute in zip(good, verdicts, muted, strict=True)
    ]
    counted = [result for result in results if not result.gate.muted]
    outcome: Outcome = decide("after", results, last_look=last)
    all_pass = all(result.verdict is Verdict.PASS for result in counted)
    assert (outcome.decision is Decision.PROMOTE) == (all_pass and bool(counted))
    assert decide("after", counted, last_look=last).decision is outcome.decision
    interim = decide("during", results).decision
    assert interim in (Decision.SOAK, Decision.HOLD, Decision.ROLLBACK)
    if any(result.verdict is Verdict.FAIL for result in counted):
        assert interim is not Decision.SOAK and outcome.decision in (Decision.HOLD, Decision.ROLLBACK)


@given(order=st.permutations(range(9)))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_order_of_gates_does_not_matter(order: list[int], good: list[GateResult], run: Run, at5: Look) -> None:
    results = _with(
        good, run("error_rate", n=300, bad=30), run("cost", value=0.06, n=3), run("success_rate", n=9, bad=0)
    )
    one, two = decide("after", results), decide("after", [results[i] for i in order])
    assert (one.decision, one.scenario, one.reason) == (two.decision, two.scenario, two.reason)


LOOK = Look(hours=24, alpha=0.03)


def _silent(policy: Policy, no_data: str, **fields: Any) -> tuple[Gate, Case]:
    """A case whose last gate has no data, and says what that means to it."""
    gate = policy.gate("lambda_errors").model_copy(update={"no_data": no_data, "response": "switch_off"})
    served = policy.gate("success_rate")
    window = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}
    seen = Evidence.model_validate({"measure": served.measure, "kind": "rate", "bad": 0, "n": 3000, **window})
    case = Case(
        gates=(served, gate), evidence={served.measure: seen}, moment="after", looks=(LOOK,), percent=10, **fields
    )
    return gate, case


@pytest.mark.parametrize(
    ("no_data", "number", "decision", "says"),
    [
        ("hold", 1, "HOLD", "'lambda_errors' was not measured"),
        ("hold", 2, "HOLD", "'lambda_errors' was not measured"),
        ("fail", 1, "ROLLBACK", "without data this gate fails (`no_data: fail`)"),
        ("fail", 2, "ROLLBACK", "without data this gate fails (`no_data: fail`)"),
        ("ignore_after_first", 1, "HOLD", "'lambda_errors' was not measured"),
        ("ignore_after_first", 2, "PROMOTE", "NO_DATA (no data is ignored after the first look)"),
    ],
)
def test_a_gate_says_what_no_data_means_to_it_at_a_declared_look(
    policy: Policy, no_data: str, number: int, decision: str, says: str
) -> None:
    _, case = _silent(policy, no_data, look=LOOK, look_number=number)
    outcome = case.verdict()
    assert (outcome.decision, says in outcome.reason) == (decision, True), outcome.reason


@pytest.mark.parametrize("no_data", ["hold", "fail", "ignore_after_first"])
def test_between_two_looks_no_data_decides_nothing(policy: Policy, no_data: str) -> None:
    _, case = _silent(policy, no_data, look=None)
    outcome = case.model_copy(update={"moment": "during"}).verdict()
    assert outcome.decision is Decision.SOAK and "there is no data yet for lambda errors" in outcome.reason


def test_what_is_seen_counts_whatever_no_data_would_mean(policy: Policy) -> None:
    gate, case = _silent(policy, "ignore_after_first", look=LOOK, look_number=2)
    served = case.evidence["success"]
    seen = served.model_copy(update={"measure": gate.measure, "bad": 900})
    outcome = case.model_copy(update={"evidence": {**case.evidence, gate.measure: seen}}).verdict()
    assert outcome.decision is Decision.ROLLBACK


@pytest.mark.parametrize(("bad", "n"), [(3, 2), (2, 0), (1, None)])
def test_counts_that_cannot_be_are_not_ignored(policy: Policy, bad: int, n: int | None) -> None:
    gate, case = _silent(policy, "ignore_after_first", look=LOOK, look_number=2)
    odd = case.evidence["success"].model_copy(update={"measure": gate.measure, "bad": bad, "n": n})
    outcome = case.model_copy(update={"evidence": {**case.evidence, gate.measure: odd}}).verdict()
    assert outcome.decision is Decision.HOLD, outcome.reason


def test_a_gate_that_is_not_required_decides_nothing_by_no_data_either(policy: Policy) -> None:
    gate, case = _silent(policy, "fail", look=LOOK, look_number=1)
    advisory = gate.model_copy(update={"required": False})
    outcome = case.model_copy(update={"gates": (case.gates[0], advisory)}).verdict()
    assert outcome.decision is Decision.PROMOTE and "FAIL (advisory)" in outcome.reason


def test_a_record_that_knows_no_such_field_is_judged_as_before(policy: Policy) -> None:
    _, case = _silent(policy, "hold", look=LOOK, look_number=2)
    raw = case.model_dump(mode="json")
    for gate in raw["gates"]:
        del gate["no_data"], gate["constant"]
    assert Case.model_validate(raw).verdict() == case.verdict()
