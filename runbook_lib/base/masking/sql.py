"""Secrets in the statements that a database's driver quotes: `IDENTIFIED BY 'x'`, `PASSWORD('x')`, and the value that
stands where a telling column's does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import stemmed, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import has

_Q = r"(?P<q>\\{0,3}['\"])"
_TEXT = r"(?:(?!(?P=q))(?:''|\\[^\n]|[^\n\\]))+"
_BY = re.compile(
    rf"(?i)(\bidentified\s{{1,4}}(?:with\s{{1,4}}\S{{1,80}}\s{{1,4}})?(?:by|as|using)\s{{1,4}}(?:password\s{{1,4}}|values\s{{1,4}})?)"
    rf"(?:{_Q}(?P<quoted>{_TEXT})|(?P<bare>[^\s\"';,<>\\]+))"
)
_CALLED = re.compile(
    rf"(?i)((?:\bpassword\(|\bset password\s{{1,4}}for\s{{1,4}}[^\n=]{{1,120}}=\s{{0,4}}){_Q})(?!\[redacted\]){_TEXT}"
)
_GIVEN = re.compile(
    r"(?i)(\b(?:sp_addlogin\s{1,4}N?'[^'\n]{1,128}'\s{0,4},\s{0,4}N?|sp_password\s{1,4}(?:NULL\s{0,4},\s{0,4}N?|N?(?='))"
    r"|crypt\(\s{0,4}|pgp_sym_(?:en|de)crypt\([^()\n]{1,400}?,\s{0,4})(?P<q>'))(?!\[redacted\])(?P<quoted>(?:''|[^'\n])+)(?=')"
)
"""What a function takes as a password."""
_DOLLARS = re.compile(r"(?i)(\bpassword\s{1,4}\$(?P<tag>[a-z_]{0,20})\$)(?!\[redacted\])[^\n]{1,400}?(?=\$(?P=tag)\$)")
_INSERT = re.compile(
    r"(?i)\b(?:insert|replace)\s{1,4}(?:\w{1,12}\s{1,4})?into\s{1,4}[^\s(]{1,200}\s{0,4}\((?P<names>[^()]{1,4000})\)"
    r"[^()]{0,200}?\bvalues\s{0,40}"
)
_ROW = re.compile(r"\s{0,40},?\s{0,40}\((?P<row>(?:\\{0,3}'(?:''|[^'\n])*'|[^()'\n]|\([^()\n]{0,200}\)){1,8000})\)")
_PARAMETERS = re.compile(r"(?i)\bparameters:\s{0,4}\[?(?=\()")
_CELL = re.compile(
    r"\s*(?:(?:[NEne]|U&)?\\{0,3}'(?:''|[^'\n])*'|\\{0,3}\"[^\"\n]*\")\s*|(?:[^,'\"()]|\([^()]{0,200}\))+"
)
_FAR = 2_000
"""Most characters between a statement and the line with its parameters."""


def mask_sql(text: str, small: str) -> str:
    """`text` with the secrets of statements masked; `small`: the same text in small letters."""
    if "identified" in small:
        text = _BY.sub(_by, text)
    if has(("crypt(", "sp_addlogin", "sp_password"), small):
        text = _GIVEN.sub(lambda match: match[0] if harmless(match["quoted"]) else match[1] + MASK, text)
    if not stemmed(small):
        return text
    if "$" in small:
        text = _DOLLARS.sub(lambda match: match[1] + MASK, text)
    if "password(" in small or "set password" in small:
        text = _CALLED.sub(lambda match: match[1] + MASK, text)
    return _inserted(text) if has(("insert", "replace"), small) and " into " in small else text


def _by(match: Match) -> str:
    value = match["quoted"] or match["bare"]
    kept = harmless(value) or (match["bare"] and not match[1][:1].isupper() and not any(map(str.isdigit, value)))
    return match[0] if kept else f"{match[1]}{match['q'] or ''}{MASK}"


def _inserted(text: str) -> str:
    spans = list[tuple[int, int]]()
    for found in _INSERT.finditer(text):
        secret = [telling(name.strip(" \t\n\"'`[]")) for name in found["names"].split(",")]
        if not any(secret):
            continue
        spans += _rows(text, found.end(), secret)
        if parameters := _PARAMETERS.search(text, found.end(), found.end() + _FAR):
            spans += _rows(text, parameters.end(), secret)
    kept, at = list[str](), 0
    for first, end in sorted(spans):
        if first >= at:
            kept += [text[at:first], MASK]
            at = end
    return "".join([*kept, text[at:]])


def _rows(text: str, begin: int, secret: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Spans of the texts below telling columns, row after row."""
    while row := _ROW.match(text, begin):
        begin = row.end()
        cells = list(_CELL.finditer(row["row"]))
        for cell, told in zip(cells, secret, strict=False):
            written = cell[0].strip()
            if written[1:2] == "'" and written[0] in "NEne":
                written = written[1:]
            value = written.strip("\\'\"")
            plain = written[:1] not in ("\\", "'", '"') or harmless(value) or value.startswith("%")
            if told and value and not plain and len(cells) == len(secret):
                first = row.start("row") + cell.start() + cell[0].index(value)
                yield first, first + len(value)
