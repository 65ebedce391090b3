"""Keeps together in HTML what is read as one (`base/lines.py`), and the options of a command.

Browsers break a line at every space, and at hyphens: `120` and `s`, `2026-11-` and `08` are on two lines then. A long
name in parts, such as that of a check, they break anywhere: it may end after each part instead. Only HTML is changed;
texts of the terminal and of records are not.

Secrets are masked first: behind `--password` in a tag of its own nobody recognises one.
"""

from __future__ import annotations

import re

from runbook_lib.base import lines
from runbook_lib.base.redact import redact_text

KEPT = '<span class="whole" style="white-space:nowrap">'
"""Tag of a part that stays on one line."""
_ON_ONE_LINE = lines.pattern("&[lg]t;")
_OPTION = re.compile(r"(?<!\S)--[\w-]+")
_TAG = re.compile(r"(<[^<>]*>)")
_AS_TYPED = re.compile(r"<(/?)(?:pre|style|script|title|svg|textarea)\b", re.IGNORECASE)
_CODE, _HEAD = re.compile(r"<code\b", re.IGNORECASE), re.compile(r"<th\b", re.IGNORECASE)
_ARROW = re.compile(r"(?<=\s)-&gt;(?=\s)")
_NAME, _PART = re.compile(r"(?<![\w./-])[a-z]\w*(?:\.\w+)+(?![\w/-])"), re.compile(r"[._](?=\w)")
_LONG_NAME = 24
"""A dotted name of this many characters may be broken after its parts."""
_DAY = re.compile(r"(?<![\w/=-])\d{4}-\d\d-\d\d(?![\w-])")


def whole(escaped: str) -> str:
    """Escaped text without tags, as markup in which no number is on another line than its unit."""
    return _whole(redact_text(escaped))


def _whole(escaped: str) -> str:
    kept = _ON_ONE_LINE.sub(rf"{KEPT}\g<0></span>", escaped)
    return _ARROW.sub(rf"{KEPT}\g<0></span>", _in_parts(kept))


def whole_command(escaped: str) -> str:
    """A command in HTML: no line ends within `--set`."""
    return _whole_command(redact_text(escaped))


def _whole_command(escaped: str) -> str:
    return _OPTION.sub(rf"{KEPT}\g<0></span>", _in_parts(escaped))


def whole_markup(markup: str) -> str:
    """Each text of markup, kept together; what is shown as it was typed, or on one line already, is left."""
    parts, typed = _TAG.split(redact_text(markup)), 0
    for place, part in enumerate(parts):
        if place % 2:
            tag = _AS_TYPED.match(part)
            typed = max(0, typed + (-1 if tag[1] else 1)) if tag else typed
            continue
        before = parts[place - 1] if place else ""
        if part and not typed and before != KEPT:  # what wraps nowhere on a screen does on paper
            parts[place] = _part(part, before)
        elif before == KEPT:  # earlier versions sealed an end and its length as one, too long for a sheet's column
            parts[place] = part.replace(" (", f"</span> {KEPT}(")
    return "".join(parts)


def _in_parts(escaped: str) -> str:
    return _NAME.sub(lambda m: _PART.sub(r"\g<0><wbr>", m[0]) if len(m[0]) >= _LONG_NAME else m[0], escaped)


def _part(escaped: str, tag: str) -> str:
    """One text after its tag. The head of a column keeps a day only, or seven days would be wider than a sheet."""
    if _HEAD.match(tag):
        return _DAY.sub(rf"{KEPT}\g<0></span>", escaped)
    return _whole_command(escaped) if _CODE.match(tag) else _whole(escaped)
