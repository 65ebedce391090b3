"""Secrets as tools write a name and its value apart: a diff of CDK, a variable of Terraform, a parameter of a template,
a property in XML, a listing of variables, an address of Go's drivers, a field of a form, a header that a proxy sets, a
setting of an INI.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import KEEP, MASK, Kind, Match
from runbook_lib.base.masking.names import telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import PLAIN

_SHORT, _VERDICTS = ("pass", "psk"), ("fail", "failed", "error", "skip", "skipped", "green", "success", "total")
_NL = r"(?:\n|(?:\\{1,4}r)?\\{1,4}n)"
"""A break between the lines of a form, also as a program's source has it."""
_CHANGED = re.compile(r"(─ \[[-+]\] )(?!\[redacted\])([^\n]+)")


def _named(match: Match) -> str:
    """Masks the value, if its name tells; without quotes, what a sentence says of a name is none."""
    name, value = re.split(r"[./:]", match["name"])[-1], match["value"]
    none = harmless(value) or (not match.groupdict().get("q") and value.casefold() in PLAIN)
    return (
        f"{match['head']}{MASK}"
        if (telling(name) or (name in _SHORT and value not in _VERDICTS)) and not none
        else match[0]
    )


def _both(match: Match) -> str:
    """Masks what was and what is to be."""
    return match["head"] + _CHANGED.sub(KEEP, match["values"]) if telling(match["name"]) else match[0]


DECLARED: tuple[Kind, ...] = (
    Kind(  # a field of a form (RFC 7578): up to the boundary, or one line of it
        ("form-data",),
        re.compile(
            r"(?i)(?P<head>\bform-data;[ \t]{0,4}name=(?P<q>\\{0,3}[\"'])?(?P<name>[\w.-]{1,80}(?:\[[\w.-]{0,80}\])?)"
            rf"(?(q)(?P=q))(?:;[^\n\\]{{0,200}})?{_NL}(?:[\w-]{{1,40}}:[^\n\\]{{0,200}}{_NL}){{0,4}}{_NL})"
            rf"(?P<value>(?:(?!{_NL}--|form-data;)[\s\S]){{1,4000}}(?={_NL}--)|[^\n\\]{{1,400}})"
        ),
        _named,
    ),
    Kind(
        ("─ [+]", "─ [-]"),
        re.compile(
            r"(?P<head>\[[~+-]\] [^\n]{0,200}?\.?(?P<name>[A-Za-z][\w-]{1,80}):?[ \t]*\n)"
            r"(?P<values>(?:[ \t│]*[├└]─ \[[-+]\] [^\n]*(?:\n|\Z)){1,2})"
        ),
        _both,
    ),
    Kind(
        ("@tcp(", "@tcp6(", "@unix(", "@udp("),
        re.compile(r"((?<![\w.%+-])[\w.%+-]{1,64}:)(?!\[redacted\])[^\s\"'<>]{1,200}?(?=@(?:tcp6?|unix|udp)\()"),
        KEEP,
    ),
    Kind(
        ("<value>",),
        re.compile(
            r"(?P<head><(?P<tag>name|key|id)>[ \t]{0,9}(?P<name>[\w./-]{1,80})[ \t]{0,9}</(?P=tag)>\s{0,80}<value>)"
            r"(?P<value>[^<]{1,400})(?=</value>)"
        ),
        _named,
    ),
    Kind(
        ("\tsecurestring\t",),
        re.compile(r"(?i)(\tSecureString\t)(?!\[redacted\]|(?:true|false)\b|[^\n]{0,400}\[redacted\])[^\t\n]+"),
        KEEP,
    ),
    Kind(
        (" str ", " bytes "),
        re.compile(r"(?m)(?P<head>^(?P<name>[A-Za-z_]\w{0,60}) {1,60}(?:str|bytes) {1,60})(?P<value>\S{1,400})$"),
        _named,
    ),
    Kind(
        ("variable",),
        re.compile(
            r"(?P<head>\bvariable\s{1,9}\"(?P<name>[\w-]{1,80})\"\s{0,9}\{(?:[^{}]|\{[^{}]{0,400}\}){0,400}?"
            r"\bdefault\s{0,20}=\s{0,9}(?:<<-?\w{1,20}\n[ \t]{0,20}|\"))(?P<value>[^\"\n]{1,400})"
        ),
        _named,
    ),
    Kind(
        ("default:",),
        re.compile(
            r"(?m)(?P<head>^(?P<in>[ \t]{0,20})(?P<name>[A-Za-z]\w{1,80}):[ \t]*\n"
            r"(?=(?P=in)(?P<by>[ \t]{1,8})\S)(?:(?P=in)[ \t]{1,20}(?![ \t]|Default:)[^\n]{0,200}\n){0,12}"
            r"(?P=in)(?P=by)Default: {1,9}[\"']?)"
            r"(?P<value>[^\s\"'][^\n\"']{0,400})"
        ),
        _named,
    ),
    Kind(
        ("config set",),
        re.compile(
            r"(\bconfig set (?=[^\n]{0,400}--secret\b)"
            r"(?:--(?:secret|path|plaintext) |--?[\w-]{1,40}[= ][\w./-]{1,80} ){0,5}"
            r"[A-Za-z][\w:.-]{0,80} (?:--(?:secret|path) ){0,2})(?!\[redacted\]|-)"
            r"(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'<>\\]+)"
        ),
        KEEP,
    ),
    Kind(  # how a proxy sets a header
        ("header",),
        re.compile(
            r"(?im)(?P<head>(?:\b\w[\w-]{0,30}header|\bheader(?:_(?:up|down)|[ \t]{1,9}(?:set|add)))[ \t]{1,20}"
            r"(?:(?:always|set|add|append)[ \t]{1,9}){0,2}"
            r"[\"']?(?P<name>[a-z][\w-]{1,60})[\"']?[ \t]{1,20}(?P<q>[\"'])?)"
            r"(?P<value>(?(q)(?:(?!(?P=q))[^\n]){1,400}|[^\s\"';<>{}$%]{1,400}))"
            r"(?=(?(q)(?P=q)|[ \t]*;?[ \t]*$))"
        ),
        _named,
    ),
    Kind(  # a setting on a line of its own: `pass` is a verdict in a sentence
        ("pass", "psk"),
        re.compile(
            r"(?m)(?P<head>^[ \t]{0,20}(?P<name>pass|psk)[ \t]{1,20}=[ \t]{0,20}(?P<q>[\"'])?)"
            r"(?P<value>(?(q)(?:(?!(?P=q))[^\n]){4,200}|[^\s\"'`(){}\[\]<>,]{4,200}))"
            r"(?=(?(q)(?P=q)|[ \t]*(?:[;#][^\n]*)?$))"
        ),
        _named,
    ),
)
"""By the way in which each is written; `Kind` says what the words are for."""
