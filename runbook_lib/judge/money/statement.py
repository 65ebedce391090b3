"""The rows of a bill, with subtotals and a total that add up to the last digit. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from runbook_lib.judge.numbers import LARGEST

PLACES = 6
"""Digits behind the point: a millionth of a dollar, less than the cheapest line of a report."""
SCOPES = ("infrastructure", "tokens")
GROUPS: dict[str, str] = {
    "API": "API",
    "Lambda": "Lambda",
    "queue": "queue",
    "table": "table",
    "bucket": "bucket and data out",
    "data": "bucket and data out",
    "logs": "logs and KPI metrics",
    "KPI": "logs and KPI metrics",
    "LLM": "tokens",
    "LLM,": "tokens of cut-off runs",
}
"""First word of a line's service to its part of a chart."""


class Row(NamedTuple):
    """One row of a bill; `service` empty: the subtotal of its scope; scope `both`: the total."""

    scope: str
    service: str
    fixed: bool
    usd: Decimal
    """USD in the window."""
    per_unit: Decimal | None
    """USD per success; None: infinite, or nothing was spent and nothing succeeded."""
    per_request: Decimal | None


def statement(lines: Iterable[Mapping[str, Any]], successes: int, requests: int, places: int = PLACES) -> list[Row]:
    """The lines of a bill (of `CostLine.model_dump`) by scope, service and fixed or not, with subtotals and the total.

    In each column the rows of a scope add up to its subtotal as shown, and the subtotals to the total as shown.
    """
    sums: dict[tuple[str, str, bool], float] = {}
    for line in lines:
        key = (SCOPES[bool(line["llm"])], str(line["service"]), bool(line["fixed"]))
        sums[key] = sums.get(key, 0.0) + float(line["usd"])
    window, by_unit, by_request = (_column(sums, over, places) for over in (1, successes, requests))
    rows = []
    for key in (
        *(k for scope in SCOPES for k in (*(o for o in sums if o[0] == scope), (scope, "", False))),
        ("both", "", False),
    ):
        assert window is not None  # noqa: S101  # it is spread over 1
        rows.append(Row(*key, window[key], by_unit[key] if by_unit else None, by_request[key] if by_request else None))
    return rows


def _column(
    sums: Mapping[tuple[str, str, bool], float], over: int, places: int
) -> dict[tuple[str, str, bool], Decimal] | None:
    """Each row's amount divided by `over`, rounded from the total down; None: `over` is 0 or unknown."""
    if not over:
        return None
    by_scope = [[key for key in sums if key[0] == scope] for scope in SCOPES]
    each = {key: exact(usd) / over for key, usd in sums.items()}
    # Decimals throughout: a scope's sum in floats may be below that of its rows, which then cannot add up to it.
    totals = parts([sum((each[key] for key in keys), Decimal(0)) for keys in by_scope], places=places)
    column = {("both", "", False): sum(totals, Decimal(0))}
    for scope, keys, total in zip(SCOPES, by_scope, totals, strict=True):
        column[scope, "", False] = total
        column |= dict(zip(keys, parts([each[key] for key in keys], total, places), strict=True))
    return column


def grouped(lines: Iterable[Mapping[str, Any]], successes: int) -> dict[str, float]:
    """USD per success by part of a chart; every line is in exactly one part.

    Raises:
        ValueError: no success.
    """
    if not successes:
        raise ValueError("no success to spread the bill over")
    sums: dict[str, float] = {}
    for line in lines:
        part = GROUPS.get(str(line["service"]).split()[0], str(line["service"]))
        sums[part] = sums.get(part, 0.0) + float(line["usd"]) / successes
    return sums


def exact(usd: float | Decimal) -> Decimal:
    """The shortest decimal for this float; a Decimal unchanged.

    Raises:
        ValueError: not finite.
    """
    if not math.isfinite(usd):
        raise ValueError(f"{usd} is no amount of money")
    return usd if isinstance(usd, Decimal) else Decimal(repr(float(usd)))


def parts(amounts: Sequence[float | Decimal], total: Decimal | None = None, places: int = PLACES) -> list[Decimal]:
    """`amounts` (n,) rounded so that they add up to `total` exactly, by the largest remainder.

    Each is off by less than one unit of the last place. Hamilton's method of apportionment (Balinski
    and Young, Fair Representation, 1982, ch. 3).

    Args:
        total: their sum as shown elsewhere; None: the rounded sum.

    Raises:
        ValueError: an amount is not finite, or rounding cannot reach `total`.
    """
    unit = Decimal(1).scaleb(-places)
    if not all(abs(float(amount)) <= LARGEST for amount in amounts):
        raise ValueError(f"{list(amounts)}: not every amount is finite")
    known = [exact(amount) for amount in amounts]
    wanted = sum(known, Decimal(0)).quantize(unit, ROUND_HALF_EVEN) if total is None else total
    floors = [one.quantize(unit, ROUND_FLOOR) for one in known]
    missing = int((wanted - sum(floors, Decimal(0))) / unit)
    if not 0 <= missing <= len(known):
        raise ValueError(f"{list(amounts)} cannot be rounded to add up to {wanted}")
    # The largest remainders are rounded up; of equal ones the first.
    order = sorted(range(len(known)), key=lambda k: (floors[k] - known[k], k))
    up = set(order[:missing])
    return [floor + unit if k in up else floor for k, floor in enumerate(floors)]
