"""One alpha for all gates of a soak: what each may spend, so that together they seldom fail a service by chance.

The chance that any gate fails falsely is at most the sum of their own, however they depend on one another (Bonferroni;
Dunn 1961, "Multiple comparisons among means"). A promotion takes no split: it wants every gate to pass, and so is never
likelier to be false than its least sure gate (Berger 1982, intersection-union tests).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field

from runbook_lib.judge import words
from runbook_lib.judge.model import Gate, bad_side
from runbook_lib.judge.terms import Frozen


class Family(Frozen):
    """`family:` of gates.yaml."""

    alpha_early: float = Field(gt=0, lt=0.5)
    """Chance that any gate fails a service early which is exactly at the alert limit of each."""
    shares: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Gate to its weight in the split; one that is not named has 1."""

    def split(self, gates: Iterable[Gate]) -> dict[str, float]:
        """Gate to the alpha that it may spend; those that spend none are left out."""
        weights = {gate.id: self.shares.get(gate.id, 1.0) for gate in gates if spends(gate)}
        total = math.fsum(weights.values())
        return {id: self.alpha_early * weight / total for id, weight in weights.items()}


def spends(gate: Gate) -> bool:
    """Whether a test that may err fails the gate early: of counts against a limit that leaves room for chance, and only
    where the gate decides. Levels and sums of money are no matter of chance to it.
    """
    if not gate.required or gate.muted or gate.kind not in ("rate", "quantile"):
        return False
    return gate.kind == "quantile" or 0 < bad_side(gate).limit < 1


def told(split: Mapping[str, float]) -> str:
    """The split in words, the largest shares first; empty where there is none."""
    if not split:
        return ""
    each = ", ".join(f"{id} {words.sure(alpha)}" for id, alpha in sorted(split.items(), key=lambda one: -one[1]))
    return f"The gates share {words.sure(math.fsum(split.values()))} for a false FAIL before the end of a soak: {each}."
