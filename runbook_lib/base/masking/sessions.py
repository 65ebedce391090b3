"""Secrets of a session, by the place where they stand: cookies, keys in a query, what AWS hands out for some hours, and
codes that let their bearer sign in once: what OAuth and SAML hand over, what an MFA device shows.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import AND, EQ, KEEP, MASK, VALUE, Kind, Match


def _key(match: Match) -> str:
    """Masks a key in a query that looks drawn: a word, a path, a UUID, or a file's name is another key."""
    value = match[2]
    mixed = len(value) >= 16 and any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    other = "." in value or "/" in value or "%2f" in value.lower() or value.count("-") > 2
    return match[1] + MASK if mixed and not other else match[0]


def _secret_key(match: Match) -> str:
    """Masks 40 characters beside an access key's id, unless they are a hash."""
    return match[0] if re.fullmatch(r"[0-9a-f]{40}|[A-Za-z]{40}|[/A-Za-z-]{40}", match[2]) else match[1] + MASK


def _alone(match: Match) -> str:
    return (
        match[0]
        if match[2].casefold() in ("required", "missing", "optional", "none", "basic", "bearer")
        else match[1] + MASK
    )


SESSIONS: tuple[Kind, ...] = (
    Kind(  # before the id itself is masked
        ("akia", "asia"),
        re.compile(
            r"((?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])[^\nA-Za-z0-9](?:[^\n]{0,80}[^\nA-Za-z0-9/+=])?)"
            r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
        ),
        _secret_key,
    ),
    Kind(
        ("iqojb3jpz2lu", "fwogzxiv"), re.compile(r"(?<![A-Za-z0-9+/])(?:IQoJb3JpZ2lu|FwoGZXIv)[A-Za-z0-9+/]{40,}={0,2}")
    ),
    Kind(("ls0tls1crudjti",), re.compile(r"LS0tLS1CRUdJTi(?!BDRVJU|BQVUJM|BUUlVT)[A-Za-z0-9+/]{40,}={0,2}")),
    # What `aws eks get-token` and `aws ecr get-login-password` print.
    Kind(("k8s-aws-v1.",), re.compile(r"(?<![A-Za-z0-9])k8s-aws-v1\.[A-Za-z0-9_-]{40,}")),
    Kind(("eyjwyxlsb2fkijoi",), re.compile(r"(?<![A-Za-z0-9+/])eyJwYXlsb2FkIjoi[A-Za-z0-9+/=]{40,}")),
    Kind(  # alone behind a header that curl or a mail quotes: elsewhere such a word is one of a sentence
        ("authorization:",),
        re.compile(
            r"(?im)(^[ \t]*(?:[<>][ \t]?){1,6}(?:proxy-)?authorization:[ \t]{1,4})(?!\[redacted\])(\S{4,})(?=[ \t]*$)"
        ),
        _alone,
    ),
    Kind(  # how http.client and requests write a jar, how curl keeps one
        ("<cookie ",),
        re.compile(r"((?:<|&lt;)Cookie [^\s=<>]{1,100}=)(?!\[redacted\])[^\s<>&]+(?= for )"),
        KEEP,
    ),
    Kind(
        ("\ttrue\t", "\tfalse\t"),
        re.compile(
            r"((?:\t|\\t)(?:TRUE|FALSE)(?:\t|\\t)[0-9]{1,12}(?:\t|\\t)[^\s\\]{1,100}?(?:\t|\\t))(?!\[redacted\])[^\s\"'\\]+"
        ),
        KEEP,
    ),
    Kind(
        ("sessionid=", "sessionid:", "sessid=", "sessid:", "connect.sid"),
        re.compile(
            r"(?i)(?<![A-Za-z0-9_])((?:jsessionid|phpsessid|asp\.net_sessionid|connect\.sid|aspsessionid[a-z]{0,8}|(?-i:sessionid))"
            r"(?:=|\\{0,3}[\"']?:\s?\\{0,3}[\"']?))(?!\[redacted\])[^\s\"'<>;,&\\]{10,}"
        ),
        KEEP,
    ),
    Kind(
        ("key=", "key%3d", "auth=", "auth%3d", "jwt=", "jwt%3d", "sid=", "sid%3d"),
        re.compile(rf"(?i)({AND}(?:amp;)?(?:key|auth|jwt|sid|session){EQ})(?!\[redacted\])({VALUE})"),
        _key,
    ),
    Kind(  # a conversation with a mail server, as smtplib and imaplib print it
        ("auth plain", "auth login", "authenticate plain", "auth xoauth2"),
        re.compile(r"(\b(?:AUTH|AUTHENTICATE) (?:PLAIN|LOGIN|XOAUTH2) )(?!\[redacted\])[A-Za-z0-9+/]{8,}={0,2}"),
        KEEP,
    ),
    Kind(
        (" login ",),
        re.compile(
            r"(\b[A-Za-z]{1,6}[0-9]{1,6} LOGIN (?:\\{0,3}\"[^\"\n]{1,120}\"|[^\s\"]{1,120}) )(?!\[redacted\])\S+"
        ),
        KEEP,
    ),
    Kind(  # what boto3 returns of a decrypted text
        ("plaintext",),
        re.compile(r"([\"']Plaintext[\"']: b(?P<q>[\"']))(?!\[redacted\])(?:(?!(?P=q))(?:\\[^\n]|[^\n\\]))+"),
        KEEP,
    ),
)


