"""The change test of records whose failures are kept by quarters of an hour: it says what it said."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.judge.gates import older
from runbook_lib.judge.gates.gates import judge
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
