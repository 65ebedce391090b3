"""Secrets as the clients of databases and clusters take them: a line of `.pgpass`, `sqlplus user/x@db`, a literal of
`kubectl create secret`, a user and a password before a host, a setting of a server.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import KEEP, MASK, Kind, Match


def _last(match: Match) -> str:
    """Masks the last field, unless it is short or a number, as in `file:line`."""
    value = match[2]
    return match[1] + MASK if len(value) >= 5 and not value.isdigit() else match[0]


def _told(match: Match) -> str:
    """Masks a word behind `AUTH` that has a digit or a sign, or that stands at a prompt: `AUTH failed` has none."""
    value, front = match[2], match[1]
    ways = value.casefold() in ("login", "plain", "tls", "ssl", "web", "failed", "required")
    return match[0] if ways or (front.startswith("AUTH") and value.isalpha()) else front + MASK


CLIENTS: tuple[Kind, ...] = (
    Kind(  # host:port:database:user:password
        (":5432:", ":5433:", ":6432:", ":*:"),
        re.compile(
            r"(?m)((?:^|(?<=[\s\"']))(?:[\w.-]{1,200}|\*):(?:5432|5433|6432|\*):[^\s:\"']{1,80}:[^\s:\"']{1,80}:)"
            r"(?!\[redacted\])([^\s:\"'\\]+)(?=\\?[\"']|\\n|\s|$)"
        ),
        _last,
    ),
    Kind(
        ("sqlplus", "sqlldr", "expdp", "impdp", "rman"),
        re.compile(
            r"(?i)(\b(?:sqlplus|sqlldr|expdp|impdp|rman)\b[^\n;|&]{0,120}?\s[\"']?[A-Za-z]\w{0,60}/)(?!/|\[redacted\])([^\s@/\"'\\]+)(?=@)"
        ),
        KEEP,
    ),
    Kind(
        ("create secret",),
        re.compile(
            r"(\bcreate secret\b[^\n]{0,600}?--from-literal[= ](?P<q>[\"'])?[^\s=\"']{1,100}=)(?!\[redacted\])"
            r"(?(q)(?:(?!(?P=q))[^\n])+|[^\s\"'\\]+)"
        ),
        KEEP,
    ),
    Kind(
        ("secret set", "secrets set", "secret put", "secret add", "secret update", "secrets add", "secrets put"),
        re.compile(
            r"(\bsecrets? (?:set|put|add|update)\b[^\n;|&]{0,200}?\s(?:--(?:value|body)[ =]|[A-Z]\w{0,80}=)[\"']?)"
            r"(?!\[redacted\]|\$)[^\s\"'\\]+"
        ),
        KEEP,
    ),
    Kind(
        ("@",),
        re.compile(
            r"(?<=[A-Za-z0-9_.-])(:)(?!\[redacted\])(?=[^\s@]{0,60}[0-9])([^\s:/@\"'<>\\]{5,60})"
            r"(?=@[\w.-]{1,100}:[0-9]{2,5}\b)"
        ),
        _last,
    ),
    Kind(  # at a prompt of Redis, on a line of its own, in a call
        ("auth",),
        re.compile(
            r"(?m)(^(?:(?i:[\w.:\[\]-]{1,80}> (?:auth))|AUTH) (?:[^\s\"']{1,80} )?"
            r"|\b(?i:execute_command)\(\s{0,4}[\"']AUTH[\"'],\s{0,4}[\"'])"
            r"(?!\[redacted\])([^\s\"'\\]{1,400})(?=[ ]?$|[\"'])"
        ),
        _told,
    ),
    Kind(
        ("acl setuser",),
        re.compile(r"(?i)(\bacl setuser \S{1,80} [^\n]{0,200}?(?<=[\s\"'])[>#])(?!\[redacted\])[^\s\"'\\]+"),
        KEEP,
    ),
    Kind(
        ("requirepass", "masterauth", "bindpw", "rootpw"),
        re.compile(
            r"(?i)(\b(?:requirepass|masterauth|bindpw|(?:olc)?rootpw)[\"']?(?::\s{0,4}|[ \t]{1,8}|\s?=\s?)[\"']?)"
            r"(?!\[redacted\]|is\b|was\b|and\b|or\b|not\b|in\b|of\b|:)[^\s\"'<>\\]{4,}"
        ),
        KEEP,
    ),
)
