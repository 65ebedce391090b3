"""A name and a value apart from each other: two fields of an object (`"Name": "DB_PASSWORD", "Value": "x"`), words of
a netrc file, a sentence (`password is x`), a line of a table, a block below a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from runbook_lib.base.masking.drawn import MIXED, NUMBER, looks_drawn
from runbook_lib.base.masking.ends import is_front
from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.names import (
    FOLDS,
    LONGEST,
    NAMES,
    SURE,
    describes,
    no_value,
    stemmed,
    surely,
    telling,
)
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import HUMP, PLAIN, TAIL

_Q = r"(?:\\{0,7}[\"'`]|&quot;|&#3[49];|&#x27;)"
_IS = rf"{_Q}?\s{{0,8}}(?:[:=]|>)\s{{0,8}}"
_NAME = (
    r"(?:parameter|option|attribute|property|variable|setting|output|header|env|config|input)?[_-]?(?:name|key)"
    r"|header|field|variable|setting"
)
_VALUE = (
    r"(?:parameter|string|default|secret|resolved|option|attribute|property|variable|setting|output|header|env|config"
    r"|input)?[_-]?value|default"
)
_WRAP = rf"(?:\{{\s{{0,20}}{_Q}S{_Q}\s{{0,4}}:\s{{0,8}})?"
"""DynamoDB's form of a text: `{"S": "a"}`."""
_TELLING = rf"[A-Za-z0-9_./-]{{0,60}}?(?:{NAMES}|[_-](?:pass|pwd|pw)|pwd){TAIL}"
_TOLD = rf"(?:{_TELLING}|(?:set-)?cookie)"
_BETWEEN = rf"(?:(?!\b(?:{_NAME})\b)[^{{}}\[\]]){{1,200}}?"
_HELD = rf"(?:(?P<q>{_Q})(?P<quoted>(?:(?!(?P=q))(?:\\[^\n]|[^\n\\])){{1,2000}})|(?P<bare>[^\s\"'`<>{{}},;&\\|]+))"
_FORWARD = re.compile(
    rf"(?i)(\b(?:{_NAME}){_IS}{_WRAP}{_Q}?{_TOLD}(?=[\"'`\s,;<&\\])(?:{_Q}\s{{0,20}}\}})?{_BETWEEN}"
    rf"\b(?:{_VALUE}){_IS}{_WRAP})(?!{_Q}?\[redacted\]){_HELD}"
)
_BACKWARD = re.compile(
    rf"(?i)(\b(?:{_VALUE}){_IS}{_WRAP})(?!{_Q}?\[redacted\]){_HELD}"
    rf"(?={_Q}?(?:\s{{0,20}}\}})?[\s,;<&]{{1,40}}[^{{}}\[\]\n-]{{0,20}}?\b(?:{_NAME}){_IS}{_WRAP}{_Q}?{_TOLD}(?:[\"'`\s,;<&\\}}]|\Z))"
)
_NETRC = re.compile(
    r"(?i)((?:\bmachine\s{1,20}\S{1,200}|\bdefault|\blogin\s{1,20}\S{1,200}|\baccount\s{1,20}\S{1,200})\s{1,20}"
    r"password\s{1,20})(?P<bare>(?![|│┃║]\s)[^\s\"'<>\\]+)"
)
_WORDS = r"(?:is|was|ist|lautet|est|es|equals|of)"
_SAID = re.compile(
    rf"(?i)((?:(?<![A-Za-z0-9])|{HUMP})(?P<sure>{SURE})?(?(sure)|(?:secret|token|api key))"
    rf"[\"'`*_]{{0,3}}\s{{1,4}}(?:{_WORDS}(?:\s{{0,4}}:)?|to(?:\s{{0,4}}:|(?=\s{{1,4}}[\"'`])))\s{{1,4}})"
    r"(?P<q>(?:\\{0,3}[\"'`*_]){0,3})(?P<bare>(?:(?!\\+[\"'])[^\s\"'`<>])+)"
)
_OF_KEYS = (
    *("api", "app", "access", "secret", "private", "signing", "encryption", "account", "master", "service", "client"),
    *("auth", "session", "deploy", "license", "ssh", "unseal"),
)
_KEYED = re.compile(
    rf"(?i)((?:{'|'.join(f'(?<={word} )' for word in _OF_KEYS)})"
    r"(?:key|secret|token)s?(?: id| value| [0-9]{1,2})?[\"'`*_]{0,3}"
    rf"(?:\s{{0,4}}(?:[:=]|[=-]>)\s{{0,4}}|\s{{1,4}}{_WORDS}(?:\s{{0,4}}:)?\s{{1,4}}))"
    r"(?P<q>(?:\\{0,3}[\"'`*_]){0,3})(?P<bare>(?:(?!\\+[\"'])[^\s\"'`<>])+)"
)
"""`API key: x`: a name as a sentence has it."""
_BESIDE = re.compile(
    rf"(?i)((?<![A-Za-z0-9])(?:{SURE})\s(?:[NE]|U&)?(?P<q>\\{{0,3}}[\"'`]))(?P<bare>[^\s\"'`\\]{{4,}})(?=(?P=q))"
)
"""`login failed with password 'x'`"""
_BEGIN = r"(?:^|(?<=>)|(?<=\'\'\')|(?<=\"\"\"))"
_END = r"(?:$|<|\'\'\'|\"\"\")"
_CELLS = re.compile(
    rf"(?im)((?:{_BEGIN}|(?<=[\"']))[ \t]*[|│┃║][ \t]*[*_`\"']{{0,3}}{_TELLING}[*_`\"']{{0,3}}"
    r"[ \t]*[|│┃║][ \t]*[*_`\"']{0,3})"
    r"(?P<bare>[^\s|│┃║`*\"'][^|│┃║\n`*\"']{0,500}?)(?=[*_`\"']{0,3}[ \t]*[|│┃║])"
    r"(?![^\n]{0,500}?(?:\n|\\{1,4}n)[ \t]*[|+\u2500-\u257f][ \t:|+=\u2500-\u257f-]{2,500}(?:$|[\\\"']))"
)
_RECORD = re.compile(rf"(?im)(^[ ]*{_TELLING}[ ]{{1,80}}[|│][ ])(?P<bare>[^\n|│]{{1,500}}?)(?=[ ]*$)")
"""A row of a record that is shown field by field, each on a line."""
_SPACED = re.compile(
    rf"(?im)({_BEGIN}[ \t]*[\w.-]{{0,40}}?(?:{SURE})(?:[_-]?[0-9]{{1,2}})?[*_`\"']{{0,3}}(?:[ ]*\t[ \t]*|[ ]{{2,80}}))"
    r"(?P<bare>[^\s|│┃║:=\"'<>-][^\s\"'<>]*)(?=[ \t]*(?:$|<|\'\'\'|\"\"\"))"
)
_BLOCK = re.compile(
    rf"(?im)(^(?P<indent>[ ]*)(?:-[ ])?[\"']?{_TELLING}[\"']?[ ]*:[ ]*(?:![^\s]{{1,40}}[ ]*)?[|>][+-]?[0-9]?[+-]?[ ]*"
    r"(?:#[^\n]*)?\n)"
    r"(?P<body>(?:(?P=indent)[ ]+[^\n]*(?:\n|\Z)|[ ]*\n)+)"
)
_MAPPING = re.compile(
    rf"(?im)({_BEGIN}(?P<indent>[ ]*)(?:-[ ])?[\"']?{_TELLING}[\"']?[ ]*:[ ]*(?:#[^\n]*)?\n)"
    r"(?P<body>(?:(?P=indent)[ ]+[^\n]*(?:\n|\Z)|[ ]*\n)+)"
)
_ENTRY = re.compile(
    r"(?m)^([ ]*(?:-[ ]+)?[\"']?(?P<key>[\w./-]{1,80})[\"']?[ ]*:[ ]+)"
    r"(?:(?P<q>[\"'])(?P<quoted>[^\n\"']+)(?P=q)|(?P<bare>[^\s\"'\[{|>&*!#][^\s\"'<>]*))"
    rf"(?=[ ]*(?:#[^\n]*)?{_END})"
)
_ORDINARY = re.compile(r"[\d.,:TZ+-]+%?")
"""A number or a time."""
_HEADS = re.compile(r"[A-Za-z_]{1,20}")
_LABELLED = re.compile(
    rf"(?im)({_BEGIN}[ \t]*(?:[a-z0-9]{{1,20}}[_.-]){{0,3}}(?:{NAMES})(?:[_-]?[0-9]{{1,2}})?"
    r"(?:[ ]*\t[ \t]*|[ ]{2,80}))"
    r"(?P<bare>(?=[^\s]{0,200}[0-9])(?=[^\s]{0,200}[a-z])(?!\d{4}-\d\d-\d\d|[\d.,]{1,20}[a-z%]{0,3}(?!\S))"
    r"[^\s:=\"'<>|-][^\s\"'<>]{5,199})"
    rf"(?=[ \t]*{_END})"
)
"""A name and a value in columns without a header: a series of pandas."""
_UNDER = re.compile(
    rf"(?im)({_BEGIN}[ \t]*[\w.-]{{0,40}}?(?:{SURE}|secret[_-]?access[_-]?key|session[_-]?token|client[_-]?secret)"
    r"(?:[_-]?[0-9]{1,2})?[ \t]*\n[ \t]*)"
    r"(?P<bare>(?=[^\s]{0,200}[0-9])(?=[^\s]{0,200}[a-z])(?!\d{4}-\d\d-\d\d)"
    r"[^\s:=\"'<>|-][^\s\"'<>]{5,199})"
    rf"(?=[ \t]*{_END})"
)
"""A name alone on its line, and a word with a digit alone on the next."""
_ROW = 400
"""Characters behind a header in which its first row with a secret stands."""
_BREAK = re.compile(r"\\{1,4}[nrt]|&(?:#x?[0-9a-fA-F]{1,6}|quot|apos|amp|lt|gt|nbsp);")
_OWNER = re.compile(r"(?i)(jdbc:[a-z]{2,20}:[a-z]{2,20}:[^\s/@\"'<>]{1,80}/)(?P<bare>[^\s/:@\"'<>]{1,200})(?=@)")


