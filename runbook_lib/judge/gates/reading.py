"""What the evidence of one gate shows: the value, its interval, and which limits are cleared or broken beyond doubt.

Rates, quantiles and amounts differ in mathematics, but the conclusion is the same. So each kind is read into one
`Reading`, and `gates.py` concludes from it for all of them.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from runbook_lib.judge import words
from runbook_lib.judge.gates import older, sequential, statistics
from runbook_lib.judge.gates.since import Since, found
from runbook_lib.judge.model import Evidence, Gate, Look, bad_side
from runbook_lib.judge.terms import RULES


@dataclass(frozen=True)
class Rules:
    """How sure a verdict must be. `look` None is an interim look, in which only a FAIL can be final."""

    look: Look | None
    looks: tuple[Look, ...]
    confidence: float
    alpha_early: float
    prior: tuple[float, float]
    version: int = RULES
    """Version of the rules (`terms.RULES`)."""

    @property
    def alpha(self) -> float:
        """One-sided error probability of this look (of the first final look, while interim)."""
        if self.look is not None:
            return self.look.alpha
        return self.looks[0].alpha if self.looks else 1 - self.confidence

    @property
    def next_alpha(self) -> float:
        """Alpha of the next declared look, at which further samples will be judged."""
        if self.look is None:
            return self.alpha
        later = [look.alpha for look in self.looks if look.hours > self.look.hours]
        return later[0] if later else self.alpha


@dataclass(frozen=True)
class Reading:
    """What is known of one measure; bounds are one-sided at the look's alpha and in the gate's unit."""

    value: float
    low: float | None
    high: float | None
    n: int
    worst: float | None
    """Bound on the bad side: how bad it may still be; None: too few samples for a bound."""
    best: float | None
    """Bound on the good side: how good it may still be; None: too few samples for a bound."""
    clears_limit: bool
    """Whether the alert limit is excluded: it is not that bad."""
    breaks_limit: bool
    """Whether it is beyond the alert limit for sure."""
    clears_target: bool
    since: Since | None = None
    """The change for the worse, where one fails the gate; the figures are of that time. A quantile's figures are of the
    whole time, where for the time since only counts are known."""
    since_quarter: tuple[str, int, int] | None = None
    """The change in records that keep failures by quarters of an hour: (start, bad, n); figures are of the whole."""
    early: str | None = None
    """Result of the time-uniform test in words, if it fails the gate."""
    needed: int | None = None
    noun: str = "request"


def hours(evidence: Evidence) -> float:
    """Length of the evidence's window in hours."""
    span = dt.datetime.fromisoformat(evidence.end) - dt.datetime.fromisoformat(evidence.start)
    return span.total_seconds() / 3600


def _early_words(bad: int, n: int, what: str, log_e: float, rules: Rules) -> str | None:
    if log_e < -math.log(rules.alpha_early):
        return None
    level = words.sure(1 - rules.alpha_early)
    return f"{bad:,} of {n:,} {what}, shown at {level} by the test that holds at every look"


def _bound(bound: float | None, value: float, *, below: bool) -> float | None:
    """The bound, if it is a number on its side of the value; else None: it shows nothing."""
    if bound is None or math.isnan(bound) or (bound > value if below else bound < value):
        return None
    return bound


def _quarters(gate: Gate, evidence: Evidence, limit: float, rules: Rules) -> tuple[tuple[str, int, int], str] | None:
    """The counts since a change and the words for it, for a record that keeps failures by quarters of an hour."""
    if len(evidence.blocks) < 2:
        return None
    bad, n = [one[1] for one in evidence.blocks], [one[2] for one in evidence.blocks]
    log_e, first, own = older.change_log_e(bad, n, limit, rules.prior)
    if log_e < -math.log(rules.alpha_early) or not math.isfinite(own):
        return None
    since = evidence.blocks[first][0], sum(bad[first:]), sum(n[first:])
    if since[1] <= limit * since[2]:
        return None
    level = words.sure(1 - rules.alpha_early)
    told = f"since {words.instant(since[0])} {since[1]:,} of {since[2]:,} {gate.failing}"
    return since, f"{told}, shown at {level} by the test for a change that holds at every look"


def _early(
    evidence: Evidence, limit: float, rules: Rules, did: str, whole: tuple[int, int] | None
) -> tuple[str | None, Since | None]:
    """Result of the time-uniform test in words, if it fails the gate; and the change, if that is why.

    Args:
        whole: failures and samples of the whole time; None: those of the course.
    """
    level = words.sure(1 - rules.alpha_early)
    if not evidence.course:
        bad, n = whole or (0, 0)
        return _early_words(bad, n, did, sequential.early_fail_log_e(bad, n, limit, rules.prior), rules), None
    worse, since = found(
        evidence.course,
        limit,
        rules.prior,
        rules.alpha_early,
        evidence.end,
        whole=whole,
        rules=rules.version,
    )
    if not worse:
        return None, None
    if since is None:
        bad, n = whole or (sum(bad for _, bad, _ in evidence.course), sum(n for _, _, n in evidence.course))
        return f"{bad:,} of {n:,} {did}, shown at {level} by the test that holds at every look", None
    return f"{since.told(did)}, shown at {level} by the test for a change that holds at every look", since


