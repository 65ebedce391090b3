"""Tables of the cost of a report: the bill that adds up, the cost of a month, on demand against provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.money.projection import BreakEven, Month
from runbook_lib.judge.money.statement import Row, statement
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, Shown, span, stack, table

WATCHING = ("The runbook's own", "USD in the window")
WATCHING_CAPTION = "What watching costs"
MONTH_CAPTION = "A month, projected"
MONTH_NOTE = "730 hours like those of the window; fixed charges do not grow with the traffic."


def head(item: Evidence) -> tuple[str, ...]:
    """The heads of the bill's columns."""
    each = f"USD per successful {words.unit(item.extra)}"
    return ("Scope", "Service", "Paid", "USD in the window", each, "USD per request")


def watching_note(item: Evidence) -> str:
    """The note below the runbook's own bill: what it includes, and that no other bill includes it."""
    unit = words.unit(item.extra)
    return f"Of this look, and for the window's hours of its alarms and dashboard. Not in the cost per {unit}."


def month_head(unit: str) -> tuple[str, ...]:
    """The heads of the columns of a projected month."""
    return ("Traffic", f"{unit}s", "Infrastructure, USD", "Tokens, USD", "Both, USD", "Of it fixed", "Of it by use")


def cost_table(item: Evidence, *, judged: bool = True) -> Shown:
    """The bill of one side by service, always with both infrastructure and tokens.

    Rows add up to the subtotals and these to the total, to the last digit, in every column.

    Args:
        judged: whether the gate judges this side; the runbook's own bill is below it.
    """
    lines = item.extra.get("lines", ())
    if not lines:
        said = "; ".join(item.notes) or item.proven_zero_by or "nothing to add up"
        return line(f"Cost per {words.unit(item.extra)}: {said}.")
    rows: list[list[object]] = [
        [*cells[:3], *(Cell(text, nowrap=True) for text in cells[3:])]
        if service
        else [Cell(text, f"<b>{foreign.html(text)}</b>", nowrap=True) for text in cells]
        for service, cells in _cells(item)
    ]
    parts = [table(head(item), rows, caption=caption(item, judged=judged), note=note(item, judged=judged))]
    if item.extra.get("stale"):
        parts.insert(0, line(f"⚠ {item.extra['stale']}"))
    if judged and item.extra.get("runbook"):
        parts.append(_runbook(item))
    return stack(*parts)


def caption(item: Evidence, *, judged: bool = True) -> str:
    """The bill's caption: its side, number of successes, and window."""
    side = "Asynchronous" if judged else "Synchronous"
    return f"{side}: cost of {item.n or 0:,} successful {words.unit(item.extra)}s, {span(item.start, item.end)}"


def note(item: Evidence, *, judged: bool = True) -> str:
    """The note below the bill: how it was made, and which scope the gate judges."""
    scope = item.extra.get("scope")
    whose = f"The gate judges: {scope}." if judged else f"No gate is about this side; {scope} has this spread."
    return f"{item.query}. {whose} {_spread(item)}"


def bill(item: Evidence) -> list[list[str]]:
    """The rows below `head`."""
    return [cells for _, cells in _cells(item)]


def _cells(item: Evidence) -> list[tuple[bool, list[str]]]:
    """The rows of the bill: whether each is a service's (otherwise a sum), and its cells."""
    done, requests = item.n or 0, int(item.extra.get("requests") or 0)
    return [(bool(row.service), _row(row)) for row in statement(item.extra.get("lines", ()), done, requests)]


def _row(row: Row) -> list[str]:
    if row.service:
        first, second, paid = row.scope, row.service, "fixed" if row.fixed else "by use"
    else:
        first, second, paid = ("both", "total", "") if row.scope == "both" else (row.scope, "subtotal", "")
    return [first, second, paid, money(row.usd), _each(row.usd, row.per_unit), _each(row.usd, row.per_request)]


def money(usd: Decimal) -> str:
    """An amount with all its rounded digits."""
    return f"{usd:,f}"


def _each(usd: Decimal, each: Decimal | None) -> str:
    if each is not None:
        return money(each)
    return "infinite" if usd else "–"


def _spread(item: Evidence) -> str:
    if item.low is None or item.high is None:
        return "No interval: too few hours, or no KPI metrics, for one."
    how = str(item.extra.get("method")).replace("periods", "hours")
    return f"95 % interval: {item.low:.6f} to {item.high:.6f} USD ({how})."


def watching(item: Evidence) -> list[list[str]]:
    """The rows of the runbook's own bill, below `WATCHING`; empty: it has none."""
    rows = statement(item.extra.get("runbook") or (), 0, 0)
    return [[row.service or "total", money(row.usd)] for row in rows if row.service or row.scope == "both"]


def _runbook(item: Evidence) -> Shown:
    """The runbook's own bill as a separate table, because it is not part of the cost of a report."""
    cells: list[list[object]] = [[name, Cell(usd, nowrap=True)] for name, usd in watching(item)]
    return table(WATCHING, cells, caption=WATCHING_CAPTION, note=watching_note(item))


def month_rows(months: Sequence[Month]) -> list[list[str]]:
    """The rows below `month_head`."""
    return [
        [
            f"{one.times:g} x",
            f"{one.successes:,.0f}",
            *(f"{usd:,.2f}" for usd in (one.infrastructure, one.llm, one.usd, one.fixed, one.variable)),
        ]
        for one in months
    ]


def month_table(months: Sequence[Month], even: BreakEven | None, unit: str) -> Shown:
    """The table of months at multiples of the traffic, and the traffic from which provisioned capacity is cheaper."""
    rows: list[list[object]] = [[*row] for row in month_rows(months)]
    shown = table(month_head(unit), rows, caption=MONTH_CAPTION, note=MONTH_NOTE)
    return stack(shown, line(even_words(even))) if even else shown


def even_words(even: BreakEven) -> str:
    """The break-even point in one sentence or two."""
    head = (
        f"DynamoDB on demand: {even.on_demand:,.2f} USD a month; provisioned with {even.units:g} read and write units, "
        f"table and index each, as rollback 3 does: {even.provisioned:,.2f} USD, used or not."
    )
    if even.times is None:
        return f"{head} No units were used: on demand is cheaper at any traffic near this."
    if even.times <= 1:
        return f"{head} Provisioned is cheaper already; it breaks even at {even.times:.2g} times this traffic."
    fits = "" if even.fits else ", more than these units can serve: on demand is cheaper as long as they are enough"
    return (
        f"{head} They break even at {even.times:,.0f} times this traffic{fits}; a provisioned write unit pays from "
        f"{100 * even.write_share:.0f} % use on."
    )


def as_rows(item: Evidence) -> list[dict[str, Any]]:
    """The bill as plain rows, for JSON and CSV."""
    done, requests = item.n or 0, int(item.extra.get("requests") or 0)
    return [
        {
            "scope": row.scope,
            "service": row.service or ("total" if row.scope == "both" else "subtotal"),
            "fixed": row.fixed,
            "usd": money(row.usd).replace(",", ""),
            "usd_per_vpr": _each(row.usd, row.per_unit).replace(",", ""),
            "usd_per_request": _each(row.usd, row.per_request).replace(",", ""),
        }
        for row in statement(item.extra.get("lines", ()), done, requests)
    ]
