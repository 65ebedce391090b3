"""Cost per VPR: invoices computed by hand, and what must hold of any bill."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.judge.money.charges import UNITS, AsyncCounts, Capacity, Function, RunbookCounts, SyncCounts
from runbook_lib.judge.money.cost import Amount, Usage, UsageLine, cost_per_vpr, invoice
from runbook_lib.params.prices import Prices

HERE = Path(__file__).parent
INVOICES = yaml.safe_load((HERE / "invoices.yaml").read_text(encoding="utf-8"))
PRICES = Prices.model_validate(yaml.safe_load((HERE / "prices.yaml").read_text(encoding="utf-8")))
COUNTS = {"async": AsyncCounts, "sync": SyncCounts, "runbook": RunbookCounts}


@pytest.fixture(scope="module")
def prices() -> Prices:
    return PRICES


def one_vpr(**changed: Any) -> AsyncCounts:
    """The specification's own report; `worker_s` and `worker_runs` change its worker."""
    counts = {**INVOICES[0]["counts"], **changed}
    runs, seconds = counts.pop("worker_runs", 1), counts.pop("worker_s", 75)
    functions = [dict(one) for one in counts["functions"]]
    functions[1] |= {"runs": runs, "seconds": seconds}
    return AsyncCounts.model_validate({**counts, "functions": functions})


def by_service(amount: Amount) -> Mapping[str, float]:
    sums: dict[str, float] = {}
    for line in amount.lines:
        sums[line.service] = sums.get(line.service, 0.0) + line.usd
    return sums


@pytest.mark.parametrize("case", INVOICES, ids=lambda case: case["case"])
def test_invoices_computed_by_hand(prices: Prices, case: dict[str, Any]) -> None:
    usage = COUNTS[case["path"]].model_validate(case["counts"]).usage()
    assert usage.path == case["path"]
    amount = cost_per_vpr(usage, prices, "infrastructure")
    billed = sorted((line.service, line.item, line.quantity, line.usd) for line in amount.lines if line.usd)
    by_hand = sorted(map(tuple, case["lines"]))
    assert [line[:2] for line in billed] == [line[:2] for line in by_hand]
    for found, (service, item, quantity, usd) in zip(billed, by_hand, strict=True):
        assert found[2:] == pytest.approx((quantity, usd), rel=1e-9), f"{service}, {item}"
    infrastructure, llm = case["per_vpr"]
    assert (amount.infrastructure or 0.0) == pytest.approx(infrastructure, rel=1e-9)
    assert (amount.llm or 0.0) == pytest.approx(llm, rel=1e-9)
    assert amount.usd == pytest.approx(math.fsum(line[3] for line in case["lines"]), rel=1e-9)
    if case["path"] == "runbook":
        assert all(line.fixed for line in amount.lines), "watching is paid by the hour, whatever the traffic is"


def test_there_are_a_dozen_invoices_and_they_name_every_item() -> None:
    assert len(INVOICES) >= 12
    named = {line[1] for case in INVOICES for line in case["lines"]}
    assert named == set(UNITS)


def test_the_specification_reproduced_service_by_service(prices: Prices) -> None:
    """docs/domain.md, trap 25: infrastructure is about $0.0013 a VPR; docs/cost.md says where that is wrong."""
    amount = cost_per_vpr(one_vpr().usage(), prices, "infrastructure")
    parts = by_service(amount)
    assert parts["Lambda worker"] == pytest.approx(0.00125, rel=1e-3)
    assert parts["API submit"] == pytest.approx(0.0000035)
    assert parts["API polls"] == pytest.approx(0.000035)
    assert parts["Lambda submit"] == pytest.approx(0.000003, rel=0.1)
    assert parts["Lambda status"] == pytest.approx(0.00001, rel=0.1)
    # It counts 2 requests to the queue (send, receive) and forgets the delete.
    assert parts["queue"] == pytest.approx(0.0000008 * 3 / 2)
    # $0.000002 for the table is three writes; each job makes three, and as many again in its index, and is read.
    assert parts["table"] == pytest.approx(6 * 0.625e-6 + 12 * 0.125e-6)
    # A PUT alone is $0.000005: $0.000001 for the bucket is too low.
    assert parts["bucket"] == pytest.approx(0.0000054)
    assert amount.value == amount.infrastructure == pytest.approx(0.0013, rel=0.02)
    assert amount.llm == pytest.approx(7500 * 3e-6 + 2200 * 15e-6)
    assert cost_per_vpr(one_vpr().usage(), prices, "total").value == pytest.approx(amount.value + 0.0555)


def test_no_success_is_infinite_and_nothing_is_nothing(prices: Prices) -> None:
    spent = cost_per_vpr(one_vpr(successes=0).usage(), prices, "infrastructure")
    assert spent.value == spent.infrastructure == spent.llm == math.inf
    assert Amount.model_validate_json(spent.model_dump_json()) == spent
    nothing = cost_per_vpr(Usage(path="async", successes=0, lines=()), prices, "total")
    assert nothing.value is None and nothing.usd == 0


