"""Words that nobody would write: letters of both cases and digits in no order, as keys, tokens and passwords are drawn.
They are masked wherever they stand: the net below all that knows names and shapes.

What people and programs name has longer parts (`ApiGatewayV2`, `OrdersQueueDlq`, `us-east-1`); hashes and most ids
have one case (`9f86d081`). Left alone are, too: a logical id of the CDK (eight signs of a hash behind a name), a name
that CloudFormation gives (twelve or thirteen drawn signs behind a `-`), and what is base64: keys that are public,
signatures, a hash as Lambda tells it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from runbook_lib.base.masking.kinds import MASK

_RUN = re.compile(r"[A-Za-z0-9]{12,}")
_NUMBERED = r"sha|md|base|utf|aes|argon|pbkdf|oauth|http|ec|ed|s|tls|ssl|kms|p|rs|hs|es|level|step|line|phase|rule"
_TURN = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
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
        if found.start() < at or not looks_drawn(found[0], ALONE):
            continue
        begin, end = _around(text, found.start(), found.end(), _WORD)
        if _is_named(text, found, begin, end) or _is_encoded(text, found.start(), found.end()):
            continue
        kept += [text[at : max(begin, at)], MASK]
        at = end
    return "".join([*kept, text[at:]]) if kept else text


class Looks(NamedTuple):
    """What a word needs to be taken for drawn: the less its place tells, the more."""

    least: int
    """Characters."""
    digits: str = "0123456789"
    """One of these."""
    letters: bool = True
    """A letter, too."""
    cases: bool = False
    """Capitals and small letters."""
    turns: int = 0
    """Changes between letters and digits."""
    chance: bool = False
    """Such changes, and those between cases, as often as chance has them."""
    other: re.Pattern[str] | None = None
    """It begins with none of these: what people name."""


BEHIND = Looks(8, digits="0123456789/+=", letters=False)
"""Behind the sign of an assignment to a name that may count something: what no word of a sentence is."""
MIXED = Looks(8)
"""Behind a name as a sentence has it (`API key: x`)."""
NUMBER = Looks(16, letters=False)
"""There, too: a number so long counts nothing."""
AMONG = Looks(
    8,
    other=re.compile(
        r"[/~.\[{($]|http|s3:|arn:|--|(?i:\d{4}-\d\d|\d{8}T\d{6}|[a-z_]\w{0,60}=(?!=*$)"
        r"|v?\d[\d.,:]*[a-z%]{0,3}$|\d+-?[a-z]{3,}$"
        rf"|(?:{_NUMBERED})-?\d{{1,5}}(?:[-_]\w{{0,12}}|[a-z]?|[a-z]{{0,5}}[aeiou][a-z]{{0,6}}|crypt|mb\d)$)"
    ),
)
"""Among the words of a sentence about passwords: no path, no date, no number with its unit, no `sha256`."""
FAR = Looks(
    12, cases=True, turns=3, other=re.compile(r"\d{8}T\d{6}|[A-Za-z_]\w{0,60}=(?!=*\Z)|.*[^\w+/=~!@#$%^*.-]", re.ASCII)
)
"""Where a name may be another thing's: `the api key x`, `auth bob x`, `DB_PASSWORD_ORDERS=x`."""
KNOWN = Looks(16, other=re.compile(r"[/.~]|(?s:.*(?:\s|://))"))
"""What the environment holds, and is masked in every text: no word that another text has for another reason."""
ALONE = Looks(12, cases=True, chance=True)
"""Anywhere, without any name."""


def looks_drawn(word: str, how: Looks) -> bool:
    """Whether a word looks drawn at random."""
    return (
        len(word) >= how.least
        and (not how.cases or (word != word.lower() and word != word.upper()))
        and any(digit in word for digit in how.digits)
        and (not how.letters or any(map(str.isalpha, word)))
        and (not how.turns or len(_TURN.findall(word)) >= how.turns)
        and not (how.other and how.other.match(word))
        and (not how.chance or _by_chance(word))
    )


def _by_chance(word: str) -> bool:
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
