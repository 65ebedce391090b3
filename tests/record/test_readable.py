"""Cells for every reader: keyboard, screen reader, small page."""

from __future__ import annotations

import itertools
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.record.readable import Contents, readable
from runbook_lib.show.tables import Cell, table
from runbook_lib.show.whole import KEPT

LEVELS = st.lists(st.integers(1, 6), min_size=1, max_size=12)


class Heads(HTMLParser):
    """The headings of a page: level and id."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[int, str | None]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.found.append((int(tag[1]), dict(attrs).get("id")))


@given(prose=LEVELS, page=LEVELS)
def test_headings_are_in_order_and_each_has_an_id_of_its_own(prose: list[int], page: list[int]) -> None:
    contents = Contents()
    told = contents.anchored("".join(f"<h{level}>Same &amp; again</h{level}>" for level in prose))
    shown = contents.anchored("".join(f"<h{level}>A page</h{level}>" for level in page), below=True)
    found, below = Heads(told).found, Heads(shown).found
    levels = [1, *(level for level, _ in [*found, *below])]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert min(levels[1:]) >= 2
    ids = [name for _, name in found]
    assert None not in ids and len(set(ids)) == len(ids)
    assert all(level > min(found[-1][0], 5) for level, _ in below), "a page stands below its section"
    assert [one.id for one in contents.sections] == [name for level, name in found if level <= 3]
    assert {one.title for one in contents.sections} <= {"Same & again"}


def test_what_scrolls_is_reached_by_keyboard_and_named() -> None:
    shown = readable(table(("", "What"), [[Cell("x"), "y"]])._repr_html_(), "4.3 The <door>")
    assert '<div tabindex="0" role="group" aria-label="4.3 The &lt;door&gt;" style="' in shown
    assert readable(shown, "4.3 The <door>") == shown, "twice is once"


def test_a_head_without_a_name_is_no_head() -> None:
    frame = '<table class="dataframe"><thead><tr><th></th><th scope="col"> </th><th>n</th></tr></thead></table>'
    assert readable(frame).count("<th>") == 1
    assert "scope" not in readable(frame)


def test_a_chart_of_an_earlier_version_is_framed_as_those_of_today() -> None:
    old = '<img alt="a chart" src="data:," style="width:100%;max-width:1000px;height:auto;background:white">'
    shown = readable(old, "Charts")
    frame = r'<div tabindex="0" role="group" aria-label="Charts" class="chart" style="[^"]*--drawn:1000px'
    assert re.match(frame, shown)
    assert readable(shown, "Charts") == shown


def test_a_time_and_a_number_with_its_unit_stay_on_one_line() -> None:
    row = "<tr><td>2026-11-09 04:01:00 UTC</td><td>for 5 s</td><td><code>5 s</code></td></tr>"
    kept = row.replace("2026-11-09 04:01:00 UTC", f"{KEPT}2026-11-09 04:01:00 UTC</span>")
    assert readable(row) == kept.replace("for 5 s", f"for {KEPT}5 s</span>")


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["<div", "<pre ", "<img", "<div overflow:", '<img style="', "<th", "<h1", "<h1>"])
def test_the_time_is_linear_in_the_markup(piece: str) -> None:
    began = time.process_time()
    readable(piece * (40_000 // len(piece)))
    assert time.process_time() - began < 2
