"""Where MiniStack differs from AWS in what it keeps and lists, corrected inside its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

EVERY_S = 6 * 3600.0


def expired(items: Mapping[str, Mapping[str, Any]], attribute: str, now: float) -> Iterator[tuple[str, str]]:
    """Partition and sort key of the items whose `attribute` (a number, epoch seconds) is earlier than `now`."""
    for partition, sorted_items in items.items():
        for key, item in sorted_items.items():
            number = item.get(attribute, {}).get("N")
            if number is not None and float(number) < now:
                yield partition, key


def expire() -> Callable[[float], None]:
    """A function to call with the time whenever the clock was moved."""
    from ministack.services import dynamodb

    last = 0.0

    def reap(now: float) -> None:
        nonlocal last
        if now < last + EVERY_S:
            return
        last = now
        with dynamodb._lock:
            for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
                table = dynamodb._tables.get_scoped(account, region, name)
                if table and setting.get("TimeToLiveStatus") == "ENABLED":
                    for gone in list(expired(table["items"], setting["AttributeName"], now)):
                        dynamodb._remove_item(table, *gone)

    return reap
