"""How a scenario that was played has ended, against how it should."""

from __future__ import annotations

from dataclasses import dataclass

from runbook_lib.rehearse.scenario import Scenario

Seconds = float


@dataclass(frozen=True)
class Ended:
    """One scenario with one seed, played to its end."""

    scenario: str
    seed: int
    decision: str
    """PROMOTE (all phases), HOLD or ROLLBACK."""
    phase: str
    """Number of the notebook in which it was caught; empty if it was not."""
    by: str
    """`watch` (an interim look), `look` (a declared one) or `AppConfig`; empty if nobody."""
    rollback: int | None
    """Scenario of the rollback that the decision names."""
    detect_s: Seconds | None
    """Virtual seconds from the fault's first moment under a weight to the decision; None if it was not caught."""
    recovered: bool | None
    """After a ROLLBACK: the curve turned; None: nothing was to turn."""
    reason: str = ""

    def wrong(self, scenario: Scenario) -> list[str]:
        """In which points it did not end as declared, in words; empty: it did."""
        wanted = scenario.expected
        if wanted is None:
            return [f"scenario '{scenario.name}' does not say how it should end"]
        found = []
        if self.decision not in wanted.decisions:
            found.append(f"{self.decision} instead of {' or '.join(wanted.decisions)}")
        if wanted.phases and self.phase not in wanted.phases:
            found.append(f"caught in {self.phase or 'no phase'} instead of {' or '.join(wanted.phases)}")
        if self.decision == "ROLLBACK" and self.rollback not in wanted.rollback:
            named = " or ".join(map(str, wanted.rollback)) or "none"
            found.append(f"rollback {self.rollback} instead of {named}")
        if self.decision == "ROLLBACK" and wanted.recovers and not self.recovered:
            found.append(f"not seen: {wanted.recovers}")
        return found
