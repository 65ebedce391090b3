"""Secrets as tools write a name and its value apart: a diff of CDK, a variable of Terraform, a parameter of a template,
a property in XML, a constant of PHP, a listing of variables, an address of Go's drivers.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import KEEP, MASK, Kind, Match
from runbook_lib.base.masking.names import telling
from runbook_lib.base.masking.places import harmless

_CHANGED = re.compile(r"(─ \[[-+]\] )(?!\[redacted\])([^\n]+)")


def _named(match: Match) -> str:
    """Masks the value, if its name tells."""
    told = telling(re.split(r"[./:]", match["name"])[-1]) and not harmless(match["value"])
    return f"{match['head']}{MASK}" if told else match[0]


def _both(match: Match) -> str:
    """Masks what was and what is to be."""
    return match["head"] + _CHANGED.sub(KEEP, match["values"]) if telling(match["name"]) else match[0]


DECLARED: tuple[Kind, ...] = (
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
        re.compile(r"((?<![\w.%+-])[\w.%+-]{1,64}:)(?!\[redacted\])[^\s@/\"']{1,200}(?=@(?:tcp6?|unix|udp)\()"),
        KEEP,
    ),
    Kind(
        ("<value>",),
        re.compile(
            r"(?P<head><(?P<tag>name|key|id)>[ \t]{0,9}(?P<name>[\w./-]{1,80})[ \t]{0,9}</(?P=tag)>\s{0,80}<value>)"
            r"(?!\[redacted\])(?P<value>[^<]{1,400})(?=</value>)"
        ),
        _named,
    ),
    Kind(("\tsecurestring\t",), re.compile(r"(?i)(\tSecureString\t)(?!\[redacted\])[^\t\n]+"), KEEP),
    Kind(
        (" str ", " bytes "),
        re.compile(
            r"(?m)(?P<head>^(?P<name>[A-Za-z_]\w{0,60}) {1,60}(?:str|bytes) {1,60})"
            r"(?!\[redacted\])(?P<value>[^\s][^\n]{0,400})$"
        ),
        _named,
    ),
    Kind(
        ("variable", "default"),
        re.compile(
            r"(?P<head>\bvariable\s{1,9}\"(?P<name>[\w-]{1,80})\"\s{0,9}\{[^{}]{0,400}?\bdefault\s{0,20}=\s{0,9}\")"
            r"(?!\[redacted\])(?P<value>[^\"\n]{1,400})"
        ),
        _named,
    ),
    Kind(
        ("default:",),
        re.compile(
            r"(?m)(?P<head>^(?P<in>[ \t]{0,20})(?P<name>[A-Za-z]\w{1,80}):[ \t]*\n"
            r"(?:(?P=in)[ \t]{1,8}(?!Default:)\w{1,40}: [^\n]{0,200}\n){0,5}(?P=in)[ \t]{1,8}Default: {1,9}[\"']?)"
            r"(?!\[redacted\])(?P<value>[^\s\"'][^\n\"']{0,400})"
        ),
        _named,
    ),
    Kind(
        ("define(",),
        re.compile(
            r"(?P<head>\bdefine\(\s{0,4}[\"'](?P<name>\w{1,80})[\"']\s{0,4},\s{0,4}[\"'])(?!\[redacted\])(?P<value>[^\"'\n]{1,400})"
        ),
        _named,
    ),
    Kind(
        ("config set",),
        re.compile(
            r"(\bconfig set (?:--[\w=-]+ ){0,3}--secret (?:--[\w=-]+ ){0,3}[\w:.-]{1,80} )(?!\[redacted\])[^\s]+"
        ),
        KEEP,
    ),
)
"""By the way in which each is written; `Kind` says what the words are for."""
