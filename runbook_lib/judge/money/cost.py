"""The cost of a report: usage times price list, per success (docs/domain.md, trap 25).

Usage is a list of lines (service, priced item, quantity), so a new kind of charge is a new line and no new code here.
Infrastructure and the LLM's tokens are separate throughout: "cost per report < $0.01" is about the first, and the
second is many times as much. Failures and retries are in the usage but not among the successes, so they make a success
more expensive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from pydantic import Field

from runbook_lib.judge import numbers
from runbook_lib.judge.terms import Frozen

Scope = Literal["infrastructure", "total"]
Path = Literal["async", "sync", "runbook"]
LEAST_PERIODS = 8
"""Least periods for an interval: with fewer, that of the delta method would be a guess."""


class PriceList(Protocol):
    """The methods of a price list (`policy.Prices` is one)."""

    def of(self, item: str, quantity: float, /) -> float:
        """USD for `quantity` of `item`; raises KeyError where it has no price."""
        ...


class UsageLine(Frozen):
    """One priced quantity, such as 1,234 GB-seconds of the worker."""

    service: str
    """Row of the table: `worker`, `queue`, `table`, `llm`, ..."""
    item: str
    """Key of the price list: `lambda.gb_seconds`."""
    quantity: float = Field(ge=0, allow_inf_nan=False)
    fixed: bool = False
    """Whether it is paid without traffic too: by the hour, or for idle polling of the queue."""

    @property
    def llm(self) -> bool:
        """Whether the line is for tokens; False: for infrastructure."""
        return self.item.startswith("llm.")


class Usage(Frozen):
    """Everything that one path used in one window, and its finished reports."""

    path: Path
    successes: int = Field(ge=0)
    """Number of results that reached a client that still waited."""
    lines: tuple[UsageLine, ...]

    def __add__(self, other: Usage) -> Usage:
        """Usage of two windows together: quantities of the same line are summed."""
        if self.path != other.path:
            raise ValueError(f"usage of {self.path} and {other.path} does not add up to one path")
        sums: dict[tuple[str, str, bool], list[float]] = {}
        for line in (*self.lines, *other.lines):
            sums.setdefault((line.service, line.item, line.fixed), []).append(line.quantity)
        lines = tuple(
            UsageLine(service=service, item=item, fixed=fixed, quantity=math.fsum(parts))
            for (service, item, fixed), parts in sums.items()
        )
        return Usage(path=self.path, successes=self.successes + other.successes, lines=lines)


class CostLine(Frozen):
    """A usage line with its price in USD."""

    service: str
    item: str
    quantity: float
    usd: float
    fixed: bool
    llm: bool


class Amount(Frozen):
    """Cost per success in USD, and its parts. Infinite where money was spent and nothing succeeded."""

    scope: Scope
    value: float | None
    """Cost of the configured scope; None where nothing was used and nothing succeeded."""
    low: float | None = None
    high: float | None = None
    method: str | None = None
    """How the interval was made; None: there is none."""
    n: int
    """Number of successes that share the cost."""
    infrastructure: float | None
    """USD per success without tokens."""
    llm: float | None
    """USD per success for tokens only."""
    fixed: float | None
    """USD per success, in the scope, that is paid without traffic too."""
    variable: float | None
    """USD per success, in the scope, that grows with the traffic."""
    lines: tuple[CostLine, ...]
    """The invoice of the whole window (not per success)."""

    @property
    def usd(self) -> float:
        """The window's whole invoice, infrastructure and tokens."""
        return math.fsum(line.usd for line in self.lines)


def invoice(usage: Usage, prices: PriceList) -> tuple[CostLine, ...]:
    """All usage lines with their prices.

    Raises:
        KeyError: an item has no price.
    """
    return tuple(
        CostLine(
            service=line.service,
            item=line.item,
            quantity=line.quantity,
            usd=prices.of(line.item, line.quantity),
            fixed=line.fixed,
            llm=line.llm,
        )
        for line in usage.lines
    )


def _each(usd: float, successes: int) -> float | None:
    if successes:
        return usd / successes
    return math.inf if usd > 0 else None


def _usd(usage: Usage, prices: PriceList, scope: Scope) -> float:
    """The sum of the invoice's lines of the scope; without the lines, of which a day has five hundred."""
    return math.fsum(prices.of(line.item, line.quantity) for line in usage.lines if scope == "total" or not line.llm)


def _sum(lines: Iterable[CostLine]) -> float:
    return math.fsum(line.usd for line in lines)


def _interval(costs: Sequence[float], successes: Sequence[int], confidence: float) -> tuple[float, float] | None:
    """Ratio of sums over m periods, and half of its interval's width, by the delta method.

    var R = m/(m-1) * sum (c_i - R s_i)^2 / (sum s)^2 (Cochran, Sampling Techniques, 3rd ed., sec. 2.11).
    """
    m, total = len(costs), sum(successes)
    if m < LEAST_PERIODS or total == 0:
        return None
    ratio = math.fsum(costs) / total
    spread = math.fsum((cost - ratio * count) ** 2 for cost, count in zip(costs, successes, strict=True))
    from runbook_lib.judge.special import special  # late: a rollback, which computes no cost, loads the policy too

    return ratio, float(special.ndtri((1 + confidence) / 2)) * math.sqrt(m / (m - 1) * spread) / total


def cost_per_vpr(
    usage: Usage, prices: PriceList, scope: Scope, *, periods: Sequence[Usage] = (), confidence: float = 0.95
) -> Amount:
    """Cost per success in USD, by scope.

    Args:
        usage: of the whole window.
        prices: prices of all items.
        scope: the part that the gate judges; the result has infrastructure and tokens in any case.
        periods: the same usage by periods (hours), for the interval; from `LEAST_PERIODS` on. Their successes may be
            counted in another way than the window's: the interval keeps its width relative to the value.
        confidence: of that interval, two-sided.

    Raises:
        KeyError: an item has no price.
        ValueError: `confidence` is no probability.
    """
    numbers.chance(confidence=confidence)
    lines = invoice(usage, prices)
    mine = scoped(lines, scope)
    value = _each(_sum(mine), usage.successes)
    ratio = _interval(
        [_usd(part, prices, scope) for part in periods],
        [part.successes for part in periods],
        confidence,
    )
    extent = None
    if ratio and ratio[0] and value is not None and math.isfinite(value):
        half = value * ratio[1] / ratio[0]
        extent = max(0.0, value - half), value + half
    return Amount(
        scope=scope,
        value=value,
        low=extent[0] if extent else None,
        high=extent[1] if extent else None,
        method=f"delta method over {len(periods)} periods" if extent else None,
        n=usage.successes,
        infrastructure=_each(_sum(scoped(lines, "infrastructure")), usage.successes),
        llm=_each(_sum(line for line in lines if line.llm), usage.successes),
        fixed=_each(_sum(line for line in mine if line.fixed), usage.successes),
        variable=_each(_sum(line for line in mine if not line.fixed), usage.successes),
        lines=lines,
    )


def scoped(lines: Iterable[CostLine], scope: Scope) -> tuple[CostLine, ...]:
    """The lines that belong to the scope."""
    return tuple(line for line in lines if scope == "total" or not line.llm)
