"""How soon a change inside a soak is found: the last tables of `make bench-judge`, beside what else could be done.

A soak is a service of which 99.8 % succeed, for so many requests, and of which a share fails from then on, at 3,000
requests a day under the world's day curve. The judge's test is looked at after each request, on the steps of time
that a census keeps. Beside it, on the same soaks: the test from the start alone (what gates have that keep no course),
CUSUM that is told the failure rate beforehand, with a threshold for 1 % false alarms among 3,000 requests at the limit
(Page 1954), and the naive "below the limit, once 40 requests are seen". Lorden's bound (1971) is ln(ARL)/KL, with the
average run length of the same 1 % among 3,000 requests: what any test takes in the worst case, that of a service which
is at the limit before.
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
from runbook_lib.rehearse.world.scenario import Scenario

LIMIT, ALPHA, PRIOR, HEALTHY = 0.02, 0.01, (1.0, 9.0), 0.002
GOOD, SHARES, PER_DAY = (0, 300, 2900), (0.05, 0.10, 0.20, 0.50, 1.0), 3000
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
NEVER = 10**9
_MOST_K, _MOST_N = 200, 6100


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


@functools.cache
def _e_values() -> NDArray[np.float64]:
    """The evidence of k failures among n, by k and n."""
    k, n = np.meshgrid(np.arange(_MOST_K), np.arange(_MOST_N), indexing="ij")
    found = np.zeros(k.shape)
    found[k <= n] = np.exp(np.minimum(log_e(k[k <= n], n[k <= n], LIMIT, PRIOR), 600))
    return found


def curve(step_s: int) -> NDArray[np.float64]:
    """Arrivals per step of a day, as a share of the day's, from the hour at which soaks begin."""
    hours = [Scenario(name="bench", title="bench", requests_per_day=1).per_hour(hour) for hour in range(24)]
    steps = 3600 // step_s
    return np.repeat(np.roll(hours, -BEGINS_H), steps) / steps


class Soak(NamedTuple):
    """Requests in order: the step of time of each, and which failed."""

    step: NDArray[np.int64]
    failed: NDArray[np.int64]
    """Places of the failures."""


def soaks(good: int, share: float, then: int, runs: int, seed: int, *, before: float = HEALTHY) -> list[Soak]:
    """So many soaks: Poisson arrivals under the day curve, a change after `good` requests."""
    rng = np.random.default_rng(seed)
    total, expected = good + then, np.cumsum(np.tile(curve(STEP_S), 10)) * PER_DAY
    rate = np.where(np.arange(total) < good, before, share)
    found = []
    for _ in range(runs):
        at = np.cumsum(rng.exponential(1.0, total))
        found.append(Soak(np.searchsorted(expected, at), np.flatnonzero(rng.random(total) < rate)))
    return found


def judged(soak: Soak, good: int) -> float:
    """Requests since the change until the judge's test finds it, looked at after each; infinite if it does not.

    Only a failure raises the evidence, so the looks after failures are enough.
    """
    table = _e_values()
    looks = soak.failed[soak.failed >= good][: _MOST_K - 60]
    if not len(looks):
        return math.inf
    failed = soak.failed[soak.failed <= looks[-1]]
    failing = np.unique(soak.step[failed])
    starts = np.append(0, np.searchsorted(soak.step, failing, side="right"))
    weights = np.append(change.START_SHARE, np.exp(change.weights(len(failing))))
    k = np.searchsorted(failed, looks, side="right")[:, None] - np.searchsorted(failed, starts)[None, :]
    n = looks[:, None] + 1 - starts[None, :]
    each = np.where(n > 0, table[np.clip(k, 0, _MOST_K - 1), np.clip(n, 0, _MOST_N - 1)], 0.0)
    hit = each @ weights >= 1 / ALPHA
    return float(looks[hit.argmax()] + 1 - good) if hit.any() else math.inf


