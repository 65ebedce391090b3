"""No configured gate passes on bad input; one that would is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.judge.model import Gate, Look, Verdict
from runbook_lib.judge.mutation import MUTATIONS, Trial, trial
from runbook_lib.params import read_yaml
from runbook_lib.policy import Policy

POLICY = Policy.model_validate(read_yaml(Path(__file__).resolve().parents[2] / "params" / "gates.yaml"))
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
