"""Words that nobody would write: letters of both cases and digits in no order, as keys, tokens and passwords are drawn.
They are masked wherever they stand: the net below all that knows names and shapes.

What people and programs name has longer parts (`ApiGatewayV2`, `OrdersQueueDlq`, `us-east-1`); hashes and most ids
have one case (`9f86d081`). Left alone are, too: a logical id of the CDK (eight signs of a hash behind a name), a name
that CloudFormation gives (twelve or thirteen drawn signs behind a `-`), and what is base64: keys that are public,
signatures, a hash as Lambda tells it.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK

_RUN = re.compile(r"[A-Za-z0-9]{12,}")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_HASH = re.compile(r"[0-9A-F]{8}$")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]*")
_SHORT, _LONG = 2.0, 2.3
"""Most letters of a part on average, in a word below `_MIDDLE` letters and in a longer one: chance evens out in these.
Of words of letters and digits drawn at random three of four have no more, of longer ones nine of ten."""
_MIDDLE = 20
_NAMED = 13
"""Most signs that CloudFormation draws for a name (12, or 13); the stack and the thing before them have more."""
_ENCODED = 60
"""Least signs of what is taken for base64, and not for a word."""
_BYTES = 2.7
"""Most letters of its parts on average: of sixty or more that are drawn they have 1.9, of names joined by `-` 4."""
_FAR = 200
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-~")


def mask_drawn(text: str) -> str:
    """`text` with each drawn word masked, with what is joined to it by `-` or `_`."""
    kept, at = list[str](), 0
    for found in _RUN.finditer(text):
        if found.start() < at or not is_drawn(found[0]):
            continue
        begin, end = _around(text, found.start(), found.end(), _WORD)
        if _is_named(text, found, begin, end) or _is_encoded(text, found.start(), found.end()):
            continue
        kept += [text[at : max(begin, at)], MASK]
        at = end
    return "".join([*kept, text[at:]]) if kept else text


def is_drawn(word: str) -> bool:
    """Whether a word of letters and digits changes between small letters, capitals and digits as chance does."""
    if word.islower() or word.isupper() or word.isdigit() or _HEX.fullmatch(word):
        return False
    word = _HASH.sub("", word)
    parts = _PART.findall(word)
    mixed = any(map(str.isdigit, word)) and any(map(str.islower, word)) and any(map(str.isupper, word))
    return mixed and len(word) <= (_SHORT if len(word) < _MIDDLE else _LONG) * len(parts)


def _around(text: str, begin: int, end: int, signs: frozenset[str]) -> tuple[int, int]:
    """The stretch of such signs around a part of a text, `_FAR` of them at most on each side."""
    first, last = max(0, begin - _FAR), min(len(text), end + _FAR)
    while begin > first and text[begin - 1] in signs:
        begin -= 1
    while end < last and text[end] in signs:
        end += 1
    return begin, end


def _is_named(text: str, found: re.Match[str], begin: int, end: int) -> bool:
    """Whether it ends a name of CloudFormation's, such as `orders-Worker4D5E6F70-lwJZ1BQCmgy9`."""
    front = text[begin : found.start()]
    return end == found.end() and len(found[0]) <= _NAMED and front.endswith("-") and len(front) > _NAMED


def _is_encoded(text: str, begin: int, end: int) -> bool:
    """Whether it is part of what base64 has made of other bytes: it is padded, or long and drawn for the most part."""
    begin, end = _around(text, begin, end, _BASE64)
    whole = text[begin:end]
    if (whole.endswith("=") and len(whole) % 4 == 0) or text.endswith(("SHA256:", "sha256-", "sha512-"), 0, begin):
        return True
    return len(whole) >= _ENCODED and len(whole) <= _BYTES * len(_PART.findall(whole))
