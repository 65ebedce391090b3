"""The gate on a level over time: queue depths, throttle events. Pure."""

from __future__ import annotations

import math

from runbook_lib.judge import words
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.gates.told import absent, no_data, result_of
from runbook_lib.judge.model import Evidence, Gate, GateResult, bad_side
from runbook_lib.judge.terms import Verdict

GAUGE_COVERAGE = 0.95
"""Least share of the window's points that must have been seen, for a gauge without `steady`."""


STUCK_POINTS = 30
"""A gauge is not believed if it shows only one number other than 0, at least this many times."""


def gauge(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:  # noqa: PLR0911 (a table of cases)
    """Judges a level over time: the peak against the alert limit, the `steady` share of points against the target.

    Points that are no number, negative, or a fraction of a message, are no data. A missing point counts as zero where
    that is proven, else as one that misses the target. The level read live counts for the peak.
    """
    seen = sorted(value for value in evidence.values if _level(gate, value))
    live = evidence.live if evidence.live is not None and _level(gate, evidence.live) else None
    expected = max(evidence.expected or 0, len(evidence.values))
    missing = expected - len(seen)
    if evidence.proven_zero_by is not None:
        seen, missing = [0.0] * missing + seen, 0
    if not seen and live is None:
        return absent(gate, evidence, rules, "no valid point in the window")
    up, line = gate.higher_is_better, bad_side(gate)
    levels = [*seen, *([] if live is None else [live])]
    peak = min(levels) if up else max(levels)
    good = gate.target.count(seen)
    place = len(seen) if gate.steady is None else max(1, math.ceil(gate.steady * len(seen)))
    typical = peak if not seen else seen[-place] if up else seen[place - 1]
    if gate.steady is None:
        typical = peak
    name, unit = words.title(gate), gate.unit
    target = words.comparison(gate.target, unit)
    now = "" if live is None else f", {words.number(live, unit)} now"
    facts = f"peak {words.number(peak, unit)}{now}, {good:,} of {expected:,} points {target}"

    def result(verdict: Verdict, reason: str) -> GateResult:
        return result_of(
            gate,
            evidence,
            verdict,
            reason,
            value=typical,
            low=min(levels),
            high=max(levels),
            n=len(seen),
            collapsed=bool(verdict is Verdict.FAIL and gate.collapse and gate.collapse.holds(peak)),
        )

    if line.holds(peak) and gate.alert is not None:
        alert = words.comparison(line, unit)
        return result(Verdict.FAIL, f"{name} peaked at {words.number(peak, unit)}{now}, alert limit {alert}")
    if not seen:
        return no_data(gate, evidence, f"only the live reading {words.number(live, unit)}, nothing of the window")
    if rules.look is None:
        return result(Verdict.INCONCLUSIVE, f"soaking: {name} so far {facts}")
    if not gate.constant and len(seen) >= STUCK_POINTS and seen[0] == seen[-1] != 0:
        still = words.number(seen[0], unit)
        return result(Verdict.INCONCLUSIVE, f"{name} stood at exactly {still} all the time: stuck? ({facts})")
    if missing > (1 - (gate.steady or GAUGE_COVERAGE)) * expected:
        return result(Verdict.INCONCLUSIVE, f"{name}: {missing:,} of {expected:,} points are missing ({facts})")
    if evidence.live is not None and live is None:
        return result(Verdict.INCONCLUSIVE, f"{name}: the level read now, {evidence.live}, is impossible ({facts})")
    proof = f" (absent points are zero, proven by {evidence.proven_zero_by})" if evidence.proven_zero_by else ""
    if gate.steady is None:
        # Every seen point must meet the target, the live one too.
        kept = good == len(seen) and (live is None or gate.target.holds(live))
        return result(Verdict.PASS if kept else Verdict.INCONCLUSIVE, f"{name}: {facts}{proof}")
    kept = good >= gate.steady * expected
    wanted = f", expects {words.sure(gate.steady)} of them"
    return result(Verdict.PASS if kept else Verdict.INCONCLUSIVE, f"{name}: {facts}{wanted}{proof}")


def _level(gate: Gate, value: float) -> bool:
    """Whether `value` can be a level at all; CloudWatch's Maximum of a number of messages is a whole number."""
    return math.isfinite(value) and value >= 0 and (gate.unit != "messages" or value.is_integer())