STEM = re.compile(
    r"(?i)passw|passphrase|passcode|secret|token|key|webhook|credential|authorization|x-amz-|pass|pwd|salt|cookie"
)
_BEGINNINGS = (
    "pass",
    "secret",
    "token",
    "key",
    "webhook",
    "credential",
    "authorization",
    "x-amz-",
    "pwd",
    "salt",
    "cookie",
)
"""Beginnings of all matches of `STEM`."""
_NAMES = re.compile(rf"(?i)\b(?:{_NAME})\b")
_VALUES = re.compile(rf"(?i)\b(?:{_VALUE})\b")
_LINES = re.compile(r"\A|\n|>|\'\'\'|\"\"\"|[\"'](?=[ \t]{0,4}[|│┃║])")


_ARROW = re.compile(
    r"(\[redacted\](?:\\{0,4}[\"'])?[ \t]{0,8}(?:->|=>|→)[ \t]{0,8})(?!\[redacted\])(?P<q>\\{0,4}[\"'])?"
    r"(?P<value>[^\s\"'<>\\]+)"
)
"""The form of a planned change in a tool's output: `password = "old" -> "new"`."""
_TUPLE = re.compile(
    r"(?i)((?P<call>(?:define|set\w{0,20}|put\w{0,20}|add\w{0,20})\(\s{0,4})?b?(?P<q>[\"'])(?P<name>[\w.-]{1,80})(?P=q),"
    r"[ \t]{0,20}b?(?P<o>[\"']))(?!\[redacted\])(?P<value>(?(call)(?:(?!(?P=o))[^\n])+|[^\s\"']+))"
)
"""The form of a pair in Python: `('password', 'x1')`; two names in a list have no digit."""
_TUPLED = re.compile(r"(?i)(?:(?:define|set|put|add)\w{0,20}\(\s{0,4})?b?[\"']")
"""What begins one."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_OF_NUMPY = re.compile(r"[<>|=][a-zA-Z]\d{1,6}")
"""The type of a column: `('password', '<U8')`."""


def _changed(match: Match) -> str:
    """Masks the new value of a change; a word without quotes and digits is no value: `[redacted] -> next`."""
    if not match["q"] and not any(char.isdigit() for char in match["value"]):
        return match[0]
    return f"{match[1]}{match['q'] or ''}{MASK}"


def _paired(match: Match) -> str:
    """Masks the value of a pair; two names in a list have no digit, a call that sets something has a value."""
    value, digit = match["value"], any(map(str.isdigit, match["value"]))
    told = telling(match["name"]) and (match["call"] or (digit and (surely(match["name"]) or len(value) >= 8)))
    none = no_value(value) or telling(value) or _OF_NUMPY.fullmatch(value) or _DATE.match(value)
    key = match.string[match.end() : match.end() + 8].lstrip("\"' ").startswith(":")
    return match[1] + MASK if told and not (none or key) else match[0]


def mask_pairs(text: str, small: str) -> str:
    """`text` with the values masked whose name is apart from them; `small`: the same text in small letters."""
    if "jdbc:" in small:
        text = _OWNER.sub(_masked, text)
    if not stemmed(small):
        return text
    if "value" in small or "default" in small:
        text = near(_BACKWARD, _masked, near(_FORWARD, _masked, text, _NAMES, 160), _VALUES, 400)
    if "password" in small:
        text = _NETRC.sub(_masked, text)
    if any(sign in small for sign in ("',", '",')):
        text = near(_TUPLE, _paired, text, _TUPLED, 160, pairs=True)
    if any(sign in small for sign in "|│┃║"):
        text = near(_CELLS, _beside, text, _LINES, 120)
    if "[ record " in small:
        text = near(_RECORD, _masked, text, _LINES, 120)
    if MASK in text and ("->" in text or "=>" in text or "→" in text):
        text = _ARROW.sub(_changed, text)
    if ":" in small and ("|" in small or ">" in small):
        text = near(_BLOCK, _blocked, text, _LINES, 120)
    if "\n" in small:
        if ":" in small:
            text = near(_MAPPING, _mapped, text, _LINES, 120)
        text = near(_UNDER, _masked, text, _LINES, 120)
    text = near(_BESIDE, _masked, text, STEM, 0)
    text = near(_KEYED, _keyed, text, STEM, 0)
    if "  " in text or "\t" in text:
        text = near(_LABELLED, _masked, text, _LINES, 120)
    return near(_SPACED, _spaced, near(_SAID, _said, text, STEM, 0), _LINES, 120)


def near(
    pattern: re.Pattern[str],
    replace: Callable[[Match], str],
    text: str,
    begins: re.Pattern[str],
    far: int,
    *,
    pairs: bool = False,
) -> str:
    """`everywhere`, tried only if a telling name can begin within `far` characters: finding names is a hundred times
    faster, and a report has a million characters and few names. `pairs`: `pattern.sub`, for names and values in turn.
    """
    kept, at = list[str](), 0
    for place in _places(text, begins, far):
        if place >= at and (found := pattern.match(text, place)):
            told = replace(found)
            if pairs or told != found[0] or len(told) > LONGEST:
                kept += [text[at:place], told]
                at = found.end()
    return "".join([*kept, text[at:]])


@lru_cache(maxsize=4)
def _places(text: str, begins: re.Pattern[str], far: int) -> tuple[int, ...]:
    """Where a pattern is tried; a dozen of them ask for the same places in turn, and few of them change the text."""
    places, least = list[int](), 0
    for start, end in _spans(text):
        first, least = max(least, start - far), end
        found = begins.finditer(text, first, end)
        places += [begin.end() for begin in found] if begins is _LINES else [begin.start() for begin in found]
    return tuple(places)


@lru_cache(maxsize=1)
def _spans(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of the names in a text."""
    return tuple(stem.span() for stem in _stems(text))


