"""Advisory checks that compare the canary; the gates decide.

There are two comparisons: of the users' success with the baseline's (difference, non-inferiority with a margin), and of
the latency of submissions with that in the phase before (stochastic order of the per-period medians). Swapped arms
reverse both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Frozen, Verdict

SUCCESS, LATENCY = "canary.success", "canary.latency"
LEAST_PERIODS = 10
"""Least periods in an arm for a comparison (Brunner & Munzel 2000: the t approximation is good from about ten values
an arm)."""


class Beside(Frozen):
    """How much worse than the other arm the canary may be before these checks say so."""

    margin: float = 0.01
    """Non-inferiority margin of success, 0..1."""
    slower: float = 0.71
    """P(a period of this phase is slower than one of the phase before) from which it is called slower: a large effect
    by Vargha & Delaney 2000, "A critique and improvement of the CL common language effect size statistics"."""


def _told(id: str, title: str, verdict: Verdict, reason: str, expected: str, found: str) -> Check:
    return Check(
        id=id,
        title=title,
        verdict=verdict,
        reason=words.sentence(reason),
        required=False,
        expected=expected,
        found=found,
    )


def success(canary: Evidence, baseline: Evidence, rule: Beside, confidence: float) -> Check:
    """Whether the canary's success is at most `margin` below the baseline's.

    Args:
        canary, baseline: rates whose `bad` are failures.
        confidence: of the two-sided interval of the difference (Newcombe 1998, method 10).
    """
    from runbook_lib.judge.gates import compare  # late, because of scipy: loading the policy must stay quick

    title, wanted = "Success, canary against baseline", f"at most {words.points(rule.margin)} worse"
    if not canary.n or canary.bad is None or not baseline.n or baseline.bad is None:
        return _told(SUCCESS, title, Verdict.NO_DATA, "one of the arms cannot be seen", wanted, "not known")
    found = compare.difference(canary.n - canary.bad, canary.n, baseline.n - baseline.bad, baseline.n, confidence)
    extent = f"{words.sure(confidence)} {words.points(found.low, sign=True)} to {words.points(found.high, sign=True)}"
    value = words.points(found.value, sign=True)
    told = f"canary minus baseline is {value} ({extent}, n = {canary.n:,} and {baseline.n:,})"
    if found.low > -rule.margin:
        better = "better beyond doubt" if found.low > 0 else f"not worse by more than {words.points(rule.margin)}"
        return _told(
            SUCCESS,
            title,
            Verdict.PASS,
            f"{told}: the canary is {better}",
            wanted,
            words.points(found.value, sign=True),
        )
    if found.high < -rule.margin:
        worse = f"{told}: the canary is worse beyond doubt"
        return _told(SUCCESS, title, Verdict.FAIL, worse, wanted, value)
    unsure = f"{told}: too few requests to tell"
    return _told(SUCCESS, title, Verdict.INCONCLUSIVE, unsure, wanted, value)


def latency(now: Sequence[float], before: Sequence[float], rule: Beside, confidence: float) -> Check:
    """Whether this phase's latency is above that of the phase before.

    Args:
        now, before: the median of each period in seconds, of this phase's soak and of the one before. No high
            percentile: with few requests it is lower than with many, and a phase has more than the one before.
        confidence: of the two-sided interval of P(now > before) + P(tie)/2.
    """
    from runbook_lib.judge.gates import compare  # as above

    title = "Submit latency, against the phase before"
    wanted = f"slower in fewer than {words.sure(rule.slower)} of pairs"
    now, before = ([one for one in arm if math.isfinite(one)] for arm in (now, before))
    if min(len(now), len(before)) < LEAST_PERIODS:
        few = f"there are {len(now)} and {len(before)} periods to compare, and {LEAST_PERIODS} of each are needed"
        return _told(LATENCY, title, Verdict.NO_DATA, few, wanted, "not known")
    found = compare.shift(now, before, confidence)
    share = words.number(found.superiority, "ratio")
    extent = words.interval(found.low, found.high, "ratio")
    told = (
        f"a period of this phase is slower than one of the phase before in {share} of pairs "
        f"({words.sure(confidence)} {extent}, {len(now)} and {len(before)} periods)"
    )
    if found.low > rule.slower:
        return _told(LATENCY, title, Verdict.FAIL, f"{told}: it has become slower", wanted, share)
    if found.high < rule.slower:
        kept = "it is the faster one" if found.high < 1 - rule.slower else "it has not become slower to that degree"
        return _told(LATENCY, title, Verdict.PASS, f"{told}: {kept}", wanted, share)
    return _told(LATENCY, title, Verdict.INCONCLUSIVE, f"{told}: too close to tell", wanted, share)
