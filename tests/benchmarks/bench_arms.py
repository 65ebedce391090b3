"""Gates that compare the arms: how often a canary that is no worse is failed, and how soon one that is (bench_judge).

Both arms drift together: in each hour of each soak their failure rate is drawn anew, lognormal around 0.2 %, and one
hour in fifty is an outage in which a fifth of everything fails. The canary fails so much more, in each hour. Traffic
follows the day's curve; weights are 10:90. The truth is what is drawn from. `late` is a canary that is as good as the
other arm until an hour of the soak, and worse from then on.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runbook_lib.judge import words
from runbook_lib.judge.gates.change import START_SHARE
from runbook_lib.judge.gates.two_arms import difference
from runbook_lib.judge.gates.two_arms_change import log_e
from tests.benchmarks.bench_change import Limit

MARGIN, ALPHA, SHARE, HOURS = 0.01, 0.01, 0.1, 36
LOOKS = ((24, 0.03), (30, 0.01), (36, 0.01))
TRAFFIC = (3000, 30_000, 300_000)
EXCESS = (0.0, 0.005, MARGIN, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
BASE, DRIFT, OUTAGE, OUTAGES = 0.002, 1.0, 0.2, 0.02
LATE = ((24, 0.05), (24, 0.1), (24, 0.2), (24, 0.5), (12, 0.1), (30, 0.2))
"""Hours that are good, and by how much the canary is worse then."""
_CHUNK, _MOST, _PASSES = 1000, 10_000, 1000
"""Soaks at once; of a row at most; and of them, those of which every look is judged."""
_NAIVE_FROM = 100
_NEVER = 10**9


class Soaks(NamedTuple):
    """Counts of both arms, (soaks, hours) each."""

    bad: NDArray[np.int64]
    n: NDArray[np.int64]
    other_bad: NDArray[np.int64]
    other_n: NDArray[np.int64]


class Found(NamedTuple):
    """Of a canary that is worse by so much."""

    failed: float
    """Share of soaks that are failed, all looks together."""
    requests: float
    """Of the canary, until it is; the median."""
    hours: float
    passed: float
    """Share of soaks that pass at a declared look, all looks together."""
    naive: float
    """Share in which the rates of both arms so far differ by more than the margin after any hour."""


def soaks(rng: np.random.Generator, excess: float, per_day: float, runs: int) -> Soaks:
    """Soaks from a truth that is drawn with them."""
    at = np.arange(HOURS)
    curve = 1 + 0.8 * np.sin(2 * np.pi * (at - 8) / 24)
    rate = np.minimum(BASE * np.exp(rng.normal(-(DRIFT**2) / 2, DRIFT, (runs, HOURS))), 0.5)
    rate = np.where(rng.random((runs, HOURS)) < OUTAGES, OUTAGE, rate)
    n, other_n = (rng.poisson(per_day / 24 * curve * share, (runs, HOURS)) for share in (SHARE, 1 - SHARE))
    return Soaks(rng.binomial(n, np.minimum(1, rate + excess)), n, rng.binomial(other_n, rate), other_n)


@functools.cache
def found(excess: float, per_day: float, runs: int) -> Found:
    """What becomes of `runs` soaks, a look after each hour."""
    rng, when, requests, naive, passed = np.random.default_rng(11), [], [], [], []
    for _ in range(max(1, min(runs, _MOST) // _CHUNK)):
        made = soaks(rng, excess, per_day, min(runs, _CHUNK))
        first = _first(np.logaddexp(*log_e(*made, MARGIN, SHARE)))
        so_far = [np.cumsum(one, axis=1) for one in made]
        seen = np.append(so_far[1], np.full((len(first), 1), _NEVER), axis=1)
        when.append(first + 1)
        requests.append(seen[np.arange(len(first)), first])
        apart = so_far[0] / np.maximum(so_far[1], 1) - so_far[2] / np.maximum(so_far[3], 1) > MARGIN
        naive.append((apart & (so_far[1] >= _NAIVE_FROM)).any(axis=1))
        passed.append(_passes(made, min(len(first), _PASSES * _CHUNK // max(_CHUNK, min(runs, _MOST))), first))
    at = np.concatenate(when)
    return Found(
        float((at <= HOURS).mean()),
        float(np.median(np.concatenate(requests))),
        float(np.median(at)),
        float(np.concatenate(passed).mean()),
        float(np.concatenate(naive).mean()),
    )


def _first(value: NDArray[np.float64]) -> NDArray[np.int64]:
    """The hour after which each soak is failed; `HOURS` where it is not."""
    hit = value >= -np.log(ALPHA)
    return np.where(hit.any(axis=1), hit.argmax(axis=1), HOURS)


class Late(NamedTuple):
    """Of a canary that becomes worse."""

    failed: float
    """Share of soaks that are failed after the change."""
    requests: float
    """Of the canary since the change, until it is; the median."""
    alone: float
    """The same by the bet on the whole soak alone, which good hours dilute."""
    before: float
    """Share of soaks that are failed before it."""


@functools.cache
def late(good: int, excess: float, per_day: float, runs: int) -> Late:
    """What becomes of `runs` soaks whose canary is worse by `excess` after `good` hours, a look after each hour."""
    rng, found = np.random.default_rng(12), []
    for _ in range(max(1, min(runs, _MOST) // _CHUNK)):
        count = min(runs, _CHUNK)
        well, worse = soaks(rng, 0.0, per_day, count), soaks(rng, excess, per_day, count)
        made = Soaks(*(np.where(np.arange(HOURS) < good, *pair) for pair in zip(well, worse, strict=True)))
        since = np.where(np.arange(HOURS) < good, 0, made.n).cumsum(axis=1)
        seen = np.append(since, np.full((count, 1), _NEVER), axis=1)
        start, later = log_e(*made, MARGIN, SHARE)
        firsts = _first(np.logaddexp(start, later)), _first(start - np.log(START_SHARE))
        found.append([firsts[0], *(seen[np.arange(count), first] for first in firsts)])
    first, requests, alone = (np.concatenate(column) for column in zip(*found, strict=True))
    return Late(
        float(((first >= good) & (first < HOURS)).mean()),
        float(np.median(requests)),
        float(np.median(alone)),
        float((first < good).mean()),
    )


def late_table(runs: int) -> str:
    """Row by row, as Markdown."""
    head = (
        "good hours",
        "worse by then",
        "requests a day",
        "failed",
        "median request since",
        "by the whole soak alone",
    )
    lines = [head, ["---"] * len(head)]
    for per_day in TRAFFIC:
        for good, excess in LATE:
            one = late(good, excess, per_day, runs)
            some = ("never" if count >= _NEVER else f"{count:,.0f}" for count in (one.requests, one.alone))
            lines.append((str(good), words.points(excess), f"{per_day:,}", _share(one.failed), *some))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _passes(made: Soaks, some: int, failed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of the first `some` soaks passes at a declared look, and was not failed before."""
    rows = np.stack(made, axis=-1)[:some].tolist()
    return np.array(
        [
            any(
                end > hours and (told := difference([tuple(row) for row in soak[:hours]], alpha)) and told.high < MARGIN
                for hours, alpha in LOOKS
            )
            for soak, end in zip(rows, failed, strict=False)
        ]
    )