def _stems(text: str) -> Iterator[Match]:
    """`STEM.finditer`. If each ASCII letter has one small form, `str.find` is fifty times faster."""
    if not text.isascii() and any(letter in text for letter in FOLDS):
        yield from STEM.finditer(text)
        return
    small, places = text.lower(), list[int]()
    for begin in _BEGINNINGS:
        at = small.find(begin)
        while at >= 0:
            places.append(at)
            at = small.find(begin, at + 1)
    behind = 0
    for at in sorted(places):
        if at >= behind and (stem := STEM.match(text, at)):
            behind = stem.end()
            yield stem


def _masked(match: Match) -> str:
    parts = match.groupdict()
    if (quoted := parts.get("quoted")) is not None:
        return match[0] if harmless(quoted) else f"{match[1]}{match['q']}{MASK}"
    bare = match["bare"]
    value = shorn(bare, ",.)]}:")
    return match[0] if no_value(value) else f"{match[1]}{MASK}{bare[len(value) :]}"


def _beside(match: Match) -> str:
    """Masks the cell beside a name, unless that of the value is another, which is masked."""
    others = match.string[match.end() : match.end() + _ROW].partition("\n")[0]
    return match[0] if MASK in others else _masked(match)


def _spaced(match: Match) -> str:
    """Masks the word beside a name, unless it is the next column's name: below that of the secret stands a mask."""
    names = [*match[1].split(), match["bare"]]
    below = next((line.split() for line in match.string[match.end() :][:_ROW].split("\n") if MASK in line), [])
    index = len(below) - len(names)
    head = _HEADS.fullmatch(match["bare"]) and index in (0, 1) and below[index + len(names) - 2] == MASK
    return match[0] if head else _masked(match)


