"""Makes a gate's row of the table: a result, no data, nothing to judge. Pure."""

from __future__ import annotations

from runbook_lib.judge import words
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.judge.terms import Verdict


def result_of(gate: Gate, evidence: Evidence, verdict: Verdict, reason: str, **more: object) -> GateResult:
    """The gate's row; a figure that is not given is None."""
    fields: dict[str, object] = {"value": None, "low": None, "high": None, "n": evidence.n, **more}
    return GateResult.model_validate(
        {"gate": gate, "evidence": evidence, "verdict": verdict, "reason": words.sentence(reason), **fields}
    )


def no_data(gate: Gate, evidence: Evidence, why: str) -> GateResult:
    """The row of a gate with NO_DATA, and why."""
    return result_of(gate, evidence, Verdict.NO_DATA, f"{words.title(gate)}: no data, {why}", n=None)


def absent(gate: Gate, evidence: Evidence, rules: Rules, why: str) -> GateResult:
    """The row where nothing was seen: NO_DATA, unless something proves that this means zero (trap 5)."""
    if evidence.proven_zero_by is None:
        return no_data(gate, evidence, why)
    reason = f"{words.title(gate)}: nothing to judge, proven by {evidence.proven_zero_by}"
    verdict = Verdict.INCONCLUSIVE if rules.look is None else Verdict.PASS
    return result_of(gate, evidence, verdict, reason, n=0)
