"""What one form of a text hides is hidden in its others: as HTML, narrower, without marks."""

from __future__ import annotations

import html
import re

from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed
from runbook_lib.base.masking.settings import is_name
from runbook_lib.base.masking.unseen import without_colours

_BLANKS = re.compile(r"(?<=[^\s])[ \t]{5,}|\.{5,}|^[ \t]{12,}", re.M)
_REACH = 3
"""Lines, from that of a name on, in which its value may stand."""
_RECORD = 20
"""Most fields of a record."""
_LEAST = 4
"""Characters of what is hidden in every form: shorter, it may be a part of any word."""


def masked_in(text: str, clean: str) -> set[str]:
    """What of `text` is masked in `clean`, with one space between words: another form of the output shows it too."""
    text, clean = (" ".join(without_colours(one).split()) for one in (text, clean))  # a mask may move a column
    pieces, at, found = clean.split(MASK), 0, set[str]()
    for number, piece in enumerate(pieces):
        begin = len(text) - len(piece) if number == len(pieces) - 1 else text.find(piece, at)
        if begin < at or not text.startswith(piece, begin):
            return found
        found |= {text[at:begin].strip()} if number else set()
        at = begin + len(piece)
    return {one for one in found if len(one) >= _LEAST}


def anywhere(secret: str) -> re.Pattern[str]:
    """Finds the secret, also as HTML writes it, whatever is between its words."""
    forms = dict.fromkeys((secret, html.escape(secret), html.escape(secret, quote=False)))
    either = "|".join(r"\s+".join(map(re.escape, form.split())) for form in forms)
    before, after = (r"(?<!\w)" if secret[0].isalnum() else "", r"(?!\w)" if secret[-1].isalnum() else "")
    return re.compile(f"{before}(?:{either}){after}")


def masked_as(text: str, narrow: str, clean: str) -> str:
    """`text` with what is masked in `clean`, which is the masked `narrow`: line by line, for the same word elsewhere
    is another thing.
    """
    texts = [one.split("\n") for one in (text, narrow, clean)]
    if len({len(lines) for lines in texts}) > 1:
        texts = [[text], [narrow], [clean]]
    return "\n".join(_as(*lines) if lines[1] != lines[2] else lines[0] for lines in zip(*texts, strict=True))


def _as(text: str, narrow: str, clean: str) -> str:
    for secret in masked_in(narrow, clean):
        text = anywhere(secret).sub(MASK, text)
    return text


def _near(number: int, line: str) -> range:
    """The lines that are kept for one with a telling name; of a record that is shown field by field, all."""
    first = line[:_RECORD].split(maxsplit=1)[:1]
    if first and is_name(first[0]):
        return range(max(0, number - _RECORD), number + _RECORD)
    return range(number, number + _REACH)


def narrower(text: str) -> str:
    """The lines with a telling name, and those below it, with one blank in place of many; empty: none has as many."""
    if not _BLANKS.search(text) or not stemmed(text.casefold()):
        return ""
    lines = text.split("\n")
    wide = {number for number, line in enumerate(lines) if _BLANKS.search(line)}
    tells = (_near(number, line) for number, line in enumerate(lines) if stemmed(line.casefold()))
    told = {at for span in tells if not wide.isdisjoint(span) for at in span}
    near = "\n".join(line if number in told else "" for number, line in enumerate(lines))
    narrow = _BLANKS.sub("  ", near)  # one would make a name of two columns
    return "" if narrow == near else narrow
