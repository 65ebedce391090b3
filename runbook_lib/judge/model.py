"""Data models of the judge: gates (policy), evidence (what was seen) and results (what follows).

Everything here is frozen, serialisable to JSON and free of I/O, so that a sealed record can be judged again years
later.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from runbook_lib.judge.terms import Decision, Frozen, Verdict, Word
from runbook_lib.judge.threshold import Comparison, Threshold

BASELINE = "baseline_success"
"""Name of the evidence that has the users' success before the rollout."""


class Stragglers(Frozen):
    """The allowance for old clients, which do not follow the weight, from a weight on."""

    from_percent: float = Field(ge=0, le=100)
    """Weight from which on this allowance counts."""
    share: float = Field(ge=0, lt=1)
    """Share of the requests that should be asynchronous which at most may be synchronous."""
    count: int = Field(default=0, ge=0)
    """Number of further requests that may be synchronous."""


class Gate(Frozen):
    """One criterion of the rollout, declared once in `params/gates.yaml`.

    The same `target` and `alert` feed the verdict, the alarm, the dashboard's annotation and the line in the chart.
    """

    id: str
    """Name in this file, in alarms that take its threshold, and in the records."""
    title: str
    """Title of the gate for people."""
    kind: Literal["rate", "quantile", "gauge", "amount", "split"]
    """A share of failures, a percentile, a level, an amount of the whole window, or the split of the traffic."""
    measure: str
    """Name of the evidence that this gate is judged on (`observe/evidence/measure.py`)."""
    unit: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\s\d]\S*$")]
    """`ratio` (shown in %), `s`, `USD`, `messages`, `requests`; a measure of the service's own may have any other."""
    target: Comparison
    """True when all is well."""
    alert: Comparison | None = None
    """True when it is bad enough to act."""
    collapse: Comparison | None = None
    """True when it is so bad that even a broken baseline is no reason to stay (docs/domain.md, trap 13)."""
    evidence: Literal["limit", "target", "point"] = "limit"
    """PASS where the one-sided bound clears the alert limit, or the target; `point`: the value itself."""
    min_samples: int = Field(default=1, ge=1)
    """Least samples for any verdict."""
    quantile: float | None = Field(default=None, gt=0, lt=1)
    """The quantile of a gate of that kind, such as 0.95."""
    steady: float | None = Field(default=None, gt=0, le=1)
    """Gauges: the share of points that must meet the target (steady state); None: all. `alert` is for the peak."""
    stragglers: tuple[Stragglers, ...] = ()
    """Splits: the allowance for old clients by weight; the last that the weight reaches counts."""
    implausible: Comparison | None = None
    """A value for which this is true is no data (a unit off by 1000 would otherwise pass)."""
    always_rollback: bool = False
    """Whether a FAIL rolls back however bad the baseline is, as after data loss (docs/domain.md, trap 13)."""
    failing: str = "failed"
    """The verb for a rate's failures in its reason: `lost`, `refused`."""
    response: Literal["switch_off", "backlog", "throttling", "hold"] = "hold"
    """What a FAIL calls for: async off, a rollback scenario of its own, or a person."""
    severity: int = Field(default=1, ge=1, le=5)
    """Weight of a FAIL among several; 5 is the worst."""
    required: bool = True
    """Whether the gate decides; False: it is judged and shown only."""
    no_data: Literal["hold", "fail", "ignore_after_first"] = "hold"
    """What follows at a declared look without data: hold the phase; fail, with the gate's response; or hold at the
        first look of the phase and decide nothing at later ones (for a metric that by then is known to have none)."""
    constant: bool = False
    """Gauges: whether a value may stay the same, as a number of hosts does; otherwise it counts as stuck."""
    against: Literal["baseline", "phase_before"] | None = None
    """The other arm that this gate compares with, by the share of failures or of samples beyond the alert limit; None:
        it is judged by itself."""
    margin: float | None = Field(default=None, gt=0, lt=1)
    """How much worse than the other arm still counts as equally good: a difference of shares."""
    no_change_test: str | None = None
    """Why this gate has no test for a change: its evidence cannot be ordered in time, or need not be."""
    muted: str | None = None
    """Why the gate does not decide, in words; it stays in every table. Empty: it decides."""
    why: str
    """The requirement's line, or the trap, that is the reason for this gate."""

    @model_validator(mode="after")
    def _sides(self) -> Gate:
        if self.kind == "quantile" and self.quantile is None:
            raise ValueError("a gate of kind quantile needs its `quantile`")
        if self.against is None and self.margin is not None:
            raise ValueError(f"margin {self.margin:g} without `against`: say what the gate compares with")
        if self.against is not None and self.margin is None:
            raise ValueError(f"against {self.against} needs its `margin`: how much worse is as good, such as 0.01")
        if self.against is not None and self.kind not in ("rate", "quantile"):
            raise ValueError(
                f"against {self.against}: a gate of kind {self.kind} cannot be compared, only a rate or a quantile"
            )
        if self.alert is None:
            return self
        up = self.target.op in (">", ">=")
        if up == (self.alert.op in (">", ">=")):
            raise ValueError(f"target {self.target} and alert {self.alert} point the same way")
        if (self.alert.limit > self.target.limit) if up else (self.alert.limit < self.target.limit):
            raise ValueError(f"target {self.target} is on the wrong side of its alert limit {self.alert}")
        if self.collapse is not None and (
            self.collapse.limit > self.alert.limit if up else self.collapse.limit < self.alert.limit
        ):
            raise ValueError(f"collapse {self.collapse} is milder than the alert limit {self.alert}")
        return self

    @property
    def higher_is_better(self) -> bool:
        """Whether larger is better: true for a success rate, false for latencies, errors, depths and costs."""
        return self.target.op in (">", ">=")


