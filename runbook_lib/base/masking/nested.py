"""Masks values below a telling name that have several parts: a list, an object, a text in three quotes, a text
that is joined from several; and the entry fields of a web page.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.drawn import BEHIND, looks_drawn
from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import (
    AFTER,
    LIKELY,
    NAMES,
    PREFIXED,
    QUOTE,
    START,
    SURE_NAMES,
    assigned_beginnings,
    at_names,
    describes,
    no_value,
    telling,
)
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import TAIL, has

_LONGEST = 4_000
"""Most characters of a list or an object that are searched."""
_HEAD = re.compile(
    rf"(?i){START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY}){TAIL}{AFTER}"
    r"(?:[rbuf]{0,2}(?P<three>'''|\"\"\"|(?:\\{1,7}\"){3})|(?P<open>\[(?!redacted\])|[({](?!\{))|(?P<dash>-[ \t]))"
)
_ITEM = re.compile(
    rf"(?P<q>{QUOTE})(?P<quoted>(?:(?!(?P=q))(?:\\[^\n]|[^\n]))*)(?P<ends>(?P=q)(?P<key>\s{{0,8}}[:=])?)?"
    r"|(?P<bare>[^\s\"'`,;:=\[\](){}<>&\\]+)(?P<name>\s{0,8}[:=(\[])?|(?P<open>[\[({])|(?P<close>[\])}])"
)
_FLOW = re.compile(
    r"\[(?:\s{0,40}[^\s,;:=\[\](){}\"'<>]{1,200}\s{0,40},){0,100}\s{0,40}[^\s,;:=\[\](){}\"'<>]{1,200}\s{0,40},?\s{0,40}\]"
)
"""A list of words in YAML's form; an item with a space means a program."""
_DASHED = re.compile(r"(?P<head>[ \t]*-[ \t]+(?P<q>[\"']?))(?P<value>[^\n\"']+?)(?=(?P=q)[ \t]*(?:#[^\n]*)?(?:\n|\Z))")
_STRING = rf"(?P<quote>{QUOTE})(?:(?!(?P=quote))(?:\\[^\n]|[^\n]))*(?P=quote)"
_PART = re.compile(_STRING)
_PARTS = re.compile(
    rf"(?<=\[redacted\])(?P<q>{QUOTE})(?P<parts>(?:(?:\s|\\n){{0,40}}(?:\+(?:\s|\\n){{0,40}})?[rbuf]{{0,2}}{_STRING}){{1,20}})"
    r"(?=[ \t]{0,40}(?:[,;)\]}#\"'<]|\\n|\n|\Z))"
)
_FIELD = re.compile(r"(?i)(?:<|&lt;)input\b(?:(?!&gt;)[^<>]){0,1000}")
_KIND = re.compile(rf"(?i)\b(type|name|id|autocomplete)\s{{0,4}}=\s{{0,4}}{QUOTE}?([\w.-]{{1,80}})")
_FILLED = re.compile(rf"(?i)(\bvalue\s{{0,4}}=\s{{0,4}})(?P<q>{QUOTE})?(?P<value>(?(q)(?:(?!(?P=q)).)+|[^\s<>]+))")
_ELEMENT = re.compile(rf"(?i){START}(?:{NAMES}|{PREFIXED})(?=\s)(?:[^<>&]|&(?!gt;|lt;)){{1,1000}}")
_TAG = re.compile(r"(?:<|&lt;)[\w.:-]{0,80}\Z")
"""What stands before the name if it is an element's: `<db.password value="x">`."""


def mask_fields(text: str, small: str) -> str:
    """`text` with the contents of entry fields and elements masked; `small`: the same text in small letters."""
    if "value" not in small or ("<" not in small and "&lt;" not in small):
        return text
    if "<input" in small or "&lt;input" in small:
        text = _FIELD.sub(_field, text)
    return at_names(_ELEMENT, _element, text, every=True)


