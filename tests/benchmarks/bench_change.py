"""How soon a change inside a soak is found: the last tables of `make bench-judge`, beside what else could be done.

A soak is a service of which 99.8 % succeed, for this many requests, and of which a share fails from then on, at 300,
3,000 or 300,000 requests a day under the world's day curve. The judge's test is looked at after each request, on the
rows that a census keeps: up to each failure, and ten seconds together after many of them in a quarter of an hour.
Beside it, on the same soaks: the test from the start alone (what a gate without a
course has), CUSUM that is told the failure rate beforehand, with a threshold for 1 % false alarms among 3,000 requests
at the limit (Page 1954), and the naive "below the limit, once 40 requests are seen". Lorden's bound (1971) is
ln(ARL)/KL, with the average run length of the same 1 % among 3,000 requests: what any test takes in the worst case,
that of a service which is at the limit before.

All soaks of a row go failure by failure at once: between two failures every test's evidence only falls.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge.gates import change
from runbook_lib.judge.gates.sequential import boundary, log_e
from runbook_lib.observe.jobs.census import STEP_S
from runbook_lib.observe.jobs.segment import ONE_BY_ONE, QUARTER_S
from runbook_lib.rehearse.world.scenario import Scenario

LIMIT, ALPHA, PRIOR, HEALTHY = 0.02, 0.01, (1.0, 9.0), 0.002
GOOD, SHARES, PER_DAY = (0, 300, 2900), (0.05, 0.10, 0.20, 0.50, 1.0), 3000
TRAFFIC = (300, 3000, 300_000)
"""Requests a day."""
_BESIDE = 10_000
"""Soaks a row at most for traffic other than `PER_DAY`: the standard error of a median is below 1 % with as many."""
TODAY = 3000
"""Requests among which at most 1 % of soaks may be failed that are exactly at the limit."""
GOALS = {
    0: (350, 66, 22, 6, 3),
    300: (580, 125, 40, 12, 6),
    2900: (600, 130, 38, 12, 6),
}
"""Median requests at most, by good requests before, for each of `SHARES`."""
BEGINS_H = 10
"""Hour of the day at which a soak begins."""
_MOST_N = 6100
_CHUNK, _MOST_K = 2000, 400
Places = NDArray[np.int64]


class Found(NamedTuple):
    """Over many soaks: share found, median requests since the change, and the 95 % that come next."""

    share: float
    median: float
    most: float

    @classmethod
    def of(cls, after: NDArray[np.float64]) -> Found:
        """Of the requests that each soak took; infinite where nothing was found."""
        median, most = np.quantile(after, (0.5, 0.95), method="higher")
        return cls(float(np.isfinite(after).mean()), float(median), float(most))


def curve(step_s: int) -> NDArray[np.float64]:
    """Arrivals per step of a day, as a share of the day's, from the hour at which soaks begin."""
    hours = [Scenario(name="bench", title="bench", requests_per_day=1).per_hour(hour) for hour in range(24)]
    steps = 3600 // step_s
    return np.repeat(np.roll(hours, -BEGINS_H), steps) / steps


class Soaks(NamedTuple):
    """Failures of many soaks, in order; shape (soaks, most failures of one). Missing ones have place `_MOST_N`."""

    place: Places
    """Requests before it."""
    step: Places
    """The row of the census that it is in: one of its own, or that of its ten seconds."""
    then: Places
    """The first request of a later row: where a start after this failure begins."""


