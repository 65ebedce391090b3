"""The cost of a month at a multiple of the traffic, and the traffic from which provisioned DynamoDB is cheaper.

Fixed charges stay the same; everything else grows with the traffic. A bill does not show whether the service can handle
that traffic (the workers, the LLM's limit).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from runbook_lib.judge import numbers
from runbook_lib.judge.money.charges import MONTH_H
from runbook_lib.judge.money.cost import CostLine
from runbook_lib.judge.terms import Frozen

_WRITES = ("dynamodb.write_units", "dynamodb.write_capacity")
_READS = ("dynamodb.read_units", "dynamodb.read_capacity")


class MonthPrices(Protocol):
    """The methods of a price list (`prices.Prices` is one)."""

    def of(self, item: str, quantity: float, /) -> float:
        """USD for a quantity at the list price."""
        ...

    def month(self, item: str, quantity: float, /) -> float:
        """USD for a month's quantity, with tiers and free tier where they apply."""
        ...


class Month(Frozen):
    """A month (730 h) in USD at `times` the traffic of the window."""

    times: float
    successes: float
    infrastructure: float
    llm: float
    fixed: float
    """Fixed part in USD, of infrastructure and tokens together."""
    variable: float

    @property
    def usd(self) -> float:
        """The whole month's cost in USD."""
        return self.infrastructure + self.llm


class BreakEven(Frozen):
    """Compares on demand with provisioned, for the jobs table and its index together."""

    units: float
    """Number of read and of write units, for the table and for the index, as rollback 3 provisions them."""
    provisioned: float
    """USD a month for provisioned units, at any traffic within them."""
    on_demand: float
    """USD a month on demand, at the window's traffic."""
    times: float | None
    """Multiple of the window's traffic at which both cost the same; None: the window used no units."""
    fits: bool | None
    """Whether the break-even traffic, spread evenly, is within the units; None: unknown."""
    write_share: float
    """Share of the time for which a provisioned write unit must be used to be cheaper than on demand."""
    read_share: float


def month(lines: Sequence[CostLine], successes: int, hours: float, prices: MonthPrices, times: float = 1) -> Month:
    """The window's bill, extended to a month.

    Args:
        lines: the window's bill.
        hours: length of the window.
        times: multiple of its traffic.

    Raises:
        ValueError: a window without length, or a quantity that is negative or not finite.
    """
    if not numbers.SMALLEST <= hours <= numbers.LARGEST:
        raise ValueError("a window without length says nothing about a month")
    numbers.count(successes=successes)
    numbers.finite(0.0, times=times)
    for line in lines:
        numbers.finite(0.0, quantity=line.quantity)
    scale = MONTH_H / hours
    quantities: dict[tuple[str, bool, bool], float] = {}
    for line in lines:
        key = (line.item, line.llm, line.fixed)
        quantities[key] = quantities.get(key, 0.0) + line.quantity * scale * (1 if line.fixed else times)
    # Tiers count the whole use of an item: the bill of the whole is shared among its parts.
    whole: dict[str, float] = {}
    for (item, _, _), quantity in quantities.items():
        whole[item] = whole.get(item, 0.0) + quantity
    cost = {
        key: prices.month(key[0], whole[key[0]]) * (quantity / whole[key[0]] if whole[key[0]] else 0.0)
        for key, quantity in quantities.items()
    }
    return Month(
        times=times,
        successes=successes * scale * times,
        infrastructure=math.fsum(usd for (_, llm, _), usd in cost.items() if not llm),
        llm=math.fsum(usd for (_, llm, _), usd in cost.items() if llm),
        fixed=math.fsum(usd for (_, _, fixed), usd in cost.items() if fixed),
        variable=math.fsum(usd for (_, _, fixed), usd in cost.items() if not fixed),
    )


def break_even(writes: float, reads: float, hours: float, units: float, prices: MonthPrices) -> BreakEven:
    """The traffic from which `units` provisioned are cheaper than on demand.

    Args:
        writes: write units consumed in the window, table and index together.
        reads: read units consumed in the window, table and index together.
        hours: length of the window.
        units: provisioned units, the same for reads and writes of table and index.

    Raises:
        ValueError: a window without length, or a quantity that is negative or not finite.
    """
    if not numbers.SMALLEST <= hours <= numbers.LARGEST:
        raise ValueError("a window without length says nothing about a month")
    numbers.finite(0.0, writes=writes, reads=reads, units=units)
    provisioned = sum(prices.of(item, 2 * units * MONTH_H) for item in (_WRITES[1], _READS[1]))
    scale = MONTH_H / hours
    on_demand = prices.of(_WRITES[0], writes * scale) + prices.of(_READS[0], reads * scale)
    times = provisioned / on_demand if on_demand >= numbers.SMALLEST else None
    per_second = max(writes, reads) / hours / 3600
    return BreakEven(
        units=units,
        provisioned=provisioned,
        on_demand=on_demand,
        times=times,
        fits=None if times is None else per_second * times <= 2 * units,
        write_share=_share(*_WRITES, prices),
        read_share=_share(*_READS, prices),
    )


def _share(on_demand: str, provisioned: str, prices: MonthPrices) -> float:
    """Hourly price of a provisioned unit, as a share of the on-demand price of a unit used in every second."""
    used = prices.of(on_demand, 3600)
    return prices.of(provisioned, 1) / used if used else math.inf
