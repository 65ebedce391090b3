"""The observed traffic split against the weight in force. Pure.

The split may go wrong in the middle of a soak (a new client reads no flags), and to either side: too few requests are
async, or too many. Each side is a rate with its own limit (the share of synchronous requests that the weight and the
allowance for old clients leave, and the weight). So each side has the test for a change (`change.tested`).

One error probability is for the whole soak. Half of it is spent by the tests that hold at every look: the Bayes factor
from the start has half of that half, the test for a change to either side a quarter. The other half is for the exact
test at the declared looks, in the shares in which the looks divide the chance of a false promotion. (Bonferroni; Dunn
1961.) Requests count as independent: each is sent by a draw of its own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from runbook_lib.judge import words
from runbook_lib.judge.gates import sequential, statistics
from runbook_lib.judge.gates.reading import Rules
from runbook_lib.judge.gates.since import Since, found
from runbook_lib.judge.gates.told import absent, no_data, result_of
from runbook_lib.judge.model import Evidence, Gate, GateResult
from runbook_lib.judge.terms import NOTHING_FORGOTTEN, OVER_AT_ONCE, OVER_IS_SHOWN, SPLIT_OF_A_SOAK, Verdict

MOST_CLIENTS = 3
"""At most this many clients are in the reason; the evidence has all."""
SPLIT_ALPHA = 0.001
"""Chance that a whole soak calls a right split wrong: small, because a false alarm costs a day of soak."""
AT_EVERY_LOOK = 0.5
"""Share of it for the tests that hold at every look; the rest is for the exact test at the declared looks."""
FROM_START = 0.5
"""Share of the tests at every look for the one from the start; the rest is for a change to either side."""
SHARE_PRIOR = (1.0, 1.0)
"""Beta prior of the share that goes the wrong way: a gross and a small error are equally likely."""


def split(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:  # noqa: PLR0911 (a table of cases)
    """Judges the share of async requests against the weight in force: exactly at the end, sequentially before."""
    k, n, weight = evidence.bad, evidence.n, evidence.weight
    if weight is None or not 0 <= weight <= 1:
        return no_data(gate, evidence, "the weight in force is not known")
    if k is None or n is None or n == 0:
        return absent(gate, evidence, rules, "no request was seen in the window")
    if not 0 <= k <= n:
        return no_data(gate, evidence, f"{k} async of {n} requests are impossible")
    low, high = statistics.clopper_pearson(k, n, rules.confidence)
    extent = words.interval(low, high, "ratio")
    share = words.number(k / n, "ratio")
    seen = f"{words.title(gate)}: {share} async ({words.sure(rules.confidence)} {extent}, {k:,} of {n:,})"
    who = _who(evidence, n - k)
    claim = f"the weight in force, {words.limit(weight, 'ratio')}"
    allowed, least = _stragglers(gate, weight)
    forgiven = _forgiven(k, n, weight, allowed)
    p = statistics.binomial_p(forgiven, n, min(weight, max(least, forgiven / n)))
    against = sequential.split_log_e(forgiven, n, weight, least=least)
    missing = round(weight * n) - k
    if allowed and missing > 0 and (weight == 1 or least < weight):
        claim += f" (allowing for {words.limit(1 - least / weight, 'ratio')} and {allowed} old clients)"
    spent = _always(rules) * (FROM_START if evidence.course and rules.version >= NOTHING_FORGOTTEN else 1)
    stays = rules.version >= OVER_AT_ONCE
    shown = against >= -math.log(spent)
    wrong = (p < _declared(rules) or (stays and shown)) if rules.look is not None else shown

    def result(verdict: Verdict, reason: str, **more: object) -> GateResult:
        figures = {"value": k / n, "low": low, "high": high, "n": n, "alpha": SPLIT_ALPHA}
        return result_of(gate, evidence, verdict, reason, **{**figures, **more})

    worse, since = _changed(evidence, weight, least, allowed, rules)
    if since is not None:
        ends = statistics.clopper_pearson(since.bad, since.n, rules.confidence)
        then = (
            f"{words.title(gate)}: {words.number(since.bad / since.n, 'ratio')} async ({words.sure(rules.confidence)} "
            f"{words.interval(*ends, 'ratio')}); {since.told('were async')}"
        )
        figures = {"value": since.bad / since.n, "low": ends[0], "high": ends[1], "n": since.n}
        times = {"since": since.at, "since_between": since.between, "until": since.until}
        told = f"{then}: that contradicts {claim}; the whole time: {share} ({k:,} of {n:,}){who}"
        return result(Verdict.FAIL, told, **figures, **times)
    if wrong or (worse and rules.version >= OVER_IS_SHOWN):
        return result(Verdict.FAIL, f"{seen} contradicts {claim}: the weight is not what takes effect{who}")
    if stays and (once := _once(evidence, weight, least, allowed, spent)) is not None:
        until, had, of = once
        told = (
            f"{words.title(gate)}: {words.number(had / of, 'ratio')} async until {words.instant(until)} "
            f"({had:,} of {of:,}) contradicts {claim}, and what was shown once stays shown; the whole time: {share} "
            f"({k:,} of {n:,})"
        )
        return result(Verdict.FAIL, f"{told}{who}")
    if rules.look is None:
        return result(Verdict.INCONCLUSIVE, f"soaking: {seen} so far, in agreement with {claim}{who}")
    if n < gate.min_samples:
        return result(Verdict.INCONCLUSIVE, f"{seen} rests on fewer than {gate.min_samples} samples")
    return result(Verdict.PASS, f"{seen} agrees with {claim} (p = {p:.2g}){who}")


def _forgiven(k: int, n: int, weight: float, allowed: int) -> int:
    """`k` and the old clients that are allowed, but no more of them than it takes to agree."""
    return k if k >= weight * n else min(k + allowed, math.floor(weight * n))


def _once(evidence: Evidence, weight: float, least: float, allowed: int, alpha: float) -> tuple[str, int, int] | None:
    """(moment, async requests, all requests) when the test from the start showed that the split was wrong, if it did.

    The last quarter of an hour may be cut off, so its counts are those of the look.
    """
    k = n = 0
    for place, (_, moved, of) in enumerate(evidence.course[:-1]):
        k, n = k + moved, n + of
        against = sequential.split_log_e(_forgiven(k, n, weight, allowed), n, weight, least=least)
        if against >= -math.log(alpha):
            return evidence.course[place + 1][0], k, n
    return None


def _always(rules: Rules) -> float:
    """Error probability of the tests that hold at every look, together."""
    return SPLIT_ALPHA * (AT_EVERY_LOOK if rules.version >= SPLIT_OF_A_SOAK else 1)


def _declared(rules: Rules) -> float:
    """Error probability of the exact test at this declared look; all of it where no looks are declared."""
    if rules.look is None or rules.version < SPLIT_OF_A_SOAK:
        return SPLIT_ALPHA
    shares = [one.alpha for one in rules.looks if one != rules.look]
    return SPLIT_ALPHA * (1 - AT_EVERY_LOOK) * rules.look.alpha / math.fsum([rules.look.alpha, *shares])


def _changed(evidence: Evidence, weight: float, least: float, allowed: int, rules: Rules) -> tuple[bool, Since | None]:
    """Whether the split ever was wrong; and the time of it, with the async requests as its `bad`, unless it is the
    whole course.
    """
    if not evidence.course or rules.version < NOTHING_FORGOTTEN:
        return False, None
    kept = [(at, n - k, n) for at, k, n in evidence.course]
    alpha = _always(rules) * (1 - FROM_START) / 2
    ever = False
    tested = partial(found, prior=SHARE_PRIOR, alpha=alpha, end=evidence.end, rules=rules.version, at_limit=True)
    for course, limit, forgiven in ((kept, 1 - least, allowed), (evidence.course, weight, 0)):
        worse, since = tested(course, limit, forgiven=forgiven)
        ever = ever or worse
        if since is not None:
            left, of = since.now
            wrong = replace(since, bad=since.n - since.bad, now=(of - left, of)) if course is kept else since
            return True, wrong
    return ever, None


def _who(evidence: Evidence, left: int) -> str:
    """Words for the clients that the access log names at the synchronous route while nobody should call it."""
    clients: dict[str, int] = evidence.extra.get("clients") or {}
    if not clients or left <= 0:
        return ""
    named = [f"{name} ({n:,})" for name, n in list(clients.items())[:MOST_CLIENTS]]
    more = len(clients) - MOST_CLIENTS
    return f"; at the synchronous route the access log names {', '.join(named)}" + (
        f" and {more} more" if more > 0 else ""
    )


def _stragglers(gate: Gate, weight: float) -> tuple[int, float]:
    """(forgiven requests of old clients, smallest share of async that still agrees) at a weight from 0 to 1."""
    reached = [one for one in gate.stragglers if one.from_percent <= 100 * weight]
    if not reached or not weight:
        return 0, weight
    last = max(reached, key=lambda one: one.from_percent)
    return last.count, weight * (1 - last.share)
