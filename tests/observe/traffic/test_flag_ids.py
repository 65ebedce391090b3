"""Deployments are listed newest first, and no page is asked for that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.traffic.flag_ids import listed


class Pages:
    """An AppConfig that lists deployments in this order, a page at a time, and counts the pages asked for."""

    def __init__(self, numbers: list[int], size: int) -> None:
        self.numbers, self.size, self.asked = numbers, size, 0

    def get_paginator(self, _: str) -> Pages:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        for at in range(0, max(len(self.numbers), 1), self.size):
            self.asked += 1
            yield {"Items": [{"DeploymentNumber": number} for number in self.numbers[at : at + self.size]]}


@given(
    made=st.integers(0, 40), size=st.integers(1, 12), most=st.none() | st.integers(1, 20), newest_first=st.booleans()
)
def test_the_newest_are_listed_whatever_the_order_and_no_more_pages_are_read(
    made: int, size: int, most: int | None, newest_first: bool
) -> None:
    appconfig = Pages(sorted(range(1, made + 1), reverse=newest_first), size)
    assert list(listed(appconfig, {}, most)) == list(range(made, 0, -1))[:most]
    if newest_first and most is not None:
        assert appconfig.asked <= -(-max(most, 2) // size)
