"""Confines a notebook's markup to its own place in a report: it neither hides, covers nor takes in what is around it.

What comes out is a well-formed part of a page: known elements only, each closed, without comments, style sheets,
scripts, frames or forms. `report.css` clips each part to its own box.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser

from runbook_lib.base.foreign import terminal

_VOID = re.compile(r"br|col|hr|img|input|source|wbr")
_KEPT = re.compile(
    r"a|abbr|address|article|aside|b|bdi|bdo|big|blockquote|br|caption|center|circle|cite|clippath|code|"
    r"col|colgroup|dd|defs|del|details|dfn|div|dl|dt|ellipse|em|figcaption|figure|font|g|h1|h2|h3|h4|h5|h6|"
    r"hr|i|img|input|ins|kbd|li|line|lineargradient|mark|meter|ol|p|path|picture|polygon|polyline|pre|"
    r"progress|q|radialgradient|rect|rp|rt|ruby|s|samp|section|small|source|span|stop|strike|strong|sub|"
    r"summary|sup|svg|table|tbody|td|text|tfoot|th|thead|time|tr|tspan|tt|u|ul|var|wbr"
)
_SWALLOWED = re.compile(
    r"iframe|noembed|noframes|noscript|option|plaintext|script|select|style|template|textarea|title|xmp"
)
"""Elements that go with what is in them; of others that are not known only the tags go."""
_ATTRIBUTES = re.compile(
    r"align|alt|background|border|cellpadding|cellspacing|checked|cite|class|clip-path|clip-rule|color|"
    r"colspan|cx|cy|d|data|datetime|decoding|dir|disabled|dominant-baseline|dx|dy|face|fill|fill-opacity|"
    r"fill-rule|font-family|font-size|font-style|font-weight|gradienttransform|gradientunits|headers|"
    r"height|hidden|high|href|id|lang|loading|low|max|media|min|name|offset|opacity|open|optimum|points|"
    r"poster|preserveaspectratio|r|reversed|role|rowspan|rx|ry|scope|size|sizes|span|src|srcset|start|"
    r"stop-color|stop-opacity|stroke|stroke-dasharray|stroke-linecap|stroke-linejoin|stroke-opacity|"
    r"stroke-width|style|tabindex|text-anchor|title|transform|type|valign|value|viewbox|width|x|x1|x2|"
    r"xmlns|y|y1|y2"
)
_LOADS = frozenset(("src", "srcset", "poster", "background", "data"))
_REMOTE = re.compile(r"[\s\x00-\x20]*(?:https?:)?//", re.IGNORECASE)
_RUNS = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)
_BLANK = re.compile(r"[\x00-\x20]+")
_LEAVES = frozenset(("position", "z-index", "mix-blend-mode", "view-transition-name"))
"""Properties by which a part leaves its place in the page. The style sheet clips what the others could do."""
_PROPERTY = re.compile(r"\s*(-{0,2}[A-Za-z][A-Za-z0-9-]*)\s*:")
_TAB = ("0", "-1")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_NO_TAG = re.compile(r"<(?![A-Za-z]|/[A-Za-z])")
_DEEPEST = 100
"""Elements within each other; further ones are left out, and what is in them stays."""


def confined(markup: str, named: Callable[[str], bool] = lambda _: True) -> str:
    """The markup as a well-formed part of a page.

    Args:
        named: says whether an id may be used in the page, and takes note of it.
    """
    parser = _Parser(named)
    # What is no tag is text, and so is one without an end: the parser would look for it anew from each beginning.
    text, end, rest = _NO_TAG.sub("&lt;", _COMMENT.sub("", markup)).rpartition(">")
    parser.feed(text + end + rest.replace("<", "&lt;"))
    parser.close()
    return parser.whole()


class _Parser(HTMLParser):
    def __init__(self, named: Callable[[str], bool]) -> None:
        super().__init__(convert_charrefs=True)
        self._named = named
        self._made: list[str] = []
        self._open: list[str] = []
        self._swallows = ""

    def whole(self) -> str:
        """All that was read, each element closed."""
        return "".join([*self._made, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._swallows:
            return
        if _SWALLOWED.fullmatch(tag):
            self._swallows = tag
        elif _KEPT.fullmatch(tag) and (tag != "input" or _ticked(dict(attrs))) and len(self._open) < _DEEPEST:
            self._made.append(f"<{tag}{''.join(self._told(attrs))}>")
            if not _VOID.fullmatch(tag):
                self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if _SWALLOWED.fullmatch(tag) or "svg" in self._open:  # elsewhere HTML takes the slash for nothing
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._swallows:
            self._swallows = "" if tag == self._swallows else self._swallows
        elif tag in self._open:
            while (last := self._open.pop()) != tag:
                self._made.append(f"</{last}>")
            self._made.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._swallows:
            self._made.append(_text(data))

    def _told(self, attrs: Iterable[tuple[str, str | None]]) -> Iterable[str]:
        for name, value in dict(attrs).items():
            text = value or ""
            if not _ATTRIBUTES.fullmatch(name) and not name.startswith(("aria-", "data-")):
                continue
            if not _NAME.fullmatch(name) or (name == "tabindex" and text not in _TAB):
                continue
            if name == "id" and not self._named(text):
                continue
            if name == "style":
                text = _kept_style(text)
            if name == "href" and _RUNS.match(_BLANK.sub("", text)):
                continue
            told = f"data-{name}" if name in _LOADS and _REMOTE.match(text) else name
            quoted = _text(text).replace('"', "&quot;")
            yield f' {told}="{quoted}"' if value is not None else f" {told}"


def _text(data: str) -> str:
    return html.escape(terminal(data.replace("\r\n", "\n")), quote=False)


_NAME = re.compile(r"[a-z][a-z0-9_.:-]*")


def _ticked(attrs: dict[str, str | None]) -> bool:
    """Whether it is the box of a task in a list, which nobody can tick."""
    return attrs.get("type") == "checkbox" and "disabled" in attrs


def _kept_style(text: str) -> str:
    """The declarations of a `style` that keep an element in its place; one that is spelt strangely is none."""
    each = [one for one in text.split(";") if one.strip()]
    found = [_PROPERTY.match(one) for one in each]
    if all(one is not None and one[1].lower() not in _LEAVES for one in found):
        return text
    return ";".join(one for one, name in zip(each, found, strict=True) if name and name[1].lower() not in _LEAVES)
