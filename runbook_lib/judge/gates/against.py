"""A gate that compares the canary with another arm: the baseline at the same time, or the phase before. Pure.

The tests are in `two_arms` and `two_arms_change`; this module draws the verdict from them. FAIL follows from the bet
that holds at every look, at `alpha_early`: on the whole soak, or since an hour of it, with the figures since then. PASS
follows at a declared look, where the bound of the difference is within the margin. Where there is no other arm, or the
other arm is itself beyond this gate's alert limit (the synchronous endpoint's 504s; docs/domain.md, trap 13), being as
good shows nothing. Then the result does not decide, like that of a muted gate, and its reason says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runbook_lib.judge import words
from runbook_lib.judge.gates import statistics, two_arms
from runbook_lib.judge.gates.against_since import Worse, rows_of
from runbook_lib.judge.gates.against_since import worse as worse_time
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.gates.told import absent, no_data, result_of
from runbook_lib.judge.model import Arms, Compared, Evidence, Gate, GateResult, Hour, bad_side
from runbook_lib.judge.terms import Verdict

ALONE = "nothing to compare with"
"""Why a gate without another arm does not decide."""
_TOO_MANY_TIMES, _EXACT = 10_000, 0.001
"""The search for more requests stops at this multiple of the soak's; and its relative precision."""
_DIGITS = 2
"""Decimals of a difference in percentage points."""