def _code(match: Match) -> str:
    """Masks a code that lets its bearer sign in; a status or an error's name is shorter or a word."""
    value = match[2]
    if "[" in value or "(" in value:  # a program's source
        return match[0]
    mixed = any(map(str.isdigit, value)) and not value.isdigit()
    return match[1] + MASK if len(value) >= (9 if mixed else 20) else match[0]


_ONCE = (
    r"(?:(?:mfa|2fa|[th]?otp)(?:[ _-]?(?:code|token|pin|value))?|(?-i:(?:MFA)?TokenCode)"
    r"|(?:verification|security|confirmation|authenticat(?:ion|or)|sms|login|backup|recovery|one[ _-]?time|token|pin)"
    r"[ _-]?(?:code|password|passcode|pin)|pin)"
)
"""Names of a code that counts once; behind one a few digits are the code."""


CODES: tuple[Kind, ...] = (
    Kind(
        ("code=", "code%", "code_verifier"),
        re.compile(
            rf"(?i)((?:{AND}(?:amp;)?|(?<![a-z0-9_.-]))(?:(?:auth(?:orization)?|device|user)_?)?code(?:_verifier)?{EQ})(?!\[redacted\])({VALUE})"
        ),
        _code,
    ),
    Kind(
        ("samlresponse", "samlassertion"),
        re.compile(
            r"(?i)(\bSAML(?:Response|Assertion)\\{0,4}[\"']?\s{0,8}(?:[:=]|%3D)\s{0,8}\\{0,4}[\"']?)[A-Za-z0-9+/=%_-]{40,}"
        ),
        KEEP,
    ),
    Kind(
        ("mfa", "2fa", "otp", "code", "pin", "one-time", "one time", "one_time"),
        re.compile(
            rf"(?i)((?<![a-z0-9]){_ONCE}\\{{0,4}}(?:[\"'`]|&quot;|&#3[49];|&#x27;)?"
            r"(?:\s{1,4}for\s{1,4}[^\s\"'<>]{1,200}?)?(?:\s{0,8}[:=]\s{0,8}|\s{1,4}is:?\s{1,4}|\s{1,4})"
            r"\\{0,4}(?:[\"'`]|&quot;|&#3[49];|&#x27;)?)(?:[0-9]{6,8}|[0-9]{3}[ -][0-9]{3})(?![0-9A-Za-z_]|[.:,-][0-9])"
        ),
        KEEP,
    ),
)
