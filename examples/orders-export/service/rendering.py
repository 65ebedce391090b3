"""What the render function does with the orders of a period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def rows(orders: Iterable[Mapping[str, str]], period: str) -> list[dict[str, object]]:
    """One row an order of the period, `2026-10`, with its total as a number."""
    return [
        {"order": one["order"], "total": float(one["total"])}
        for one in orders
        if one["ordered_at"].startswith(f"{period}-")
    ]
