"""Evidence about money: the cost of a success on each route, and of the runbook itself. Pure."""

from __future__ import annotations

import math
from typing import Any

from runbook_lib.judge.model import Evidence
from runbook_lib.judge.money.charges import AsyncCounts, SyncCounts
from runbook_lib.judge.money.cost import Amount, Usage, cost_per_vpr, invoice
from runbook_lib.judge.words import count as counted
from runbook_lib.observe.evidence import usage
from runbook_lib.observe.evidence.questions import label
from runbook_lib.observe.evidence.seen import Answered, unseen
from runbook_lib.params.prices import NoPrices

MEASURE, SYNC = "cost_per_vpr", "cost_per_vpr_sync"
_NO_TOKENS = "neither the table nor a KPI says how many tokens the jobs took: what the LLM costs is not known"
_INFINITE = "money was spent and there is no success to spread it over: infinite"


def _unpriced(seen: Answered, measure: str) -> Evidence | None:
    """Evidence without a figure where the region has no price list, with a note where to put one; None: it has one."""
    prices = seen.params.prices
    if not isinstance(prices, NoPrices):
        return None
    return seen.evidence(measure, "amount", "usage in CloudWatch x list prices", seen.whole, (), notes=(prices.why,))


def async_cost(seen: Answered) -> Evidence:
    """Evidence of the cost of a result that reached its client in time; the gate judges it."""
    if (none := _unpriced(seen, MEASURE)) is not None:
        return none
    prices, window = seen.params.prices, seen.whole
    scope = seen.params.policy.cost_scope
    done = seen.params.service.contract.table.done
    query = f"usage in CloudWatch and the census x list prices of {prices.date} / jobs {done} in time ({scope})"
    labels = tuple(map(label, usage.billed(seen)))
    if seen.segment is None:
        return seen.evidence(MEASURE, "amount", query, window, labels, notes=("no census was taken",))
    counts = usage.async_counts(seen)
    if isinstance(counts, str):
        quiet = seen.idle if not seen.segment.n else None
        empty = {"n": 0, "proven_zero_by": quiet} if quiet else {}
        return seen.evidence(MEASURE, "amount", query, window, labels, notes=(counts,), **empty)
    missed, words, _ = unseen(seen)
    used = usage.tokens(seen)
    uncounted = used.uncounted
    if used.unknown and scope == "total":
        return seen.evidence(MEASURE, "amount", query, window, labels, notes=(*words, _NO_TOKENS))
    notes = [*words, *usage.assumed(seen), *([_NO_TOKENS] if used.unknown else [])]
    if seen.segment.probes:
        own = counted(seen.segment.probes, "request")
        notes.append(f"{own} of our own in the infrastructure's usage, and not among the successes")
    if uncounted:
        notes.append(
            f"{counted(round(uncounted), 'run')} called the LLM and left no count of tokens: "
            "paid all the same, as the mean"
        )
    return _evidence(
        seen,
        MEASURE,
        query,
        labels,
        counts,
        usage.async_hours(seen),
        notes,
        partial=missed,
        tokens=not used.unknown,
        more={
            "runbook": _lines(usage.runbook_counts(seen).usage(), seen),
            "consumed": usage.consumed(seen, seen.whole),
        },
    )


def sync_cost(seen: Answered) -> Evidence:
    """Evidence of the cost of a result that the gateway delivered in time; shown for comparison, without a gate."""
    if (none := _unpriced(seen, SYNC)) is not None:
        return none
    query = f"usage in CloudWatch x list prices of {seen.params.prices.date} / requests that the gateway answered"
    labels = tuple(map(label, usage.SYNC_BILLED))
    counts = usage.sync_counts(seen)
    if isinstance(counts, str):
        return seen.evidence(SYNC, "amount", query, seen.whole, labels, notes=(counts,))
    said = f"the gateway answered {counts.successes:,} of {round(counts.requests):,} requests"
    return _evidence(seen, SYNC, query, labels, counts, usage.sync_hours(seen), [said])


def _evidence(
    seen: Answered,
    measure: str,
    query: str,
    labels: tuple[str, ...],
    counts: AsyncCounts | SyncCounts,
    hours: list[Usage],
    notes: list[str],
    *,
    partial: bool = False,
    tokens: bool = True,
    more: dict[str, Any] | None = None,
) -> Evidence:
    policy, prices = seen.params.policy, seen.params.prices
    amount = cost_per_vpr(counts.usage(), prices, policy.cost_scope, periods=hours, confidence=policy.confidence)
    infinite = amount.value is not None and math.isinf(amount.value)
    aside = [*notes, *([_INFINITE] if infinite else [])]
    requests = counts.submits if isinstance(counts, AsyncCounts) else counts.requests
    return seen.evidence(
        measure,
        "amount",
        query,
        seen.whole,
        labels,
        value=amount.value,
        low=amount.low,
        high=amount.high,
        n=amount.n,
        partial=partial,
        notes=tuple(aside),
        extra={
            "infinite": infinite,
            "scope": amount.scope,
            "method": amount.method,
            "usd": amount.usd,
            "hours": counts.hours,
            "requests": round(requests),
            "stale": prices.stale(seen.now.date()),
            **_parts(amount, infinite=infinite),
            **({} if tokens else {"llm": None}),
            **({"unit": seen.params.service.unit} if seen.params.service.unit else {}),
            "lines": [line.model_dump(mode="json") for line in amount.lines if tokens or not line.llm],
            **(more or {}),
        },
    )


def _parts(amount: Amount, *, infinite: bool) -> dict[str, float | None]:
    """Parts of the cost of a success, by name; None where it is infinite, which JSON does not know."""
    names = ("infrastructure", "llm", "fixed", "variable")
    return {name: None if infinite else getattr(amount, name) for name in names}


def _lines(used: Usage, seen: Answered) -> list[dict[str, Any]]:
    return [line.model_dump(mode="json") for line in invoice(used, seen.params.prices)]