def real(soak: Soak, good: int) -> float:
    """The same by the judge's own function, look by look: what `judged` is held to."""
    for look in soak.failed[soak.failed >= good]:
        steps, at = np.unique(soak.step[: look + 1], return_inverse=True)
        bad = np.bincount(at[soak.failed[soak.failed <= look]], minlength=len(steps))
        n = np.bincount(at)
        if change.tested(bad.tolist(), n.tolist(), LIMIT, PRIOR)[0] >= -math.log(ALPHA):
            return float(look + 1 - good)
    return math.inf


def _at_edge(edge: NDArray[np.int64]) -> Callable[[Soak, int], float]:
    """A test on the counts from the start alone: requests since the change until `edge` failures are there."""

    def found(soak: Soak, good: int) -> float:
        hit = np.arange(1, len(soak.failed) + 1) >= edge[soak.failed + 1]
        after = soak.failed[hit & (soak.failed >= good)]
        return float(after[0] + 1 - good) if len(after) else math.inf

    return found


@functools.cache
def from_the_start() -> Callable[[Soak, int], float]:
    """The early test of a gate that keeps no course."""
    return _at_edge(boundary(np.arange(_MOST_N), LIMIT, ALPHA, PRIOR))


@functools.cache
def naive() -> Callable[[Soak, int], float]:
    """Below the limit, once 40 requests are seen."""
    n = np.arange(_MOST_N)
    return _at_edge(np.where(n >= 40, np.floor(n * LIMIT) + 1, NEVER).astype(np.int64))