def against(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:  # noqa: PLR0911 (a table of cases)
    """The verdict of a gate that has `against` and `margin`."""
    if evidence.n == 0 and not evidence.bad:
        return absent(gate, evidence, rules, "nothing was counted in the window")
    arms = next((one for one in evidence.arms if one.gate == gate.id), None)
    own = _own(gate, evidence, arms, rules.confidence)
    if arms is None or isinstance(own, str):
        return no_data(gate, evidence, own if isinstance(own, str) else "no other arm was taken")
    if arms.absent:
        return _no_gate(gate, evidence, own, f"{arms.absent}, so there is nothing to compare with", ALONE)
    if not sum(one.other_n for one in arms.hours):
        return no_data(gate, evidence, f"nothing was counted of {arms.other}")
    pair = _pair(gate, arms, rules.confidence)
    if pair is None:
        return no_data(gate, evidence, f"canary and {arms.other} had no requests in the same hour")
    if broken := _broken(gate, arms, rules.confidence):
        both = {**own, "compared": pair.both}
        return _no_gate(gate, evidence, both, broken, f"{arms.other} is itself broken")
    return _judged(gate, evidence, arms, pair, {**own, "compared": pair.both}, rules)


def supposed(gate: Gate, evidence: Evidence) -> Evidence:
    """The evidence with two supposed arms in one hour: its own counts, and an arm as large without a failure."""
    bad, n = evidence.bad or 0, evidence.n or 0
    figures = {"bad": bad, "most": bad, "n": n, "other_bad": 0, "other_most": 0, "other_n": n}
    hour = Hour(at=evidence.start, **figures)
    return evidence.model_copy(update={"arms": (Arms(gate=gate.id, other="the other arm", hours=(hour,)),)})


@dataclass(frozen=True)
class _Pair:
    """Both arms over the whole time; `rows` are the hours behind the difference."""

    both: Compared
    rows: tuple[two_arms.Row, ...]
    n: int
    excess: float
    """Failure rate of the canary minus that of the other arm."""


def _pair(gate: Gate, arms: Arms, confidence: float) -> _Pair | None:
    """Canary and other arm, with doubtful failures counted against the canary; None: no hour has requests of both."""
    rows = rows_of(gate, arms.hours)
    found = two_arms.difference(rows, (1 - confidence) / 2)
    if found is None:
        return None
    (bad, n), (other_bad, other_n) = ((sum(one[at] for one in rows) for at in pair) for pair in ((0, 1), (2, 3)))
    low, high = sorted((_signed(gate, found.low), _signed(gate, found.high)))
    both = Compared(
        other=arms.other,
        value=_share(gate, bad / n),
        other_value=_share(gate, other_bad / other_n),
        other_n=int(other_n),
        difference=_signed(gate, found.value),
        low=low,
        high=high,
    )
    return _Pair(both, rows, int(n), found.value)


def _judged(
    gate: Gate, evidence: Evidence, arms: Arms, pair: _Pair, figures: dict[str, object], rules: Rules
) -> GateResult:
    """The table of verdicts, for known arms whose other one is not broken."""
    margin = gate.margin or 0.0
    told, limit = _told(gate, arms, pair, rules.confidence), words.points(margin)
    found = two_arms.difference(pair.rows, rules.alpha)
    edge = 1.0 if found is None else found.high
    sure = words.sure(1 - rules.alpha)
    proof = f"its {sure} bound {words.points(_signed(gate, edge), sign=True, digits=_DIGITS)}"

    def result(verdict: Verdict, reason: str, **more: object) -> GateResult:
        fields = {**figures, "bound": _signed(gate, edge), "alpha": rules.alpha, **more}
        return result_of(gate, evidence, verdict, f"{told}{reason}", **fields)

    worse = worse_time(gate, arms, margin, evidence, rules)
    if worse is not None:
        late = _since(gate, evidence, arms, worse, pair, rules) if worse.since else None
        level = words.sure(1 - rules.alpha_early)
        shown = f": worse by more than {limit}, shown at {level} by the test of both arms that holds at every look"
        whole = {"bound": None, "alpha": rules.alpha_early, "collapsed": _collapsed(gate, figures)}
        return late or result(Verdict.FAIL, shown, **whole)
    if rules.look is None:
        shows = "nothing shows" if pair.excess <= margin else "that does not yet show"
        return result(Verdict.INCONCLUSIVE, f", so far: {shows} that it is worse by more than {limit}")
    if pair.n < gate.min_samples:
        few = f", which rests on fewer than {gate.min_samples} samples"
        return result(Verdict.INCONCLUSIVE, few, needed=gate.min_samples - pair.n)
    if edge >= margin:
        needed = _needed(pair, rules.next_alpha, margin)
        more = f"; {words.count(needed, 'more request')} would decide it if nothing changes" if needed else ""
        open_ = f": {proof} does not exclude that it is worse by {limit}{more}"
        return result(Verdict.INCONCLUSIVE, open_, needed=needed)
    if arms.partial:
        hole = f": {proof} is within {limit}, but part of {arms.other} could not be seen, and partial data never passes"
        return result(Verdict.INCONCLUSIVE, hole)
    return result(Verdict.PASS, f": {proof} is within the margin of {limit}")


def _since(gate: Gate, evidence: Evidence, arms: Arms, worse: Worse, whole: _Pair, rules: Rules) -> GateResult | None:
    """FAIL by a change inside the soak: difference, value, interval and n are those since then.

    None where nothing was counted in that time.
    """
    mine = arms.model_copy(update={"hours": worse.hours})
    pair, own = _pair(gate, mine, rules.confidence), _own(gate, evidence, mine, rules.confidence)
    now = _own(gate, evidence, arms.model_copy(update={"hours": worse.now}), rules.confidence)
    if pair is None or isinstance(own, str) or isinstance(now, str):
        return None
    ends = [words.instant(one) for one in worse.between]
    span = f" (the change came between {ends[0]} and {ends[1]})" if ends[0] != ends[1] else ""
    time = f"since {words.instant(worse.since)}{span}"
    if worse.until:
        after = _pair(gate, arms.model_copy(update={"hours": worse.now[len(worse.hours) :]}), rules.confidence)
        came = f": since then {words.arms(after.both)[1]} (n = {after.n:,})" if after else ""
        time = f"from {words.instant(worse.since)} to {words.instant(worse.until)}{span}, and it is over{came}"
    moved = words.arms(whole.both)[1]
    told = (
        f"{_told(gate, mine, pair, rules.confidence)}: worse by more than {words.points(gate.margin or 0.0)} {time}, "
        f"shown at {words.sure(1 - rules.alpha_early)} by the test of both arms for a change that holds at every look; "
        f"the whole time: {moved} (n = {whole.n:,})"
    )
    return result_of(
        gate,
        evidence,
        Verdict.FAIL,
        told,
        **{**own, "compared": pair.both, "alpha": rules.alpha_early, "collapsed": _collapsed(gate, now)},
        since=worse.since,
        since_between=worse.between,
        until=worse.until,
    )


def _collapsed(gate: Gate, figures: Mapping[str, object]) -> bool:
    value = figures["value"]
    return bool(gate.collapse and isinstance(value, float) and gate.collapse.holds(value))


def _needed(pair: _Pair, alpha: float, margin: float) -> int | None:
    """Number of further canary requests after which the bound would be within the margin, if nothing changes."""

    def within(times: float) -> bool:
        more = [(times * k, times * n, times * j, times * m) for k, n, j, m in pair.rows]
        found = two_arms.difference(more, alpha)
        return found is not None and found.high < margin

    low, high = 1.0, 2.0
    while not within(high):
        low, high = high, 2 * high
        if high > _TOO_MANY_TIMES:
            return None
    while high - low > _EXACT * low:
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle) else (middle, high)
    return math.ceil(pair.n * (high - 1))


