"""The shapes of secrets, as data: tokens by their beginning, names that tell a secret, and other patterns.

Our own instead of a detector's: detectors report lines of files, while here a span in any text is replaced, by
patterns that read a text once, in a process that cannot wait for an import (a rollback).

Each pattern consumes what it has scanned, or scans a bounded stretch, so the time is linear in the text. A function
over the match decides what a pattern cannot.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import NamedTuple

from runbook_lib.base.masking.tokens import SHAPES, TOKENS

MASK = "[redacted]"
KEEP = rf"\1{MASK}"

Match = re.Match[str]
Replacement = str | Callable[[Match], str]


def shorn(value: str, signs: str) -> str:
    """`value` without such signs at its end, which are of the text around it; the last one of a mask is its own."""
    found = value.rstrip(signs)
    return found + MASK[-1] if f"{found}]".endswith(MASK) and value.startswith("]", len(found)) else found


class Kind(NamedTuple):
    """One kind of secret."""

    needles: tuple[str, ...]
    """Words in small letters: without one of them in the text the pattern cannot match. Finding a word is a hundred
    times faster than a pattern, and every output of every run goes through here."""
    pattern: re.Pattern[str]
    replacement: Replacement = MASK


BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}(?:PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----")
END = re.compile(r"-----END (?:[A-Z0-9]{1,20} ){0,4}(?:PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----")
"""A private key or an encrypted message over many lines, between these marks."""

EQ = r"(?:=|%(?:25){0,3}3[Dd])"
AND = r"(?:[?&;]|%(?:25){0,3}(?:26|3[Ff])|\\u0026)"
VALUE = r"(?:(?!%(?:25){0,3}26|\\u0026)[^&\s\"'<>\\;,)])+"
"""Parts of a query, encoded or not: between a name and its value, before a name, and the value."""


def _llm(match: Match) -> str:
    key = match[0]
    return MASK if len(key) >= 40 or any(char.isdigit() for char in key) else key


def _jwt(match: Match) -> str:
    return MASK if match[1] else match[0]


def _scheme(match: Match) -> str:
    """Masks the token behind a scheme; a short plain word is only masked in a header: "basic health check"."""
    value = shorn(match[3], ",.)]}:;|&`")
    told = match[1] or any(not char.isalpha() for char in value) or len(value) >= 20
    masked = f"{match[1] or ''}{match[2]}{MASK}{match[3][len(value) :]}"
    return masked if told and len(value) >= (4 if match[1] else 12) else match[0]


def _user(match: Match) -> str:
    """Masks a token that stands for the user of an address; a name has no such long part."""
    user = match[2]
    long = any(
        len(part) >= 16 and not part.isalpha() and not part.isdigit() for part in re.split(r"[-_.~%+=]", user)
    ) or re.fullmatch(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", user)
    return match[1] + MASK if long else match[0]


def _user_and_password(match: Match) -> str:
    try:
        said = base64.b64decode(match[3], validate=True)
    except ValueError:
        return match[0]
    return match[1] + MASK if b":" in said or match[1].lstrip("\"'\\").startswith("_auth") else match[0]


def _cookie(match: Match) -> str:
    return match[1] + MASK if "=" in match[2] else match[0]


KINDS: tuple[Kind, ...] = (
    Kind(
        ("private key", "pgp message"),
        re.compile(rf"{BEGIN.pattern}(?:(?!-----BEGIN )[\s\S])*?(?:{END.pattern}|(?=-----BEGIN )|\Z)"),
    ),
    Kind(
        ("akia", "asia", "abia", "acca"),
        re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ),
    Kind(
        ("eyj",),
        re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3})?"),
        _jwt,
    ),
    *(
        Kind((begin.casefold(),), re.compile(rf"(?<![A-Za-z0-9]){re.escape(begin)}[{chars}]{{{least},}}"))
        for begin, chars, least in TOKENS
    ),
    *(Kind(needles, re.compile(pattern)) for needles, pattern in SHAPES),
    Kind(("sk-",), re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}"), _llm),
    # An API key of Twilio: no hash has S and K. A key of Opsgenie is a UUID, so only its name tells.
    Kind(("sk",), re.compile(r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])")),
    Kind(("geniekey",), re.compile(r"(?i)(\bgeniekey[ \t]{1,8})(?!\[redacted\])[0-9a-f-]{20,}"), KEEP),
    Kind((":aa",), re.compile(r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}")),  # a bot of Telegram
    Kind(("/bot",), re.compile(r"(/bot[0-9]{6,12}:)[A-Za-z0-9_-]{30,}"), KEEP),
    Kind((":apa91b",), re.compile(r"(?<![A-Za-z0-9])AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{100,}")),  # Firebase
    Kind((".atlasv1.",), re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{50,}")),  # Terraform
    Kind(("key-",), re.compile(r"(?<![A-Za-z0-9_-])key-[0-9a-f]{32}(?![A-Za-z0-9])")),  # Mailgun
    Kind(("cio",), re.compile(r"(?<![A-Za-z0-9])cio[A-Za-z0-9]{32}(?![A-Za-z0-9])")),  # crates.io
    Kind(("oy2",), re.compile(r"(?<![A-Za-z0-9])oy2[a-z0-9]{43}(?![A-Za-z0-9])")),  # NuGet
    Kind(  # what a password becomes: it can be guessed from it
        ("$2", "$5", "$6", "$y", "$argon2"),
        re.compile(
            r"(?:\$2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}|\$[56]\$(?:rounds=[0-9]{1,9}\$)?[A-Za-z0-9./]{1,16}\$[A-Za-z0-9./]{43,86}"
            r"|\$y\$[A-Za-z0-9./]{1,8}\$[A-Za-z0-9./]{1,86}\$[A-Za-z0-9./]{43}|\$argon2(?:id|i|d)\$[A-Za-z0-9+/=,$]{40,})"
        ),
    ),
    Kind(
        ("private-lines:",),
        re.compile(
            r"(Private-Lines: [0-9]{1,4}(?:\s|\\{1,4}[rn]){1,2})(?!\[redacted\])(?:[A-Za-z0-9+/=\s]|\\{1,4}[rn]){20,}?"
            r"(?=Private-MAC|\Z)"
        ),
        KEEP,
    ),
    Kind(  # a private key as JSON (RFC 7517)
        ('"kty', "'kty"),
        re.compile(r"((?P<q>\\{0,3}[\"'])(?:d|p|q|dp|dq|qi|k)(?P=q)\s{0,4}:\s{0,4}(?P=q))[A-Za-z0-9_-]{16,}(?=(?P=q))"),
        KEEP,
    ),
    Kind(  # a registry's user and password, in base64
        ('auth"', "auth'", "auth\\", "_auth"),
        re.compile(
            r"((?:(?P<q>\\{0,3}[\"'])auth(?P=q)\s{0,4}:\s{0,4}(?P=q)|(?<![A-Za-z0-9])_auth\s{0,4}=\s{0,4}\"?))([A-Za-z0-9+/]{8,}={0,2})"
        ),
        _user_and_password,
    ),
    Kind(("pwd={",), re.compile(r"(?i)(\bpwd=\{)(?!\[redacted\])[^}\n]+(?=\})"), KEEP),
    Kind(
        ("convertto-securestring",),
        re.compile(r"(?i)(ConvertTo-SecureString\s{1,4}(?:-String\s{1,4})?\\{0,3}[\"'])(?!\[redacted\])[^\"'\n\\]+"),
        KEEP,
    ),
    Kind(  # what KMS decrypted, and a parameter of SSM that is kept encrypted
        ("plaintext", "securestring"),
        re.compile(
            r"((?P<q>\\{0,3}[\"'])(?:Plaintext(?P=q)\s{0,4}:\s{0,4}(?P=q)(?=[A-Za-z0-9+/]{16,}={0,2}(?P=q))"
            r"|Type(?P=q)\s{0,4}:\s{0,4}(?P=q)SecureString(?P=q)\s{0,4},\s{0,20}(?P=q)Value(?P=q)\s{0,4}:\s{0,4}(?P=q)))"
            r"(?!\[redacted\])(?:(?!(?P=q))[^\n])+"
        ),
        KEEP,
    ),
    Kind(  # addresses that let whoever knows them speak
        ("/hooks/", "/alert/", "/webhook/"),
        re.compile(
            r"(://[^\s/\"'<>]{1,200}/(?:[\w.-]{1,40}/){0,4}(?:hooks|alert|webhook)/(?:catch/)?(?:[0-9]{1,12}/){0,2})"
            r"(?=[A-Za-z_/-]{0,200}[0-9])[A-Za-z0-9_-]{20,}(?:/[A-Za-z0-9_-]+)*"
        ),
        KEEP,
    ),
    Kind(
        ("%3a%2f%2f",),
        re.compile(r"(?i)(%3A%2F%2F[^\s/%\"'<>]{0,64}%3A)(?:(?!%40|%2F)[^\s\"'<>&])+(?=%40)"),
        KEEP,
    ),
    Kind(("hooks.slack",), re.compile(r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"'<>\\]+"), KEEP),
    Kind(
        ("events.pagerduty",),
        re.compile(r"(events\.pagerduty\.com/(?:integration|v2/enqueue)/)[^\s\"'<>/\\]+"),
        KEEP,
    ),
    Kind(("/api/webhooks/",), re.compile(r"(discord(?:app)?\.com/api/webhooks/)[^\s\"'<>\\]+"), KEEP),
    Kind(("webhook.office.com",), re.compile(r"(webhook\.office\.com/)[^\s\"'<>\\]+"), KEEP),
    Kind(
        ("signature", "x-amz-", "awsaccesskeyid", "sig"),
        re.compile(
            rf"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|CloudFront-(?:Signature|Policy)|{AND}(?:amp;)?(?:Signature|AWSAccessKeyId|sig))"
            rf"{EQ})(?!\[redacted\]){VALUE}"
        ),
        KEEP,
    ),
    Kind(
        ("bearer", "basic"),
        re.compile(
            r"(?i)(authorization(?:\\{0,4}[\"'])?\s{0,8}[:=]\s{0,8}(?:\\{0,4}[\"'])?)?"
            r"(\b(?:bearer|basic)(?:[ \t]{1,8}|%20|\+))(?!bearer\b|basic\b)"
            r"((?(1)(?=[A-Za-z0-9._~+/!#@^=?-])(?:(?!&(?:quot|apos|#))[^\s\"'<>\\]){4,}|[A-Za-z0-9._~+/-]{4,}=*))"
        ),
        _scheme,
    ),
    Kind(  # any scheme: behind an unknown one the value needs a digit, else it is a sentence
        ("authorization",),
        re.compile(
            r"(?i)(authorization(?:\\{0,4}[\"'])?\s{0,8}[:=]\s{0,8}(?:\\{0,4}[\"'])?(?:(?:token|api-?key|geniekey|key|ssws"
            r"|negotiate|ntlm|signature|hawk|digest)[ \t]{1,8}|(?!bearer|basic|aws4-)[a-z][a-z0-9-]{1,20}[ \t]{1,8}"
            r"(?=[^\s\"'<>]{0,200}[0-9])))(?!\[redacted\])(?:(?<=digest )[^\n<>]+|[^\s\"'<>\\]{6,})"
        ),
        KEEP,
    ),
    Kind(  # http.client quotes what it refuses to send, such as a session token with a line break
        ("invalid header value b",),
        re.compile(
            r"(?i)(Invalid header value b(?P<q>\\{0,4}[\"']|&#39;))(?!\[redacted\])(?:(?!(?P=q))(?:\\[^\n]|[^\n]))+"
        ),
        KEEP,
    ),
    Kind(("aws4-hmac-sha256",), re.compile(r"(?i)(AWS4-HMAC-SHA256\s{1,8}Credential=)(?!\[redacted\])[^\s,]+"), KEEP),
    Kind(("signature=",), re.compile(r"(?i)(\bSignature=)[0-9a-f]{64}\b"), KEEP),
    Kind(
        ("://",),
        re.compile(
            r"((?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@\"'<>]{0,64}:)"
            # A slash in a password is against RFC 3986, and is met; behind a port begins a path.
            r"(?:[^\s/\"'<>]+|(?!\d{1,5}/)[^\s/@\"'<>]{1,80}(?:/[^\s/\"'<>]{0,80}){1,3})(?=@)"
        ),
        KEEP,
    ),
    Kind(
        ("://",),
        re.compile(r"((?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,20}://)([A-Za-z0-9_.~%+=-]{16,400})(?=:?@)"),
        _user,
    ),
    Kind(
        ("curl", "wget", "http"),
        re.compile(
            r"(\b(?:curl|wget|https?)\b[^\n]{0,300}?\s(?:-u|--user|--proxy-user|-a|--auth)(?:\s{0,4}|=)"
            r"[\"']?[^\s:\"'-][^\s:\"']{0,80}:)(?!//)(?!\[redacted\])[^\s\"']+"
        ),
        KEEP,
    ),
    Kind(  # how a program hands a password over
        ("auth=", "auth =", "auth\t=", "auth\n=", "auth("),
        re.compile(
            r"((?i:\bauth\s?=\s?\(|http(?:basic|digest)auth\(|basic_auth\s?=\s?\()\s{0,4}(?P<q>\\{0,3}[\"'])[^\"'\n\\]{1,80}(?P=q)"
            r"\s{0,4},\s{0,4}(?P=q))(?!\[redacted\])[^\"'\n\\]+"
        ),
        KEEP,
    ),
    Kind(
        ("authorization",),
        re.compile(
            r"(?i)((?P<q>\\{0,3}[\"'])(?:proxy-)?authorization(?P=q),\s{0,4}(?P=q))(?!\[redacted\])[^\"'\n\\]{6,}(?!(?P=q)\s{0,4}:|[^\"'\n\\])"
        ),
        KEEP,
    ),
    Kind(("::add-mask::",), re.compile(r"(::add-mask::)(?!\[redacted\])[^\n\"'<>\\]+"), KEEP),
    Kind(
        ("cookie",),
        re.compile(
            r"(?i)(\b(?:set-)?cookie\\{0,4}[\"']?\s{0,8}[:=]\s{0,8}\\{0,4}[\"']?)(?!\[redacted\])([^\n\"'\\<>]+)"
        ),
        _cookie,
    ),
)

EMAIL = Kind(
    ("@", "%40"),
    re.compile(r"[A-Za-z0-9._+'-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}"),
)
"""Personal data, not a secret: masked only if the parameters ask for it."""
_BODY = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def mask_headless(text: str) -> str:
    """`text` with the body of a private key masked whose beginning is cut off."""
    kept, at = list[str](), 0
    for end in END.finditer(text):
        begin = end.start()
        while begin > at and _BODY.fullmatch(text[(line := text.rfind("\n", at, begin - 1) + 1) or at : begin].strip()):
            begin = line or at
        if begin < end.start():
            kept += [text[at:begin], MASK]
            at = end.end()
    return "".join([*kept, text[at:]])
