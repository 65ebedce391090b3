"""The remedy for a failing gate: the one that the gate names, if its symptom is seen; else the table's. Pure.

A gate tells what is wrong, not why. Reports are late because jobs wait in the queue, which more workers cure, or
because the LLM is slow, which they do not cure. So each response that raises capacity declares the symptom that it
cures (`remedies:` in `params/gates.yaml`), and it is proposed only with that symptom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.judge.terms import Frozen, Verdict
from runbook_lib.judge.threshold import Comparison

Response = Literal["switch_off", "backlog", "throttling", "hold"]
Otherwise = Literal["switch_off", "hold"]


class Sign(Frozen):
    """One symptom as the evidence of a gauge shows it."""

    measure: str
    """Name of the evidence that shows it."""
    shows: Comparison
    """Comparison that holds for a level at which the symptom is present."""
    periods: int | None = Field(default=None, ge=1)
    """Number of the window's newest periods that count, beside the live reading; None: all."""
    title: str
    """What the level is, in words."""

    def level(self, seen: Evidence | None) -> float | None:
        """The level to compare: the highest of the newest periods and the live reading; None: nothing was seen."""
        if seen is None:
            return None
        newest = seen.values[-self.periods :] if self.periods else seen.values
        return max((*newest, *(() if seen.live is None else (seen.live,))), default=None)

    def present(self, seen: Evidence | None) -> bool:
        """Whether the symptom is seen; without data it is not."""
        level = self.level(seen)
        # 0 now, in spite of higher levels a quarter of an hour ago.
        gone = seen is not None and seen.live == 0 and not (seen.values and seen.values[-1])
        return level is not None and not gone and self.shows.holds(level)

    def told(self, seen: Evidence | None) -> str:
        """What was seen instead of the symptom, with its number, in words."""
        level = self.level(seen)
        found = "was not seen" if level is None else f"is {level:g}"
        if level and seen is not None and seen.live == 0 and not (seen.values and seen.values[-1]):
            found += ", and 0 now"
        return f"{self.title} {found}, and its symptom is {self.shows}"


class Remedy(Frozen):
    """When a response fits, and the response where it does not."""

    symptoms: tuple[Sign, ...] = Field(min_length=1)
    """At least one of them must be seen."""
    otherwise: Otherwise = "hold"
    """The response where none of them is seen."""
    gates: dict[str, Otherwise] = Field(default_factory=dict)
    """`otherwise` for single gates, by id."""
    cures: str
    """What the remedy would do, for the sentence that says why it is not proposed."""

    def fits(self, evidence: Mapping[str, Evidence]) -> bool:
        """Whether one of its symptoms is seen."""
        return any(one.present(evidence.get(one.measure)) for one in self.symptoms)


Table = Mapping[str, Remedy]
"""Remedies by response; a response without an entry needs no symptom."""


class Choice(Frozen):
    """The response to one failing gate."""

    response: Response
    unfit: str = ""
    """Why the gate's own remedy is not proposed; empty: it is."""


def choose(failing: Gate, evidence: Mapping[str, Evidence], table: Table, until: str | None = None) -> Choice:
    """The response to a gate that failed.

    Args:
        evidence: what was seen, by measure.
        table: the policy's; empty: every gate gets the response that it names.
        until: when the failing time was over, ISO 8601 UTC; None: it lasts.
    """
    remedy = table.get(failing.response)
    if remedy is not None and until is not None:
        # Capacity cures a lasting fault. A backlog that a dip left behind fails its own gate.
        return Choice(response="hold", unfit=f"{remedy.cures} would not cure it: it was over at {words.instant(until)}")
    if remedy is None or remedy.fits(evidence):
        return Choice(response=failing.response)
    told = "; ".join(one.told(evidence.get(one.measure)) for one in remedy.symptoms)
    return Choice(
        response=remedy.gates.get(failing.id, remedy.otherwise),
        unfit=f"{remedy.cures} would not cure it: {told}",
    )


def choices(results: Sequence[GateResult], table: Table) -> dict[str, Choice]:
    """The response to each failing gate by its id, from the evidence of all results."""
    evidence = {one.gate.measure: one.evidence for one in results}
    fails = [one for one in results if one.verdict is Verdict.FAIL]
    return {one.gate.id: choose(one.gate, evidence, table, one.until) for one in fails}


class Order(Frozen):
    """Whether a gate that called for a remedy is in order since the remedy took effect."""

    gate: str
    verdict: Verdict
    words: str


def in_order(gate: Gate, *, levels: Sequence[float] = (), n: int | None = None, at_least: int) -> Order:
    """Judges a gate by what was measured since the remedy took effect: no value may be past the alert limit.

    It is for quantiles and gauges only, since no other gate calls for a remedy that raises capacity. It judges by the
    measured value whether the remedy works; the next look of the phase judges the gate with its bounds.

    Args:
        levels: the measured levels, or the one measured quantile; empty: nothing was seen.
        n: number of samples behind them; None: as many as levels.
        at_least: least samples for a verdict.
    """
    title, found = words.title(gate), len(levels) if n is None else n
    if not levels or found < at_least:
        told = f"{title}: {words.count(found, 'sample')} since then; {at_least} are needed"
        return Order(gate=gate.id, verdict=Verdict.INCONCLUSIVE, words=told)
    limit = gate.alert or gate.target
    bad = [level for level in levels if (limit.holds(level) if gate.alert else not limit.holds(level))]
    worst = (min if gate.higher_is_better else max)(levels)
    told = f"{title} since then is {words.number(worst, gate.unit)} (alert {limit}, n = {found:,})"
    return Order(gate=gate.id, verdict=Verdict.FAIL if bad else Verdict.PASS, words=told)
