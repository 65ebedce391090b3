"""What a failure would cost the users before it is stopped: requests, minutes, users, before a shift is made. Pure.

Soaks are played, not modelled: requests come as a Poisson process under the day's curve, a share of them fails from
an hour on, and the tests that judge a real soak are applied to what they have seen by then: `change.tested` at each
look of whoever watches, `gates.judge` at the declared looks, and a guard's own definition (a count within a sliding
window, evaluated each minute). A play ends with the first of them. The seed is fixed, so a record says the same again.

Only the users' success is played. Another gate (5xx, refusals, crashes) may stop a real failure sooner, never later.
The figure "at 95 %" is an upper tolerance limit: the order statistic within which, for 95 of 100 sets of plays, at
least 95 % of all soaks are (Wilks 1941, "Determination of sample sizes for setting tolerance limits"; of 93 plays the
worst but one).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runbook_lib.judge import numbers
from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.reading import bad_side
from runbook_lib.judge.model import Evidence, Frozen, Gate, Look, Verdict
from runbook_lib.judge.planning.alarm_math import EVALUATION_S

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Each = Sequence[int]
By = Literal["guard", "watch", "look"]

SHARES = (0.02, 0.05, 0.10, 0.20, 0.50, 1.0)
"""Shares of the requests that fail."""
PART_S, LONG_PART_S = 10.0, 60.0
"""Length of a part of the course: as the evidence has it; and where most of those would hold a request."""
HOURS = 24
BAKE_S = 86_400.0
"""AppConfig bakes for at most 1,440 minutes."""
_MANY_PARTS = 3_000
"""Parts of one play that hold a request: beyond, longer ones are taken."""
_MOST_PARTS = 400_000
"""The same of all plays together: beyond, fewer plays are made."""
SURE = 0.95
"""How sure it is that as large a share of all soaks is within the second figure of a pair."""


class Pair(Frozen):
    """One figure: in the middle of the plays, and with the confidence that was asked for. None: it goes on and on."""

    median: float | None
    most: float | None


class Harm(Frozen):
    """What a failing share costs, beginning at one hour of the soak."""

    share: float
    """Of the requests that fail, 0..1."""
    begins_h: float
    """Hours after the shift."""
    requests: Pair
    """Asynchronous requests from the beginning until the last client has left."""
    minutes: Pair
    """From the beginning until it is stopped."""
    users: Pair
    """Users whose request failed."""
    baseline: Pair | None
    """Users that the synchronous endpoint would have failed of the same requests; None: its success is not known."""
    by_looks: Pair
    """As `users`, where no guard counts these failures: found by those who look."""
    unseen: Pair
    """As `users`, where neither a guard nor a look in between can tell: until the last declared look."""
    stopped_by: dict[By, float]
    """Share of the plays that each of them stopped."""
    goes_on: float
    """Share of the plays in which the soak ends and promotes it."""
    plays: int


@dataclass(frozen=True)
class Watch:
    """Who would notice, and how: the soak of one phase as it is declared."""

    gate: Gate
    """Of the users' success."""
    looks: tuple[Look, ...]
    every_min: float
    """Minutes between two looks of whoever watches; 0: nobody does."""
    guards: tuple[tuple[int, float], ...]
    """(failures, seconds): a guard fires at so many within a sliding window."""
    alpha_early: float
    prior: tuple[float, float]
    confidence: float
    settle_s: float
    """Seconds until a request can be judged: its metrics are there, its job is over."""
    delay_s: float
    """Seconds until an alarm knows of a failure."""
    clear_s: float
    """Seconds until the last client has read that the weight is 0."""

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: with the name and the value.
        """
        if self.gate.kind != "rate" or not self.looks:
            raise ValueError("a harm forecast wants a gate of kind rate, and at least one declared look")
        numbers.chance(alpha_early=self.alpha_early, confidence=self.confidence)
        for least, window_s in self.guards:
            numbers.count(1, least=least)
            numbers.positive(window_s=window_s)
        times = {"every_min": self.every_min, "settle_s": self.settle_s, "delay_s": self.delay_s}
        numbers.finite(0.0, **times, clear_s=self.clear_s)

    @property
    def limit(self) -> float:
        """Share of failures at the alert limit."""
        line = bad_side(self.gate).limit
        return 1 - line if self.gate.higher_is_better else line

    @property
    def end_s(self) -> float:
        """Seconds until the last declared look is taken."""
        return self.looks[-1].hours * 3600 + self.settle_s


@dataclass(frozen=True)
class Traffic:
    """The requests of both routes, and what fails of them anyway."""

    per_s: tuple[float, ...]
    """Requests a second in each hour of the day (UTC), or one number."""
    weight: float
    """Share of them that is asynchronous, 0..1."""
    from_hour: float = 0.0
    """Hour of the day (UTC) of the shift."""
    failing: float = 0.002
    """Share that fails of a service that is well."""
    baseline: float | None = None
    """Share that the synchronous endpoint fails."""

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: with the name and the value.
        """
        if len(self.per_s) not in (1, HOURS):
            raise ValueError(f"per_s wants 1 or {HOURS} rates, has {len(self.per_s)}")
        numbers.finite(0.0, **{f"per_s {hour}": rate for hour, rate in enumerate(self.per_s)})
        numbers.share(weight=self.weight, failing=self.failing, baseline=self.baseline or 0.0)
        numbers.finite(0.0, from_hour=self.from_hour)

    def expected(self, seconds: float) -> tuple[Floats, float]:
        """Asynchronous requests expected in each part, from the shift on; and the length of a part in seconds."""
        rates = np.broadcast_to(np.asarray(self.per_s, dtype=float), HOURS)
        for part_s in (PART_S, LONG_PART_S):
            at = np.arange(0.0, seconds, part_s) / 3600 + self.from_hour
            found = np.asarray(rates[(at % HOURS).astype(int)] * self.weight * part_s, dtype=float)
            if np.sum(-np.expm1(-found)) <= _MANY_PARTS:
                break
        return found, part_s