def test_fixed_and_variable_are_all_of_the_scope(prices: Prices) -> None:
    counts = one_vpr(successes=100, hours=24, queue_empty_receives=21_600, custom_metrics=8)
    for scope in ("infrastructure", "total"):
        amount = cost_per_vpr(counts.usage(), prices, scope)
        assert amount.fixed == pytest.approx((0.00864 + 0.078904109589) / 100)
        assert (amount.fixed or 0) + (amount.variable or 0) == pytest.approx(amount.value)


def test_provisioned_capacity_is_paid_without_traffic_and_shown_only_where_there_is_any() -> None:
    provisioned = Capacity(write_units=5, write_unit_hours=200, read_unit_hours=100).lines()
    assert {(line.item, line.fixed) for line in provisioned} == {
        ("dynamodb.write_units", False),
        ("dynamodb.read_units", False),
        ("dynamodb.write_capacity", True),
        ("dynamodb.read_capacity", True),
    }
    assert [line.item for line in Capacity().lines()] == ["dynamodb.write_units", "dynamodb.read_units"]


def test_a_bill_begins_with_the_functions_and_the_table() -> None:
    """The order in which a bill is shown."""
    services = list(dict.fromkeys(line.service for line in one_vpr().usage().lines))
    assert services == [
        "Lambda submit",
        "Lambda worker",
        "Lambda status",
        "table",
        "API submit",
        "API polls",
        "queue",
        "bucket",
        "logs",
        "data out",
        "LLM",
        "KPI metrics",
    ]


def test_what_is_paid_without_traffic_stays_so_over_windows(prices: Prices) -> None:
    """A day and a day: twice the empty receives of the invoice of a quiet day, and twice its metrics."""
    day = one_vpr(successes=1, hours=24, queue_empty_receives=21_600, custom_metrics=8).usage()
    both = cost_per_vpr(day + day, prices, "infrastructure")
    assert both.n == 2 and both.fixed == pytest.approx(0.00864 + 0.078904109589)


def test_failures_make_a_success_dearer(prices: Prices) -> None:
    half = cost_per_vpr(one_vpr(worker_runs=2, worker_s=150).usage(), prices, "infrastructure").value
    whole = cost_per_vpr(one_vpr().usage(), prices, "infrastructure").value
    assert half is not None and whole is not None and half > 1.9 * whole


def test_an_item_without_a_price_is_an_error(prices: Prices) -> None:
    usage = Usage(path="async", successes=1, lines=(UsageLine(service="x", item="x.y", quantity=1),))
    with pytest.raises(KeyError, match=r"x\.y"):
        cost_per_vpr(usage, prices, "total")


@pytest.mark.parametrize("quantity", [-1.0, math.nan, math.inf])
def test_absurd_usage_is_refused(quantity: float) -> None:
    with pytest.raises(ValidationError):
        UsageLine(service="x", item="x", quantity=quantity)


def test_paths_do_not_mix() -> None:
    with pytest.raises(ValueError, match="sync"):
        one_vpr().usage() + Usage(path="sync", successes=1, lines=())


amounts = st.floats(0, 1e6)
functions = st.builds(
    Function,
    service=st.just("Lambda worker"),
    runs=amounts,
    seconds=amounts,
    memory_mb=st.sampled_from([256, 1024]),
    architecture=st.just("x86_64"),
)
VARIABLE = (
    "submits",
    "polls",
    "queue_sent",
    "queue_received",
    "queue_deleted",
    "puts",
    "gets",
    "item_gb_months",
    "report_gb_months",
    "log_gb",
    "out_gb",
    "input_tokens",
    "output_tokens",
)
counted = st.builds(
    AsyncCounts,
    api=st.just("rest"),
    successes=st.integers(0, 1000),
    hours=amounts,
    functions=st.tuples(functions),
    capacity=st.builds(Capacity, write_units=amounts, read_units=amounts),
    custom_metrics=st.just(8.0),
    queue_empty_receives=amounts,
    **dict.fromkeys(VARIABLE, amounts),
)


def usd(usage: Usage, prices: Prices = PRICES) -> float:
    return cost_per_vpr(usage, prices, "total").usd


@given(counted, counted)
@settings(max_examples=60)
def test_additive_over_windows_and_services(one: AsyncCounts, two: AsyncCounts) -> None:
    both = cost_per_vpr(one.usage() + two.usage(), PRICES, "total")
    assert both.usd == pytest.approx(usd(one.usage()) + usd(two.usage()))
    assert both.n == one.successes + two.successes
    assert math.fsum(by_service(both).values()) == pytest.approx(both.usd)
    if both.n:
        assert both.value == pytest.approx((both.infrastructure or 0) + (both.llm or 0))


@given(counted, st.sampled_from(VARIABLE), amounts)
@settings(max_examples=60)
def test_monotone_in_every_usage(one: AsyncCounts, name: str, more: float) -> None:
    dearer = one.model_copy(update={name: getattr(one, name) + more})
    assert usd(dearer.usage()) >= usd(one.usage())


