"""Operating characteristics of the whole soak, by simulation (seeded; the large one is `make bench-judge`)."""

from __future__ import annotations

import numpy as np
import pytest

from runbook_lib.judge.gates import two_arms_change
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Arms, Gate, Hour, Look
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy
from tests.benchmarks import bench_judge as bench
from tests.judge.gates.test_against import RATE, seen

BESIDE = Gate.model_validate({**RATE.model_dump(), "alert": "< 0.5", "collapse": None})
"""No hour of the simulated baseline is broken for it."""


@pytest.mark.slow
def test_what_must_hold_holds() -> None:
    """Every limit of `make bench-judge`, with fewer soaks."""
    told = [must.told(must.measured(2000)) for must in bench.LIMITS if not must.large]
    assert all(ok for ok, _ in told), "\n".join(line for _, line in told)
    assert len(told) >= 12


def test_a_limit_that_is_missed_is_told() -> None:
    assert bench.Must("x", lambda _: 2.0, most=1.0).told(2.0) == (False, "MISSED  x: 2, at most 1")
    assert not bench.Must("x", lambda _: 0.0, least=0.9).told(0.89)[0]
    assert bench.Must("x", lambda _: 0.0, least=0.9).told(0.9)[0]


@pytest.mark.parametrize(("failing", "bound"), [(0.05, 283), (0.10, 55), (0.20, 15)])
def test_walds_bound(failing: float, bound: int) -> None:
    assert round(bench.wald(failing)) == bound
    assert bench.wald(0.02) is None


def test_naive_thresholding_fails_what_is_well() -> None:
    """The same soaks: half of those that just meet the target, against practically none."""
    assert bench.early(0.01, 2000, 300, 7, naive=True).share > 0.3
    assert bench.early(0.01, 2000, 300, 7).share < 0.002


def test_the_simulated_looks_are_the_policys(looks: tuple[Look, ...], policy: Policy) -> None:
    gate = policy.gate("success_rate")
    assert looks == bench.LOOKS and (policy.alpha_early, policy.early_prior) == (bench.ALPHA, bench.PRIOR)
    assert gate.alert is not None and gate.min_samples == bench.LEAST
    assert (gate.target.limit, gate.alert.limit) == (bench.TARGET, bench.LIMIT)


def test_the_docs_carry_the_tables() -> None:
    """The page's figures are a simulation's: each agrees with a smaller one of another seed."""
    page = (bench.DOCS / "verdicts.md").read_text(encoding="utf-8")
    for failing, rate, evidence in [(0.002, 300, "limit"), (0.01, 300, "point"), (0.011, 3000, "limit")]:
        row = next(
            line
            for line in page.splitlines()
            if line.startswith(f"| {1 - failing:.1%} | {rate:,} |".replace("%", " %"))
        )
        written = float(row.split("|")[3 + bench.EVIDENCE.index(evidence)].replace("%", "")) / 100
        assert bench.promoted(failing, rate, 4000, 11, evidence) == pytest.approx(written, abs=0.03)
    for image in ("judge-early", "judge-median", "judge-promoted"):
        assert f"images/{image}.png" in page and (bench.DOCS / "images" / f"{image}.png").is_file()


def test_the_table_of_two_arms_is_a_simulation_s() -> None:
    page = (bench.DOCS / "verdicts.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| 5 points | 3,000 |"))
    written = [float(one.strip().removesuffix(" %")) for one in row.split("|")[3:6]]
    found = bench.bench_arms.found(0.05, 3000, 600)
    assert [100 * found.failed, found.requests, found.hours] == pytest.approx(written, rel=0.15)


def test_two_arms_at_once_are_judged_as_the_gate_judges_one_soak() -> None:
    """After each hour the gate says FAIL where the simulation has it failed."""
    arms = bench.bench_arms
    made = arms.soaks(np.random.default_rng(3), 0.08, 3000, 4)
    failed = np.logaddexp(*two_arms_change.log_e(*made, arms.MARGIN, arms.SHARE)) >= -np.log(arms.ALPHA)
    for soak in range(4):
        rows = [
            Hour(at=hour(at), bad=k, most=k, n=n, other_bad=j, other_most=j, other_n=m)
            for at, (k, n, j, m) in enumerate(zip(*(one[soak].tolist() for one in made), strict=True))
        ]
        for hours in range(2, arms.HOURS, 5):
            pair = Arms(gate=BESIDE.id, other="the baseline", share=arms.SHARE, hours=tuple(rows[:hours]))
            evidence = seen(BESIDE, pair, start=hour(0), end=hour(hours))
            said = judge(BESIDE, evidence, look=None, looks=bench.LOOKS).verdict
            assert (said is Verdict.FAIL) == failed[soak][:hours].any()


def hour(place: int) -> str:
    return f"2026-01-0{1 + place // 24}T{place % 24:02d}:00:00Z"


def test_the_simulation_asks_the_judge() -> None:
    """The vectorised promotion rule is the gate's own, count by count."""
    rng = np.random.default_rng(6)
    bad = rng.integers(0, 12, 60)
    n = rng.integers(80, 600, 60)
    for evidence in ("limit", "target", "point"):
        assert bench.passes(bad, n, 0.03, evidence).tolist() == [
            bench.judged(int(b), int(m), 0.03, evidence) for b, m in zip(bad, n, strict=True)
        ]


@pytest.mark.slow
@pytest.mark.parametrize(("good", "share", "per_day"), [(300, 0.2, 3000), (0, 0.5, 300_000)])
def test_all_soaks_at_once_are_looked_at_as_the_judge_looks_at_one(good: int, share: float, per_day: float) -> None:
    change = bench.bench_change
    made = change.soaks(good, share, 600, 25, 5, per_day=per_day)
    assert change.judged(made, good).tolist() == [change.real(made, soak, good) for soak in range(25)]


def test_a_look_sees_what_was_there_at_the_one_before_at_the_latest() -> None:
    """With looks every five minutes the same as with a look after each step, plus at most two looks."""
    found = bench.bench_change.looked(3000, 0.2, 6, 3)
    assert np.isfinite(found.minutes).all() and found.looks_late.max() <= 2
