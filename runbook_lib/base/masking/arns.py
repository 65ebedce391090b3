"""ARNs, which name a thing and tell no secret, whatever words they have: `arn:aws:secretsmanager:...:secret:db`. A text
is searched with signs in their place that no pattern knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from runbook_lib.base.masking.kinds import Match

_ARN = re.compile(
    r"(?<![A-Za-z0-9])arn:aws[a-z-]{0,20}:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:[A-Za-z0-9*]{0,20}:"
    r"[A-Za-z0-9_+@.:/*$-]{1,2000}(?<![.:])"
)
_VALUE = re.compile(r"\\{0,7}[\"'`]?[ \t]{0,8}[:=]")
"""Behind an ARN: it is a name, whose last part tells what the value is."""
_FIRST, _MANY, _FILL = 0xE100, 0x1000, "\uf8ff"
_SIGN = f"[{chr(_FIRST)}-{chr(_FIRST + _MANY - 1)}]"
_STANDS = re.compile(rf"(?P<number>{_SIGN}{{2}}){_FILL}*")
_TAKEN = re.compile(rf"[{chr(_FIRST)}-{_FILL}]")
"""Signs for private use: a text with one is searched as it is."""


def around_arns(text: str, mask: Callable[[str], str], within: Callable[[str], str]) -> str:
    """`mask` of a text without its ARNs, and `within` of each of them."""
    if "arn:aws" not in text or _TAKEN.search(text):
        return mask(text)
    arns, seen = list[str](), dict[str, str]()

    def stand(match: Match) -> str:
        arn = match[0]
        if _VALUE.match(text, match.end()):
            arn = arn[: max(arn.rfind(":"), arn.rfind("/")) + 1]
        number = len(arns) % _MANY**2
        if arn not in seen:
            seen[arn] = within(arn)
        arns.append(seen[arn])
        signs = f"arn:{chr(_FIRST + number // _MANY)}{chr(_FIRST + number % _MANY)}"
        return signs + _FILL * (len(arn) - len(signs)) + match[0][len(arn) :]

    def back(match: Match) -> str:
        high, low = (ord(sign) - _FIRST for sign in match["number"])
        return arns[high * _MANY + low].removeprefix("arn:")

    return _STANDS.sub(back, mask(_ARN.sub(stand, text)))
