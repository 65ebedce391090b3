"""What a reader of a text does not see, and what hides a name from those who search it: a terminal's colours,
characters without width, letters of another script that look alike, letters as JSON writes them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from runbook_lib.base.foreign import JOINERS, SELECTORS, UNSEEN
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.vocabulary import foreign, has
from runbook_lib.base.nearest import ALIKE

Mask = Callable[[str], str]

_COLOURS = re.compile(
    r"\x1b(?:\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])"
    r"|\\{1,4}(?:x1[bB]|033|u001[bB]|e)(?:\[[0-9;:]{0,20}[mK]|\][^\n\"'\\]{0,300}\\{1,4}(?:x07|a|007|u0007))"
    r"|(?P<wide>[０-９Ａ-Ｚａ-ｚ＿－])|(?P<drawn>[\U0001d400-\U0001d7ff])"
    rf"|[{UNSEEN}{SELECTORS}{JOINERS}]"
)
"""What a reader does not see: a terminal's colours, also as a program's source has them, characters without width, and
that a letter is a wide one or one of mathematics.
"""
_HALF = r"\\{1,4}u[dD]"
_CODED = re.compile(
    rf"\\{{1,4}}(?:u(?!00[0-7]|[dD][89a-fA-F])([0-9a-fA-F]{{4}})|U000([01e][0-9a-fA-F]{{4}})|x(ad))"
    rf"|{_HALF}([89abAB][0-9a-fA-F]{{2}}){_HALF}([c-fC-F][0-9a-fA-F]{{2}})"
)
"""A letter beyond ASCII, as JSON writes it (one of the higher ones in two halves), and Python."""
_OTHER = re.compile(f"[{''.join(ALIKE)}]")
_MIXED = re.compile(rf"(?<=[A-Za-z]){_OTHER.pattern}++|(?<!{_OTHER.pattern}){_OTHER.pattern}++(?=[A-Za-z])")
"""Such letters within a Latin word: a word of one script is one of its language."""
_WRITTEN = tuple(f"\\{escape}{sign}" for escape in ("x1b", "033", "u001b", "e") for sign in "[]")


def without_colours(text: str) -> str:
    """A text without a terminal's colours."""
    return _COLOURS.sub(_seen, text) if "\x1b" in text else text


def as_seen(text: str, mask: Mask) -> str:
    """`mask` of a text as its reader sees it; a text without secrets stays as it is, with its colours."""
    found = _uncoded(text, mask)
    if not has(("\\u", "\\U", "\\xad"), text):
        return found
    told = _CODED.sub(_letter, text)
    letters = "".join(map(str, set(told) - set(text)))
    unseen = _COLOURS.search(letters) is not None
    if not unseen and not foreign(told.casefold()):
        return found
    other = _uncoded(told, mask)
    more = other.count(MASK) - found.count(MASK)
    if more == 0 and unseen:  # of a secret that is torn a part may be masked already
        one, two = (_COLOURS.sub(_seen, _CODED.sub(_letter, text)) for text in (found, other))
        more = len(one) - len(two)
    return other if more > 0 else found


def _uncoded(text: str, mask: Mask) -> str:
    if "\x1b" in text or not text.isascii() or ("\\" in text and any(one in text.lower() for one in _WRITTEN)):
        bare = _COLOURS.sub(_seen, text)
        if _OTHER.search(bare):
            bare = _MIXED.sub(lambda match: "".join(ALIKE[letter] for letter in match[0]), bare)
        clean = mask(bare) if bare != text else bare
        if clean != bare:
            return clean
    return mask(text)


def _letter(match: re.Match[str]) -> str:
    if code := match[1] or match[2] or match[3]:
        return chr(int(code, 16))
    return chr(0x10000 + (int(match[4], 16) - 0x800) * 0x400 + int(match[5], 16) - 0xC00)


def _seen(match: re.Match[str]) -> str:
    if match["wide"]:
        return chr(ord(match[0]) - 0xFEE0)
    return unicodedata.normalize("NFKC", match[0]) if match["drawn"] else ""
