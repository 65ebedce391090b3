"""Assignments to a telling name that need a judgement of their own: lines that hold the name and one word, which is the
value with every sign in it (`DB_PASSWORD=Tr0&x`, where elsewhere a sign such as `&` ends a value), and names that
end in another word, such as a service's (`DB_PASSWORD_ORDERS`): they tell less, so the value has to look drawn.
"""

from __future__ import annotations

import re
from functools import lru_cache

from runbook_lib.base.masking.drawn import AMONG, BEHIND, FAR, looks_drawn
from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.names import AFTER, LIKELY, PREFIXED, QUOTE, START, SURE_NAMES, at_names, no_value
from runbook_lib.base.masking.places import harmless, refers
from runbook_lib.base.masking.vocabulary import OTHER, TAIL, is_fact

_SIGNS = "\"'&;<>\\([{$`"
"""Signs at which other patterns end a value, or take it for a program's."""
_WORD = re.compile(
    rf"(?im)(?P<head>{START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY}){TAIL}"
    r"(?:[ \t]{0,20}=[ \t]{0,4}|:[ \t]{1,20}(?![|>&*!])))(?P<value>(?![\"'`<]|\[redacted\])\S{6,400})(?=[ \t]{0,20}$)"
)
_BEFORE = re.compile(r"[ \t]{0,40}(?:-[ \t]{1,4})?(?:(?:export|set|declare -x|ENV)[ \t]{1,4})?[A-Za-z0-9_.-]{0,100}")
"""What may stand before the name on its line."""
_PROMPT = re.compile(r"(?:[A-Za-z0-9_.'@-]{1,40}[ \t]{1,4}){0,4}")
"""The same, before a colon."""
_OTHER = re.compile(r"[&;?][A-Za-z_][\w.-]{1,40}=|</|/>|\\{1,4}[nrtux\"']|://")
"""A form, an address, a tag, a text in a text, a program's line that goes on."""
_GOES_ON = re.compile(r"[^\s\"'&;<>(){}\[\]\\]{2,}(?:[&;][^\s\"'&;<>(){}\[\]\\]{2,})+")
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[](?:.*[)\]][;,]?)?|[A-Za-z_][\w.]*\{|[\[{(].*[\]})],?")
_PLACEHOLDER = re.compile(r"[<\[{(].{0,80}[>\]})]|\$\{.*|\$\(.*|\$[A-Za-z_]\w*")


def mask_whole(text: str) -> str:
    """`text`, which assigns something to a telling name, with such values masked."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return at_names(_WORD, _masked, text)


def _masked(match: Match) -> str:
    begin = match.string.rfind("\n", max(0, match.start() - 200), match.start()) + 1
    value = match["value"].rstrip(",;\"'`")
    other = (
        not (
            _BEFORE.fullmatch(match.string, begin, match.start())
            or (":" in match["head"] and _PROMPT.fullmatch(match.string, begin, match.start()))
        )
        or not any(sign in value for sign in _SIGNS)
        or _OTHER.search(match["value"])
        or _CODE.fullmatch(value)
        or _PLACEHOLDER.fullmatch(value)
        or no_value(value)
        or refers(value)
    )
    told = looks_drawn(value, BEHIND)
    if match["sure"]:  # without a digit, too, where its first part is masked anyway and the rest would stay
        told = any(map(str.isdigit, value)) or _GOES_ON.fullmatch(value) is not None
    return match[0] if other or not told else match["head"] + MASK + match["value"][len(value) :]


_NAME = rf"{START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY})(?P<tail>{OTHER})"
_NAMED = re.compile(
    rf"(?i)(?P<head>{_NAME}{AFTER}(?P<q>{QUOTE})?)(?P<value>(?(q)(?:(?!(?P=q))[^\s\\])+|[^\s\"'`;<>&\\]+))"
)
_ENDS = re.compile(rf"(?i)[a-z0-9_.-]{{0,60}}?{_NAME}")
_JOINED = re.compile(r"[a-z0-9]*(?:[-_.:/][a-z0-9]*)+")
"""Small letters and numbers between signs: a name of a thing."""


def mask_suffixed(text: str) -> str:
    """`text`, which assigns something to a telling name, with such values masked."""
    return at_names(_NAMED, _suffixed, text)


@lru_cache(maxsize=1024)
def suffixed(name: str, value: str) -> bool:
    """Whether the field of such a name has such a value."""
    found = _ENDS.fullmatch(name) if len(name) <= 120 and len(value) <= 400 else None
    return found is not None and _secret(found, value)


def _suffixed(match: Match) -> str:
    value = shorn(match["value"], ",.)]}:|`")
    return match["head"] + MASK + match["value"][len(value) :] if _secret(match, value) else match[0]


def _secret(name: Match, value: str) -> bool:
    if harmless(value) or is_fact(name["tail"]):
        return False
    return looks_drawn(value, FAR) or bool(name["sure"] and looks_drawn(value, AMONG) and not _JOINED.fullmatch(value))
