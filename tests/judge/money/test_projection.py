"""A month from a window, and on demand against provisioned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from runbook_lib.judge.money.charges import AsyncCounts, Capacity
from runbook_lib.judge.money.cost import invoice
from runbook_lib.judge.money.projection import break_even, month
from runbook_lib.params.prices import Prices

PRICES = Prices.model_validate(yaml.safe_load((Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8")))
DAY = AsyncCounts(
    api="rest",
    successes=1000,
    hours=73,
    submits=10_000,
    polls=0,
    functions=(),
    custom_metrics=8,
    input_tokens=1e6,
    capacity=Capacity(write_units=1e6),
)


def test_fixed_charges_do_not_grow_with_the_traffic() -> None:
    lines = invoice(DAY.usage(), PRICES)
    once, tenfold = (month(lines, 1000, 73, PRICES, times) for times in (1, 10))
    # 73 h are a tenth of a month: 8 KPI metrics are $2.40 a month.
    assert (once.fixed, tenfold.fixed) == (pytest.approx(2.40), pytest.approx(2.40))
    assert once.variable == pytest.approx(10 * (0.035 + 0.625 + 3.0))
    assert tenfold.variable == pytest.approx(10 * once.variable)
    assert (once.llm, once.infrastructure) == (pytest.approx(30.0), pytest.approx(2.40 + 6.60))
    assert once.usd == pytest.approx(once.fixed + once.variable)
    assert (once.successes, tenfold.successes) == (10_000, 100_000)


def test_a_window_of_an_hour_is_a_730th_of_a_month() -> None:
    counts = DAY.model_copy(update={"hours": 1, "custom_metrics": 20})
    found = month(invoice(counts.usage(), PRICES), 1000, 1, PRICES)
    # Twenty metrics at $0.30; 730 times $0.035 of submissions, $0.625 of writes and $3 of tokens.
    assert (found.times, found.successes) == (1, 730_000)
    assert (found.fixed, found.variable) == (pytest.approx(6.0), pytest.approx(730 * 3.66))
    assert break_even(3600, 0, 1, 100, PRICES).on_demand == pytest.approx(730 * 3600 * 0.625e-6)


def test_what_the_free_tier_leaves_is_paid_in_full() -> None:
    lines = invoice(DAY.model_copy(update={"custom_metrics": 20}).usage(), PRICES)
    free = PRICES.model_copy(update={"free_tier": True})
    assert month(lines, 1000, 73, free).fixed == pytest.approx(3.0), "ten of twenty metrics at $0.30"


def test_the_free_tier_counts_where_it_is_switched_on() -> None:
    lines = invoice(DAY.usage(), PRICES)
    free = PRICES.model_copy(update={"free_tier": True})
    assert month(lines, 1000, 73, free).fixed == 0, "ten custom metrics are free"


def test_a_free_tier_is_given_once_to_whatever_uses_the_item() -> None:
    """Polls and the submission share one item: a million requests are free once, not twice."""
    counts = DAY.model_copy(update={"queue_sent": 100_000, "queue_empty_receives": 100_000})
    lines = invoice(counts.usage(), PRICES)
    free = PRICES.model_copy(update={"free_tier": True})
    with_it, without = month(lines, 1000, 73, free), month(lines, 1000, 73, PRICES)
    metrics = 2.40
    assert without.usd - with_it.usd == pytest.approx(metrics + 0.40)


def test_break_even_of_a_hundred_units() -> None:
    found = break_even(1e6, 0, 73, 100, PRICES)
    # 200 write and 200 read unit-hours, 730 h: $94.90 and $18.98; ten million writes a month on demand: $6.25.
    assert found.provisioned == pytest.approx(113.88)
    assert found.on_demand == pytest.approx(6.25)
    assert found.times == pytest.approx(113.88 / 6.25)
    assert found.fits is True
    assert found.write_share == pytest.approx(0.00065 / (3600 * 0.625e-6))
    assert found.read_share == pytest.approx(0.00013 / (3600 * 0.125e-6))


def test_reads_and_writes_together_by_hand() -> None:
    # 73 h are a tenth of a month: ten million writes are $6.25, forty million reads $5.00.
    found = break_even(1e6, 4e6, 73, 100, PRICES)
    assert found.on_demand == pytest.approx(11.25)
    assert found.times == pytest.approx(113.88 / 11.25)


def listed(**usd: float) -> Prices:
    """The price list with other prices for DynamoDB, each for one unit (or unit-hour)."""
    named = {"write_units", "read_units", "write_capacity", "read_capacity"}
    known = {name: PRICES.prices[f"dynamodb.{name}"] for name in named}
    changed = {
        f"dynamodb.{name}": price.model_copy(update={"usd": usd.get(name, 0.0), "per": 1})
        for name, price in known.items()
    }
    return PRICES.model_copy(update={"prices": {**PRICES.prices, **changed}})


@pytest.mark.parametrize(("on_demand", "fits"), [(1.0, True), (0.9999, False), (0.8, False)])
def test_the_units_just_hold_what_costs_as_much_on_demand(on_demand: float, fits: bool) -> None:
    """A unit-hour of $3,600, and $1 for a write: both cost the same where every second of the hour has its write."""
    found = break_even(3600, 0, 1, 100, listed(write_units=on_demand, write_capacity=3600.0))
    assert found.times == pytest.approx(200 / on_demand) and found.fits is fits


def test_what_is_free_one_way_is_never_worth_paying_for_the_other() -> None:
    found = break_even(1e6, 1e6, 24, 100, listed(write_capacity=1.0, read_units=1.0))
    assert (found.write_share, found.read_share) == (math.inf, 0.0), "writes free on demand, reads when provisioned"
    found = break_even(1e6, 1e6, 24, 100, listed(write_units=1.0, read_capacity=1.0))
    assert (found.write_share, found.read_share) == (0.0, math.inf)


def test_at_the_break_even_both_cost_the_same() -> None:
    found = break_even(3e6, 2e6, 24, 40, PRICES)
    assert found.times is not None
    again = break_even(3e6 * found.times, 2e6 * found.times, 24, 40, PRICES)
    assert again.on_demand == pytest.approx(again.provisioned)
    assert again.times == pytest.approx(1.0)


def test_a_break_even_beyond_the_units_does_not_fit() -> None:
    """Reads are cheap on demand: to pay for the units they would have to be more than these can serve."""
    dear = {**PRICES.prices}
    dear["dynamodb.write_capacity"] = dear["dynamodb.write_capacity"].model_copy(update={"usd": 0.65})
    found = break_even(1e6, 0, 73, 100, PRICES.model_copy(update={"prices": dear}))
    assert found.fits is False


def test_no_units_used_has_no_break_even() -> None:
    found = break_even(0, 0, 24, 100, PRICES)
    assert found.times is None and found.fits is None and found.on_demand == 0


@pytest.mark.parametrize("ask", [lambda: month([], 0, 0, PRICES), lambda: break_even(1, 1, 0, 1, PRICES)])
def test_a_window_without_length_is_refused(ask: object) -> None:
    with pytest.raises(ValueError, match=r"^a window without length"):
        ask()  # type: ignore[operator]
