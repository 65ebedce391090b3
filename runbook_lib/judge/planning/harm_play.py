"""Simulates one soak with a failure: what stops it, when, and what it cost until then. Pure.

Requests are given by their count in each part of the course; a share of them fails from one second on. The first of
these ends the play: a guard that fires, a look of the people who watch, a declared look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look
from runbook_lib.judge.planning.alarm_math import EVALUATION_S
from runbook_lib.judge.planning.harm_terms import Floats, Traffic, Watch
from runbook_lib.judge.terms import Verdict

Counts = NDArray[np.int64]
Each = Sequence[int]
By = Literal["guard", "watch", "look"]

BAKE_S = 86_400.0
"""AppConfig bakes for at most 1,440 minutes."""
_FIRST_PARTS = 100
_MOST = 700.0
"""Log of about the largest float."""
_NOTHING = np.empty(0, dtype=np.int64), np.empty(0)


@dataclass(frozen=True)
class Played:
    """One play: what stopped it and when, and what it cost until then."""

    by: By | None
    seconds: float
    requests: float
    failed: float
    failed_by_looks: float
    failed_unseen: float
    looked: bool
    """Whether a look, of people or a declared one, would have stopped it at some time."""


def play(
    rng: np.random.Generator,
    came: Counts,
    part_s: float,
    failure: tuple[float, float],
    traffic: Traffic,
    watch: Watch,
) -> Played:
    """Simulates one soak.

    Args:
        came: requests in each part of `part_s` seconds.
        failure: (seconds after the shift, share of the requests that fail from then on).
    """
    begin_s, share = failure
    some = np.flatnonzero(came)
    times, n = np.asarray(some * part_s, dtype=np.float64), came[some]
    bad = rng.binomial(n, np.where(times >= begin_s, share, traffic.failing))
    at, by = _looked((times, times + part_s), bad, n, begin_s, watch)
    fires = _fires(times, part_s, bad, begin_s, watch)
    stop, who = (fires, "guard") if fires <= at else (at, by)
    known: By | None = who if math.isfinite(stop) else None  # type: ignore[assignment]

    begun = int(times.searchsorted(begin_s))

    def since(counts: Counts, end: float) -> float:
        return float(counts[begun : times.searchsorted(min(end + watch.clear_s, watch.end_s))].sum())

    return Played(
        known,
        stop - begin_s,
        since(n, stop),
        since(bad, stop),
        since(bad, at),
        since(bad, watch.end_s),
        math.isfinite(at),
    )


def _fires(times: Floats, part_s: float, bad: Counts, begin_s: float, watch: Watch) -> float:
    """Seconds at which the first guard fires; infinite: none does while AppConfig watches it.

    AppConfig watches for the hours of the planned soak, a day at most, and again from its declared look on, where it is
    extended.
    """
    failed = np.repeat(times + part_s, bad)
    first_s = watch.looks[0].hours * 3600
    bake, again = min(first_s, BAKE_S), first_s + watch.settle_s
    found = math.inf
    for least, window_s in watch.guards:
        if len(failed) < least:
            continue
        last, first = failed[least - 1 :], failed[: len(failed) - least + 1]
        # Evaluated each minute over the window that ends then.
        fired = np.ceil((last[last - first < window_s - part_s] + watch.delay_s) / EVALUATION_S) * EVALUATION_S
        fired = fired[(fired >= begin_s) & ((fired < bake) | (fired >= again)) & (fired < watch.end_s)]
        found = min(found, float(fired[0])) if len(fired) else found
    return found


def _looked(spans: tuple[Floats, Floats], bad: Counts, n: Counts, begin_s: float, watch: Watch) -> tuple[float, By]:
    """Seconds at which a look stops it, and which kind of look; infinite: it is promoted."""
    start = 0.0
    for number, look in enumerate(watch.looks):
        end, due = look.hours * 3600, look.hours * 3600 + watch.settle_s
        until = due if due > begin_s else start
        seen, ever = _watched(spans, bad, n, (start, until), begin_s, watch)
        if seen is not None:
            return seen, "watch"
        if due > begin_s:
            verdict = _declared(spans[0], bad, n, look, watch, quiet=ever is not None and ever < _enough(watch) - 1)
            last = number == len(watch.looks) - 1
            if verdict is Verdict.FAIL or (last and verdict is not Verdict.PASS):
                return due, "look"
            if verdict is Verdict.PASS:
                return math.inf, "look"
        start = end
    return math.inf, "look"


def _watched(
    spans: tuple[Floats, Floats],
    bad: Counts,
    n: Counts,
    window: tuple[float, float],
    begin_s: float,
    watch: Watch,
) -> tuple[float | None, float | None]:
    """Seconds at which the test for every look finds the failure within `window`; None: it does not.

    The second value is the largest e-value after any part with a failure; None: it was found, nobody watches, or the
    window is not from the start of the course.
    """
    start, until = window
    every_s, enough = watch.every_min * 60, _enough(watch)
    if not every_s:
        return None, None
    since = spans[0].searchsorted(start)
    times, ends, bad, n = spans[0][since:], spans[1][since:], bad[since:], n[since:]
    low, last = math.floor(max(start, begin_s) / every_s), math.ceil(until / every_s) - 1

    def first(places: Counts) -> int:
        """Number of the first look that sees the first of these parts; beyond `last` where there is none."""
        if not len(places):
            return last + 1
        end = float(ends[places[0]])
        number = max(low + 1, math.ceil((end + watch.settle_s) / every_s))
        return number + int(number * every_s - watch.settle_s < end)

    def found(number: int) -> bool:
        seen = int(np.searchsorted(ends, number * every_s - watch.settle_s, side="right"))
        each, of = cast("Each", bad[:seen]), cast("Each", n[:seen])
        return bool(bad[:seen].any()) and (
            change.tested(each, of, watch.limit, watch.prior, watch.alpha_early).log_e >= math.log(enough)
        )

    # Usually the test finds it soon after the failure began: a short course first, then longer ones.
    length = int(np.searchsorted(times, begin_s)) + _FIRST_PARTS
    while True:
        each, of = cast("Each", bad[:length]), cast("Each", n[:length])
        places, log_e = change.after_failures(each, of, watch.limit, watch.prior) if len(each) else _NOTHING
        sure = places[log_e >= math.log(enough)]
        if len(sure) or length >= len(bad):
            break
        length *= 4
    # A look right after a failure may find it already: then that look counts.
    near = places[log_e >= math.log(max(enough - 1, 1.0))]
    number = first(sure)
    number = next((one for one in range(first(near), min(number, last + 1)) if found(one)), number)
    if number <= last:
        return number * every_s, None
    return None, math.exp(min(log_e.max(initial=-math.inf), _MOST)) if not start else None


def _enough(watch: Watch) -> float:
    """The e-value from which on the test for every look alarms."""
    return 1 / watch.alpha_early


def _declared(times: Floats, bad: Counts, n: Counts, look: Look, watch: Watch, *, quiet: bool) -> Verdict:
    """The gate's verdict on a declared look's hours; `quiet`: the test for a change is known to find nothing."""
    until = times.searchsorted(look.hours * 3600)
    times, bad, n = times[:until], bad[:until], n[:until]
    if not quiet and len(n):
        each, of = cast("Each", bad), cast("Each", n)
        tested = change.tested(each, of, watch.limit, watch.prior, watch.alpha_early)
        quiet = tested.log_e < math.log(_enough(watch))
    if quiet:
        # Without a proven change, the order of the failures does not matter.
        verdict = _of_counts(watch, look, int(bad.sum()), int(n.sum()))
        if verdict is not Verdict.FAIL:
            return verdict
    return _judged(watch, look, _course(times, bad, n), int(bad.sum()), int(n.sum()))


@lru_cache(maxsize=20_000)
def _of_counts(watch: Watch, look: Look, bad: int, n: int) -> Verdict:
    return _judged(watch, look, ((_iso(0.0), bad, n),), bad, n)


def _judged(watch: Watch, look: Look, course: tuple[tuple[str, int, int], ...], bad: int, n: int) -> Verdict:
    evidence = Evidence(
        measure=watch.gate.measure,
        kind="rate",
        start=_iso(0.0),
        end=_iso(look.hours * 3600),
        query="supposed",
        bad=bad,
        n=n,
        course=course,
    )
    judged = partial(judge, watch.gate, looks=watch.looks, confidence=watch.confidence, alpha_early=watch.alpha_early)
    return judged(evidence, look=look, prior=watch.prior).verdict


def _course(times: Floats, bad: Counts, n: Counts) -> tuple[tuple[str, int, int], ...]:
    """The course as in evidence: each part with a failure by itself, the parts between them joined."""
    found: list[tuple[str, int, int]] = []
    joined = False
    for at, k, m in zip(times.tolist(), bad.tolist(), n.tolist(), strict=True):
        if not k and joined:
            found[-1] = (found[-1][0], 0, found[-1][2] + m)
        else:
            found.append((_iso(at), k, m))
        joined = not k
    return tuple(found)


def _iso(seconds: float) -> str:
    day, rest = divmod(round(seconds), 86_400)
    return f"1970-01-{day + 1:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}+00:00"
