"""What a report costs: usage times price list, per success (docs/domain.md, trap 25).

Usage is a list of lines (service, priced item, quantity), so a new kind of charge is a new line and no new code here.
Infrastructure and the LLM's tokens are kept apart to the end: "cost per report < $0.01" speaks of the first, and the
second is many times as much. Failures and retries are in the usage and not among the successes, so they make a success
dearer.
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
"""Below this many periods the delta method's interval would be a guess."""


class PriceList(Protocol):
    """What is asked of a price list (`policy.Prices` is one)."""

    def of(self, item: str, quantity: float, /) -> float:
        """USD for `quantity` of `item`; KeyError where it has no price."""
        ...


class UsageLine(Frozen):
    """One priced quantity, such as 1,234 GB-seconds of the worker."""

    service: str
    """Row of the table: `worker`, `queue`, `table`, `llm`, ..."""
    item: str
    """Key of the price list: `lambda.gb_seconds`."""
    quantity: float = Field(ge=0, allow_inf_nan=False)
    fixed: bool = False
    """Paid also without traffic: by the hour, or for idle polling of the queue."""

    @property
    def llm(self) -> bool:
        """True for tokens, False for infrastructure."""
        return self.item.startswith("llm.")


class Usage(Frozen):
    """Everything that one path used in one window, and the reports that came of it."""

    path: Path
    successes: int = Field(ge=0)
    """Results that reached a client that still waited."""
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
    """Cost per success in USD, and what it is made of. Infinite where money was spent and nothing succeeded."""

    scope: Scope
    value: float | None
    """Of the configured scope; None where nothing was used and nothing succeeded."""
    low: float | None = None
    high: float | None = None
    method: str | None = None
    """How the interval was made; None: there is none."""
    n: int
    """Successes that the money is spread over."""
    infrastructure: float | None
    """Per success, without tokens."""
    llm: float | None
    """Per success, tokens alone."""
    fixed: float | None
    """Per success, of the scope: what is paid without traffic, too."""
    variable: float | None
    """Per success, of the scope: what grows with the traffic."""
    lines: tuple[CostLine, ...]
    """The invoice of the whole window (not per success)."""

    @property
    def usd(self) -> float:
        """The window's whole invoice, infrastructure and tokens."""
        return math.fsum(line.usd for line in self.lines)


def invoice(usage: Usage, prices: PriceList) -> tuple[CostLine, ...]:
    """Each usage line with its price.

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
    from scipy import special  # here: the policy is loaded where nothing is reckoned, by a rollback too

    return ratio, float(special.ndtri((1 + confidence) / 2)) * math.sqrt(m / (m - 1) * spread) / total


def cost_per_vpr(
    usage: Usage, prices: PriceList, scope: Scope, *, periods: Sequence[Usage] = (), confidence: float = 0.95
) -> Amount:
    """Cost per success in USD, by scope.

    Args:
        usage: of the whole window.
        prices: the price list.
        scope: what the gate is about; infrastructure and tokens are both in the answer.
        periods: the same usage, period by period (hours): gives the interval, from `LEAST_PERIODS` on. Their successes
            may be counted otherwise than the window's: the interval keeps its width relative to the value.
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
    """The lines that the scope is about."""
    return tuple(line for line in lines if scope == "total" or not line.llm)
