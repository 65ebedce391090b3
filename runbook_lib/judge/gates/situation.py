"""The situation of a decision beside the verdicts, and what a rollback would return to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runbook_lib.judge import words
from runbook_lib.judge.gates import statistics
from runbook_lib.judge.gates.remedies import Choice
from runbook_lib.judge.model import Evidence, GateResult, bad_side

USER_SUCCESS = "success"
"""The measure of users' success, with which a baseline's success is compared."""


@dataclass(frozen=True)
class Situation:
    """What a decision needs to know beside the verdicts; all of it is in the record."""

    percent: float | None
    baseline: Evidence | None
    come_back_at: str | None
    worse_baseline_holds: bool
    confidence: float
    way_back: bool
    choices: Mapping[str, Choice] = field(default_factory=dict)
    """The response to each failing gate by its id; a gate without an entry has its own response."""
    by_symptom: bool = False
    """Whether responses are chosen by symptoms; False: as in records of version 0.1, with their words."""

    def response(self, fail: GateResult) -> str:
        """The response to a gate that failed."""
        return self.choices[fail.gate.id].response if fail.gate.id in self.choices else fail.gate.response

    def unfit(self, fail: GateResult) -> str:
        """Why the gate's own remedy is not proposed; empty: it is, or there is no table of symptoms."""
        return self.choices[fail.gate.id].unfit if fail.gate.id in self.choices else ""


def baseline_interval(now: Situation) -> tuple[float, float, float, int] | None:
    """Success rate of the baseline, both ends of its interval, and its requests; None where none were counted."""
    seen = now.baseline
    if seen is None or seen.bad is None or not seen.n or not 0 <= seen.bad <= seen.n:
        return None
    low, high = statistics.clopper_pearson(seen.n - seen.bad, seen.n, now.confidence)
    return (seen.n - seen.bad) / seen.n, low, high, seen.n


def baseline_words(counted: Sequence[GateResult], now: Situation) -> str:
    """What a rollback returns to, in words: `the baseline itself succeeds in 3.1 % (...), it is broken`."""
    known = baseline_interval(now)
    if known is None:
        return "the baseline's own success is not known"
    value, low, high, n = known
    extent = words.interval(low, high, "ratio")
    share = words.number(value, "ratio")
    said = f"the baseline itself succeeds in {share} ({words.sure(now.confidence)} {extent}, n = {n:,})"
    served = users(counted)
    broken = served is not None and bad_side(served.gate).holds(high)
    return said + (", that is, it is broken: a rollback stops new harm and restores nothing" if broken else "")


def users(counted: Sequence[GateResult]) -> GateResult | None:
    """The result of the gate on users' success; None: it does not count."""
    own = (result for result in counted if result.gate.against is None)
    return next((result for result in own if result.gate.measure == USER_SUCCESS), None)


def baseline_is_worse(counted: Sequence[GateResult], now: Situation) -> bool:
    """Whether the baseline's interval is wholly below that of the users' success on async, up to the present."""
    served, known = users(counted), baseline_interval(now)
    if served is None or known is None or served.low is None:
        return False
    # A rollback cures nothing that is over, so what counts is how async has been up to now.
    return known[2] < (served.present[0] if served.present else served.low)
