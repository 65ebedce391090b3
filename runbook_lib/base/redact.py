"""Secrets are taken out before anything is saved: in the journal, in a notebook's outputs, in the report, in a failure
that is quoted from a log.

What is recognised: AWS access keys and secrets, presigned URLs, bearer and basic tokens, JSON web tokens, private keys,
passwords in URLs, integration keys of pagers and chats, keys of code hosts and LLMs, and whatever stands behind a
telling name (`password`, `api_key`, `routing_key` ...). What is not: hashes, account ids, ARNs, run ids, counts of LLM
tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "[redacted]"
KEEP = rf"\1{MASK}"

_NAMES = (
    r"(?:aws[_-]?)?secret[_-]?access[_-]?key|(?:aws[_-]?)?session[_-]?token|x-amz-(?:signature|credential|security-token)"
    r"|aws[_-]?access[_-]?key[_-]?id|access[_-]?key[_-]?id|password|passwd|passphrase|secret(?:[_-]?(?:key|string))?"
    r"|client[_-]?secret|(?:auth|access|refresh|id|api|bot)?[_-]?token|api[_-]?key|x-api-key|private[_-]?key"
    r"|(?:routing|integration|service)[_-]?key|webhook[_-]?url|authorization"
)
_NAME = re.compile(rf"(?:[A-Za-z0-9]+[_-])*?(?:{_NAMES})", re.IGNORECASE)

# Each pattern keeps what makes the text readable (group 1) and masks the rest. A mask never matches again into
# something else, so redacting twice is redacting once. In front of each: words, in small letters, without one of which
# it cannot match; looking for a word is a hundred times as quick, and every output of every run goes through here.
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (needles, re.compile(pattern), replacement)
    for needles, pattern, replacement in (
        (("private key",), r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", MASK),
        (
            ("akia", "asia", "abia", "acca"),
            r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
            MASK,
        ),
        (("eyj",), r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", MASK),
        (
            ("ghp_", "gho_", "ghu_", "ghr_", "ghs_", "github_pat_", "glpat-"),
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
            MASK,
        ),
        (("sk-",), r"\bsk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}", MASK),
        (("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}", MASK),
        (("hooks.slack",), r"(hooks\.slack\.com/(?:services|workflows)/)[^\s\"'<>\\]+", KEEP),
        (("events.pagerduty",), r"(events\.pagerduty\.com/(?:integration|v2/enqueue)/)[^\s\"'<>/\\]+", KEEP),
        (
            ("signature=", "x-amz-", "awsaccesskeyid="),
            r"(?i)([?&;](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)=)[^&\s\"'<>\\]+",
            KEEP,
        ),
        (
            ("bearer", "basic"),
            r"(?i)(\b(?:bearer|basic)\s+)(?=[A-Za-z0-9._~+/-]*[0-9=._~+/])[A-Za-z0-9._~+/-]{12,}=*",
            KEEP,
        ),
        (("aws4-hmac-sha256",), r"(?i)(AWS4-HMAC-SHA256\s+Credential=)[^\s,]+", KEEP),
        (("signature=",), r"(?i)(\bSignature=)[0-9a-f]{64}\b", KEEP),
        (("@",), r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@\"'<>]{1,64}:)[^\s/@\"'<>]+(?=@)", KEEP),
    )
)
# name = value, "name": "value", --name value; JSON in a JSON string has its quotes escaped. A prefix such as MY_ needs
# no pattern of its own: the name begins anew behind each dash, and nothing is scanned twice.
_NAMED: tuple[re.Pattern[str], ...] = (
    re.compile(
        rf"(?i)((?<![A-Za-z0-9])(?:{_NAMES})\\?[\"']?\s*(?:[:=]|\s=>)\s*\\?[\"'])"
        r"(?!\[redacted\])[^\"'\\\n]+"
    ),
    re.compile(
        rf"(?i)((?<![A-Za-z0-9])(?:{_NAMES})\s*[:=]\s*)"
        r"(?!\[redacted\]|bearer\s|basic\s|AWS4-)(?=[^\s\"',;&<>{}()\[\]\\]*[0-9/+=])[^\s\"',;&<>{}()\[\]\\]{8,}"
    ),
)
_STEMS = ("secret", "token", "key", "passw", "passphrase", "x-amz-", "webhook", "authorization")
"""Every one of `_NAMES` has one of these in it ..."""
_ASSIGNED = re.compile(r"[a-z_-]{0,16}\\?[\"']?\s*(?:[:=]|\s=>)")
"""... and behind it, within the longest end of a name, what assigns: without that, none of `_NAMED` can match."""


# Charts within HTML: a hundred thousand characters in which a pattern can only match by chance, and spoil the chart.
_IMAGE = re.compile(r"(data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/]{64,}={0,2})")


def redact_text(text: str) -> str:
    """`text` with every recognised secret replaced by `[redacted]`; redacting twice changes nothing more.

    Embedded images stay as they are.
    """
    if "data:image/" in text:
        parts = _IMAGE.split(text)
        parts[::2] = map(_redact, parts[::2])
        return "".join(parts)
    return _redact(text)


def _redact(text: str) -> str:
    small = text.casefold()
    for needles, pattern, replacement in _PATTERNS:
        if any(needle in small for needle in needles):
            text = pattern.sub(replacement, text)
    if _assigns(small):
        for pattern in _NAMED:
            text = pattern.sub(KEEP, text)
    return text


def _assigns(small: str) -> bool:
    """Whether a telling name may be given a value somewhere; `small` is the text in small letters."""
    for stem in _STEMS:
        at = small.find(stem)
        while at >= 0:
            if _ASSIGNED.match(small, at + len(stem)):
                return True
            at = small.find(stem, at + 1)
    return False


def redact(value: Any) -> Any:
    """The same for anything JSON-like: strings within mappings and lists, and whole values behind a telling name."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(item, str) and item and _NAME.fullmatch(str(key)) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    return value
