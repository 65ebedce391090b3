"""The cost of a successful VPR, asynchronous and synchronous side by side, infrastructure and tokens apart.

A success of the synchronous side is what the gateway answered: what its Lambda finished after the client's 504 was paid
for and reached nobody (docs/domain.md, trap 2). Money without a success is infinite, not zero (trap 25).
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.money.statement import statement
from runbook_lib.record.record import Record

CHECK = "cost.compared"
_PARTS = ("infrastructure", "llm", "fixed", "variable")


def compare(own: Evidence, other: Evidence, kept: dict[str, Any] | None, run_id: str) -> Check:
    """Both sides as one advisory check; where no request is synchronous any more, that side as `kept` has it.

    Args:
        own: evidence of the asynchronous cost.
        other: evidence of the synchronous cost.
        kept: facts of an earlier comparison.
    """
    sync = side(other) | {"run_id": run_id} if other.value is not None else dict((kept or {}).get("sync") or {})
    mine = side(own)
    facts: dict[str, Any] = {"async": mine, "sync": sync, "window": [own.start, own.end]}
    both = bool(sync) and own.value is not None
    words = f"async {_words(mine)}; sync {_words(sync)}" if both else "one of the sides has no usage to compare yet"
    return check(
        CHECK, "Cost per successful VPR, async and sync", True if both else None, words, required=False,
        expected="both sides known", found="both" if both else "not both", **facts,
    )  # fmt: skip


def side(one: Evidence) -> dict[str, Any]:
    """What one side cost per successful VPR, and the bill that it comes from."""
    infinite = bool(one.extra.get("infinite"))
    each = {name: math.inf if infinite else one.extra.get(name) for name in _PARTS}
    successes = one.n or 0
    note = f"{successes:,} of {one.extra.get('requests', 0):,} requests came to a report in time"
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
    """The facts of the comparison that an earlier phase made."""
    found = next((one for one in (record.checks if record else ()) if one.get("id") == CHECK), None)
    return dict(found["facts"]) if found and found.get("facts") else None


def table(compared: Check) -> Any:
    """One row a side; what stands in a row adds up, and is what the side's own bill says."""
    from runbook_lib.show.tables import table as shown

    rows = [[name, *_cells(compared.facts.get(name) or {})] for name in ("sync", "async")]
    head = ("Side", "Infrastructure, USD", "of it fixed", "of it by use", "Tokens, USD", "Together, USD", "Successes",
            "Note")  # fmt: skip
    return shown(head, rows, caption="Cost per successful VPR", note=compared.reason)


def _cells(facts: dict[str, Any]) -> list[str]:
    successes = int(facts.get("successes") or 0)
    tail = [f"{successes:,}", str(facts.get("note", ""))]
    if not facts.get("lines") or not successes:
        word = "infinite" if facts.get("lines") else "–"
        return [word] * 5 + tail
    rows = statement(facts["lines"], successes, 0)
    each = {(row.scope, row.service, row.fixed): row.per_vpr or Decimal(0) for row in rows}
    whole = each["infrastructure", "", False]
    mine = [usd for (scope, service, fixed), usd in each.items() if scope == "infrastructure" and service and fixed]
    fixed = sum(mine, Decimal(0))
    told = facts.get("llm") is not None
    cells = (whole, fixed, whole - fixed, *((each["tokens", "", False], each["both", "", False]) if told else ()))
    return [*(f"{usd:,f}" for usd in cells), *([] if told else ["not known"] * 2), *tail]


def _words(facts: dict[str, Any]) -> str:
    infrastructure, *_, llm, _, _, _ = _cells(facts)
    return f"{infrastructure} USD infrastructure and {llm} USD tokens"