def bad_side(gate: Gate) -> Threshold:
    """The comparison that is true when it is bad enough to act: the alert limit, or else the target negated."""
    if gate.alert is not None:
        return gate.alert
    opposite: dict[str, Literal["<", "<=", ">", ">="]] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
    return Threshold(op=opposite[gate.target.op], limit=gate.target.limit)


class Look(Frozen):
    """One declared look at the end of a soak, with its share of the error probability of a false promotion."""

    hours: float = Field(gt=0)
    """Hours from when the weight is in force for every client, or from the migration's end."""
    alpha: float = Field(gt=0, lt=1)
    """Chance that this look promotes a service exactly at an alert limit."""


class Part(Frozen):
    """One source of a rate, such as a route or a function. Each has its own rate, and the worst decides."""

    name: str
    bad: int
    n: int
    course: tuple[tuple[str, int, int], ...] = ()
    """As `Evidence.course`, for this source."""


class Hour(Frozen):
    """Counts of both arms of a comparison in one hour; of the canary's failures the certain ones, and all."""

    at: str
    """Start of the hour, ISO 8601 UTC; for arms of different days that of the canary."""
    bad: int
    most: int
    n: int
    other_bad: int
    """Least number of failures of the other arm."""
    other_most: int
    other_n: int


class Arms(Frozen):
    """Counts of the canary and of another arm, for one gate that compares them."""

    gate: str
    other: str
    """The other arm in words: `the baseline`, `06_phase1_10_percent`."""
    absent: str = ""
    """Why there is no other arm, in words; empty: there is one."""
    share: float = Field(default=0.5, gt=0, lt=1)
    """Share of all requests that the weights send to the canary."""
    hours: tuple[Hour, ...] = ()
    value: float | None = None
    """Quantiles: the other arm's value, where it is known."""
    partial: bool = False
    """Whether a part of the other arm could not be seen."""


