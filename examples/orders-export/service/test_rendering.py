"""The rows of an export."""

from __future__ import annotations

from rendering import rows

ORDERS = [
    {"order": "1001", "total": "12.50", "ordered_at": "2026-10-03T09:00:00Z"},
    {"order": "1002", "total": "3", "ordered_at": "2026-11-01T00:00:00Z"},
]


def test_only_orders_of_the_period_are_exported() -> None:
    assert rows(ORDERS, "2026-10") == [{"order": "1001", "total": 12.5}]
    assert rows(ORDERS, "2026-12") == []
