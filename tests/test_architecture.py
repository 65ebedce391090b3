"""docs/architecture.md says what is there."""

from __future__ import annotations

import re

from tests import architecture


def test_the_picture_is_current() -> None:
    text = architecture.PAGE.read_text("utf-8")
    assert architecture.BEGIN in text and architecture.END in text
    assert architecture.page(text) == text, "make architecture"


def test_arrows_lead_down() -> None:
    place = {room: level for level, floor in enumerate(architecture.floors()) for room in floor}
    assert all(place[high] < place[low] for high, low in architecture.arrows())
    assert len(place) == 13


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(
        r"`((?:runbook_lib|tests|docs|params|notebooks)/[\w./-]*)`", architecture.PAGE.read_text("utf-8")
    )
    assert len(named) > 20
    assert not [one for one in named if not (architecture.ROOT / one).exists()]
