"""Names: the nearest known one to a misspelt one, and letters of other scripts that look like Latin ones."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection

FEW = 30
"""Most names in one list."""


def close(value: object, known: Collection[str]) -> str:
    """`did you mean 'x'?`; empty if no name is near. A known name is never suggested for itself."""
    near = difflib.get_close_matches(latin(str(value)), [name for name in known if name != value], 1)
    return f"did you mean '{near[0]}'?" if near else ""


def hint(value: object, known: Collection[str]) -> str:
    """`close`, or the list of known names; empty if there are none, or too many."""
    return close(value, known) or _listed(known)


def _listed(known: Collection[str]) -> str:
    return f"there are {', '.join(sorted(known))}" if 0 < len(known) <= FEW else ""


ALIKE = dict(
    zip(
        "аеорсухѕіјԁһѵԝԛктмгԍбзАВЕЗКМНОРСТУХЅІЈԜԌοανριυκτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "aeopcyxsijdhvwqktmrg63ABE3KMHOPCTYXSIJWGoavpiuktABEZHIKMNOPTYX",
        strict=True,
    )
)
"""Letter of another script to the Latin one that it looks like."""
_WORD = re.compile(r"[\w-]+")
_MOST = 3
"""Most letters that are named."""


def latin(word: str) -> str:
    """The word as it looks, in ASCII; the word itself if it has other letters that look like none of ASCII."""
    seen = "".join(ALIKE.get(letter, letter) for letter in unicodedata.normalize("NFKC", word))
    return seen if seen.isascii() else word


def beyond(text: str) -> str:
    """A sentence about the first word of a text that looks like ASCII and is not; empty: there is none."""
    if text.isascii():
        return ""
    for word in _WORD.findall(text):
        if not word.isascii() and latin(word) != word:
            letters = dict.fromkeys(letter for letter in word if not letter.isascii())
            named = [f"{one} (U+{ord(one):04X}, {unicodedata.name(one, 'nameless').lower()})" for one in letters]
            more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
            return (
                f"'{word}' looks like '{latin(word)}', and has letters beyond ASCII: {', '.join(named[:_MOST])}{more}"
            )
    return ""