def rate(gate: Gate, evidence: Evidence, rules: Rules) -> Reading | str:
    """`bad` of `n` as the gate's own rate (of successes, or of failures); or a string that says why it is no data."""
    bad, n = evidence.bad, evidence.n
    if bad is None or n is None or n == 0:
        return "nothing was counted in the window"
    if not 0 <= bad <= n:
        return f"{bad} failures of {n} requests are impossible"
    up, line = gate.higher_is_better, bad_side(gate)

    def failures(limit: float) -> float:
        return 1 - limit if up else limit

    early, since = _early(evidence, failures(line.limit), rules, gate.failing, (bad, n))
    if since:
        value = words.number(1 - bad / n if up else bad / n, gate.unit, line.limit)
        early = f"{early}; the whole time: {value} (n = {n:,})"
        bad, n = since.bad, since.n
    k = n - bad if up else bad
    low, high = statistics.clopper_pearson(k, n, rules.confidence)
    lower, upper = statistics.lower_bound(k, n, rules.alpha), statistics.upper_bound(k, n, rules.alpha)
    worst, best = (lower, upper) if up else (upper, lower)
    quarter = _quarters(gate, evidence, failures(line.limit), rules) if early is None or not line.holds(k / n) else None
    aim = gate.target if gate.evidence == "target" else line
    return Reading(
        value=k / n,
        low=low,
        high=high,
        n=n,
        worst=worst,
        best=best,
        clears_limit=not line.holds(worst),
        breaks_limit=line.holds(best),
        clears_target=gate.target.holds(worst),
        early=quarter[1] if quarter else early,
        since=since,
        since_quarter=quarter[0] if quarter else None,
        needed=statistics.more_needed(bad, n, failures(aim.limit), rules.next_alpha),
    )


def quantile(gate: Gate, evidence: Evidence, rules: Rules) -> Reading | str:
    """A measured quantile, by the exact count beyond the alert limit (`bad`) where known, else by the bounds.

    "The q quantile is beyond the limit" and "more than a share of 1 - q is beyond the limit" are the same statement, so
    the tests of a rate apply: p95 is below its limit at 95 % with 0, 1, 2, 3 of 59, 93, 124, 153 samples over it.
    """
    value, n, q = evidence.value, evidence.n, gate.quantile or 0.5
    if value is None or math.isnan(value) or n == 0:
        return "nothing was measured in the window"
    if value < 0 or math.isinf(value) or n is None or n < 0:
        return f"a quantile of {value} over {n} samples is impossible"
    line, up = bad_side(gate), gate.higher_is_better
    low, upper = _bound(evidence.low, value, below=True), _bound(evidence.upper, value, below=False)
    worst, best = (low, upper) if up else (upper, low)
    share = q if up else 1 - q
    beyond = f"beyond {words.limit(line.limit, gate.unit)}"
    more: int | None = None
    if evidence.bad is not None and not 0 <= evidence.bad <= n:
        return f"{evidence.bad} of {n} samples {beyond} are impossible"
    whole = None if evidence.bad is None else (evidence.bad, n)
    early, since = _early(evidence, share, rules, beyond, whole)
    lasts = since is not None and since.until is None
    figures = evidence.onward[1:] if since and lasts and evidence.onward and evidence.onward[0] == since.at else None
    if evidence.bad is not None:
        clears = statistics.upper_bound(evidence.bad, n, rules.alpha) < share
        breaks = statistics.lower_bound(evidence.bad, n, rules.alpha) > share
        more = statistics.more_needed(evidence.bad, n, share, rules.next_alpha)
    else:
        clears = worst is not None and not line.holds(worst)
        breaks = best is not None and line.holds(best)
        if early is None and breaks and rules.look is None and best is not None:
            early = f"even its lower bound {words.number(best, gate.unit)} is {beyond}"
        least = statistics.needed(0, share, rules.next_alpha)
        more = least - n if least is not None and n < least else None
    if since and figures and line.holds(figures[0]):
        early = f"{early}; the whole time: {words.number(value, gate.unit, line.limit)} (n = {n:,})"
        (value, low, upper), n = figures, since.n
        worst, best = (low, upper) if up else (upper, low)
    return Reading(
        value=value,
        low=low,
        high=upper,
        n=n,
        worst=worst,
        best=best,
        clears_limit=clears,
        breaks_limit=breaks,
        clears_target=worst is not None and gate.target.holds(worst),
        early=early,
        since=since,
        needed=more,
        noun="sample",
    )


def amount(gate: Gate, evidence: Evidence, _rules: Rules) -> Reading | str:
    """An amount of money for each unit; without an interval the value is both bounds. Infinity is a value."""
    value = evidence.value
    if value is None or math.isnan(value):
        return "no amount could be computed for the window"
    if value < 0:
        return f"an amount of {value} is impossible"
    under, over = _bound(evidence.low, value, below=True), _bound(evidence.high, value, below=False)
    spread = under is not None and over is not None
    low, high = (value, value) if under is None or over is None else (under, over)
    worst, best = (low, high) if gate.higher_is_better else (high, low)
    line = bad_side(gate)
    breaks = line.holds(best)
    # Only an interval can fail early: the first minutes of a soak spread fixed costs over next to nothing.
    early = breaks and spread and math.isfinite(value) and (evidence.n or 0) >= gate.min_samples
    return Reading(
        value=value,
        low=low if spread else None,
        high=high if spread else None,
        n=evidence.n or 0,
        worst=worst,
        best=best,
        clears_limit=not line.holds(worst),
        breaks_limit=breaks,
        clears_target=gate.target.holds(worst),
        early=f"even its lower end {words.number(best, gate.unit)} is" if early else None,
        noun=words.unit(evidence.extra),
    )
