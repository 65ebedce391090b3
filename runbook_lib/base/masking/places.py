"""What names a thing and tells no secret, whatever words it has: an ARN (a text is searched with signs in their place
that no pattern knows), and, behind a telling name, the place where a secret lies (`env:NAME`,
`secretsmanager:prod/db`, the file of a key), the name of a value, a placeholder, a mask.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from runbook_lib.base.masking.kinds import MASK, Match

_PLACE = re.compile(
    r"env:[A-Za-z_]\w{0,100}"
    r"|(?:awskms|secretsmanager|ssm):[\w./:#@{}-]{1,400}"
    r"|(?:op|vault|sm|gcp-?sm|azkv|keyvault|secretref|ref\+\w{1,20})://?[\w./:#@-]{1,400}|vault:(?=[^/]{1,80}/)[\w./:#@-]{1,400}"
    r"|projects/[\w-]{1,60}/secrets/[\w./-]{1,200}"
    r"|(?:file:/{1,3}|~/|\.{1,2}/|/)?(?:[\w.@-]{1,80}/){1,20}[\w@-][\w.@-]{0,80}"
    r"\.(?:pem|key|crt|cer|der|p12|pfx|jks|json|ya?ml|toml|ini|conf|cfg|txt|asc|gpg|pub|enc|env)"
    r"|[\w@-]{1,80}\.(?:pem|key|crt|cer|der|p12|pfx|jks|asc|gpg|pub)"
)
"""Places as this runbook's parameters write them (docs/adopting.md), those of other programs, and a file of a key."""
FIGURE = re.compile(r"[-+±<>≤≥~]{0,2}[$€£¥]?[0-9][0-9.,]*(?:%|[a-zµ]{0,3})?(?:/[0-9]{1,6})?|[a-z]{1,3}=?[0-9]{1,6}")
"""What a verdict is followed by: `PASS: $0.0011`, `PASS: 3/4`, `PASS: n=300`."""
_SIGNS = "*.-–… +<>|│┃#/"
"""Signs of which no secret consists: what programs write before a line."""
_BEGINNINGS = ("arn:", "alias/", "ssm:/", "{{", MASK)
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*(?![\w&#%^*@!~=|?<>])|[{(\"']|\$|\d\Z|\Z)")


def harmless(value: str) -> bool:
    """Whether a value only points to a secret (an ARN, a KMS alias, a parameter's place, a variable, a placeholder, a
    mask), or is no more than signs.
    """
    if value.startswith(_BEGINNINGS) or not value.strip(_SIGNS) or (value[0] == "$" and _VARIABLE.match(value)):
        return True
    if value[0] == "%" == value[-1] and value[1:-1].isidentifier() and value.isupper():
        return True
    if value[0] == "{" and value[-1] == "}" and value[1:-1].isidentifier():
        return True
    return (":" in value or "." in value or "/" in value) and _PLACE.fullmatch(value) is not None


_PART = r"[a-z]+[0-9]{0,2}(?:[_-][a-z0-9]{1,20}){0,6}"
_REFERENCE = re.compile(
    rf"(?:(?:var|local|module|data|each|self|path|terraform|count)|[a-z]{{2,20}}(?:_[a-z0-9]{{1,20}}){{1,6}}\.{_PART})"
    rf"(?:\.{_PART}|\[[^\s\[\]]{{0,80}}\]?){{1,6}}"
    r"|(?:config|settings|self|args|params|props)(?:\.\w{1,40}){0,4}"
    r"\.\w{0,40}?(?i:passw|secret|token|key|pwd|cred)\w{0,40}|(?:os\.(?:environ|getenv)|process\.env)\b.{0,200}"
)
"""A name of Terraform's, of a program's settings, of the environment."""


def refers(value: str) -> bool:
    """Whether a value without quotes is the name of one in another place: `password=var.x`."""
    return "." in value and _REFERENCE.fullmatch(value) is not None


_ARN = re.compile(
    r"(?<![A-Za-z0-9])arn:aws[a-z-]{0,20}:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:[A-Za-z0-9*]{0,20}:"
    r"[A-Za-z0-9_+@.:/*$-]{1,2000}(?<![.:])"
)
_IS_NAME = re.compile(r"\\{0,7}[\"'`]?[ \t]{0,8}[:=]")
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
        if _IS_NAME.match(text, match.end()):
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
