"""Both sides as one check, and what a later phase takes from it."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

from runbook_lib.judge.model import Evidence
from runbook_lib.judge.terms import Verdict
from runbook_lib.record.journal import plain
from runbook_lib.rollout import costs as cost_compare

LINES = [
    {"service": "Lambda", "item": "x", "quantity": 1.0, "usd": 0.2, "fixed": False, "llm": False},
    {"service": "KPI metrics", "item": "x", "quantity": 1.0, "usd": 0.1, "fixed": True, "llm": False},
    {"service": "LLM", "item": "x", "quantity": 1.0, "usd": 9.0, "fixed": False, "llm": True},
]


def evidence(n: int | None = 100, **extra: Any) -> Evidence:
    parts = {"infrastructure": 0.003, "llm": 0.09, "fixed": 0.001, "variable": 0.002} if n else {}
    value = None if n is None else 0.003 if n else math.inf
    filled = {} if n is None else {"lines": LINES, "requests": 120, "hours": 24.0, "infinite": n == 0}
    return Evidence(
        measure="m",
        kind="amount",
        start="2026-11-10T00:00:00Z",
        end="2026-11-11T00:00:00Z",
        query="q",
        n=n,
        value=value,
        extra={**filled, **parts, **extra},
    )


def test_both_sides_known_pass_and_add_up() -> None:
    found = cost_compare.compare(evidence(), evidence(50), None, "r1")
    assert found.verdict is Verdict.PASS and found.facts["sync"]["run_id"] == "r1"
    text = str(cost_compare.table(found, "VPR"))
    for figure in ("0.003000", "0.001000", "0.002000", "0.090000", "0.093000", "0.180000", "50 of 120 requests"):
        assert figure in text
    mine, other = "0.003000 USD infrastructure and 0.090000", "0.006000 USD infrastructure and 0.180000"
    assert found.reason == f"async {mine} USD tokens; sync {other} USD tokens"


def test_a_side_without_a_success_is_infinite() -> None:
    found = cost_compare.compare(evidence(), evidence(0), None, "r1")
    assert found.ok and "sync infinite USD infrastructure and infinite USD tokens" in found.reason
    assert "infinite" in str(cost_compare.table(found, "VPR"))
    assert json.dumps(plain(found), allow_nan=False), "an infinite cost goes into a record"


def test_a_side_without_usage_is_no_comparison() -> None:
    found = cost_compare.compare(evidence(), evidence(None), None, "r1")
    assert found.verdict is not Verdict.PASS and not found.required
    assert "nothing" in str(cost_compare.table(found, "VPR")) or "–" in str(cost_compare.table(found, "VPR"))


def test_where_nobody_is_synchronous_any_more_the_phase_before_tells() -> None:
    before = json.loads(json.dumps(plain(cost_compare.compare(evidence(), evidence(50), None, "r1"))))
    kept = cost_compare.from_record(SimpleNamespace(checks=[before]))  # type: ignore[arg-type]
    found = cost_compare.compare(evidence(), evidence(None), kept, "r2")
    assert found.ok and found.facts["sync"]["run_id"] == "r1" and found.facts["sync"]["successes"] == 50
    assert cost_compare.from_record(None) is None
