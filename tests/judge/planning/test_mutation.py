"""No configured gate passes on bad input; one that would is named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.gauge import STUCK_POINTS
from runbook_lib.judge.model import Evidence, Gate, Look, bad_side
from runbook_lib.judge.planning.mutation import MUTATIONS, TITLES, Trial, healthy, trial
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.policy import Policy
from tests import own_gates

POLICY = Policy.model_validate(read_yaml(Path(__file__).resolve().parents[3] / "params" / "gates.yaml"))
LOOK = Look(hours=24, alpha=0.03)
TRIALS = trial(POLICY.gates, look=LOOK, looks=(LOOK,))


@pytest.mark.parametrize("one", TRIALS, ids=lambda one: f"{one.gate}-{one.mutation}")
def test_a_configured_gate_holds_or_fails_on_bad_input_and_passes_on_good(one: Trial) -> None:
    assert one.ok, one.reason
    assert (one.verdict is Verdict.PASS) == (one.mutation == "healthy")


def test_every_gate_meets_a_control_and_most_mutations() -> None:
    for gate in POLICY.gates:
        met = [one.mutation for one in TRIALS if one.gate == gate.id]
        assert met[0] == "healthy"
        assert len(met) >= 5


def test_every_mutation_is_met_by_some_gate() -> None:
    assert {one.mutation for one in TRIALS} == {"healthy", *(mutation.id for mutation in MUTATIONS)}


def careless(**fields: object) -> Gate:
    given = {
        "id": "latency",
        "title": "Latency",
        "kind": "quantile",
        "quantile": 0.95,
        "measure": "latency",
        "unit": "s",
        "target": "< 3",
        "alert": "> 5",
        "why": "test",
    }
    return Gate.model_validate({**given, **fields})


def test_a_gate_that_still_passes_is_found() -> None:
    found = {one.mutation for one in trial([careless()], look=LOOK, looks=(LOOK,)) if not one.ok}
    assert found == {"unit_too_small"}
    cured = careless(implausible="< 0.005")
    assert all(one.ok for one in trial([cured], look=LOOK, looks=(LOOK,)))


def test_a_gate_that_no_evidence_passes_is_found_by_its_control() -> None:
    impossible = careless(min_samples=10_000)
    found = [one.mutation for one in trial([impossible], look=LOOK, looks=(LOOK,)) if not one.ok]
    assert found == ["healthy"]


LOW: dict[str, dict[str, Any]] = {
    "rate": {"unit": "ratio", "target": "< 0.01", "alert": "> 0.05"},
    "split": {"unit": "ratio", "target": "> 0"},
    "quantile": {"unit": "s", "quantile": 0.95, "target": "< 3", "alert": "> 5", "implausible": "< 0.005"},
    "gauge": {"unit": "messages", "target": "<= 1", "alert": ">= 10"},
    "amount": {"unit": "USD", "target": "< 0.01", "alert": "> 0.02", "implausible": "< 0.0001"},
}
HIGH: dict[str, dict[str, Any]] = {
    "rate": {"unit": "ratio", "target": "> 0.99", "alert": "< 0.98"},
    "quantile": {"unit": "requests", "quantile": 0.05, "target": "> 10", "alert": "< 5", "implausible": "> 1000"},
    "gauge": {"unit": "requests", "target": ">= 5", "alert": "< 2", "implausible": "> 1000"},
    "amount": {"unit": "USD", "target": "> 1", "alert": "< 0.5", "implausible": "> 100"},
}


def gate_of(kind: str, up: bool = False) -> Gate:
    declared = (HIGH if up else LOW)[kind]
    return Gate.model_validate(
        {"id": kind, "title": kind.title(), "kind": kind, "measure": kind, "why": "test", **declared}
    )


EVERY = [*(gate_of(kind) for kind in LOW), *(gate_of(kind, up=True) for kind in HIGH)]
SPOIL = {mutation.id: mutation.spoil for mutation in MUTATIONS}


def spoilt(mutation: str, gate: Gate, **seen: Any) -> Evidence:
    """What becomes of a healthy day, or of that with other figures."""
    sound = Evidence.model_validate({**healthy(gate).model_dump(), **seen})
    return SPOIL[mutation][gate.kind](gate, sound)


@pytest.mark.parametrize("gate", EVERY, ids=lambda gate: f"{gate.kind}{gate.target.op}")
def test_gates_of_every_kind_and_direction_are_put_to_the_trial(gate: Gate) -> None:
    found = trial([gate], look=LOOK, looks=(LOOK,))
    assert [one.mutation for one in found if not one.ok] == []
    assert {one.mutation for one in found} >= {"healthy", "empty", "partial", "no_traffic", "impossible"}


def test_a_healthy_day_is_well_within_every_target() -> None:
    for gate in EVERY:
        seen, target = healthy(gate), gate.target
        assert (seen.kind, seen.measure, seen.partial, seen.query) == (
            gate.kind,
            gate.kind,
            False,
            "made up for the trial",
        )
        assert (seen.start, seen.end) == ("2025-06-16T00:00:00Z", "2025-06-17T00:00:00Z")
        match gate.kind:
            case "rate":
                assert seen.n == 5000 and seen.bad in (1, 2, 3)
            case "split":
                assert seen.n == 5000 and seen.weight == 0.1 and seen.bad == pytest.approx(500, abs=60)
            case "quantile":
                assert seen.low is not None and seen.upper is not None and seen.value is not None
                assert all(target.holds(value) for value in (seen.low, seen.value, seen.upper))
                assert seen.low < seen.value < seen.upper and seen.n == 5000 and seen.bad in (1, 2, 3)
            case "gauge":
                assert len(seen.values) == seen.expected == 1440 and seen.live is not None
                assert all(target.holds(value) for value in (*seen.values, seen.live))
                assert len(set(seen.values)) > 1, "it moves"
            case "amount":
                assert seen.value is not None and target.holds(seen.value) and seen.n == 5000


def test_a_level_that_may_not_rise_stands_at_zero_on_a_healthy_day() -> None:
    dlq = Gate.model_validate({**gate_of("gauge").model_dump(), "target": "<= 0", "alert": ">= 1"})
    assert set(healthy(dlq).values) == {0.0}
    met = [one.mutation for one in trial([dlq], look=LOOK, looks=(LOOK,))]
    assert met == ["healthy", "empty", "nan", "partial", "no_traffic", "stuck", "impossible"], "0 in any unit is 0"


def test_swapped_arms_show_what_the_other_one_did() -> None:
    assert (spoilt("swapped_arms", gate_of("rate")).bad, spoilt("swapped_arms", gate_of("rate")).n) == (4999, 5000)
    assert spoilt("swapped_arms", gate_of("rate", up=True), bad=40, n=100).bad == 60
    assert spoilt("swapped_arms", gate_of("split"), bad=500).bad == 4500
    for up in (False, True):
        for kind in ("quantile", "amount"):
            gate = gate_of(kind, up)
            other = spoilt("swapped_arms", gate)
            assert other.value is not None and bad_side(gate).holds(other.value) and not gate.target.holds(other.value)
            assert other.low == other.upper == other.high == other.value and other.bad == other.n


def test_an_empty_answer_and_no_traffic_hold_nothing() -> None:
    for gate in EVERY:
        seen = spoilt("empty", gate)
        assert (seen.value, seen.low, seen.upper, seen.n, seen.bad, seen.values, seen.live) == (
            None,
            None,
            None,
            None,
            None,
            (),
            None,
        )
        seen = spoilt("no_traffic", gate)
        assert (seen.value, seen.low, seen.upper, seen.bad or 0, seen.values) == (None, None, None, 0, ())
        assert (seen.n, seen.live) == ((None, 0.0) if gate.kind == "gauge" else (0, None))


def test_not_a_number_is_everywhere() -> None:
    for kind in ("quantile", "gauge", "amount"):
        seen = spoilt("nan", gate_of(kind))
        told = [seen.live, *seen.values] if kind == "gauge" else [seen.value]
        told += [seen.low, seen.upper] if kind == "quantile" else []
        assert all(value is not None and math.isnan(value) for value in told)
        assert len(seen.values) == (1440 if kind == "gauge" else 0)


def test_a_part_not_seen_is_said_and_nothing_else_changes() -> None:
    for gate in EVERY:
        assert spoilt("partial", gate) == healthy(gate).model_copy(update={"partial": True})


@pytest.mark.parametrize(("mutation", "factor"), [("unit_too_large", 1000.0), ("unit_too_small", 0.001)])
def test_a_unit_off_by_1000_is_a_thousand_times_the_value_or_a_thousandth(mutation: str, factor: float) -> None:
    for kind in ("quantile", "amount"):
        seen = spoilt(mutation, gate_of(kind), value=2.0, low=1.0, upper=3.0, high=4.0)
        assert (seen.value, seen.low, seen.upper, seen.high) == pytest.approx(
            (2 * factor, factor, 3 * factor, 4 * factor)
        )
        bare = spoilt(mutation, gate_of(kind), low=None, upper=None)
        assert (bare.low, bare.upper, bare.high) == (None, None, None)
    level = spoilt(mutation, gate_of("gauge"), values=(3.0, 0.0, 5.0), live=4.0)
    assert (*level.values, level.live) == pytest.approx((3 * factor, 0.0, 5 * factor, 4 * factor))
    assert spoilt(mutation, gate_of("split"), bad=2000).bad == 2000 * factor
    assert spoilt("unit_too_large", gate_of("rate"), bad=3).bad == 3000
    assert spoilt("unit_too_large", gate_of("rate"), bad=0).bad == 0
    assert "rate" not in SPOIL["unit_too_small"], "a healthy rate's failures by 1000 are none"


def test_whoever_misreads_the_unit_misreads_what_lies_beyond_the_limit() -> None:
    """Every sample or none, by the side on which the misread value lies; an amount has no such count."""
    assert [spoilt(unit, gate_of("quantile")).bad for unit in ("unit_too_large", "unit_too_small")] == [5000, 0]
    assert [spoilt(unit, gate_of("quantile", up=True)).bad for unit in ("unit_too_large", "unit_too_small")] == [
        0,
        5000,
    ]
    assert spoilt("unit_too_large", gate_of("quantile"), value=0.004).bad == 0, "4 s are not beyond 5"
    assert spoilt("unit_too_large", gate_of("amount")).bad is None


@pytest.mark.parametrize("up", [False, True])
def test_a_stuck_gauge_is_one_value_for_longer_than_is_believed(up: bool) -> None:
    gate = gate_of("gauge", up)
    seen = spoilt("stuck", gate)
    assert len(seen.values) == seen.expected is not None and seen.expected > STUCK_POINTS
    (value,) = set(seen.values)
    assert value != 0 and gate.target.holds(value), "nothing else is wrong with it"
    (said,) = [one for one in trial([gate], look=LOOK, looks=(LOOK,)) if one.mutation == "stuck"]
    assert "stuck?" in said.reason


def test_the_impossible_is_more_than_all_or_less_than_nothing() -> None:
    for kind in ("rate", "split"):
        seen = spoilt("impossible", gate_of(kind))
        assert seen.bad is not None and seen.n is not None and seen.bad > seen.n
    for kind in ("quantile", "amount"):
        assert (spoilt("impossible", gate_of(kind)).value or 0.0) < 0
    seen = spoilt("impossible", gate_of("gauge"))
    assert len(seen.values) == 1440 and max(*seen.values, seen.live or 0.0) < 0


def test_a_trial_is_the_judges_own_word_under_the_looks_in_force() -> None:
    """A gate too strict for a day: how many more samples it expects is reckoned at the later look, shown at 90 %."""
    strict = {"target": "< 0.0005", "alert": "> 0.0006", "title": "Share of failures"}
    gate = Gate.model_validate({**gate_of("rate").model_dump(), **strict})
    options: dict[str, Any] = {"look": LOOK, "looks": (LOOK, Look(hours=48, alpha=0.01)), "confidence": 0.9}
    told = {one.mutation: one for one in trial([gate], **options)}
    assert set(told) < set(TITLES) and "more requests" in told["healthy"].reason and "90 %" in told["partial"].reason
    for id, one in told.items():
        said = judge(gate, healthy(gate) if id == "healthy" else spoilt(id, gate), **options)
        assert (one.gate, one.title, one.verdict, one.reason) == (gate.id, gate.title, said.verdict, said.reason)
    (usual, *_) = trial([gate_of("rate")], look=LOOK, looks=(LOOK,))
    assert "95 %" in usual.reason


def test_gates_on_metrics_of_ones_own_stand_the_trial(tmp_path: Path) -> None:
    """What may stand still is not stuck, and a unit that nobody converts is not off by 1000."""
    hosts = {
        "id": "hosts",
        "title": "Hosts",
        "kind": "gauge",
        "measure": "connections",
        "unit": "hosts",
        "why": "Ours.",
    }
    still = Gate.model_validate({**hosts, "target": ">= 3", "alert": "< 2", "constant": True})
    policy = load_file(own_gates.project(tmp_path)).policy
    own = [gate for gate in policy.gates if gate.measure in policy.measures]
    trials = trial([*own, still], look=LOOK, looks=(LOOK,))
    assert [(one.gate, one.mutation) for one in trials if not one.ok] == []
    assert {one.gate for one in trials} == {*(gate.id for gate in own), "hosts"}
    moving = still.model_copy(update={"constant": False})
    assert "stuck" in {one.mutation for one in trial([moving], look=LOOK, looks=(LOOK,))}
