"""The change test of records whose failures are kept by quarters of an hour: it says what it said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import change, older
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.gates.sequential import log_e
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.policy import Policy

PRIOR, LIMIT = (1.0, 9.0), 0.02
BLOCK = 12
"""Requests in each quarter of an hour."""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 40)), min_size=1, max_size=1200))
def test_it_is_a_number_for_any_blocks_and_names_one_of_them(blocks: list[tuple[int, int]]) -> None:
    bad, n = [one for one, _ in blocks], [one for _, one in blocks]
    log_e, first, own = older.change_log_e(bad, n, LIMIT, PRIOR)
    assert not math.isnan(log_e) and not math.isnan(own)
    assert 0 <= first < len(blocks)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 10))
def test_one_more_failure_never_speaks_for_the_service(count: int, place: int, more: int) -> None:
    bad, n = [0] * count, [20] * count
    before = older.change_log_e(bad, n, LIMIT, PRIOR)[0]
    bad[place % count] += more
    assert older.change_log_e(bad, n, LIMIT, PRIOR)[0] >= before


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(3, 20)), min_size=1, max_size=60))
def test_both_tests_are_the_mixtures_that_they_say(blocks: list[tuple[int, int]]) -> None:
    """Start by start, where the code adds up arrays."""
    bad, n = [one for one, _ in blocks], [one for _, one in blocks]
    since = [float(log_e(sum(bad[at:]), sum(n[at:]), LIMIT, PRIOR)) for at in range(len(blocks))]
    later = math.log(math.fsum(math.exp(one) for one in since)) - math.log(older.STARTS)
    mixed = math.log((1 - older.CHANGE_SHARE) * math.exp(since[0]) + older.CHANGE_SHARE * math.exp(later))
    found = older.change_log_e(bad, n, LIMIT, PRIOR)
    assert found == pytest.approx((mixed, since.index(max(since)), max(since)), rel=1e-9, abs=1e-9)

    start = math.log(change.START_SHARE) + since[0]
    fails = [at for at, one in enumerate(bad) if one]
    after = [*since, float(log_e(0, 0, LIMIT, PRIOR))]
    shares = change.weights(len(fails))
    late = math.fsum(math.exp(after[at + 1] + share) for at, share in zip(fails, shares, strict=True))
    said = older.at_the_end(bad, n, LIMIT, PRIOR, (sum(bad), sum(n)))
    assert said.log_e == pytest.approx(math.log(math.exp(start) + late), rel=1e-9, abs=1e-9)
    assert said.later == (late > math.exp(start)) and said.over is None


def test_more_blocks_than_starts_are_merged_two_by_two() -> None:
    bad = [0] * (2 * older.STARTS) + [3]
    log, first, _ = older.change_log_e(bad, [4] * len(bad), LIMIT, PRIOR)
    merged = [sum(bad[at : at + 4]) for at in range(0, len(bad), 4)]
    sizes = [4 * len(bad[at : at + 4]) for at in range(0, len(bad), 4)]
    assert (log, first) == (pytest.approx(older.change_log_e(merged, sizes, LIMIT, PRIOR)[0]), 2 * older.STARTS)


def seen(good: int, failing: list[int], block: int = BLOCK) -> Evidence:
    """Good blocks, then blocks with so many failures each."""
    rows = [(f"2026-11-23T{k // 4:02d}:{k % 4 * 15:02d}:00+00:00", 0, block) for k in range(good)]
    rows += [(f"2026-11-23T{k // 4:02d}:{k % 4 * 15:02d}:00+00:00", bad, block) for k, bad in enumerate(failing, good)]
    n, bad = block * len(rows), sum(failing)
    return Evidence(
        measure="success",
        kind="rate",
        start=rows[0][0],
        end="2026-11-24T00:00:00+00:00",
        query="by hand",
        bad=bad,
        n=n,
        blocks=tuple(rows),
    )


def test_a_gate_is_judged_as_it_was_with_the_words_of_then(policy: Policy) -> None:
    gate = policy.gate("success_rate")
    result = judge(gate, seen(80, [6, 7, 6]), look=None)
    assert result.verdict is Verdict.FAIL
    assert result.reason == (
        "success rate 98.1 % (95 % 97.0-98.8 %, n = 996) hides a change: since 2026-11-23 20:00 UTC 19 of 36 failed, "
        "shown at 99 % by the test for a change that holds at every look."
    )
    assert result.collapsed, "the time since the change has collapsed, whatever the soak's mean"
    whole = seen(80, [6, 7, 6]).model_copy(update={"blocks": ()})
    assert judge(gate, whole, look=None).verdict is Verdict.INCONCLUSIVE, "the mean alone hides it"
