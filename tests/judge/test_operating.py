"""Operating characteristics of the whole soak, by simulation (seeded; the large one is `make bench-judge`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "bench_judge.py"
    spec = importlib.util.spec_from_file_location("bench_judge", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_judge"] = module
    spec.loader.exec_module(module)
    return module


def test_a_service_at_the_limit_is_rarely_failed_early(bench: ModuleType) -> None:
    early = bench.early(0.02, runs=6000, requests=3000, seed=1)
    assert early.share <= 0.012


@pytest.mark.parametrize(("failing", "median"), [(0.05, 350), (0.10, 60), (0.20, 20)])
def test_a_bad_service_is_caught_soon(bench: ModuleType, failing: float, median: int) -> None:
    early = bench.early(failing, runs=2000, requests=3000, seed=2)
    assert early.share > 0.99
    assert early.median <= median


def test_promotion_at_300_a_day(bench: ModuleType) -> None:
    assert bench.promoted(0.02, per_day=300, runs=4000, seed=3) <= 0.05
    assert bench.promoted(0.002, per_day=300, runs=4000, seed=4) >= 0.90
    assert bench.promoted(0.011, per_day=3000, runs=4000, seed=5, evidence="target") <= 0.05


def test_the_simulation_asks_the_judge(bench: ModuleType) -> None:
    """The vectorised promotion rule is the gate's own, count by count."""
    rng = np.random.default_rng(6)
    bad = rng.integers(0, 12, 60)
    n = rng.integers(80, 600, 60)
    for evidence in ("limit", "target", "point"):
        assert bench.passes(bad, n, 0.03, evidence).tolist() == [
            bench.judged(int(b), int(m), 0.03, evidence) for b, m in zip(bad, n, strict=True)
        ]
