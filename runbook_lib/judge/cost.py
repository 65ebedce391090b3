"""What a report costs: usage times price list, per successful VPR (DOMAIN.md, trap 25).

Usage is a list of lines (service, priced item, quantity), so a new kind of charge is a new line and no new code here.
Infrastructure and the LLM's tokens are kept apart to the end: "cost per VPR < $0.01" speaks of the first, and the
second is many times as much. Failures and retries are in the usage and not among the successes, so they make a success
dearer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import Field
from scipy import special

from runbook_lib.judge.model import Frozen

Scope = Literal["infrastructure", "total"]
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
    """Paid also without traffic (idle polling of the queue)."""

    @property
    def llm(self) -> bool:
        """True for tokens, False for infrastructure."""
        return self.item.startswith("llm.")


class Usage(Frozen):
    """Everything that one path (sync or async) used in one window, and the reports that came of it."""

    path: Literal["async", "sync"]
    successes: int = Field(ge=0)
    """VPRs that reached a client that still waited."""
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
    """Cost per successful VPR in USD, and what it is made of. Infinite where money was spent and nothing succeeded."""

    scope: Scope
    value: float | None
    """Of the configured scope; None where nothing was used and nothing succeeded."""
    low: float | None = None
    high: float | None = None
    method: str | None = None
    """How the interval was made; None: there is none."""
    n: int
    """Successful VPRs that the money is spread over."""
    infrastructure: float | None
    """Per successful VPR, without tokens."""
    llm: float | None
    """Per successful VPR, tokens alone."""
    lines: tuple[CostLine, ...]
    """The invoice of the whole window (not per VPR)."""

    @property
    def usd(self) -> float:
        """The window's whole invoice, infrastructure and tokens."""
        return math.fsum(line.usd for line in self.lines)


class AsyncCounts(Frozen):
    """What CloudWatch and the census counted on the async path in one window. Seconds are summed durations."""

    api: Literal["rest", "http"]
    successes: int = Field(ge=0)
    submits: float = Field(ge=0)
    """Requests of the submit route."""
    polls: float = Field(ge=0)
    """Requests of the status route."""
    submit_s: float = Field(ge=0)
    submit_mb: int = Field(gt=0)
    worker_runs: float = Field(ge=0)
    """Invocations, retries included."""
    worker_s: float = Field(ge=0)
    worker_mb: int = Field(gt=0)
    status_s: float = Field(ge=0)
    status_mb: int = Field(gt=0)
    queue_sent: float = Field(default=0, ge=0)
    queue_received: float = Field(default=0, ge=0)
    queue_deleted: float = Field(default=0, ge=0)
    queue_empty_receives: float = Field(default=0, ge=0)
    """Long polls that came back empty: paid also without traffic."""
    write_units: float = Field(default=0, ge=0)
    """Table and index together: CloudWatch counts the index apart."""
    read_units: float = Field(default=0, ge=0)
    puts: float = Field(default=0, ge=0)
    gets: float = Field(default=0, ge=0)
    input_tokens: float = Field(default=0, ge=0)
    output_tokens: float = Field(default=0, ge=0)

    def usage(self) -> Usage:
        """The priced lines of these counts."""
        requests = f"apigateway.{self.api}_requests"
        rows: tuple[tuple[str, str, float], ...] = (
            ("API submit", requests, self.submits),
            ("API polls", requests, self.polls),
            ("Lambda submit", "lambda.requests", self.submits),
            ("Lambda submit", "lambda.gb_seconds", self.submit_s * self.submit_mb / 1024),
            ("Lambda worker", "lambda.requests", self.worker_runs),
            ("Lambda worker", "lambda.gb_seconds", self.worker_s * self.worker_mb / 1024),
            ("Lambda status", "lambda.requests", self.polls),
            ("Lambda status", "lambda.gb_seconds", self.status_s * self.status_mb / 1024),
            ("queue", "sqs.requests", self.queue_sent + self.queue_received + self.queue_deleted),
            ("table", "dynamodb.write_units", self.write_units),
            ("table", "dynamodb.read_units", self.read_units),
            ("bucket", "s3.put_requests", self.puts),
            ("bucket", "s3.get_requests", self.gets),
            ("LLM", "llm.input_tokens", self.input_tokens),
            ("LLM", "llm.output_tokens", self.output_tokens),
        )
        lines = [UsageLine(service=service, item=item, quantity=quantity) for service, item, quantity in rows]
        idle = UsageLine(service="queue", item="sqs.requests", quantity=self.queue_empty_receives, fixed=True)
        return Usage(path="async", successes=self.successes, lines=(*lines, idle))


def invoice(usage: Usage, prices: PriceList) -> tuple[CostLine, ...]:
    """Each usage line with its price.

    Raises:
        KeyError: an item has no price.
    """
    return tuple(
        CostLine(
            service=line.service, item=line.item, quantity=line.quantity, usd=prices.of(line.item, line.quantity),
            fixed=line.fixed, llm=line.llm,
        )
        for line in usage.lines
    )  # fmt: skip


def _each(usd: float, successes: int) -> float | None:
    if successes:
        return usd / successes
    return math.inf if usd > 0 else None


def _spent(lines: Sequence[CostLine], *, llm: bool) -> float:
    return math.fsum(line.usd for line in lines if line.llm is llm)


def _interval(costs: Sequence[float], successes: Sequence[int], confidence: float) -> tuple[float, float] | None:
    """Delta method for a ratio of sums over m periods: var R = m/(m-1) * sum (c_i - R s_i)^2 / (sum s)^2."""
    m, total = len(costs), sum(successes)
    if m < LEAST_PERIODS or total == 0:
        return None
    ratio = math.fsum(costs) / total
    spread = math.fsum((cost - ratio * count) ** 2 for cost, count in zip(costs, successes, strict=True))
    half = float(special.ndtri((1 + confidence) / 2)) * math.sqrt(m / (m - 1) * spread) / total
    return max(0.0, ratio - half), ratio + half


def cost_per_vpr(
    usage: Usage, prices: PriceList, scope: Scope, *, periods: Sequence[Usage] = (), confidence: float = 0.95
) -> Amount:
    """Cost per successful VPR in USD, by scope.

    Args:
        usage: of the whole window.
        prices: the price list.
        scope: what the gate is about; infrastructure and tokens are both in the answer.
        periods: the same usage, period by period (hours): gives the interval, from `LEAST_PERIODS` on.
        confidence: of that interval, two-sided.

    Raises:
        KeyError: an item has no price.
    """
    lines = invoice(usage, prices)
    infrastructure, llm = _spent(lines, llm=False), _spent(lines, llm=True)

    def scoped(priced: Sequence[CostLine]) -> float:
        return math.fsum(line.usd for line in priced if scope == "total" or not line.llm)

    extent = _interval(
        [scoped(invoice(part, prices)) for part in periods], [part.successes for part in periods], confidence
    )
    return Amount(
        scope=scope,
        value=_each(scoped(lines), usage.successes),
        low=extent[0] if extent else None,
        high=extent[1] if extent else None,
        method=f"delta method over {len(periods)} periods" if extent else None,
        n=usage.successes,
        infrastructure=_each(infrastructure, usage.successes),
        llm=_each(llm, usage.successes),
        lines=lines,
    )
