"""Results to show: every verdict once, with text that expects escaping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.judge.model import Evidence, Gate, GateResult, Outcome
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file
from runbook_lib.params.policy import Policy

NASTY = "<script>alert('x')</script> & \"more\""


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_file(Path(__file__).resolve().parents[2] / "params" / "prod.yaml").policy


@pytest.fixture(scope="session")
def gate(policy: Policy) -> Callable[[str], Gate]:
    return policy.gate


@pytest.fixture(scope="session")
def rate() -> Callable[..., Evidence]:
    """Evidence of a rate: `bad` of `n`."""

    def make(bad: int | None, n: int | None, **kwargs: Any) -> Evidence:
        given = {"measure": "success", "kind": "rate", "query": "census by created_at", **kwargs}
        return Evidence(start="2026-11-10T03:01:00Z", end="2026-11-11T03:01:00Z", bad=bad, n=n, **given)

    return make


@pytest.fixture(scope="session")
def result(gate: Callable[[str], Gate], rate: Callable[..., Evidence]) -> Callable[..., GateResult]:
    def make(id: str, verdict: str, **kwargs: Any) -> GateResult:
        values = {"value": None, "low": None, "high": None, "n": None, "reason": f"{id} said so", **kwargs}
        values.setdefault("evidence", rate(0, 1))
        update = values.pop("gate", {})
        return GateResult(gate=gate(id).model_copy(update=update), verdict=Verdict(verdict), **values)

    return make


@pytest.fixture
def outcome(result: Callable[..., GateResult], rate: Callable[..., Evidence]) -> Outcome:
    """A ROLLBACK with one gate of each verdict."""
    results = (
        result("success_rate", "FAIL", value=0.9796, low=0.95, high=0.99, n=306, evidence=rate(18, 306, in_flight=2)),
        result("error_rate", "PASS", value=0.0, low=0.0, high=0.0119, n=306, evidence=rate(0, 306, query=NASTY)),
        result("generation_time", "INCONCLUSIVE", value=88.1, low=79.2, high=131.0, n=1234),
        result("dlq", "NO_DATA", evidence=rate(None, None, partial=True, notes=("the queue slept",))),
        result("observed_split", "PASS", value=0.101, n=3023, evidence=rate(0, 1, proven_zero_by="no route")),
    )
    return Outcome(
        decision="ROLLBACK",
        reason=f"success is low {NASTY}",
        scenario="rollback_1",
        next="Run rollback_1.",
        come_back_at="2026-11-11T06:00:00+02:00",
        results=results,
    )