class Evidence(Frozen):
    """The evidence for one measure. Only the fields of its kind are set; counts are whole numbers.

    rate      `bad` of `n` (for a success rate: `bad` are the failures); `parts` where several sources are judged, each
              by itself; `doubtful` of `bad` may be no failures at all: they can keep a gate from passing, not fail it
    quantile  `value` (the measured quantile), `n`, and any of: `bad` (samples beyond the alert limit, exact);
              `upper`, its one-sided upper bound, and `low`, its lower bound: other percentiles of the same data
              (`statistics.quantile_rank`, `quantile_low_rank`; interim `sequential.early_rank` for `low`)
    gauge     `values` (one per period, window order), `expected` (periods in the window), `live` (read now)
    amount    `value` with `low`/`high` (95 %), `n` units it is spread over
    split     `bad` = async requests, `n` = all requests, `weight` in force (0..1)
    """

    measure: str
    kind: Literal["rate", "quantile", "gauge", "amount", "split"]
    start: str
    """Window start, ISO 8601 UTC, inclusive."""
    end: str
    """Window end, ISO 8601 UTC, exclusive; already settled (delay and deadline subtracted)."""
    query: str
    """The query, in words with which an operator can repeat it."""
    bad: int | None = None
    n: int | None = None
    value: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    expected: int | None = None
    live: float | None = None
    most: float | None = None
    """Quantiles: the largest value that the source can give; a larger one is no data."""
    weight: float | None = None
    in_flight: int = 0
    parts: tuple[Part, ...] = ()
    blocks: tuple[tuple[str, int, int], ...] = ()
    """Failures by quarters of an hour, as in records from before `course`."""
    course: tuple[tuple[str, int, int], ...] = ()
    """The course in time, (start, bad, n) in order: each step with a failure by itself, steps without one joined within
        their quarter of an hour. Its sums are at most `bad` and `n`. Quantiles: `bad` are the samples beyond the alert
        limit. Splits: the steps are quarters of an hour."""
    onward: tuple[str, float, float | None, float | None] | None = None
    """Quantiles: the start of the part of the course with which a change would most likely begin, then `value`, `low`
        and `upper` of the samples from there on."""
    arms: tuple[Arms, ...] = ()
    """The arms of the gates that compare this measure."""
    doubtful: int = 0
    untold: int = 0
    """Number of `doubtful` ones about which no look during the soak will know more."""
    partial: bool = False
    """Whether CloudWatch answered PartialData, or a part of the window could not be seen."""
    unseen: str = ""
    """What could not be seen or does not add up, in words: the first cause of a verdict that stays open."""
    proven_zero_by: str | None = None
    """Why absence of data means zero (for example 'no invocations'); None: absence is NO_DATA."""
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = Field(default_factory=dict)


class Compared(Frozen):
    """Canary against another arm: shares of failures (of samples beyond the alert limit), 0..1.

    A difference is canary minus other in the sense of the gate: of success rates positive is good, else bad.
    """

    other: str
    value: float
    other_value: float
    other_n: int
    difference: float
    """The other arm's share, hour by hour, weighted by the canary's requests."""
    low: float
    high: float


class GateResult(Frozen):
    """One row of the gate table."""

    gate: Gate
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    reason: str
    """One sentence with the numbers in it."""
    bound: float | None = None
    """The one-sided bound behind the verdict, in the gate's unit; `alpha` is its error probability."""
    alpha: float | None = None
    needed: int | None = None
    """Number of further samples that would decide, if nothing changes; None: samples are not what is missing."""
    needed_hours: float | None = None
    """Hours until `needed` samples have come, at the rate of the window."""
    collapsed: bool = False
    doubted: bool = False
    """Whether it is past collapse if the undecidable failures are failures: open, and people must look at once."""
    since: str | None = None
    """When the change that fails the gate began, ISO 8601 UTC; the figures are those since. None: no change does."""
    since_between: tuple[str, str] | None = None
    """The interval in which it began, at 95 %."""
    until: str | None = None
    """End of the time that fails the gate, where it is over; the figures are those from `since` to then."""
    present: tuple[float, float] | None = None
    """Rates, where that time is over: the interval of the value from `since` to the end of the evidence."""
    compared: Compared | None = None
    """The canary and the other arm, where the gate compares them; `value` and its interval are the canary's."""
    evidence: Evidence


class Outcome(Frozen):
    """The decision of a run with its reason."""

    decision: Decision
    said: Word | None = None
    """The word that people read instead of the decision."""
    reason: str
    """The reason without the word; every place that shows it puts the word beside or before it."""
    scenario: Literal["rollback_1", "rollback_2", "rollback_3"] | None = None
    """The rollback notebook for it, if there is one."""
    next: str
    """What to do next, and when, in one sentence."""
    command: str = ""
    """The command for it, to be pasted; empty: there is none, or it was not asked for."""
    come_back_at: str | None = None
    """ISO 8601 UTC."""
    results: tuple[GateResult, ...] = ()

    @property
    def word(self) -> str:
        """The word that people read for the decision."""
        return str(self.said or self.decision)

    @property
    def told(self) -> str:
        """Word and reason on one line."""
        return f"{self.word}: {self.reason}"

    def held(self, why: str, **fields: Any) -> Outcome:
        """A HOLD for another reason; `fields` are further fields to change."""
        return self.model_copy(update={"decision": Decision.HOLD, "said": None, "reason": why, **fields})