@given(counted, st.sampled_from(sorted(UNITS)), st.floats(1, 100))
@settings(max_examples=60)
def test_monotone_in_every_price(one: AsyncCounts, item: str, times: float) -> None:
    price = PRICES.prices[item]
    dearer = PRICES.model_copy(
        update={"prices": {**PRICES.prices, item: price.model_copy(update={"usd": price.usd * times})}}
    )
    assert usd(one.usage(), dearer) >= usd(one.usage())


@given(amounts, amounts)
def test_zero_usage_costs_only_the_fixed_part(hours: float, empty: float) -> None:
    nothing = AsyncCounts(
        api="rest",
        successes=0,
        hours=hours,
        submits=0,
        polls=0,
        functions=(),
        custom_metrics=8,
        queue_empty_receives=empty,
    )
    lines = invoice(nothing.usage(), PRICES)
    assert math.fsum(line.usd for line in lines if not line.fixed) == 0
    assert math.fsum(line.usd for line in lines) == pytest.approx(empty * 0.4e-6 + 8 * 0.3 * hours / 730)


def test_interval_over_periods(prices: Prices) -> None:
    hours = [one_vpr(successes=10, worker_s=450 + 60 * (hour % 4)).usage() for hour in range(24)]
    total = hours[0]
    for hour in hours[1:]:
        total = total + hour
    amount = cost_per_vpr(total, prices, "infrastructure", periods=hours)
    assert amount.method == "delta method over 24 periods"
    assert amount.low is not None and amount.high is not None and amount.value is not None
    assert amount.low < amount.value < amount.high < amount.value * 1.1
    few = cost_per_vpr(total, prices, "infrastructure", periods=hours[:7])
    assert few.low is None and few.method is None
    none = [one_vpr(successes=0).usage()] * 9
    assert cost_per_vpr(none[0], prices, "infrastructure", periods=none).low is None


def test_the_interval_is_about_the_value_whatever_the_periods_count(prices: Prices) -> None:
    """The hours' successes come from another source than the window's: only the width is taken from them."""
    hours = [one_vpr(successes=10, worker_s=450 + 60 * (hour % 4)).usage() for hour in range(24)]
    whole = one_vpr(successes=120, worker_s=24 * 540)
    amount = cost_per_vpr(whole.usage(), prices, "infrastructure", periods=hours)
    assert amount.low is not None and amount.high is not None and amount.value is not None
    assert (amount.low + amount.high) / 2 == pytest.approx(amount.value)


class Dollar:
    """A price list on which everything costs $1."""

    def of(self, item: str, quantity: float) -> float:
        return quantity


def spent(infrastructure: float, tokens: float = 0.0, successes: int = 1) -> Usage:
    lines = (
        UsageLine(service="worker", item="x", quantity=infrastructure),
        UsageLine(service="LLM", item="llm.x", quantity=tokens),
    )
    return Usage(path="async", successes=successes, lines=lines)


def test_an_interval_by_hand() -> None:
    """Eight hours of $1 and $3 by turns, a report each: $2, var = 8/7 x 8 x 1^2 / 8^2 = 1/7, so $2 +- 1.96 / 7^0.5."""
    hours = [spent(1.0 + 2 * (hour % 2)) for hour in range(8)]
    amount = cost_per_vpr(spent(16.0, successes=8), Dollar(), "infrastructure", periods=hours)
    assert (amount.value, amount.low, amount.high) == pytest.approx((2.0, 2 - 0.740797, 2 + 0.740797), abs=1e-6)
    sure = cost_per_vpr(spent(16.0, successes=8), Dollar(), "infrastructure", periods=hours, confidence=0.8)
    assert sure.high == pytest.approx(2 + 1.2815516 / 7**0.5, abs=1e-6)
    # The window counts half of the reports: twice the value, and an interval twice as wide.
    amount = cost_per_vpr(spent(16.0, successes=4), Dollar(), "infrastructure", periods=hours)
    assert (amount.value, amount.high) == pytest.approx((4.0, 4 + 2 * 0.740797), abs=1e-6)


def test_the_interval_is_of_the_scopes_money() -> None:
    """Infrastructure the same in every hour, and tokens by turns: certain without the tokens, not with them."""
    hours = [spent(2.0, 1.0 + 2 * (hour % 2)) for hour in range(8)]
    whole = spent(16.0, 16.0, successes=8)
    without, total = (cost_per_vpr(whole, Dollar(), scope, periods=hours) for scope in ("infrastructure", "total"))
    assert (without.low, without.value, without.high) == (2.0, 2.0, 2.0)
    assert (total.low, total.high) == pytest.approx((4 - 0.740797, 4 + 0.740797), abs=1e-6)


def test_interval_covers() -> None:
    """95 % intervals of a simulated ratio hold the truth about 95 % of the time."""
    import numpy as np

    from runbook_lib.judge.money.cost import _interval

    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        n = rng.poisson(12, 24) + 1
        costs = [float(rng.gamma(4, 0.01, k).sum()) for k in n]
        ratio, half = _interval(costs, n.tolist(), 0.95) or (0.0, 0.0)
        hits += abs(ratio - 0.04) <= half
    assert 0.91 <= hits / 400 <= 0.98