def late(watch: Watch) -> float:
    """The hour of a late failure: half of the soak is over, and hides it."""
    return watch.looks[0].hours / 2


def forecast(
    traffic: Traffic,
    watch: Watch,
    *,
    shares: Sequence[float] = SHARES,
    begins: Sequence[float] | None = None,
    confidence: float = 0.95,
    plays: int = 93,
    seed: int = 18,
) -> tuple[Harm, ...]:
    """What each share costs, beginning at each hour; those that begin at once first.

    Args:
        begins: hours after the shift; None: at once, and half of the soak later.
        confidence: of the second figure of each pair.
        plays: for each share and beginning; fewer where the traffic is large.

    Raises:
        ValueError: shares, hours, a confidence or a number of plays that cannot be.
    """
    begins = (0.0, late(watch)) if begins is None else begins
    numbers.share(**{f"share {share}": share for share in shares})
    numbers.chance(confidence=confidence)
    numbers.count(1, plays=plays)
    for begin in begins:
        if not 0 <= begin * 3600 < watch.end_s:
            raise ValueError(
                f"a failure that begins after {begin:g} h begins in no soak of {watch.looks[-1].hours:g} h"
            )
    expected, part_s = traffic.expected(watch.end_s)
    busy = int(np.sum(-np.expm1(-expected)))
    plays = max(math.ceil(math.log(1 - SURE) / math.log(confidence)), min(plays, _MOST_PARTS // max(1, busy)))
    found = []
    for place, begin in enumerate(begins):
        rng = np.random.default_rng([seed, place])
        came = [np.asarray(rng.poisson(expected), dtype=np.int64) for _ in range(plays)]
        for share in shares:
            each = [
                _play(np.random.default_rng([seed, place, one]), n, part_s, (begin * 3600, share), traffic, watch)
                for one, n in enumerate(came)
            ]
            found.append(_told(share, begin, each, traffic, confidence))
    return tuple(found)


@dataclass(frozen=True)
class _Played:
    """One play: when it was stopped by whom; by those who look; and what it cost until then."""

    by: By | None
    seconds: float
    requests: float
    failed: float
    failed_by_looks: float
    failed_unseen: float
    looked: bool
    """Those who look stopped it, sooner or later."""


def _play(
    rng: np.random.Generator,
    came: Counts,
    part_s: float,
    failure: tuple[float, float],
    traffic: Traffic,
    watch: Watch,
) -> _Played:
    """One play.

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

    def since(counts: Counts, end: float) -> float:
        return float(np.sum(counts[(times >= begin_s) & (times < min(end + watch.clear_s, watch.end_s))]))

    return _Played(
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
    """When those who look stop it, and whether at a declared look; infinite: it is promoted."""
    start = 0.0
    for number, look in enumerate(watch.looks):
        end, due = look.hours * 3600, look.hours * 3600 + watch.settle_s
        until = due if due > begin_s else start
        if (seen := _watched(spans, bad, n, (start, until), begin_s, watch)) is not None:
            return seen, "watch"
        if due > begin_s:
            verdict = _declared(spans[0], bad, n, look, watch)
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
) -> float | None:
    """When the test that holds at every look finds it, from `window`'s start on and before its end."""
    start, until = window
    mine = spans[0] >= start
    ends, bad, n = spans[1][mine], bad[mine], n[mine]
    every_s, threshold = watch.every_min * 60, -math.log(watch.alpha_early)
    if not every_s:
        return None

    def found(number: int) -> bool:
        seen = int(np.searchsorted(ends, number * every_s - watch.settle_s, side="right"))
        if not bad[:seen].any():
            return False
        each, of = cast("Each", bad[:seen]), cast("Each", n[:seen])
        return change.tested(each, of, watch.limit, watch.prior, watch.alpha_early).log_e >= threshold

    # What counts is the largest e-value so far, so what one look finds each later one finds. Longer strides, and back.
    low, last = math.floor(max(start, begin_s) / every_s), math.ceil(until / every_s) - 1
    high, stride = min(low + 1, last), 1
    while low < last and not found(high):
        low, stride = high, 2 * stride
        high = min(low + stride, last)
    if low >= last:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high * every_s


def _declared(times: Floats, bad: Counts, n: Counts, look: Look, watch: Watch) -> Verdict:
    """What the gate says of the hours of a declared look."""
    mine = times < look.hours * 3600
    evidence = Evidence(
        measure=watch.gate.measure,
        kind="rate",
        start=_iso(0.0),
        end=_iso(look.hours * 3600),
        query="supposed",
        bad=int(bad[mine].sum()),
        n=int(n[mine].sum()),
        course=_course(times[mine], bad[mine], n[mine]),
    )
    judged = partial(judge, watch.gate, looks=watch.looks, confidence=watch.confidence, alpha_early=watch.alpha_early)
    return judged(evidence, look=look, prior=watch.prior).verdict


def _course(times: Floats, bad: Counts, n: Counts) -> tuple[tuple[str, int, int], ...]:
    """As the evidence has it: each part with a failure by itself, what lies between them joined."""
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


def _told(share: float, begin: float, each: Sequence[_Played], traffic: Traffic, confidence: float) -> Harm:
    stopped = [one.by is not None for one in each]

    def pair(value: Callable[[_Played], float], ended: Sequence[bool] = stopped) -> Pair:
        return _pair([value(one) if over else math.inf for one, over in zip(each, ended, strict=True)], confidence)

    requests = pair(lambda one: one.requests)
    base = traffic.baseline
    names: tuple[By, ...] = ("guard", "watch", "look")
    return Harm(
        share=share,
        begins_h=begin,
        requests=requests,
        minutes=pair(lambda one: one.seconds / 60),
        users=pair(lambda one: one.failed),
        baseline=None if base is None else pair(lambda one: one.requests * base),
        by_looks=pair(lambda one: one.failed_by_looks, [one.looked for one in each]),
        unseen=pair(lambda one: one.failed_unseen, [True] * len(each)),
        stopped_by={name: sum(one.by == name for one in each) / len(each) for name in names},
        goes_on=1 - sum(stopped) / len(each),
        plays=len(each),
    )


def _pair(values: Sequence[float], confidence: float) -> Pair:
    ranked = sorted(values)
    middle, most = ranked[len(ranked) // 2], ranked[_rank(len(ranked), confidence) - 1]
    return Pair(median=middle if math.isfinite(middle) else None, most=most if math.isfinite(most) else None)


@cache
def _rank(plays: int, confidence: float) -> int:
    """The smallest rank whose order statistic covers `confidence` of all soaks, with `SURE` certainty.

    The share below the r-th of n is Beta(r, n - r + 1).
    """
    ranks = np.arange(1, plays + 1)
    enough = stats.beta.sf(confidence, ranks, plays - ranks + 1) >= SURE
    return int(ranks[enough][0])
