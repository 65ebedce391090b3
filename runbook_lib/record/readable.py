"""Makes the HTML of a notebook's cells fit for every reader: keyboards, screen readers, small screens, links to parts.

Content sealed by earlier versions, and content that people display themselves, passes through here too.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runbook_lib.base import foreign
from runbook_lib.show.whole import whole_markup

_EMPTY_HEAD = re.compile(r"<th\b([^<>]*)>(?:\s|&nbsp;)*</th>", re.IGNORECASE)
_SCOPE = re.compile(r"\s+scope=(\"[^\"]*\"|'[^']*'|\w+)", re.IGNORECASE)
_SCROLLS = re.compile(r"<(div|pre)(?P<rest>[^<>]*\boverflow(?:-x|-y)?:\s*auto[^<>]*)>", re.IGNORECASE)
_CHART = re.compile(r"<img\b(?P<rest>[^<>]*\bstyle=\"[^\"<>]*\bbackground:white\b[^<>]*)>", re.IGNORECASE)
_WIDTH = re.compile(r"max-width:(\d+)px")
_HEADING = re.compile(r"<h([1-6])((?:\s[^>]*)?)>(.*?)</h\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
DEEPEST = 6
TOLD = 3
"""Deepest level of headings in the table of contents."""


@dataclass(frozen=True)
class Section:
    """A heading in the table of contents."""

    id: str
    title: str
    level: int


@dataclass
class Contents:
    """The headings of a report so far: ids are unique, and no heading is more than one level below the previous one."""

    sections: list[Section] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _level: int = 1

    def add(self, title: str, level: int, name: str = "") -> str:
        """Adds a heading and returns its id.

        Args:
            title: plain text.
            level: 2 to 6.
            name: the text that the id is made from; default: the title.
        """
        wanted = slug(name or title)
        given = next(one for one in _numbered(wanted) if one not in self._ids)
        self._ids.add(given)
        if level <= TOLD:
            self.sections.append(Section(given, title, level))
        self._level = level
        return given

    def claim(self, name: str) -> bool:
        """Whether an output may use this id: a second element of that id would be led to in the place of the first."""
        free = name not in self._ids
        self._ids.add(name)
        return free

    def anchored(self, markup: str, *, below: bool = False) -> str:
        """Prose with its headings added to the contents.

        Args:
            below: a page inside a section: its headings rank below the section's and are not in the contents.
        """
        found = [int(level) for level, _, _ in _HEADING.findall(markup)]
        if not found:
            return markup
        down = self._level + 1 - min(found) if below else 0
        last = self._level

        def heading(match: re.Match[str]) -> str:
            nonlocal last
            last = min(max(2, int(match[1]) + down), last + 1, DEEPEST)
            if below:
                return f"<h{last}{match[2]}>{match[3]}</h{last}>"
            given = self.add(html.unescape(_TAG.sub("", match[3])).strip(), last)
            own = f'<a class="self" href="#{given}" aria-hidden="true" tabindex="-1">#</a>'
            return f'<h{last} id="{given}">{match[3]} {own}</h{last}>'

        return _HEADING.sub(heading, markup)


def slug(text: str) -> str:
    """A text as an id: lower case letters, digits and `-`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def readable(markup: str, section: str = "") -> str:
    """A cell's output for every reader: scrolling parts are reachable by keyboard and named, no column head is empty,
    charts are marked as charts, no number is on another line than its unit.

    Args:
        section: heading above the output; scrolling parts are named after it.
    """
    name = foreign.html(section or "output")
    markup = whole_markup(markup)
    markup = _EMPTY_HEAD.sub(lambda found: f"<td{_SCOPE.sub('', found[1])}></td>", markup)
    if 'class="chart' not in markup:
        markup = _CHART.sub(lambda found: _chart(found["rest"]), markup)

    def scrolls(found: re.Match[str]) -> str:
        if "tabindex" in found["rest"]:
            return found[0]
        return f'<{found[1]} tabindex="0" role="group" aria-label="{name}"{found["rest"]}>'

    return _SCROLLS.sub(scrolls, markup)


def _chart(rest: str) -> str:
    """A chart of version 0.2 or earlier, in the frame of later ones (`show/picture.py`)."""
    width = next(iter(_WIDTH.findall(rest)), "1000")
    return f'<div class="chart" style="overflow-x:auto;--drawn:{width}px"><img{rest}></div>'