def soaks(
    good: int, share: float, then: int, runs: int, seed: int, *, before: float = HEALTHY, per_day: float = PER_DAY
) -> Soaks:
    """This many soaks: Poisson arrivals under the day curve, a change after `good` requests."""
    rng, total = np.random.default_rng(seed), good + then
    expected = np.cumsum(np.tile(curve(STEP_S), 2 + total // int(per_day))) * per_day
    rate = np.where(np.arange(total) < good, before, share).astype(np.float32)
    parts = [_part(rng, rate, expected, min(_CHUNK, runs - start)) for start in range(0, runs, _CHUNK)]
    most = max(part.place.shape[1] for part in parts)

    def joined(which: int) -> Places:
        return np.concatenate(
            [np.pad(part[which], ((0, 0), (0, most - part[which].shape[1])), constant_values=_MOST_N) for part in parts]
        )

    return Soaks(joined(0), joined(1), joined(2))


def _part(rng: np.random.Generator, rate: NDArray[np.float32], expected: NDArray[np.float64], runs: int) -> Soaks:
    at = np.cumsum(rng.standard_exponential((runs, len(rate)), dtype=np.float32), axis=1, dtype=np.float64)
    failed = rng.random((runs, len(rate)), dtype=np.float32) < rate
    soak, request = np.nonzero(failed)
    step = np.searchsorted(expected, at[soak, request])
    then, last = request + 1, len(rate) - 1
    left = np.ones(len(then), dtype=bool)
    while left.any():
        # Most steps hold one request or none: the next of a later step is one of the next few.
        left &= (then <= last) & (at[soak, np.minimum(then, last)] <= expected[step])
        then = then + left
    counts = failed.sum(axis=1)
    column = np.arange(len(soak)) - np.repeat(np.cumsum(counts) - counts, counts)
    # The first failures of each quarter of an hour have a row each; it ends with them.
    quarter = soak * len(expected) + step * STEP_S // QUARTER_S
    begins = np.flatnonzero(np.diff(quarter, prepend=-1))
    alone = np.arange(len(soak)) - np.repeat(begins, np.diff(np.append(begins, len(soak)))) < ONE_BY_ONE
    step, then = np.where(alone, -1 - column, step), np.where(alone, request + 1, then)
    found = [np.full((runs, int(counts.max(initial=0))), _MOST_N) for _ in range(3)]
    for table, values in zip(found, (request, step, then), strict=True):
        table[soak, column] = values
    return Soaks(*found)


Test = Callable[[Soaks, int], NDArray[np.float64]]
"""Requests since the change until each soak is failed; infinite where it is not."""


@functools.cache
def _e_start() -> NDArray[np.float64]:
    """The evidence from the start, of k failures among n, by k and n."""
    k, n = np.meshgrid(np.arange(_MOST_K), np.arange(_MOST_N + 1), indexing="ij")
    found = np.full(k.shape, -math.inf)
    found[k <= n] = log_e(k[k <= n], n[k <= n], LIMIT, PRIOR)
    return found


def judged(found: Soaks, good: int) -> NDArray[np.float64]:
    """The judge's test, looked at after each failure: `change.tested` for all soaks at once.

    A start comes with the next step of time after a failure, and its evidence follows by one recursion for each rate
    of the grid. What is found before the change is no find.
    """
    result = np.full(len(found.place), math.inf)
    for start in range(0, len(result), _CHUNK):
        result[start : start + _CHUNK] = _judged(Soaks(*(one[start : start + _CHUNK] for one in found)), good)
    return result


def _judged(found: Soaks, good: int) -> NDArray[np.float64]:
    runs, most = found.place.shape
    at, mass = change._rates(LIMIT, PRIOR)
    up, down = np.log(at / LIMIT), np.log1p(-at) - math.log1p(-LIMIT)
    weights = np.append(np.exp(change.weights(most + 1)), 0.0)
    sums = np.zeros((runs, len(at)))
    born = np.zeros(runs, dtype=np.int64)
    result = np.full(runs, math.inf)
    live = np.arange(runs)
    for j in range(most):
        place = found.place[live, j]
        live, place = live[place < _MOST_N], place[place < _MOST_N]
        if not len(live):
            break
        now = sums[live]
        came = found.place[live, j - 1] + 1 if j else np.zeros(len(live), dtype=np.int64)
        if j:
            new = found.step[live, j] != found.step[live, j - 1]
            enters = np.where(new, found.then[live, j - 1], came)
            now *= np.exp(np.multiply.outer(enters - came, down))
            now += np.where(new, weights[np.minimum(born[live], most)], 0.0)[:, None]
            born[live] += new
            came = enters
        now *= np.exp(np.multiply.outer(place - came, down) + up)
        sums[live] = np.minimum(now, 1e250)
        first = change.START_SHARE * np.exp(np.minimum(_e_start()[min(j + 1, _MOST_K - 1), place + 1], 600))
        hit = (first + now @ np.exp(mass) >= 1 / ALPHA) & (place >= good)
        result[live[hit]] = place[hit] + 1 - good
        live = live[~hit]
    return result


def real(found: Soaks, soak: int, good: int) -> float:
    """The same by the judge's own function, look by look: what `judged` is held to."""
    kept = found.place[soak] < _MOST_N
    places, steps, then = (one[soak][kept] for one in found)
    for look in range(len(places)):
        bad, n, before = list[int](), list[int](), 0
        for j in range(look + 1):
            end = min(int(then[j]), int(places[look]) + 1)
            if j and steps[j] == steps[j - 1]:
                bad[-1], n[-1] = bad[-1] + 1, n[-1] + end - before
            else:
                bad.append(1)
                n.append(end - before)
            before = end
        if places[look] >= good and change.tested(bad, n, LIMIT, PRIOR, ALPHA).log_e >= -math.log(ALPHA):
            return float(places[look] + 1 - good)
    return math.inf


def _at_edge(edge: NDArray[np.int64]) -> Test:
    """A test on the counts from the start alone: requests since the change until `edge` failures are there."""

    def found(made: Soaks, good: int) -> NDArray[np.float64]:
        ordinal = np.arange(1, made.place.shape[1] + 1)
        hit = (ordinal >= edge[np.minimum(made.place + 1, len(edge) - 1)]) & (made.place >= good)
        return _first(hit & (made.place < _MOST_N), made, good)

    return found


def _first(hit: NDArray[np.bool_], made: Soaks, good: int) -> NDArray[np.float64]:
    at = made.place[np.arange(len(hit)), hit.argmax(axis=1)]
    return np.where(hit.any(axis=1), at + 1.0 - good, math.inf)


@functools.cache
def from_the_start() -> Test:
    """The early test of a gate that keeps no course."""
    return _at_edge(boundary(np.arange(_MOST_N), LIMIT, ALPHA, PRIOR))


@functools.cache
def naive() -> Test:
    """Below the limit, once 40 requests are seen."""
    n = np.arange(_MOST_N)
    return _at_edge(np.where(n >= 40, np.floor(n * LIMIT) + 1, 10**9).astype(np.int64))


def _page(made: Soaks, share: float) -> NDArray[np.float64]:
    """CUSUM's value at each failure (Page 1954); between failures it only falls."""
    up, down = math.log(share / LIMIT), math.log((1 - share) / (1 - LIMIT)) if share < 1 else -1e9
    k = np.arange(1, made.place.shape[1] + 1)
    sums = up * k + down * (made.place + 1 - k)
    # The sum less its least value before; the least values stand right before failures.
    low = np.minimum.accumulate(np.minimum(sums - up, 0.0), axis=1)
    return np.where(made.place < _MOST_N, sums - low, -math.inf)


@functools.cache
def cusum(share: float, runs: int) -> Test:
    """CUSUM that knows the failing share, at 1 % false alarms among 3,000 requests at the limit."""
    peaks = _page(at_the_limit(runs), share).max(axis=1)
    height = float(np.quantile(peaks, 1 - ALPHA, method="higher")) + 1e-9

    def found(made: Soaks, good: int) -> NDArray[np.float64]:
        return _first((_page(made, share) > height) & (made.place >= good), made, good)

    return found


@functools.cache
def at_the_limit(runs: int) -> Soaks:
    """Soaks of a service that is exactly at the limit."""
    return soaks(0, LIMIT, TODAY, runs, 3)


def lorden(share: float) -> float:
    """Lorden's bound for the same false alarms."""
    kl = share * math.log(share / LIMIT) + ((1 - share) * math.log((1 - share) / (1 - LIMIT)) if share < 1 else 0.0)
    return math.log(TODAY / ALPHA) / kl


@functools.cache
def rows(runs: int, per_day: float = PER_DAY) -> dict[tuple[int, float], dict[str, Found]]:
    """By (good requests before, failing share): each test on the same soaks."""
    found = {}
    for good in GOOD:
        for share in SHARES:
            then = 3000 if share <= 0.05 else 1500 if share <= 0.10 else 600
            made = soaks(good, share, then, runs, 1, per_day=per_day)
            tests: dict[str, Test] = {
                "judge": judged,
                "start": from_the_start(),
                "cusum": cusum(share, runs),
                "naive": naive(),
            }
            found[good, share] = {name: Found.of(test(made, good)) for name, test in tests.items()}
    return found


@functools.cache
def false_fails(runs: int, per_day: float = PER_DAY) -> dict[str, float]:
    """Share of soaks exactly at the limit that each test fails among 3,000 requests."""
    made = soaks(0, LIMIT, TODAY, runs, 2, per_day=per_day)
    tests: dict[str, Test] = {"judge": judged, "start": from_the_start(), "naive": naive()}
    return {name: float(np.isfinite(test(made, 0)).mean()) for name, test in tests.items()}


EVERY_MIN, LAST_H = 5, 36


class Looked(NamedTuple):
    """A change in the first day, looked for every five minutes for 36 h; one entry a soak."""

    requests: NDArray[np.float64]
    minutes: NDArray[np.float64]
    looks_late: NDArray[np.float64]
    """Looks between the step after which the evidence was there and the look that saw it, that one included."""


@functools.cache
def looked(per_day: float, share: float, runs: int, seed: int) -> Looked:
    """From the change until a look finds it, by `change.tested` on steps of ten seconds.

    The order within them is left out, for between two looks lie thirty of them.
    """
    rng = np.random.default_rng(seed)
    per_min = 60 // STEP_S
    expected = np.tile(curve(STEP_S), 2)[: LAST_H * 60 * per_min] * per_day
    found = np.full((3, runs), math.inf)
    for run in range(runs):
        since = int(rng.integers(60, 1440))
        n = rng.poisson(expected)
        bad = rng.binomial(n, np.where(np.arange(len(n)) < since * per_min, HEALTHY, share))

        def seen(end: int, bad: Places = bad, n: Places = n) -> bool:
            """Whether a look after `end` steps says so; what was found once stays found."""
            said = change.tested(bad[:end].tolist(), n[:end].tolist(), LIMIT, PRIOR, ALPHA)
            return said.log_e >= -math.log(ALPHA)

        first = _least(since * per_min + 1, len(n), seen)
        look = _least(since // EVERY_MIN + 1, LAST_H * 60 // EVERY_MIN, lambda k: seen(k * EVERY_MIN * per_min))
        if first is not None and look is not None:
            end = look * EVERY_MIN * per_min
            found[:, run] = (
                n[since * per_min : end].sum(),
                look * EVERY_MIN - since,
                look - (first - 1) // (EVERY_MIN * per_min),
            )
    return Looked(*found)


def _least(low: int, high: int, true: Callable[[int], bool]) -> int | None:
    """The least number from `low` to `high` for which it holds; None: it does for none."""
    if not true(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle + 1, high)
    return high


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def table(runs: int) -> str:
    """How soon a change is found, row by row, as Markdown."""
    lines = [
        "| good before | fails then | median request | goal | 95 % of soaks by | found | at 300 a day | "
        "at 300,000 a day | from the start alone | CUSUM, share known | naive | Lorden |",
        "| --- " * 12 + "|",
    ]
    sides = [rows(min(runs, _BESIDE), per_day) for per_day in TRAFFIC if per_day != PER_DAY]
    for (good, share), found in rows(runs).items():
        own = found["judge"]
        beside = " | ".join(_count(one[good, share]["judge"].median) for one in sides)
        others = " | ".join(_count(found[name].median) for name in ("start", "cusum", "naive"))
        lines.append(
            f"| {good:,} | {share:.0%} | {own.median:,.0f} | {GOALS[good][SHARES.index(share)]} | {_count(own.most)} | "
            f"{own.share:.1%} | {beside} | {others} | {lorden(share):,.0f} |".replace("%", " %")
        )
    told = false_fails(runs)
    error = math.sqrt(told["judge"] * (1 - told["judge"]) / runs)
    lines.append(
        f"\nA service exactly at the limit is failed among 3,000 requests by the judge in {told['judge']:.2%} of soaks "
        f"(standard error {error:.2%}), from the start alone in {told['start']:.2%}, naively in "
        f"{told['naive']:.1%}.".replace("%", " %")
    )
    return "\n".join(lines)


def looked_table(runs: int) -> str:
    """The same with a look every 5 minutes, for a change at any time of the first day."""
    lines = [
        "| requests a day | fails then | found within 36 h | median request | median minutes | 95 % by, minutes | "
        "looks late, at most |",
        "| --- " * 7 + "|",
    ]
    for per_day in TRAFFIC:
        for share in SHARES:
            found = looked(per_day, share, runs, 1)
            requests, minutes = Found.of(found.requests), Found.of(found.minutes)
            late = found.looks_late[np.isfinite(found.looks_late)].max(initial=0)
            lines.append(
                f"| {per_day:,} | {share:.0%} | {minutes.share:.0%} | {_count(requests.median)} | "
                f"{_count(minutes.median)} | {_count(minutes.most)} | {late:.0f} |".replace("%", " %")
            )
    return "\n".join(lines)


class Limit(NamedTuple):
    """One line of what must hold of changes."""

    what: str
    found: Callable[[int], float]
    """Of a number of simulated soaks."""
    most: float | None = None
    least: float | None = None
    large: bool = False
    """For `make bench-judge` alone."""


def limits() -> list[Limit]:
    """What must hold."""
    found = [
        Limit(
            f"{share:.0%} fail after {good:,} good at {per_day:,} a day, median requests to find",
            lambda runs, at=(good, share), per_day=per_day: (
                rows(runs if per_day == PER_DAY else min(runs, _BESIDE), per_day)[at]["judge"].median
            ),
            GOALS[good][SHARES.index(share)],
            large=per_day != PER_DAY,
        )
        for per_day in TRAFFIC
        for good in GOOD
        for share in SHARES
    ]
    looks = [
        Limit(
            f"{share:.0%} fail at {per_day:,} a day, looks every 5 minutes until one sees what was there",
            lambda runs, per_day=per_day, share=share: _latest(looked(per_day, share, min(100, runs // 100), 1)),
            2.0,
            large=True,
        )
        for per_day in TRAFFIC
        for share in SHARES
    ]
    return [
        *found,
        *looks,
        Limit(
            "5% fail after 2,900 good, found within 3,000",
            lambda runs: rows(runs)[2900, 0.05]["judge"].share,
            least=0.95,
        ),
        *(
            Limit(
                f"at the limit, failed among 3,000 at {per_day:,} a day by the test for a change",
                lambda runs, per_day=per_day: false_fails(runs, per_day)["judge"],
                ALPHA,
                large=per_day != PER_DAY,
            )
            for per_day in (PER_DAY, max(TRAFFIC))
        ),
    ]


def _latest(found: Looked) -> float:
    return float(found.looks_late[np.isfinite(found.looks_late)].max(initial=0))
