"""What lies before a phase: the soaks of the phases before it, side by side."""

from __future__ import annotations

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.record.record import Record
from runbook_lib.steps.phase.before import previous_table
from tests.conftest import rehearsal_params

NOTEBOOK = "06_phase1_10_percent"


def test_the_soaks_before_are_told_by_the_gates_that_they_judged() -> None:
    """A step that was taken as passed judged none: a row without a value in any column says nothing."""
    params = rehearsal_params("prod")
    seen = Evidence.model_validate(
        {
            "measure": "job_outcome",
            "kind": "rate",
            "start": "2026-11-23T00:00:00Z",
            "end": "2026-11-24T00:00:00Z",
            "query": "by hand",
            "bad": 1,
            "n": 800,
        }
    )
    found = judge(params.policy.gate("success_rate"), seen, look=Look(hours=24, alpha=0.05))
    passed = Record(notebook=NOTEBOOK, env="prod", run_id="one", decision="PROMOTE")
    judged = passed.model_copy(update={"run_id": "two", "gates": (found.model_dump(mode="json"),)})
    assert "Success rate" not in str(previous_table([passed], params))
    both = str(previous_table([passed, judged], params))
    assert "Success rate" in both and "99.9 %" in both and "Queue depth" not in both