def mask_nested(text: str) -> str:
    """`text`, which assigns something to a telling name, with the values nested below such names masked."""
    if not has(("[", "(", "{", "- ", "'''", '""'), text):
        return text
    kept, at = list[str](), 0
    for begin in assigned_beginnings(text):
        head = _HEAD.match(text, begin) if begin >= at else None
        if head:
            masked, end = _below(text, head)
            kept += [text[at : head.end()], masked]
            at = end
    return "".join([*kept, text[at:]])


def mask_parts(text: str) -> str:
    """`text` with the other parts masked of a value whose first part is: `"[redacted]" + "rest"`."""
    return _PARTS.sub(lambda match: match["q"] + _PART.sub(_part, match["parts"]), text) if MASK in text else text


def _part(match: Match) -> str:
    quote = match["quote"]
    held = match[0][len(quote) : -len(quote)]
    return match[0] if not held or harmless(held) else f"{quote}{MASK}{quote}"


def _below(text: str, head: Match) -> tuple[str, int]:
    """The text behind the head of a value, masked, and the position of its end."""
    at, sure = head.end(), head["sure"] is not None
    if head["three"]:
        end = text.find(head["three"], at)
        if end < 0:  # cut off, or no such text
            end = text.find("\n", at) if "\n" in text[at:] else len(text)
        return ("", at) if harmless(text[at:end].strip()) else (MASK, end)
    if head["open"]:
        return _items(text, head.end() - 1, sure=sure)
    return _dashes(text, head, sure=sure)


def _items(text: str, begin: int, *, sure: bool) -> tuple[str, int]:
    """Masks a list's items or an object's values. Below a name that is not sure, an object has other facts, too."""
    kept, at, depth, key = list[str](), begin + 1, 1, ""
    flow = text[begin] == "[" and _FLOW.match(text, begin, begin + _LONGEST) is not None
    end = at
    for item in _ITEM.finditer(text, at, begin + _LONGEST):
        end = item.end()
        depth += bool(item["open"]) - bool(item["close"])
        if depth == 0:
            break
        which = "quoted" if item["q"] else "bare"
        value = item[which] or ""
        if item["key"] or item["name"]:
            key = value
        if not sure and describes(key):
            continue
        if item["q"]:
            secret = not item["key"] and bool(value) and not harmless(value)
        else:
            likely = looks_drawn(value, BEHIND) or (sure and (flow or any(map(str.isdigit, value))))
            secret = likely and not item["name"] and not no_value(value)
        if secret:
            kept += [text[at : item.start(which)], MASK]
            at = item.end(which)
    return "".join([*kept, text[at:end]]), end


def _dashes(text: str, head: Match, *, sure: bool) -> tuple[str, int]:
    """Masks the items of a list on lines of their own, each behind a dash."""
    begin = text.rfind("\n", head.start(), head.end()) + 1
    kept, at, end = list[str](), head.end(), head.end()
    while begin and (line := _DASHED.match(text, begin)):
        value, end = line["value"].strip(), max(end, line.start("value"))
        if value.endswith(":") or ": " in value:
            break
        word = not any(map(str.isspace, value)) and not no_value(value)
        if not harmless(value) and (line["q"] or (word and (sure or looks_drawn(value, BEHIND)))):
            kept += [text[at : line.start("value")], MASK]
            at = end = line.end("value")
        begin = text.find("\n", line.end()) + 1
    return "".join([*kept, text[at:end]]), end


def _element(match: Match) -> str:
    """Masks the value of an element whose name tells a secret."""
    before = match.string[max(0, match.start() - 90) : match.start()]
    return _FILLED.sub(_filled, match[0]) if _TAG.search(before) else match[0]


def _filled(match: Match) -> str:
    value = match["value"]
    empty = not value.strip("\"'/")
    return match[0] if empty or harmless(value) else f"{match[1]}{match['q'] or ''}{MASK}"


def _field(match: Match) -> str:
    """Masks the content of a form field whose kind or name tells a secret."""
    said = [(kind[1].casefold(), kind[2]) for kind in _KIND.finditer(match[0])]
    if not any(name.casefold() == "password" if kind == "type" else telling(name) for kind, name in said):
        return match[0]
    return _FILLED.sub(_filled, match[0])
