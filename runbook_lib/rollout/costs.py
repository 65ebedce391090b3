"""What is known of costs: the bill, a month of it, both sides compared, and their course through the rollout.

A success of the synchronous side is a request that the gateway answered: a report that its Lambda finished after the
client's 504 was paid for and reached nobody (docs/domain.md, trap 2). Money without a success is an infinite cost, not
zero (trap 25).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from runbook_lib.base.window import parse
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Evidence, Gate
from runbook_lib.judge.money.cost import CostLine
from runbook_lib.judge.money.projection import BreakEven, Month, break_even, month
from runbook_lib.judge.money.statement import statement
from runbook_lib.observe.evidence.costs import MEASURE, SYNC
from runbook_lib.params.load import Params
from runbook_lib.record.record import Record
from runbook_lib.rollout.timeline import story
from runbook_lib.show.cost import cost_table, month_table
from runbook_lib.show.cost_charts import over_time, stacked, waterfall
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack
from runbook_lib.show.tables import table as shown

TIMES = (1.0, 10.0)
"""Multiples of the window's traffic, for each of which a month is projected."""
Points = list[tuple[dt.datetime, float]]


def months(item: Evidence, params: Params) -> list[Month]:
    """A month at `TIMES` the traffic of the evidence's window; empty where there is no bill."""
    hours = float(item.extra.get("hours") or 0.0)
    lines = [CostLine.model_validate(line) for line in item.extra.get("lines", ())]
    if not lines or hours <= 0:
        return []
    return [month(lines, item.n or 0, hours, params.prices, times) for times in TIMES]


def even(item: Evidence, params: Params) -> BreakEven | None:
    """Compares on demand with the capacity that rollback 3 would provision; None where the window has no bill."""
    hours, used = float(item.extra.get("hours") or 0.0), item.extra.get("consumed")
    units = next((float(one.throttling.units) for one in params.policy.rollbacks.values() if one.throttling), None)
    if hours <= 0 or not used or units is None:
        return None
    return break_even(used["writes"], used["reads"], hours, units, params.prices)


def bill(item: Evidence, params: Params) -> Any:
    """The asynchronous side's bill, and a month of it."""
    shown, projected = cost_table(item), months(item, params)
    return stack(shown, month_table(projected, even(item, params), params.service.noun)) if projected else shown


def compared(check: Check, sync: Evidence, params: Params) -> Any:
    """The costs of both routes as a table and bars, a waterfall between them, and the synchronous side's bill."""
    unit = params.service.noun
    shown = [table(check, unit)]
    sides = {name: check.facts.get(name) or {} for name in ("sync", "async")}
    if all(one.get("lines") for one in sides.values()):
        shown += [
            stacked(sides, params.policy.gate("cost"), params.policy.cost_scope, unit=unit),
            waterfall(sides["sync"], sides["async"], unit=unit),
        ]
    if sync.value is not None:
        shown.append(cost_table(sync, judged=False))
    return stack(*shown)


def history(records: Iterable[Record], params: Params) -> Any:
    """Chart of the cost of a success through the phases, from this environment's records."""
    mine = sorted((one for one in records if one.env == params.env and one.as_of), key=lambda one: one.as_of or "")
    infrastructure, tokens = (
        {name: _points(mine, measure, part) for name, measure in (("sync", SYNC), ("async", MEASURE))}
        for part in ("infrastructure", "llm")
    )
    if not any(infrastructure.values()):
        return line("No look has a bill yet: there is nothing to draw over time.")
    return over_time(infrastructure, tokens, marks=_marks(mine, params), gate=_gate(params), unit=params.service.noun)


def _gate(params: Params) -> Gate | None:
    return params.policy.gate("cost") if params.policy.cost_scope == "infrastructure" else None


def _points(records: Iterable[Record], measure: str, part: str) -> Points:
    """Points of a curve as (time of the look, USD per success); infinite costs are left out."""
    found: Points = []
    for one in records:
        value = ((one.evidence.get(measure) or {}).get("extra") or {}).get(part)
        if isinstance(value, int | float) and math.isfinite(value):
            found.append((parse(one.as_of or ""), float(value)))
    return found


