"""Money as people see it: tables that add up, charts that say in words what they show."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.judge.model import Evidence, Gate
from runbook_lib.judge.money.charges import AsyncCounts, Capacity, Function, RunbookCounts, SyncCounts
from runbook_lib.judge.money.cost import cost_per_vpr, invoice
from runbook_lib.judge.money.projection import break_even, month
from runbook_lib.judge.money.statement import GROUPS
from runbook_lib.params.prices import Prices
from runbook_lib.show.cost import as_rows, cost_table, even_words, month_table
from runbook_lib.show.cost_charts import PARTS, _stacked, _waterfall, over_time, stacked, waterfall

HERE = Path(__file__).parent
PRICES = Prices.model_validate(
    yaml.safe_load((HERE.parent / "judge" / "money" / "prices.yaml").read_text(encoding="utf-8"))
)
GATE = Gate.model_validate(
    {
        "id": "cost",
        "title": "Cost per VPR",
        "kind": "amount",
        "measure": "cost_per_vpr",
        "unit": "USD",
        "evidence": "point",
        "response": "hold",
        "severity": 1,
        "why": "w",
        "target": "< 0.01",
        "alert": "> 0.05",
    }
)


def own(successes: int = 7) -> AsyncCounts:
    return AsyncCounts(
        api="rest",
        successes=successes,
        hours=24,
        submits=7,
        polls=70,
        custom_metrics=8,
        queue_empty_receives=21_600,
        functions=(Function(service="Lambda worker", runs=7, seconds=315, memory_mb=1024),),
        capacity=Capacity(write_units=21, read_units=35),
        input_tokens=52_500,
        output_tokens=15_400,
    )


def other(successes: int = 3) -> SyncCounts:
    return SyncCounts(
        api="rest",
        successes=successes,
        hours=24,
        requests=70,
        reported_usd=3.9,
        unreported_usd=0.06,
        custom_metrics=3,
        function=Function(service="Lambda sync", runs=70, seconds=3150, memory_mb=512),
    )


def evidence(counts: Any, **extra: Any) -> Evidence:
    amount = cost_per_vpr(counts.usage(), PRICES, "infrastructure")
    return Evidence(
        measure="m",
        kind="amount",
        start="2026-11-10T00:00:00Z",
        end="2026-11-11T00:00:00Z",
        query="asked so",
        value=amount.value,
        n=amount.n,
        extra={
            "lines": [line.model_dump(mode="json") for line in amount.lines],
            "scope": "infrastructure",
            "requests": 70,
            "hours": 24.0,
            **extra,
        },
    )


def side(counts: Any) -> dict[str, Any]:
    return {"lines": [line.model_dump() for line in invoice(counts.usage(), PRICES)], "successes": counts.successes}


def test_a_success_is_called_as_its_evidence_calls_it() -> None:
    text = str(cost_table(evidence(own(), unit="export", runbook=[]))) + str(month_table([], None, "export"))
    assert "successful exports" in text and "USD per successful export" in text and "VPR" not in text
    assert "successful jobs" in str(cost_table(evidence(own()))), "of a record that does not say"


def rows(text: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", row.strip()) for row in text.splitlines()]


def test_what_is_shown_adds_up_to_what_is_shown() -> None:
    found = rows(str(cost_table(evidence(own()))))
    money = {
        scope: [Decimal(row[3]) for row in found if row[0] == scope and len(row) == 6]
        for scope in ("infrastructure", "tokens")
    }
    subtotals = {row[0]: row for row in found if len(row) == 5 and row[1] in ("subtotal", "total")}
    for scope, values in money.items():
        assert values and sum(values) == Decimal(subtotals[scope][2])
    both = Decimal(subtotals["both"][2])
    assert both == Decimal(subtotals["infrastructure"][2]) + Decimal(subtotals["tokens"][2])


def test_infrastructure_and_tokens_fixed_and_by_use_are_apart() -> None:
    text = str(cost_table(evidence(own())))
    for part in ("KPI metrics", "fixed", "by use", "infrastructure", "tokens", "No interval"):
        assert part in text


def test_without_a_success_it_is_infinite_not_zero() -> None:
    text = str(cost_table(evidence(own(0))))
    assert "infinite" in text


def test_without_usage_it_says_why() -> None:
    empty = Evidence(measure="m", kind="amount", start="", end="", query="q", notes=("no census was taken",))
    assert "no census was taken" in str(cost_table(empty))


def test_old_prices_and_the_runbooks_own_bill_are_shown() -> None:
    watching = [line.model_dump() for line in invoice(RunbookCounts(metrics_asked=5000).usage(), PRICES)]
    item = evidence(own(), stale="the prices are too old", runbook=watching)
    text = str(cost_table(item))
    assert text.startswith("⚠ the prices are too old")
    assert "What watching costs" in text and "0.050000" in text
    assert "What watching costs" not in str(cost_table(item, judged=False))


def test_the_interval_names_its_method() -> None:
    item = evidence(own(), method="delta method over 24 periods").model_copy(update={"low": 0.001, "high": 0.002})
    assert "0.001000 to 0.002000 USD (delta method over 24 hours)" in str(cost_table(item))


def test_rows_for_programs_are_those_of_the_table() -> None:
    found = as_rows(evidence(own()))
    assert found[-1]["service"] == "total" and found[-1]["scope"] == "both"
    assert sum(Decimal(row["usd"]) for row in found if row["service"] not in ("subtotal", "total")) == Decimal(
        found[-1]["usd"]
    )


def test_a_month_and_the_break_even_in_words() -> None:
    lines = invoice(own().usage(), PRICES)
    months = [month(lines, 7, 24, PRICES, times) for times in (1, 10)]
    text = str(month_table(months, break_even(21, 35, 24, 100, PRICES), "VPR"))
    assert "1 x" in text and "10 x" in text and "113.88 USD, used or not" in text and "break even at" in text
    assert "No units were used" in even_words(break_even(0, 0, 24, 100, PRICES))
    assert "Provisioned is cheaper already" in even_words(break_even(9e9, 0, 24, 100, PRICES))


@pytest.mark.slow
def test_both_sides_stacked_say_their_figures() -> None:
    text = str(stacked({"sync": side(other()), "async": side(own())}, GATE, unit="VPR"))
    assert "sync: 1.3" in text and "async: 0.0" in text and "Lambda" in text


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["infrastructure", "total"])
def test_a_side_without_a_success_is_said_to_be_infinite(scope: str) -> None:
    text = str(stacked({"sync": side(other(0)), "async": side(own())}, GATE, scope, unit="VPR"))
    assert "sync: infinite, no success" in text
    nothing = str(stacked({"sync": side(other(0)), "async": side(own(0))}, None, unit="VPR"))
    assert nothing.count("infinite") == 2


@pytest.mark.slow
def test_the_waterfall_ends_where_the_other_side_is() -> None:
    sync, mine = side(other()), side(own())
    text = str(waterfall(sync, mine, unit="VPR"))
    first, last = map(float, re.findall(r"From sync (\S+) to async (\S+) USD", text)[0])
    steps = [float(value) for value in re.findall(r" ([+-]\d+\.\d+)", text)]
    assert first + sum(steps) == pytest.approx(last, abs=1e-5)
    assert (
        "no success" in str(waterfall(side(other(0)), mine, unit="VPR"))
        and "<img" not in waterfall(sync, side(own(0)), unit="VPR")._repr_html_()
    )


def test_every_number_of_the_waterfall_is_as_precise_as_the_table() -> None:
    drawn = [
        one.get_text()
        for axes in _waterfall((0.0123, {"API": -0.000072}), (1.7, {"tokens": -1.6}), "VPR").axes
        for one in axes.texts
    ]
    assert drawn == ["0.012300", "-0.000072", "0.012228", "1.700000", "-1.600000", "0.100000"]


def test_each_chart_has_its_unit() -> None:
    """They have scales of their own, and stand below one another on a narrow page."""
    known = {"sync": {"Lambda": 0.01}, "async": {"Lambda": 0.001}}
    for figure in (
        _waterfall((0.0123, {"API": -0.000072}), (1.7, {"tokens": -1.6}), "VPR"),
        _stacked(known, known, GATE, "infrastructure", "VPR"),
    ):
        assert {axes.get_ylabel() for axes in figure.axes} == {"USD per successful VPR"}


def test_every_service_has_a_part_of_the_charts() -> None:
    used = {str(line["service"]) for counts in (own(), other()) for line in side(counts)["lines"]}
    assert {service.split()[0] for service in used} <= set(GROUPS)
    assert set(GROUPS.values()) == set(PARTS)


def test_over_time_draws_the_thresholds_and_says_the_curve() -> None:
    at = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
    points = {"sync": [(at, 0.011)], "async": [(at, 0.0026), (at + dt.timedelta(days=1), 0.0013)]}
    text = str(
        over_time(points, {"sync": [(at, 1.4)], "async": [(at, 0.055)]}, marks=[(at, "10 %")], gate=GATE, unit="VPR")
    )
    assert "target < $0.01" in text and "alert > $0.05" in text and "10 %" in text and "0.0013" in text