def _steps(soak: Soak, share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """CUSUM's value at each failure, and those places; between failures it only falls."""
    up, down = math.log(share / LIMIT), math.log((1 - share) / (1 - LIMIT)) if share < 1 else -1e9
    places = soak.failed.astype(float)
    sums = up * np.arange(1, len(places) + 1) + down * (places + 1 - np.arange(1, len(places) + 1))
    # Page's statistic: the sum less its least value before; the least values stand right before failures.
    low = np.minimum.accumulate(np.minimum(sums - up, 0.0))
    return sums - low, places


@functools.cache
def cusum(share: float, runs: int) -> Callable[[Soak, int], float]:
    """CUSUM that knows the failing share, at 1 % false alarms among 3,000 requests at the limit."""
    peaks = []
    for soak in soaks(0, LIMIT, TODAY, runs, 3):
        values, _ = _steps(soak, share)
        peaks.append(values.max() if len(values) else 0.0)
    height = float(np.quantile(peaks, 1 - ALPHA, method="higher")) + 1e-9

    def found(soak: Soak, good: int) -> float:
        values, places = _steps(soak, share)
        after = places[(values > height) & (places >= good)]
        return float(after[0] + 1 - good) if len(after) else math.inf

    return found


def lorden(share: float) -> float:
    """Lorden's bound for the same false alarms."""
    kl = share * math.log(share / LIMIT) + ((1 - share) * math.log((1 - share) / (1 - LIMIT)) if share < 1 else 0.0)
    return math.log(TODAY / ALPHA) / kl


@functools.cache
def rows(runs: int) -> dict[tuple[int, float], dict[str, Found]]:
    """By (good requests before, failing share): each test on the same soaks."""
    found = {}
    for good in GOOD:
        for share in SHARES:
            then = 3000 if share <= 0.05 else 1500 if share <= 0.10 else 600
            made = soaks(good, share, then, runs, 1)
            tests = {"judge": judged, "start": from_the_start(), "cusum": cusum(share, runs), "naive": naive()}
            found[good, share] = {
                name: Found.of(np.array([test(soak, good) for soak in made])) for name, test in tests.items()
            }
    return found


@functools.cache
def false_fails(runs: int) -> dict[str, float]:
    """Share of soaks exactly at the limit that each test fails among 3,000 requests."""
    made = soaks(0, LIMIT, TODAY, runs, 2)
    tests = {"judge": judged, "start": from_the_start(), "naive": naive()}
    return {name: float(np.mean([math.isfinite(test(soak, 0)) for soak in made])) for name, test in tests.items()}


LOOKED = (300, 3000, 300_000)
"""Requests a day for looks every five minutes."""
EVERY_MIN, LAST_H = 5, 36


def looked(per_day: float, share: float, runs: int, seed: int) -> tuple[Found, Found]:
    """Requests, and minutes, from a change in the first day until a look finds it; a look every 5 minutes, for 36 h."""
    rng = np.random.default_rng(seed)
    per_min = 60 // STEP_S
    expected = np.tile(curve(STEP_S), 2)[: LAST_H * 60 * per_min] * per_day
    requests, minutes = np.full(runs, math.inf), np.full(runs, math.inf)
    for run in range(runs):
        since = int(rng.integers(60, 1440))
        n = rng.poisson(expected)
        bad = rng.binomial(n, np.where(np.arange(len(n)) < since * per_min, HEALTHY, share))
        for end in range(since + EVERY_MIN - since % EVERY_MIN, LAST_H * 60 + 1, EVERY_MIN):
            seen = slice(0, end * per_min)
            if not bad[(end - EVERY_MIN) * per_min : end * per_min].any():
                continue  # only a failure raises the evidence
            if change.tested(bad[seen].tolist(), n[seen].tolist(), LIMIT, PRIOR)[0] >= -math.log(ALPHA):
                requests[run], minutes[run] = n[since * per_min : end * per_min].sum(), end - since
                break
    return Found.of(requests), Found.of(minutes)


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def table(runs: int) -> str:
    """How soon a change is found, row by row, as Markdown."""
    lines = [
        "| good before | fails then | median request | goal | 95 % of soaks by | found | from the start alone | "
        "CUSUM, share known | naive | Lorden |",
        "| --- " * 10 + "|",
    ]
    for (good, share), found in rows(runs).items():
        own = found["judge"]
        others = " | ".join(_count(found[name].median) for name in ("start", "cusum", "naive"))
        lines.append(
            f"| {good:,} | {share:.0%} | {own.median:,.0f} | {GOALS[good][SHARES.index(share)]} | {_count(own.most)} | "
            f"{own.share:.1%} | {others} | {lorden(share):,.0f} |".replace("%", " %")
        )
    told = false_fails(runs)
    lines.append(
        f"\nA service exactly at the limit is failed among 3,000 requests by the judge in {told['judge']:.2%} of "
        f"soaks, from the start alone in {told['start']:.2%}, naively in {told['naive']:.1%}.".replace("%", " %")
    )
    return "\n".join(lines)


def looked_table(runs: int) -> str:
    """The same with a look every 5 minutes, for a change at any time of the first day."""
    lines = [
        "| requests a day | fails then | found within 36 h | median request | median minutes | 95 % by, minutes |",
        "| --- " * 6 + "|",
    ]
    for per_day in LOOKED:
        for share in SHARES:
            requests, minutes = looked(per_day, share, runs, 1)
            lines.append(
                f"| {per_day:,} | {share:.0%} | {minutes.share:.0%} | {_count(requests.median)} | "
                f"{_count(minutes.median)} | {_count(minutes.most)} |".replace("%", " %")
            )
    return "\n".join(lines)


def limits() -> list[tuple[str, Callable[[int], float], float | None, float | None]]:
    """What must hold: words, the figure of a number of soaks, at most, at least."""
    found: list[tuple[str, Callable[[int], float], float | None, float | None]] = [
        (
            f"{share:.0%} fail after {good:,} good, median requests to find",
            lambda runs, at=(good, share): rows(runs)[at]["judge"].median,
            float(GOALS[good][SHARES.index(share)]),
            None,
        )
        for good in GOOD
        for share in SHARES
    ]

    def late(runs: int) -> float:
        return rows(runs)[2900, 0.05]["judge"].share

    def false(runs: int) -> float:
        return false_fails(runs)["judge"]

    return [
        *found,
        ("5% fail after 2,900 good, found within 3,000", late, None, 0.95),
        ("at the limit, failed among 3,000 by the test for a change", false, ALPHA, None),
    ]
