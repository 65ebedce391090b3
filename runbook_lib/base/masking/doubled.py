"""Masks secrets in texts whose quotes are doubled, as a cell of CSV has them (RFC 4180, section 2.7): a cell by itself,
as the program reads it that opens the file, and a part of one, of which the rest is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from runbook_lib.base.masking.kinds import MASK, Match

_CELL = re.compile(r"(?<![^,;|\t\n])\"(?P<cell>(?>(?:[^\"]+|\"\")*))\"(?![^,;|\t\r\n])")
_PART = re.compile(r"(?:[^\"]+|(?<!\")\"\"(?!\")|(?<!\")\"{4}(?!\"))+")
"""What lies between single quotes; a text without letters is four of them."""
_TEXT = re.compile(r"\"\"(?![\s,;:=&|)\]}\"])[^\"\n]*(?<![\s,;:=&|(\[{])\"\"(?!\")")
"""A text between doubled quotes; ` -e B=` in `A="" -e B=""` is none."""
_STANDS = "\u205f"
"""A blank that stands for the doubled quotes around what is masked: the rest of the search would take one for a
value's end."""


def mask_doubled(text: str, mask: Callable[[str], str]) -> str:
    """`text` with what `mask` masks in its texts with doubled quotes, once they are single; `with_quotes` ends it."""
    if '""' not in text or _STANDS in text:
        return text
    text = _CELL.sub(lambda match: f'"{_single(match["cell"], mask)}"', text)
    return _PART.sub(lambda match: _part(match, mask), text) if _TEXT.search(text) else text


def _part(match: Match, mask: Callable[[str], str]) -> str:
    return _single(match[0], mask) if _TEXT.search(match[0]) else match[0]


def _single(written: str, mask: Callable[[str], str]) -> str:
    if '""' not in written:
        return written
    seen = written.replace('""', '"')
    masked = mask(seen)
    return masked.replace('"', _STANDS) if MASK in masked else written


def with_quotes(text: str, before: str) -> str:
    """A text with its doubled quotes again; `before`: as it was before all."""
    return text if _STANDS in before else text.replace(_STANDS, '""')
