"""Gates of the real policy, and evidence made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look
from runbook_lib.params.policy import Policy

Judged = Callable[..., GateResult]


@pytest.fixture(scope="session")
def policy() -> Policy:
    path = Path(__file__).parents[2] / "params" / "gates.yaml"
    return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def looks(policy: Policy) -> tuple[Look, ...]:
    return policy.phases["06_phase1_10_percent"].looks


@pytest.fixture(scope="session")
def see() -> Callable[..., Evidence]:
    """Evidence over 24 h for a gate; keywords are the evidence's fields."""

    def make(gate: Gate, **fields: Any) -> Evidence:
        window = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z", "query": "by hand"}
        return Evidence.model_validate({"measure": gate.measure, "kind": gate.kind, **window, **fields})

    return make


@pytest.fixture(scope="session")
def at5() -> Look:
    """A look that spends all of 5 %: the one the golden numbers are stated for."""
    return Look(hours=24, alpha=0.05)


@pytest.fixture(scope="session")
def run(policy: Policy, looks: tuple[Look, ...], see: Callable[..., Evidence], at5: Look) -> Judged:
    """`run('success_rate', n=300, bad=2)`: that gate's verdict at a final look of 5 %; `look=None` is interim."""

    def go(
        gate: str | Gate, *, look: Look | None = at5, changed: dict[str, Any] | None = None, **fields: Any
    ) -> GateResult:
        declared = policy.gate(gate) if isinstance(gate, str) else gate
        if changed:
            declared = Gate.model_validate({**declared.model_dump(), **changed})
        return judge(declared, see(declared, **fields), look=look, looks=() if look is at5 else looks)

    return go
