"""Values behind a telling name that ends in another word, such as a service's: `DB_PASSWORD_ORDERS`, `apiKeyAcme`. The
name tells less than one alone, so the value has to look drawn.
"""

from __future__ import annotations

import re
from functools import lru_cache

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import AFTER, LIKELY, PREFIXED, QUOTE, START, SURE_NAMES, at_names, random
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.said import looks_drawn
from runbook_lib.base.masking.tails import OTHER, is_fact

_NAME = rf"{START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY})(?P<tail>{OTHER})"
_NAMED = re.compile(
    rf"(?i)(?P<head>{_NAME}{AFTER}(?P<q>{QUOTE})?)(?P<value>(?(q)(?:(?!(?P=q))[^\s\\])+|[^\s\"'`;<>&\\]+))"
)
_ENDS = re.compile(rf"(?i)[a-z0-9_.-]{{0,60}}?{_NAME}")
_WORDS = re.compile(r"[a-z0-9]*(?:[-_.:/][a-z0-9]*)+")
"""Small letters and numbers between signs: a name of a thing."""


def mask_suffixed(text: str) -> str:
    """`text`, which assigns something to a telling name, with such values masked."""
    return at_names(_NAMED, _masked, text)


@lru_cache(maxsize=1024)
def suffixed(name: str, value: str) -> bool:
    """Whether the field of such a name has such a value."""
    found = _ENDS.fullmatch(name) if len(name) <= 120 and len(value) <= 400 else None
    return found is not None and _secret(found, value)


def _masked(match: Match) -> str:
    value = match["value"].rstrip(",.)]}:|`")
    return match["head"] + MASK + match["value"][len(value) :] if _secret(match, value) else match[0]


def _secret(name: Match, value: str) -> bool:
    if harmless(value) or is_fact(name["tail"]):
        return False
    return random(value) or bool(name["sure"] and looks_drawn(value) and not _WORDS.fullmatch(value))