def _own(gate: Gate, evidence: Evidence, arms: Arms | None, confidence: float) -> dict[str, object] | str:
    """Value, interval and n of the canary by itself, as in every other row; or a string that says why it is no data."""
    bad, n, value = evidence.bad, evidence.n, evidence.value
    if gate.kind == "quantile":
        if value is None or not 0 <= value < math.inf or not n:
            return f"a quantile of {value} over {n} samples is impossible"
        return {"value": value, "n": n}
    if bad is None or not n or not 0 <= bad <= n:
        return (
            f"{bad} failures of {n} requests are impossible"
            if n and bad is not None
            else "nothing was counted in the window"
        )
    hours = arms.hours if arms else ()
    bad, n = sum(one.most for one in hours), sum(one.n for one in hours)
    if not n:
        return "its hours are not known"
    good = n - bad if gate.higher_is_better else bad
    low, high = statistics.clopper_pearson(good, n, confidence)
    return {"value": good / n, "low": low, "high": high, "n": n}


def _broken(gate: Gate, arms: Arms, confidence: float) -> str:
    """Why the other arm is too broken to compare with, in words; empty: it is not."""
    bad, n = sum(one.other_bad for one in arms.hours), sum(one.other_n for one in arms.hours)
    low, high = statistics.clopper_pearson(bad, n, confidence)
    line, share = bad_side(gate), gate.quantile or 0.5
    if gate.kind == "rate":
        ends = sorted((_share(gate, low), _share(gate, high)))
        beyond = line.holds(ends[1] if gate.higher_is_better else ends[0])
        what = ""
    else:
        ends = [low, high]
        beyond = low > (share if gate.higher_is_better else 1 - share)
        what = f" beyond {words.limit(line.limit, gate.unit)}"
    if not beyond:
        return ""
    extent = f"{words.sure(confidence)} {words.interval(ends[0], ends[1], 'ratio')}, n = {n:,}"
    share_ = words.number(_share(gate, bad / n), "ratio")
    return f"{arms.other} is itself broken, {share_}{what} ({extent}): being as good as that shows nothing"


def _no_gate(gate: Gate, evidence: Evidence, own: dict[str, object], why: str, muted: str) -> GateResult:
    """A result that does not decide, like that of a muted gate."""
    return result_of(
        gate.model_copy(update={"muted": gate.muted or muted}),
        evidence,
        Verdict.INCONCLUSIVE,
        f"{words.title(gate)} is no gate here: {why}",
        **own,
    )


def _told(gate: Gate, arms: Arms, pair: _Pair, confidence: float) -> str:
    """Both arms in words, as in `success rate 98.9 % (n = 300), of the baseline 99.8 % (n = 2,700): -0.90 points`."""
    both = pair.both
    mine, theirs = (words.number(one, "ratio") for one in (both.value, both.other_value))
    _, moved, extent = words.arms(both)
    what = words.title(gate)
    if gate.kind == "quantile":
        what = f"{what}: beyond {words.limit(bad_side(gate).limit, gate.unit)} are"
    sure = f"({words.sure(confidence)} {extent})"
    return f"{what} {mine} (n = {pair.n:,}), of {arms.other} {theirs} (n = {both.other_n:,}): {moved} {sure}"


def _share(gate: Gate, failing: float) -> float:
    """A failure rate as the gate's own rate: of successes, or of failures."""
    return 1 - failing if gate.kind == "rate" and gate.higher_is_better else failing


def _signed(gate: Gate, excess: float) -> float:
    """A difference of failure rates as one of the gate's own rate: of successes, positive is good."""
    return -excess if gate.kind == "rate" and gate.higher_is_better else excess
