"""The cost of a successful VPR, asynchronous and synchronous side by side, infrastructure and tokens apart.

A success of the synchronous side is what the gateway answered: what its Lambda finished after the client's 504 was paid
for and reached nobody (DOMAIN.md, trap 2). Money without a success is infinite, not zero (trap 25).
"""

from __future__ import annotations

import math
from typing import Any

from runbook_lib.judge.checks import Check, check
from runbook_lib.judge.model import Evidence
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
    """One row a side."""
    from runbook_lib.show.tables import table as shown

    rows = []
    for name in ("sync", "async"):
        facts = compared.facts.get(name) or {}
        cells = [_usd(facts.get(part)) for part in _PARTS]
        both = [float(facts[part]) for part in ("infrastructure", "llm") if facts.get(part) is not None]
        rows.append(
            [name, *cells, _usd(math.fsum(both)) if len(both) == 2 else "–", f"{facts.get('successes', 0):,}",
             facts.get("note", "")]
        )  # fmt: skip
    head = ("Side", "Infrastructure, USD", "Tokens, USD", "Fixed, USD", "Variable, USD", "Together, USD", "Successes",
            "Note")  # fmt: skip
    return shown(head, rows, caption="Cost per successful VPR", note=compared.reason)


def _usd(value: Any) -> str:
    if value is None:
        return "–"
    return "infinite" if math.isinf(float(value)) else f"{float(value):.6f}"


def _words(facts: dict[str, Any]) -> str:
    return f"{_usd(facts.get('infrastructure'))} USD infrastructure and {_usd(facts.get('llm'))} USD tokens"
