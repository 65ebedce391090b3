"""Secrets in tables that a program writes as lists: the names once, then a list for each row (a query's answer; pandas'
`orient="split"`).
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed, surely, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.settings import is_name

TEXT = r"\"(?:[^\"\\\n]|\\.){0,400}\"|'(?:[^'\\\n]|\\.){0,400}'"
ITEM = rf"(?:{TEXT}|-?\d[\d.eE+-]{{0,30}}|null|true|false|None|True|False|nan|NaN)"
_NAME = r"(?:\"[\w .%/()#-]{1,60}\"|'[\w .%/()#-]{1,60}')"
SIGN = r"\s{0,20},\s{0,20}"
"""A text, an item of a list, and what is between two, as Python and JSON write them."""
_HEAD = re.compile(rf"[\[(]\s{{0,20}}{_NAME}(?:{SIGN}{_NAME}){{1,60}}\s{{0,20}}[\])]")
_LABELLED = re.compile(r"[\"']([\w -]{1,40})[\"']\s?:\s?\Z")
_GAP = rf"[\s,:\[\](){{}}]{{0,80}}(?:{_NAME}\s?:[\s\[({{]{{0,60}})?"
_ROW = re.compile(rf"(?P<gap>{_GAP})(?P<row>[\[(]\s{{0,20}}{ITEM}(?:{SIGN}{ITEM}){{0,60}}\s{{0,20}},?\s{{0,20}}[\])])")
_EACH = re.compile(ITEM)
_OPEN = re.compile(r"\b(?:(?:Multi|Categorical)?Index|array)\(\[")
_BODY = re.compile(rf"(?:{ITEM}|[\s,()]|\.\.\.)*+")
_LIST = re.compile(rf"(\((?:{ITEM}|[\s,])*+\))")
_LABEL = re.compile(TEXT)
_DTYPE = r"\(\s{0,4}(?:\([^()\n]{1,80}\)|'[^'\n]{1,80}'),\s{0,4}'[^'\n]{1,20}'\),?\s{0,40}"
_FOOT = re.compile(
    rf"\](?:,\s{{1,40}}dtype=\[(?P<fields>(?:{_DTYPE}){{1,60}})\]|(?P<more>[^()]{{0,2000}}?)\bname(?:s=\[(?P<names>[^\]\n]{{1,400}})\]|='(?P<name>[^'\n]{{1,120}})'))"
)
_FIELD = re.compile(r"\(\s{0,4}'([^'\n]{1,80})',")
"""An index of pandas and an array of records: their names stand behind."""


def mask_rows(text: str, small: str) -> str:
    """`text` with the items masked whose place in their list has a telling name in the list of names before them;
    `small`: the same text in small letters.
    """
    if "[" not in text or not stemmed(small):
        return text
    if "dtype=" in small or "names=" in small:
        text = _named_behind(text)
    kept, at = list[str](), 0
    for head in _HEAD.finditer(text):
        names = [one[1:-1] for one in _EACH.findall(head[0])]
        if head.start() < at or not any(map(telling, names)) or all(map(telling, names)):
            continue
        if (
            (label := _LABELLED.search(text, max(0, head.start() - 60), head.start()))
            and is_name(label[1])
            and label[1] != "header"
        ):
            continue  # a column of names
        kept.append(text[at : head.end()])
        at = head.end()
        while row := _ROW.match(text, at):
            kept.append(row["gap"] + _masked(row["row"], names))
            at = row.end()
    return "".join([*kept, text[at:]]) if kept else text


def _named_behind(text: str) -> str:
    kept, at = list[str](), 0
    for opened in _OPEN.finditer(text):
        body = _BODY.match(text, opened.end())
        foot = _FOOT.match(text, body.end()) if body and opened.start() >= at else None
        if not body or not foot:
            continue
        if foot["name"]:
            end = foot.start("name") if telling(foot["name"]) else at
            masked = _LABEL.sub(_label, text[opened.end() : end])
        else:
            names = (
                _FIELD.findall(foot["fields"]) if foot["fields"] else [n[1:-1] for n in _EACH.findall(foot["names"])]
            )
            end = body.end()
            lists = _LIST.split(body[0])
            masked = "".join(_masked(one, names) if number % 2 else one for number, one in enumerate(lists))
        if end > at:
            kept += [text[at : opened.end()], masked]
            at = end
    return "".join([*kept, text[at:]]) if kept else text


def _label(match: re.Match[str]) -> str:
    before = match.string[: match.start()][-6:]
    return match[0] if before == "dtype=" or harmless(match[0][1:-1]) else f"{match[0][0]}{MASK}{match[0][0]}"


def _masked(row: str, names: list[str]) -> str:
    items = list(_EACH.finditer(row))
    if len(items) != len(names):  # such as the index
        return row
    found, at = list[str](), 0
    for item, name in zip(items, names, strict=True):
        quoted = item[0][0] in "\"'"
        said = item[0][1:-1] if quoted else item[0]
        if telling(name) and (quoted or surely(name)) and said and not harmless(said):
            found.append(row[at : item.start()] + (f"{item[0][0]}{MASK}{item[0][0]}" if quoted else MASK))
            at = item.end()
    return "".join([*found, row[at:]])
