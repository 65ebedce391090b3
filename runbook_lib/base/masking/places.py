"""What stands behind a telling name and is no secret: the place where one lies (`env:NAME`, `secretsmanager:prod/db`,
the file of a key), a placeholder, a mask.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK

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
    if value[0] == "{" and value[-1] == "}" and value[1:-1].isidentifier():
        return True
    return (":" in value or "." in value or "/" in value) and _PLACE.fullmatch(value) is not None
