"""Secrets that a language keeps apart from their names: the lines of a heredoc (`API_TOKEN<<EOF`), a value below the
word that wraps it, a field of an object named so, a word behind a type, an option of Redis or DuckDB.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.names import NAMES, PREFIXED, START, at_names, no_value, stemmed, telling
from runbook_lib.base.masking.vocabulary import TAIL

_HEREDOC = re.compile(
    r"(?m)(?P<head>(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{0,80})<<[-~]?[\"']?(?P<end>[A-Za-z_]\w{0,60})[\"']?[ \t]{0,4}\n)"
    r"(?P<body>(?:(?![ \t]{0,40}(?P=end)[ \t]{0,4}$)[^\n]{0,4000}(?:\n|\Z)){1,400})"
)
_NAMED = rf"{START}(?:{NAMES}|{PREFIXED}){TAIL}"
_WRAPPED = re.compile(
    rf"(?i)({_NAMED}[\"']?\s{{0,4}}[:=]\s{{0,4}}(?:[A-Za-z_]\w{{0,40}}\(\s{{0,80}}){{1,4}}(?P<q>[\"']))"
    r"(?P<quoted>(?:(?!(?P=q))[^\n]){1,400})(?=(?P=q)\s{0,80}[,)])"
)
_FIELD = re.compile(
    rf"(?i)({_NAMED}\([^()\n]{{1,200}}?\b(?:value|val)[ ]?[=:][ ]?(?P<q>[\"']))"
    r"(?P<quoted>(?:(?!(?P=q))[^\n]){1,400})(?=(?P=q))"
)
_TYPE = re.compile(r"(:[ \t]{0,4}\[redacted\][ \t]{1,4}=[ \t]{1,4})(?P<quoted>(?!\[redacted\])[^\s\"'`;,<>()\[\]{}]+)")
"""`password: SecretStr = x`: what is masked is the type."""
_REDIS = re.compile(r"(?i)(\bHELLO[ ][23][ ]AUTH[ ][^\s\"']{1,80}[ ])(?P<quoted>(?!\[redacted\])[^\s\"']+)")
_DUCKDB = re.compile(
    r"(?i)(\bCREATE\s(?:[A-Z ]{1,30}\s)?SECRET\b[^;]{0,400}?\bSECRET\s{1,4}')(?P<quoted>(?!\[redacted\])[^'\n]+)"
)


def mask_blocks(text: str, small: str) -> str:
    """`text` with such secrets masked; `small`: the same text in small letters."""
    if "hello" in small and "auth" in small:
        text = _REDIS.sub(_masked, text)
    if not stemmed(small):
        return text
    if "<<" in text:
        text = _HEREDOC.sub(_heredoc, text)
    if "(" in text:
        text = at_names(_FIELD, _masked, at_names(_WRAPPED, _masked, text, every=True), every=True)
    if "create" in small and "secret" in small:
        text = _DUCKDB.sub(_masked, text)
    return _TYPE.sub(_masked, text) if MASK in text else text


def _masked(match: Match) -> str:
    value = shorn(match["quoted"], ",.)]};")
    return match[0] if no_value(value) or value[0] in "<{" else match[1] + MASK + match["quoted"][len(value) :]


def _heredoc(match: Match) -> str:
    if not telling(match["name"]):
        return match[0]
    lines = (MASK if line.strip() and not no_value(line.strip()) else line for line in match["body"].split("\n"))
    return match["head"] + "\n".join(lines)
