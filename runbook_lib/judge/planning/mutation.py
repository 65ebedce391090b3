"""Tries bad inputs on every configured gate: a gate that still passes cannot be trusted.

A gate first gets healthy evidence, which it must pass (otherwise the trial proves nothing), then the same evidence
spoilt in each way in which monitoring really fails. It must HOLD (INCONCLUSIVE, NO_DATA) or FAIL every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runbook_lib.judge.gates.against import supposed
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.gauge import STUCK_POINTS
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look, bad_side
from runbook_lib.judge.terms import Verdict

SAMPLES = 5_000
"""Enough samples for a healthy service to pass under every evidence policy."""
POINTS = 1_440
START, END = "2025-06-16T00:00:00Z", "2025-06-17T00:00:00Z"
FACTOR = 1_000.0

Spoil = Callable[[Gate, Evidence], Evidence]


@dataclass(frozen=True)
class Mutation:
    """One way to spoil evidence, and the kinds of gate for which it is possible."""

    id: str
    title: str
    spoil: dict[str, Spoil]


@dataclass(frozen=True)
class Trial:
    """The verdict of one gate on one mutation."""

    gate: str
    title: str
    mutation: str
    verdict: Verdict
    reason: str
    ok: bool
    """Whether the trial is as it should be: the gate did not pass, or it passed the control (`healthy`)."""


def healthy(gate: Gate) -> Evidence:
    """Evidence of a healthy day, far on the right side of the gate's own target."""
    base = {"measure": gate.measure, "kind": gate.kind, "start": START, "end": END, "query": "made up for the trial"}
    good = gate.target.limit * 2 if gate.higher_is_better else gate.target.limit / 2
    match gate.kind:
        case "rate":
            few = 1 if gate.higher_is_better or gate.target.holds(1 / SAMPLES) else 0
            return Evidence.model_validate({**base, "bad": few, "n": SAMPLES})
        case "split":
            return Evidence.model_validate({**base, "bad": SAMPLES // 10, "n": SAMPLES, "weight": 0.1})
        case "quantile":
            bounds = {"low": good * 0.98, "upper": good * 1.02}
            return Evidence.model_validate({**base, "value": good, "n": SAMPLES, "bad": 1, **bounds})
        case "gauge":
            least = float(math.ceil(good)) if gate.higher_is_better else 0.0
            step = 1.0 if gate.target.holds(least + 1) else 0.0
            values = [least, least + step] * (POINTS // 2)
            return Evidence.model_validate({**base, "values": values, "expected": POINTS, "live": least})
        case "amount":
            return Evidence.model_validate({**base, "value": good, "n": SAMPLES})


def _with(**fields: object) -> Spoil:
    return lambda _gate, evidence: Evidence.model_validate({**evidence.model_dump(), **fields})


def _scaled(factor: float) -> Spoil:
    def spoil(gate: Gate, evidence: Evidence) -> Evidence:
        given = evidence.model_dump()
        for name in ("value", "low", "upper", "high", "live"):
            if given[name] is not None:
                given[name] *= factor
        given["values"] = [value * factor for value in given["values"]]
        if gate.kind == "quantile":
            # A wrong unit also puts the wrong samples beyond the limit.
            given["bad"] = SAMPLES if bad_side(gate).holds(given["value"]) else 0
        return Evidence.model_validate(given)

    return spoil


def _counts_scaled(factor: float) -> Spoil:
    return lambda _gate, evidence: evidence.model_copy(update={"bad": int((evidence.bad or 0) * factor)})


def _beyond(gate: Gate, evidence: Evidence) -> Evidence:
    """Evidence of a broken service: three times beyond the alert limit."""
    line = bad_side(gate).limit
    value = line * 3 if not gate.higher_is_better else line / 3
    return evidence.model_copy(update={"value": value, "low": value, "upper": value, "high": value, "bad": SAMPLES})


def _other_side(_gate: Gate, evidence: Evidence) -> Evidence:
    return evidence.model_copy(update={"bad": (evidence.n or 0) - (evidence.bad or 0)})


def _stuck(_gate: Gate, evidence: Evidence) -> Evidence:
    """Evidence of a gauge that is stuck at a good level, above 0 where possible, with nothing else wrong."""
    values = [max(evidence.values) or 1.0] * (STUCK_POINTS * 4)
    return Evidence.model_validate({**evidence.model_dump(), "values": values, "expected": len(values)})


_NAN = math.nan
MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "swapped_arms",
        "canary and baseline swapped",
        {"rate": _other_side, "split": _other_side, "quantile": _beyond, "amount": _beyond},
    ),
    Mutation(
        "empty",
        "an empty answer",
        {
            "rate": _with(bad=None, n=None),
            "split": _with(bad=None, n=None),
            "quantile": _with(value=None, low=None, upper=None, n=None, bad=None),
            "gauge": _with(values=(), live=None),
            "amount": _with(value=None, n=None),
        },
    ),
    Mutation(
        "nan",
        "every value NaN",
        {
            "quantile": _with(value=_NAN, low=_NAN, upper=_NAN),
            "gauge": _with(values=(_NAN,) * POINTS, live=_NAN),
            "amount": _with(value=_NAN),
        },
    ),
    Mutation(
        "partial",
        "part of the window not seen",
        {kind: _with(partial=True) for kind in ("rate", "split", "quantile", "gauge", "amount")},
    ),
    Mutation(
        "no_traffic",
        "no traffic at all",
        {
            "rate": _with(bad=0, n=0),
            "split": _with(bad=0, n=0),
            "quantile": _with(value=None, low=None, upper=None, n=0, bad=0),
            "gauge": _with(values=(), live=0.0),
            "amount": _with(value=None, n=0),
        },
    ),
    Mutation(
        "unit_too_large",
        "a unit off by 1000, upwards",
        {
            "rate": _counts_scaled(FACTOR),
            "split": _counts_scaled(FACTOR),
            **dict.fromkeys(("quantile", "gauge", "amount"), _scaled(FACTOR)),
        },
    ),
    Mutation(
        "unit_too_small",
        "a unit off by 1000, downwards",
        {"split": _counts_scaled(1 / FACTOR), **dict.fromkeys(("quantile", "gauge", "amount"), _scaled(1 / FACTOR))},
    ),
    Mutation("stuck", "a gauge that stands still", {"gauge": _stuck}),
    Mutation(
        "impossible",
        "more failures than requests, or less than nothing",
        {
            "rate": _with(bad=SAMPLES + 1),
            "split": _with(bad=SAMPLES + 1),
            "quantile": _with(value=-1.0),
            "gauge": _with(values=(-1.0,) * POINTS, live=-1.0),
            "amount": _with(value=-1.0),
        },
    ),
)


CONTROL = "healthy"
TITLES: dict[str, str] = {CONTROL: "a healthy day", **{one.id: one.title for one in MUTATIONS}}
"""Title of each trial, the control first."""


def trial(gates: Sequence[Gate], *, look: Look, looks: Sequence[Look], confidence: float = 0.95) -> list[Trial]:
    """Tries on every gate the control (`healthy`), then every mutation that is possible for its kind."""
    trials = []
    for gate in gates:
        sound = healthy(gate)
        result = judge(gate, _arms(gate, sound), look=look, looks=looks, confidence=confidence)
        trials.append(_trial(gate, CONTROL, result, result.verdict is Verdict.PASS))
        for mutation in MUTATIONS:
            spoil = mutation.spoil.get(gate.kind)
            if spoil is None or not _can_be(gate, mutation.id):
                continue
            spoilt = spoil(gate, sound)
            if spoilt == sound:
                continue  # zero in the wrong unit is zero
            result = judge(gate, _arms(gate, spoilt), look=look, looks=looks, confidence=confidence)
            trials.append(_trial(gate, mutation.id, result, result.verdict is not Verdict.PASS))
    return trials


def _can_be(gate: Gate, mutation: str) -> bool:
    """Whether a mutation is possible: a gauge that may stay the same is never stuck, a plain count has no unit."""
    if mutation == "stuck":
        return not gate.constant
    counted = gate.kind == "gauge" and gate.unit not in _CONVERTED
    return not (counted and mutation.startswith("unit_"))


_CONVERTED = ("ratio", "s", "messages", "USD", "requests")
"""Units of gauges that may be wrong by a factor of 1000; any other is a team's own count."""


def _arms(gate: Gate, evidence: Evidence) -> Evidence:
    """The evidence, with a healthy other arm where the gate compares."""
    return supposed(gate, evidence) if gate.against else evidence


def _trial(gate: Gate, mutation: str, result: GateResult, ok: bool) -> Trial:
    return Trial(gate.id, gate.title, mutation, result.verdict, result.reason, ok)