def _marks(records: Iterable[Record], params: Params) -> list[tuple[dt.datetime, str]]:
    """Each change of the weight from the first shift on, with its time by AWS."""
    points = story(records).weights.get(params.env, [])
    first = next((place for place, (_, weight) in enumerate(points) if weight), len(points))
    return [(at, f"{weight:g} %") for at, weight in points[first:]]


CHECK = "cost.compared"
_PARTS = ("infrastructure", "llm", "fixed", "variable")


def compare(own: Evidence, other: Evidence, kept: dict[str, Any] | None, run_id: str) -> Check:
    """Compares the costs of both routes as one advisory check; without synchronous requests that side is from `kept`.

    Args:
        own: evidence of the asynchronous cost.
        other: evidence of the synchronous cost.
        kept: facts of an earlier comparison.
    """
    sync = side(other) | {"run_id": run_id} if other.value is not None else dict((kept or {}).get("sync") or {})
    mine = side(own)
    facts: dict[str, Any] = {"async": mine, "sync": sync, "window": [own.start, own.end]}
    both = bool(sync) and own.value is not None
    told = f"async {_words(mine)}; sync {_words(sync)}" if both else "one of the sides has no usage to compare yet"
    return check(
        CHECK,
        f"Cost per successful {words.unit(own.extra)}, async and sync",
        True if both else None,
        told,
        required=False,
        expected="both sides known",
        found="both" if both else "not both",
        **facts,
    )


def side(one: Evidence) -> dict[str, Any]:
    """Facts of one side: its cost per success, and the bill behind it."""
    infinite = bool(one.extra.get("infinite"))
    each = {name: math.inf if infinite else one.extra.get(name) for name in _PARTS}
    successes = one.n or 0
    note = f"{successes:,} of {one.extra.get('requests', 0):,} requests got a report in time"
    return each | {
        "successes": successes,
        "requests": one.extra.get("requests", 0),
        "hours": one.extra.get("hours", 0.0),
        "low": one.low,
        "high": one.high,
        "lines": one.extra.get("lines", []),
        "note": note,
    }


def from_record(record: Record | None) -> dict[str, Any] | None:
    """Facts of the comparison in an earlier phase's record; None: it has none."""
    found = next((one for one in (record.checks if record else ()) if one.get("id") == CHECK), None)
    return dict(found["facts"]) if found and found.get("facts") else None


def table(compared: Check, unit: str) -> Any:
    """One row for each side; its figures add up, and agree with the side's own bill."""
    rows = [[name, *_cells(compared.facts.get(name) or {})] for name in ("sync", "async")]
    head = (
        "Side",
        "Infrastructure, USD",
        "of it fixed",
        "of it by use",
        "Tokens, USD",
        "Together, USD",
        "Successes",
        "Note",
    )
    return shown(head, rows, caption=f"Cost per successful {unit}", note=compared.reason)


def _cells(facts: dict[str, Any]) -> list[str]:
    successes = int(facts.get("successes") or 0)
    tail = [f"{successes:,}", str(facts.get("note", ""))]
    if not facts.get("lines") or not successes:
        word = "infinite" if facts.get("lines") else "–"
        return [word] * 5 + tail
    rows = statement(facts["lines"], successes, 0)
    each = {(row.scope, row.service, row.fixed): row.per_unit or Decimal(0) for row in rows}
    whole = each["infrastructure", "", False]
    mine = [usd for (scope, service, fixed), usd in each.items() if scope == "infrastructure" and service and fixed]
    fixed = sum(mine, Decimal(0))
    told = facts.get("llm") is not None
    cells = (whole, fixed, whole - fixed, *((each["tokens", "", False], each["both", "", False]) if told else ()))
    return [*(f"{usd:,f}" for usd in cells), *([] if told else ["not known"] * 2), *tail]


def _words(facts: dict[str, Any]) -> str:
    infrastructure, *_, llm, _, _, _ = _cells(facts)
    return f"{infrastructure} USD infrastructure and {llm} USD tokens"
