"""Operating characteristics of the judge: how often it is wrong, and how soon it is right (`make bench-judge`).

Each row is a service with a known failure rate, watched for 24 h (early FAIL: looked at after every request, which is
more often than anyone can look) and judged at the declared looks. Beside it, naive thresholding on the same data.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from runbook_lib.judge.gates import judge
from runbook_lib.judge.model import Evidence, Gate, Look, Verdict
from runbook_lib.judge.sequential import boundary

LOOKS = (Look(hours=24, alpha=0.03), Look(hours=30, alpha=0.01), Look(hours=36, alpha=0.01))
TARGET, LIMIT, ALPHA, PRIOR, LEAST = 0.99, 0.98, 0.01, (1.0, 9.0), 100
CHUNK = 2000
NEVER = 10**9


class Early(NamedTuple):
    """Share of soaks failed early, and the median number of requests until then (10^9: more than half never)."""

    share: float
    median: float


def early(failing: float, runs: int, requests: int, seed: int, *, naive: bool = False) -> Early:
    """Early FAIL at that failure rate; naive: 'below the limit' at any look once 40 requests are seen."""
    rng = np.random.default_rng(seed)
    n = np.arange(1, requests + 1)
    edge = np.where(n >= 40, np.floor(n * (1 - LIMIT)) + 1, NEVER) if naive else boundary(n, 1 - LIMIT, ALPHA, PRIOR)
    at: list[NDArray[np.int64]] = []
    for start in range(0, runs, CHUNK):
        bad = np.cumsum(rng.random((min(CHUNK, runs - start), requests)) < failing, axis=1, dtype=np.int32)
        hit = bad >= edge
        at.append(np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, NEVER))
    first = np.concatenate(at)
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
        {"id": "s", "title": "Success", "kind": "rate", "measure": "success", "unit": "ratio", "target": f"> {TARGET}",
         "alert": f"< {LIMIT}", "evidence": evidence, "min_samples": LEAST, "why": "bench"}
    )  # fmt: skip
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


def _wald(failing: float) -> float:
    limit = 1 - LIMIT
    kl = failing * np.log(failing / limit) + (1 - failing) * np.log((1 - failing) / (1 - limit))
    return float(np.log(1 / ALPHA) / kl)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40_000, help="simulated soaks per row")
    runs = parser.parse_args().runs
    began = time.perf_counter()
    print(f"Early FAIL: alert limit {LIMIT:.0%}, alpha {ALPHA:.0%}; 3,000 requests, a look after each; {runs:,} soaks")
    print(f"{'success':>8} {'failed early':>13} {'median at':>10} {'Wald':>6} {'naive failed':>13} {'naive at':>9}")
    for failing in (0.002, 0.01, 0.02, 0.03, 0.05, 0.10, 0.20):
        mine, plain = early(failing, runs, 3000, 1), early(failing, runs, 3000, 1, naive=True)
        wald = f"{_wald(failing):6.0f}" if failing > 1 - LIMIT else f"{'-':>6}"
        at, naive_at = (f"{x.median:,.0f}" if x.median < NEVER else "never" for x in (mine, plain))
        print(f"{1 - failing:8.1%} {mine.share:13.2%} {at:>10} {wald} {plain.share:13.2%} {naive_at:>9}")
    print(f"\nPROMOTE over looks at {', '.join(f'{x.hours:g} h ({x.alpha:g})' for x in LOOKS)}; target > {TARGET:.0%}")
    print(f"{'success':>8} {'per day':>8} {'limit':>8} {'target':>8} {'point':>8}")
    for per_day in (300, 3000):
        for failing in (0.002, 0.005, 0.01, 0.011, 0.015, 0.02, 0.03):
            shares = (promoted(failing, per_day, runs, 2, how) for how in ("limit", "target", "point"))
            print(f"{1 - failing:8.1%} {per_day:8,} " + " ".join(f"{share:8.2%}" for share in shares))
    print(f"\n{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
