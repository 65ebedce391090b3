"""Operating characteristics of the judge: how often it is wrong, and how soon it is right (`make bench-judge`).

Each row is a service with a known failure rate, looked at every 5 minutes for 24 h (early FAIL) and judged at the
declared looks; beside it naive thresholding on the same data. `LIMITS` is what must hold: a miss is told, and the exit
code is 1. With `--write`, `docs/verdicts.md` and `docs/images` get the tables and plots.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.sequential import boundary
from runbook_lib.judge.model import Evidence, Gate, Look
from runbook_lib.judge.terms import Verdict
from tests.benchmarks import bench_arms, bench_change

LOOKS = (Look(hours=24, alpha=0.03), Look(hours=30, alpha=0.01), Look(hours=36, alpha=0.01))
TARGET, LIMIT, ALPHA, PRIOR, LEAST = 0.99, 0.98, 0.01, (1.0, 9.0), 100
EVERY_MIN, HOURS = 5, 24
RATES = (300, 3000)
"""Async requests a day: phase 1 of the default world, and all of its traffic."""
LOOKED = (300, 600, 3000)
"""The same for early FAILs: at 600 a day a look comes every two requests, and 24 h are enough to find what is bad."""
CHUNK = 2000
LARGE = 5000
"""Soaks a row from which on the tables of changes are made of as many."""
NEVER = 10**9
DOCS = Path(__file__).parents[2] / "docs"

EARLY_ROWS = (0.002, 0.01, 0.02, 0.03, 0.05, 0.10, 0.20)
PROMOTED_ROWS = (0.002, 0.005, 0.01, 0.011, 0.015, 0.02, 0.03)
EVIDENCE = ("limit", "target", "point")


class Early(NamedTuple):
    """Share of soaks failed early, and the median number of requests until then (10^9: more than half never)."""

    share: float
    median: float


@functools.cache
def _edge(most: int, naive: bool) -> NDArray[np.int64]:
    """By number of requests, the failures with which it is called FAIL; naive: 'below the limit', from 40 requests."""
    n = np.arange(most + 1)
    if naive:
        return np.where(n >= 40, np.floor(n * (1 - LIMIT)) + 1, NEVER).astype(np.int64)
    return boundary(n, 1 - LIMIT, ALPHA, PRIOR)


def _first(bad: NDArray[np.int64], n: NDArray[np.int64], naive: bool) -> NDArray[np.int64]:
    """Requests until the first look that fails it, soak by soak."""
    hit = bad >= _edge(-(-int(n.max()) // 1000) * 1000, naive)[n]
    at = hit.argmax(axis=1)
    return np.where(hit.any(axis=1), n[np.arange(len(n)), at], NEVER)


def early(failing: float, runs: int, per_day: float, seed: int, *, naive: bool = False) -> Early:
    """Early FAIL at that failure rate: Poisson arrivals, a look every 5 minutes for 24 h."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, runs, CHUNK):
        shape = (min(CHUNK, runs - start), HOURS * 60 // EVERY_MIN)
        more = rng.poisson(per_day * EVERY_MIN / 1440, shape)
        bad = rng.binomial(more, failing)
        found.append(_first(bad.cumsum(axis=1), more.cumsum(axis=1), naive))
    return _early(found)


def each(failing: float, runs: int, requests: int, seed: int, *, naive: bool = False) -> Early:
    """The same with a look after every single request, more often than anyone can look."""
    rng, found = np.random.default_rng(seed), []
    n = np.arange(1, requests + 1)
    for start in range(0, runs, CHUNK):
        size = min(CHUNK, runs - start)
        bad = (rng.random((size, requests), dtype=np.float32) < failing).cumsum(axis=1, dtype=np.int32)
        found.append(_first(bad, np.broadcast_to(n, bad.shape), naive))
    return _early(found)


def _early(found: list[NDArray[np.int64]]) -> Early:
    first = np.concatenate(found)
    return Early(float((first < NEVER).mean()), float(np.median(first)))


def passes(bad: NDArray[np.int64], n: NDArray[np.int64], alpha: float, evidence: str) -> NDArray[np.bool_]:
    """The gate's PASS for a success rate, over whole arrays."""
    good = n - bad
    worst = np.where(good > 0, special.betaincinv(np.maximum(good, 1), bad + 1, alpha), 0.0)
    proof = {"limit": worst >= LIMIT, "target": worst > TARGET, "point": np.full(n.shape, True)}[evidence]
    return np.asarray((n >= LEAST) & (good / np.maximum(n, 1) > TARGET) & proof)


def judged(bad: int, n: int, alpha: float, evidence: str) -> bool:
    """The same by the real judge, one count at a time: what `passes` is held to."""
    gate = Gate.model_validate(
        {
            "id": "s",
            "title": "Success",
            "kind": "rate",
            "measure": "success",
            "unit": "ratio",
            "target": f"> {TARGET}",
            "alert": f"< {LIMIT}",
            "evidence": evidence,
            "min_samples": LEAST,
            "why": "bench",
        }
    )
    seen = Evidence(
        measure="success", kind="rate", start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", query="", bad=bad, n=n
    )
    return judge(gate, seen, look=Look(hours=24, alpha=alpha)).verdict is Verdict.PASS


def promoted(failing: float, per_day: float, runs: int, seed: int, evidence: str = "limit") -> float:
    """Share of soaks promoted at any declared look: Poisson arrivals, no early FAIL taken off (so an upper limit)."""
    rng = np.random.default_rng(seed)
    n, bad, done = np.zeros(runs, np.int64), np.zeros(runs, np.int64), np.zeros(runs, bool)
    before = 0.0
    for look in LOOKS:
        more = rng.poisson(per_day / 24 * (look.hours - before), runs)
        n, bad, before = n + more, bad + rng.binomial(more, failing), look.hours
        done |= passes(bad, n, look.alpha, evidence)
    return float(done.mean())


def wald(failing: float) -> float | None:
    """ln(1/alpha)/KL: what any such test takes on average, at least; None where there is nothing to find."""
    limit = 1 - LIMIT
    if failing <= limit:
        return None
    kl = failing * np.log(failing / limit) + (1 - failing) * np.log((1 - failing) / (1 - limit))
    return float(np.log(1 / ALPHA) / kl)


class Must(NamedTuple):
    """One line of what must hold."""

    what: str
    found: Callable[[int], float]
    """Of a number of simulated soaks."""
    most: float | None = None
    least: float | None = None
    least_runs: int = 0
    """The 90 % service is caught by its 55th request in almost exactly half of all soaks: that takes many to tell."""
    large: bool = False
    """For `make bench-judge` alone: it takes its time."""

    def measured(self, runs: int) -> float:
        """The figure, from `runs` soaks or more."""
        return self.found(max(runs, self.least_runs))

    def told(self, value: float) -> tuple[bool, str]:
        """Whether it holds, and the line for a reader."""
        ok = (self.most is None or value <= self.most) and (self.least is None or value >= self.least)
        wanted = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        return ok, f"{'holds ' if ok else 'MISSED'}  {self.what}: {value:.4g}, {wanted}"


LIMITS: tuple[Must, ...] = (
    *(
        Must(f"at the limit, failed early, {rate:,} a day", lambda runs, r=rate: early(0.02, runs, r, 1).share, 0.012)
        for rate in LOOKED
    ),
    Must("at the limit, failed early, a look after each request", lambda runs: each(0.02, runs, 3000, 1).share, 0.012),
    *(
        Must(f"{1 - p:.0%} success, median requests to catch", lambda runs, p=p: each(p, runs, 3000, 1).median, most)
        for p, most in ((0.05, 350), (0.10, 60), (0.20, 20))
    ),
    *(
        Must(
            f"{1 - p:.0%} success, the same, a look every 5 minutes for 24 h, {rate:,} a day",
            lambda runs, p=p, r=rate: early(p, runs, r, 1).median,
            most,
            least_runs=40_000,
        )
        for rate, p, most in (
            (600, 0.05, 350),
            (600, 0.10, 60),
            (600, 0.20, 20),
            (300, 0.10, 60),
            (300, 0.20, 20),
            (3000, 0.05, 350),
        )
    ),
    *(
        Must(
            one.what,
            lambda runs, found=one.found: found(runs if runs >= LARGE else 500),
            one.most,
            one.least,
            large=one.large,
        )
        for one in (*bench_change.limits(), *bench_arms.limits())
    ),
    Must("98% success, promoted over all looks, 300 a day", lambda runs: promoted(0.02, 300, runs, 2), 0.05),
    Must("99.8% success, promoted within 36 h, 300 a day", lambda runs: promoted(0.002, 300, runs, 2), None, 0.90),
    *(
        Must(
            f"98.9% success, promoted under `target`, {rate:,} a day",
            lambda runs, r=rate: promoted(0.011, r, runs, 2, "target"),
            0.05,
        )
        for rate in RATES
    ),
)


def _median(value: float) -> str:
    return f"{value:,.0f}" if value < NEVER else "never"


def _share(value: float) -> str:
    """Digits enough to see what is rare."""
    return f"{value:.2%}" if value < 0.02 else f"{value:.1%}" if value < 0.9995 else "100%"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join("| " + " | ".join(line).replace("%", " %") + " |" for line in lines)


def early_table(runs: int) -> str:
    """Early FAIL, row by row, as Markdown."""
    rows = []
    for p in EARLY_ROWS:
        bound, one = wald(p), each(p, runs, 3000, 1)
        some = [early(p, runs, rate, 1) for rate in LOOKED]
        naive = early(p, runs, LOOKED[0], 1, naive=True)
        rows.append(
            [
                f"{1 - p:.1%}" + (" (the limit)" if p == 0.02 else ""),
                *(_share(x.share) for x in some),
                *(_median(x.median) for x in some),
                _median(one.median),
                f"{bound:,.0f}" if bound else "",
                _share(naive.share),
            ]
        )
    head = [
        "true success",
        *(f"failed early, {rate:,} a day" for rate in LOOKED),
        *(f"median request, {rate:,} a day" for rate in LOOKED),
        "a look after each request",
        "Wald",
        "naive failed",
    ]
    return _table(head, rows)


def promoted_table(runs: int) -> str:
    """PROMOTE over all looks, row by row, as Markdown."""
    rows = [
        [f"{1 - p:.1%}", f"{rate:,}", *(_share(promoted(p, rate, runs, 2, how)) for how in EVIDENCE)]
        for rate in RATES
        for p in PROMOTED_ROWS
    ]
    return _table(["true success", "requests a day", *(f"`{how}`" for how in EVIDENCE)], rows)


def write(tables: dict[str, str], plots: dict[str, Any]) -> None:
    """Puts each table between its marks in `docs/verdicts.md`, and each plot into `docs/images`."""
    page = DOCS / "verdicts.md"
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        marks = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, found = re.subn(marks, lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"docs/verdicts.md has {found} places marked '{name}', expects one")
    page.write_text(text, encoding="utf-8")
    for name, figure in plots.items():
        figure.savefig(DOCS / "images" / f"{name}.png", metadata={"Software": None})


def main() -> int:
    """Prints the tables and what must hold; 1 where something does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40_000, help="simulated soaks per row")
    parser.add_argument("--write", action="store_true", help="into docs/verdicts.md and docs/images")
    given = parser.parse_args()
    began = time.perf_counter()
    looks = ", ".join(f"{look.hours:g} h ({look.alpha:g})" for look in LOOKS)
    print(
        f"{given.runs:,} soaks a row; target > {TARGET:.0%}, alert limit {LIMIT:.0%}, alpha {ALPHA:.0%}; looks {looks}"
    )
    tables = {
        "early": early_table(given.runs),
        "change": bench_change.table(given.runs),
        "change-looks": bench_change.looked_table(100),
        "promoted": promoted_table(given.runs),
        "arms": bench_arms.table(given.runs),
        "arms-late": bench_arms.late_table(given.runs),
    }
    print(*tables.values(), sep="\n\n", end="\n\n")
    told = [must.told(must.measured(given.runs)) for must in LIMITS]
    print(*(line for _, line in told), sep="\n")
    if given.write:
        from tests.benchmarks import judge_plots

        write(tables, judge_plots.plots(sys.modules[__name__], min(given.runs, 10_000)))
    print(f"\n{time.perf_counter() - began:.1f} s")
    return 0 if all(ok for ok, _ in told) else 1


if __name__ == "__main__":
    raise SystemExit(main())
