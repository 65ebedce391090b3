"""A change for the worse inside a soak: how soon it is found, and how seldom one is found that is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import sequential
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Look, Verdict
from runbook_lib.params.policy import Policy

PRIOR, LIMIT, ALPHA = (1.0, 9.0), 0.02, 0.01
BLOCK = 12
"""Requests in each quarter of an hour."""


def found_after(rng: np.random.Generator, good: int, share: float, then: int) -> float:
    """Requests since the change until a look after each block finds it; infinite if none does."""
    rates = np.where(np.arange(good + then) < good, 0.002, share)
    blocks = (rng.random(good + then) < rates).reshape(-1, BLOCK).sum(axis=1).tolist()
    for k in range(good // BLOCK, len(blocks)):
        if sequential.change_log_e(blocks[: k + 1], [BLOCK] * (k + 1), LIMIT, PRIOR)[0] >= -math.log(ALPHA):
            return (k + 1) * BLOCK - good
    return math.inf


@pytest.mark.parametrize(
    ("good", "share", "most"),
    [
        *[(0, 0.10, 84), (0, 0.5, 12), (300, 0.10, 170), (300, 0.5, 24)],
        *[(2904, 0.05, 800), (2904, 0.10, 170), (2904, 0.2, 60)],
    ],
)  # fmt: skip
def test_good_hours_do_not_hide_a_change(good: int, share: float, most: int) -> None:
    """Medians of 41 soaks.

    A test from the start alone takes 1,108 and 476 requests for the last two, and misses the third in most soaks.
    """
    rng = np.random.default_rng(7)
    times = [found_after(rng, good, share, 1800) for _ in range(41)]
    assert np.median(times) <= most


def test_a_service_at_the_limit_is_failed_in_at_most_one_soak_of_a_hundred() -> None:
    """Looked at after every block of a day's 3,000 requests, 400 soaks: 4 are allowed on the mean, 9 by chance."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(400):
        blocks = (rng.random(3000) < LIMIT).reshape(-1, BLOCK).sum(axis=1).tolist()
        looks = range(4, len(blocks) + 1, 4)
        wrong += any(
            sequential.change_log_e(blocks[:k], [BLOCK] * k, LIMIT, PRIOR)[0] >= -math.log(ALPHA) for k in looks
        )
    assert wrong <= 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 40)), min_size=1, max_size=1200))
def test_it_is_a_number_for_any_blocks_and_names_one_of_them(blocks: list[tuple[int, int]]) -> None:
    bad, n = [one for one, _ in blocks], [one for _, one in blocks]
    log_e, first, own = sequential.change_log_e(bad, n, LIMIT, PRIOR)
    assert not math.isnan(log_e) and not math.isnan(own)
    assert 0 <= first < len(blocks)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 10))
def test_one_more_failure_never_speaks_for_the_service(count: int, place: int, more: int) -> None:
    bad, n = [0] * count, [20] * count
    before = sequential.change_log_e(bad, n, LIMIT, PRIOR)[0]
    bad[place % count] += more
    assert sequential.change_log_e(bad, n, LIMIT, PRIOR)[0] >= before


def seen(good: int, failing: list[int], block: int = BLOCK) -> Evidence:
    """Good blocks, then blocks with so many failures each."""
    rows = [(f"2026-11-23T{k // 4:02d}:{k % 4 * 15:02d}:00+00:00", 0, block) for k in range(good)]
    rows += [(f"2026-11-23T{k // 4:02d}:{k % 4 * 15:02d}:00+00:00", bad, block) for k, bad in enumerate(failing, good)]
    n, bad = block * len(rows), sum(failing)
    return Evidence(measure="success", kind="rate", start=rows[0][0], end="2026-11-24T00:00:00+00:00", query="by hand",
                    bad=bad, n=n, blocks=tuple(rows))  # fmt: skip


def test_a_gate_fails_by_what_it_is_since_the_change_and_says_since_when(policy: Policy) -> None:
    gate = policy.gate("success_rate")
    result = judge(gate, seen(80, [6, 7, 6]), look=None)
    assert result.verdict is Verdict.FAIL
    assert "since 2026-11-23 20:00 UTC 19 of 36 failed" in result.reason
    assert result.collapsed, "the time since the change has collapsed, whatever the soak's mean"
    whole = seen(80, [6, 7, 6]).model_copy(update={"blocks": ()})
    assert judge(gate, whole, look=None).verdict is Verdict.INCONCLUSIVE, "the mean alone hides it"


@pytest.mark.parametrize("look", [None, Look(hours=24, alpha=0.03)])
def test_a_healthy_soak_is_not_failed_by_its_blocks(policy: Policy, look: Look | None) -> None:
    result = judge(policy.gate("success_rate"), seen(60, [1, 0, 0, 1, 0, 0, 0, 1]), look=look)
    assert result.verdict is not Verdict.FAIL
