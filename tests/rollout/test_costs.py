"""What the notebooks show about money, from evidence and from sealed records."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runbook_lib.judge.model import Evidence
from runbook_lib.params.load import Params, load_file, params_dir
from runbook_lib.record.record import Record
from runbook_lib.rollout import costs
from runbook_lib.rollout import costs as cost_compare

LINES = [
    {"service": "Lambda worker", "item": "lambda.requests", "quantity": 1e6, "usd": 0.2, "fixed": False, "llm": False},
    {
        "service": "KPI metrics",
        "item": "cloudwatch.custom_metrics",
        "quantity": 0.8,
        "usd": 0.24,
        "fixed": True,
        "llm": False,
    },
    {"service": "LLM", "item": "llm.input_tokens", "quantity": 1e6, "usd": 3.0, "fixed": False, "llm": True},
]


@pytest.fixture(scope="module")
def params() -> Params:
    return load_file(params_dir() / "prod.yaml")


def evidence(n: int | None = 100, **extra: Any) -> Evidence:
    filled = {} if n is None else {"lines": LINES, "requests": 120, "hours": 73.0, "infinite": n == 0}
    return Evidence(
        measure="m",
        kind="amount",
        start="2026-11-10T00:00:00Z",
        end="2026-11-13T01:00:00Z",
        query="q",
        n=n,
        value=None if n is None else 0.0044 if n else math.inf,
        extra={**filled, **extra},
    )


def test_a_month_is_ten_windows_and_what_is_fixed_stays(params: Params) -> None:
    once, tenfold = costs.months(evidence(), params)
    assert (once.times, tenfold.times) == costs.TIMES
    assert once.infrastructure == pytest.approx(2.0 + 2.4) and once.llm == pytest.approx(30)
    assert tenfold.infrastructure == pytest.approx(20 + 2.4) and tenfold.fixed == pytest.approx(once.fixed)
    assert costs.months(evidence(None), params) == []


def test_the_break_even_is_of_the_units_that_rollback_3_provisions(params: Params) -> None:
    found = costs.even(evidence(consumed={"writes": 1e6, "reads": 0.0}), params)
    units = params.policy.rollbacks["rollback_3_dynamodb_throttling"].throttling
    assert found is not None and units is not None and found.units == units.units
    assert costs.even(evidence(), params) is None and costs.even(evidence(None), params) is None


def test_the_bill_shows_the_month_only_where_there_is_a_bill(params: Params) -> None:
    assert "A month, projected" in str(costs.bill(evidence(consumed={"writes": 9.0, "reads": 9.0}), params))
    assert "A month, projected" not in str(costs.bill(evidence(None), params))


def test_both_sides_are_drawn_where_both_have_a_bill(params: Params) -> None:
    check = cost_compare.compare(evidence(), evidence(50), None, "r")
    text = str(costs.compared(check, evidence(50), params))
    assert "by service (USD)" in text and "From sync" in text and "Synchronous: cost of 50" in text
    alone = cost_compare.compare(evidence(), evidence(None), None, "r")
    assert "by service" not in str(costs.compared(alone, evidence(None), params))


def record(
    at: str,
    notebook: str,
    own: float | None,
    sync: float | None,
    env: str = "prod",
    shift: tuple[float, str] | None = None,
) -> Record:
    """A look's record; `shift`: the weight in force and since when."""

    def seen(usd: float | None) -> dict[str, Any]:
        return {"value": usd, "extra": {} if usd is None else {"infrastructure": usd, "llm": 10 * usd}}

    found = {"cost_per_vpr": seen(own), "cost_per_vpr_sync": seen(sync)}
    state = {"weight": shift[0], "dial_since": shift[1]} if shift else None
    return Record.model_validate(
        {"as_of": at, "notebook": notebook, "env": env, "evidence": found, "traffic_before": state}
    )


def test_the_cost_through_the_phases_is_that_of_the_looks(params: Params) -> None:
    records = [
        record("2026-11-12T10:00:00Z", "07_phase2_50_percent", 0.001, 0.012, shift=(50, "2026-11-11T10:20:00Z")),
        record("2026-11-11T10:00:00Z", "06_phase1_10_percent", 0.002, 0.011, shift=(10, "2026-11-10T10:05:00Z")),
        record("2026-11-10T10:00:00Z", "06_phase1_10_percent", None, None, shift=(0, "2026-11-09T10:00:00Z")),
        record("2026-11-13T10:00:00Z", "10_post_deployment", 0.0009, None),
        record("2026-11-11T11:00:00Z", "06_phase1_10_percent", 9.0, 9.0, env="staging"),
    ]
    text = str(costs.history(records, params))
    assert "sync 0.011 to 0.012" in text and "async 0.0009 to 0.002, last 0.0009" in text
    for mark in ("10 % at 2026-11-10 10:05 UTC", "50 % at 2026-11-11 10:20 UTC"):
        assert mark in text, "the shift itself, not the first look that has a bill, a day later"
    assert "nothing to draw" in str(costs.history(records[2:3], params))