def _said(match: Match) -> str:
    """Masks the value in a sentence: `password is required` has none, `password is x` has one."""
    bare = match["bare"]
    value = shorn(bare, ",.)]}:;!?*_")
    plain = not match["q"].strip("*_")
    first = shorn(_BREAK.split(value, maxsplit=1)[0], ",.)]}:;!?*_")  # the rest is another line
    token = match["sure"] is None and not (len(value) >= 8 and any(char.isdigit() for char in first))
    if no_value(first) or is_front(match, match[1], "bare") or (plain and (first.casefold() in PLAIN or token)):
        return match[0]
    return f"{match[1]}{match['q']}{MASK}{bare[len(value) :]}"


def _keyed(match: Match) -> str:
    bare = match["bare"]
    value = shorn(bare, ",.)]}:;!?*_")
    if (
        not (looks_drawn(value, MIXED) or looks_drawn(value, NUMBER))
        or no_value(value)
        or value.endswith("-bit")
        or value.startswith(("/", "~", ".", "http", "s3:", "[", "{", "("))
    ):
        return match[0]
    return f"{match[1]}{match['q']}{MASK}{bare[len(value) :]}"


def _mapped(match: Match) -> str:
    """Masks the values of a mapping below a telling name, except facts about the secret."""
    return match[1] + _ENTRY.sub(_entry, match["body"])


def _entry(match: Match) -> str:
    value = match["quoted"] or match["bare"]
    fact = describes(match["key"]) or harmless(value)
    if fact or (match["bare"] and (no_value(value) or value.endswith(":") or _ORDINARY.fullmatch(value))):
        return match[0]
    quote = match["q"] or ""
    return f"{match[1]}{quote}{MASK}{quote}"


def _blocked(match: Match) -> str:
    body = match["body"]
    lines = [line for line in body.split("\n") if line.strip()]
    if not lines or all(harmless(line.strip()) for line in lines):
        return match[0]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return f"{match[1]}{indent}{MASK}" + "\n" * body.endswith("\n")