def table(runs: int) -> str:
    """Row by row, as Markdown."""
    head = ("canary worse by", "requests a day", "failed", "median request", "median hour", "passed", "naive failed")
    lines = [head, ["---"] * len(head)]
    for per_day in TRAFFIC:
        for excess in EXCESS:
            one = found(excess, per_day, runs)
            never = one.requests >= _NEVER
            lines.append(
                (
                    words.points(excess) + (" (the margin)" if excess == MARGIN else ""),
                    f"{per_day:,}",
                    _share(one.failed),
                    "never" if never else f"{one.requests:,.0f}",
                    "never" if never else f"{one.hours:.0f}",
                    _share(one.passed),
                    _share(one.naive),
                )
            )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(value: float) -> str:
    return f"{100 * value:.2f} %" if value < 0.02 else f"{100 * value:.1f} %"


def limits() -> list[Limit]:
    """What must hold."""
    return [
        *(
            Limit(
                f"two arms, {words.points(excess)} worse at {per_day:,} a day, {what}",
                lambda runs, at=(excess, per_day), what=what: getattr(found(*at, runs), what),
                most,
                least,
                large=per_day == max(TRAFFIC),
            )
            for excess, per_day, what, most, least in (
                *((MARGIN, per_day, "failed", ALPHA, None) for per_day in TRAFFIC),
                *((MARGIN, per_day, "passed", sum(alpha for _, alpha in LOOKS), None) for per_day in TRAFFIC),
                (0.05, 3000, "requests", 240.0, None),
                (0.1, 3000, "requests", 75.0, None),
                (0.2, 3000, "requests", 28.0, None),
                (0.5, 3000, "requests", 12.0, None),
                (0.02, 30_000, "failed", None, 0.75),
                (0.0, 30_000, "passed", None, 0.95),
                (0.02, 300_000, "failed", None, 0.99),
            )
        ),
        *(
            Limit(
                f"two arms, {words.points(excess)} worse after {good} good hours at {per_day:,} a day, {what}",
                lambda runs, at=(good, excess, per_day), what=what: getattr(late(*at, runs), what),
                most,
                least,
                large=per_day == max(TRAFFIC),
            )
            for good, excess, per_day, what, most, least in (
                (12, 0.1, 3000, "requests", 120.0, None),
                (24, 0.2, 3000, "requests", 50.0, None),
                (24, 0.5, 3000, "requests", 20.0, None),
                (24, 0.2, 3000, "failed", None, 0.97),
                (24, 0.2, 3000, "before", ALPHA, None),
                (24, 0.1, 30_000, "requests", 150.0, None),
                (24, 0.05, 30_000, "failed", None, 0.97),
                (24, 0.05, 300_000, "failed", None, 0.99),
            )
        ),
    ]
