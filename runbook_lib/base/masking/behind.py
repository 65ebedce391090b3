"""Quoted words behind the name of a password on its line, whatever stands between: a type, a call, an operator, another
value. `password = os.getenv("X") or "x"`, `user, password = "ada", "x"`, `add_argument("--password", default="x")`.

What languages write between a name and its value has no end, so each quoted word is taken for the value, up to the
next name to which something is assigned.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.drawn import MIXED, looks_drawn
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import (
    LIKELY,
    PREFIXED,
    START,
    SURE_NAMES,
    beginnings,
    describes,
    no_value,
    stemmed,
    telling,
)
from runbook_lib.base.masking.vocabulary import TAIL, has, is_fact

_NAME = re.compile(rf"(?i){START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY}){TAIL}(?![A-Za-z0-9_-])")
_FAR = 200
"""Most characters between a name and the end of what is searched behind it."""
_LITERAL = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<![A-Za-z0-9])(?<=[rbfuRBFU])|(?=\"))(?P<q>\\{0,3}[\"'`])(?P<value>(?:(?!(?P=q))[^\n]){0,200})(?P=q)"
)
_KEY = re.compile(
    r"(?:[,{(;&|\[\]\"')]|(?<=[^\s:=])(?=\s))\s{0,8}[\"']?(?P<key>[A-Za-z_][\w.-]{0,60}|\d{1,9})[\"']?\s{0,4}"
    r"(?:(?<!\s):(?![:=])|=(?![=>])|=>|:=)"
)
"""Another name, to which something is assigned."""
_TYPES = frozenset("string str text char varchar bytes securestring".split())  # noqa: SIM905
_DETAIL = re.compile(r"\)=\((?P<value>[^()\n]{1,200})\)")
"""`Key (password)=(x)`, as a database tells it."""
_VALUES = frozenset("default value values initial fallback plaintext new old before after val data secret".split())  # noqa: SIM905
_IS_KEY = re.compile(r"\s{0,4}(?::(?!:)|=(?!=)|\]\s{0,4}=)")
_TUPLE = re.compile(r"\{[\w-]{0,40}\Z")
"""Before a name in Erlang: `{db_password, "x"}`."""
_SIGN = re.compile(r"[=:(<>{?]|\|\||\s-[A-Za-z]$")
_WORD = re.compile(r"\s{1,4}[A-Za-z]")
_PROSE = re.compile(r"(?:(?<![\w.(\"'])[A-Za-z]{2,}[,;]?[ ]){3}")
_METHOD = re.compile(
    r"\.(?:encode|decode|split|rsplit|strip|lstrip|rstrip|startswith|endswith|replace|format|join|partition|count|find"
    r"|index|removeprefix|removesuffix|upper|lower)\("
)
_OF_A_NAME = re.compile(
    r"(?:\b(?:get|getenv|getattr|pop|setdefault|env|encode|decode|split|strip|join|replace)\(|[\w)\]]\[)[rbfu]?$"
)
"""Before a word that names something, or is a program's: `os.environ.get("X")`, `.encode("utf-8")`, `row["x"]`."""
_CODE = ("[", "(", "\\", "{")
_PART = re.compile(r"\.([A-Za-z_]\w{0,40})")
_ASKS = re.compile(
    r"(?i)(?:get|fetch|read|load|find|lookup|resolve|describe|list|delete|rotate|has|is|need|needs|require|ask|names?)[_-]?"
    r"(?:[a-z0-9]{1,20}[_-]?){0,2}$"
)
"""A function that is told of which secret it is, such as `get_db_password("orders")`."""


def mask_behind(text: str, small: str) -> str:
    """`text` with such words masked; `small`: the same text in small letters."""
    if not stemmed(small) or not has(('"', "'", "`", ")=("), text):
        return text
    kept, at = list[str](), 0
    for begin in beginnings(text):
        name = _NAME.match(text, begin) if begin >= at else None
        if name is None:
            continue
        for first, last in _values(text, name):
            if first >= at:
                kept += [text[at:first], MASK]
                at = last
    return "".join([*kept, text[at:]]) if kept else text


def _values(text: str, name: re.Match[str]) -> list[tuple[int, int]]:
    """Where the words behind a name begin and end."""
    if told := _DETAIL.match(text, name.end()):
        return [told.span("value")] if _is_value(told["value"]) else []
    line = max(text.rfind("\n", 0, name.start()) + 1, name.start() - _FAR)
    end = text.find("\n", name.end(), name.end() + _FAR)
    end = end if end >= 0 else min(len(text), name.end() + _FAR)
    at, end = _around(text, line, name.end(), end)
    part = _PART.match(text, at)
    if (
        text.startswith("'s ", name.end())
        or _METHOD.match(text, at)
        or (part and (is_fact(part[1]) or describes(part[1])))
    ):
        return []
    if text[at : at + 1] == "(" and _ASKS.search(text[max(0, name.start() - 60) : name.start()]):
        return []
    if at > name.end() and _WORD.match(text, at):  # `if "password" in kinds`
        return []
    found, gap_from = list[tuple[int, int]](), at
    for literal in _LITERAL.finditer(text, at, end):
        gap, value = text[gap_from : literal.start()], literal["value"]
        key = _KEY.search(text[gap_from - 1 : literal.start()])
        if key and ("]," in gap or "}," in gap):  # another list
            break
        if key and key["key"].casefold() not in _VALUES | _TYPES and not telling(key["key"]):
            break
        if _IS_KEY.match(text, literal.end(), end) and not gap.rstrip().endswith(("!=", "==", "<>")):
            if value.casefold() in _VALUES or telling(value):
                continue
            break
        if _OF_A_NAME.search(text[at - 1 : literal.start()]):
            continue
        beside = gap.strip() in ("", MASK) or (
            gap.strip() == "," and _TUPLE.search(text[max(0, name.start() - 41) : name.start()])
        )
        if not _SIGN.search(text, at, literal.start()) and not (name["sure"] and beside):
            break
        sure = name["sure"] and not _PROSE.search(text[at : literal.start()])
        if _is_value(value) and (sure or (looks_drawn(value, MIXED) and not has(_CODE, value))):
            found.append((literal.start("value"), literal.end("value")))
        gap_from = literal.end()
    return found


def _is_value(value: str) -> bool:
    plain = not any(char.isspace() for char in value) and MASK not in value and not value.startswith(("{", "%"))
    place = "/" in value and not looks_drawn(value, MIXED)
    return (
        plain
        and not place
        and len(value) > 3
        and not no_value(value)
        and not telling(value)
        and not value.endswith((":", "="))
    )


def _around(text: str, line: int, at: int, end: int) -> tuple[int, int]:
    """Where to search for the values of a name that ends at a place: behind the quoted text in which it stands, or
    within it, if it has quoted words of its own, as a line of code in a list has.
    """
    for literal in _LITERAL.finditer(text, line, end):
        if literal.start() < at < literal.end():
            last = literal.end() - len(literal["q"])
            within = _LITERAL.search(text, at, last) is not None
            return _around(text, literal.start("value"), at, last) if within else (literal.end(), end)
        if literal.start() >= at:
            break
    return at, end
