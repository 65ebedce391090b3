"""Rounds amounts of money so that the shown amounts add up to the shown total, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from runbook_lib.judge.numbers import LARGEST

PLACES = 6
"""Digits behind the point: a millionth of a dollar, less than the cheapest line of a report."""


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
