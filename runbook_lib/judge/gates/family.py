"""One alpha for all gates of a soak: the share of each gate, so that together they seldom fail a service by chance.

The chance that any gate fails falsely is at most the sum of the gates' own chances, however they depend on one another
(Bonferroni; Dunn 1961, "Multiple comparisons among means"). A promotion needs no split: it requires every gate to pass,
so it is never likelier to be false than its least sure gate (Berger 1982, intersection-union tests).
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
    """Chance that any gate fails a service early that is exactly at the alert limit of each gate."""
    shares: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Weight of each gate in the split; a gate without an entry has 1."""

    def split(self, gates: Iterable[Gate]) -> dict[str, float]:
        """The alpha that each gate may spend, by its id; gates that spend none are left out."""
        weights = {gate.id: self.shares.get(gate.id, 1.0) for gate in gates if spends(gate)}
        total = math.fsum(weights.values())
        return {id: self.alpha_early * weight / total for id, weight in weights.items()}


def spends(gate: Gate) -> bool:
    """Whether a gate may fail early by chance: it decides, and tests counts against a limit that leaves room for
    chance. Levels and amounts of money are not tested by chance.
    """
    if not gate.required or gate.muted or gate.kind not in ("rate", "quantile"):
        return False
    return gate.kind == "quantile" or 0 < bad_side(gate).limit < 1


def told(split: Mapping[str, float]) -> str:
    """The split in words, the largest shares first; empty: no gate has a share."""
    if not split:
        return ""
    each = ", ".join(f"{id} {words.sure(alpha)}" for id, alpha in sorted(split.items(), key=lambda one: -one[1]))
    return f"The gates share {words.sure(math.fsum(split.values()))} for a false FAIL before the end of a soak: {each}."
