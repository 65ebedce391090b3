"""Lines that hold a telling name and one word, as an environment, YAML or a file of settings has them: the word is the
value with every sign in it, `DB_PASSWORD=Tr0&x`, where elsewhere a sign such as `&` ends a value.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import LIKELY, PREFIXED, START, SURE_NAMES, at_names, enough, no_value
from runbook_lib.base.masking.tails import TAIL

_SIGNS = "\"'&;<>\\([{$`"
"""Signs at which other patterns end a value, or take it for a program's."""
_WORD = re.compile(
    rf"(?im)(?P<head>{START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY}){TAIL}"
    r"(?:[ \t]{0,20}=[ \t]{0,4}|:[ \t]{1,20}(?![|>&*!])))(?P<value>(?![\"'`<]|\[redacted\])\S{6,400})(?=[ \t]{0,20}$)"
)
_BEFORE = re.compile(r"[ \t]{0,40}(?:-[ \t]{1,4})?(?:(?:export|set|declare -x|ENV)[ \t]{1,4})?[A-Za-z0-9_.-]{0,100}")
"""What may stand before the name on its line."""
_OTHER = re.compile(r"[&;?][A-Za-z_][\w.-]{1,40}=|</|/>|\\{1,4}[nrtux\"']|://")
"""A form, an address, a tag, a text in a text, a program's line that goes on."""
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
        not _BEFORE.fullmatch(match.string, begin, match.start())
        or not any(sign in value for sign in _SIGNS)
        or _OTHER.search(match["value"])
        or _CODE.fullmatch(value)
        or _PLACEHOLDER.fullmatch(value)
        or no_value(value)
    )
    told = any(map(str.isdigit, value)) if match["sure"] else enough(value)
    return match[0] if other or not told else match["head"] + MASK + match["value"][len(value) :]
