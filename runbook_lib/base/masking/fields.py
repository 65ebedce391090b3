"""Fields of an object that tell of each other: a name beside a value (`OutputKey`, `OutputValue`), and what says that a
value is secret (`"Type": "SecureString"`, `NoEcho: true`), in any order, as a mapping or as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import no_value, telling
from runbook_lib.base.masking.vocabulary import has

_MOST = 40
"""Most fields of an object that are regarded: one with more is a table."""
_NAMES = frozenset(("name", "key", "k", "header", "field", "property", "option", "variable", "setting"))
_VALUES = frozenset(("value", "v", "val", "stringvalue", "input"))
_NAME = re.compile(r"(?P<of>[a-z]{1,30}?)[_-]?(?:name|key)")
_VALUE = re.compile(r"(?P<of>[a-z]{1,30}?)[_-]?value")
_HELD = frozenset(("value", "default", "defaultvalue", "parametervalue", "headervalue", "stringvalue"))
"""What is secret where a field says so."""
_TRUE = (True, "true", "True", "yes")
_SAYS = frozenset(("noecho", "isvaluesecret", "issecret", "is_secret", "sensitive", "masked"))
_KINDS = frozenset(("securestring", "secret"))
_MADE = ("result", "bcrypt_hash")
"""What Terraform's `random_password` has made, somewhere below."""
_WORDS = ("noecho", "isvaluesecret", "issecret", "is_secret", "sensitive", "masked", "securestring", "secret")
_IS_TRUE = re.compile(r"(?i)(?:\\{0,7}[\"'])?\s{0,20}[:=]\s{0,4}[\"']?(?:true|yes)\b")
_IS_KIND = re.compile(r"(?i)(?<![\w.-])type(?:\\{0,7}[\"'])?\s{0,20}[:=]\s{0,4}(?:\\{0,7}[\"'])?\Z")
"""What stands behind a word that says that a value is secret, and before one that is its kind."""
_FIELD = re.compile(
    rf"(?i)(?P<head>(?<![\w.-])(?:{'|'.join(sorted(_HELD))})(?:\\{{0,7}}[\"'])?\s{{0,20}}[:=]\s{{0,4}}"
    r"(?P<q>\\{0,7}[\"'])?)(?!\[redacted\])(?P<value>(?(q)(?:(?!(?P=q))(?:\\[^\n]|[^\n]))+|[^\s\"'\\{}\[\],&|>][^\s,{}]*))"
)
_RESULT = re.compile(
    rf"(?P<head>(?P<q>\\{{0,7}}[\"'])(?:{'|'.join(_MADE)})(?P=q)\s{{0,4}}:\s{{0,4}}(?P=q))(?!\[redacted\])"
    r"(?P<value>(?:(?!(?P=q))[^\n])+)"
)
_BRACE = re.compile("[{}]")
_SHAPED = re.compile(r"_?auth|plaintext|kty|.*(?:code|otp|mfa|2fa|pin)")
"""Keys beside which the shape of a value tells it in JSON."""
_FAR, _LINES = 2_000, 40
"""Most characters and lines around such a field that belong to its object."""


def secret_fields(value: Mapping[Any, Any]) -> frozenset[str]:
    """The keys, in small letters, of the values that other fields of the same mapping tell to be secret."""
    if not 1 < len(value) <= _MOST:
        return frozenset()
    fields = {str(key).casefold(): item for key, item in value.items()}
    found = set[str]()
    for key, item in fields.items():
        of = _named(key)
        if of is not None and isinstance(name := _held(item), str) and _tells(name):
            found |= _VALUES | {"parametervalue", f"{of}value", f"{of}_value", f"{of}-value"}
        if (key in _SAYS and item in _TRUE) or (key == "type" and str(item).casefold() in _KINDS):
            found |= _HELD
    return frozenset(found)


def shaped(value: Mapping[Any, Any], mask: Callable[[str], str]) -> dict[Any, str]:
    """The texts of a mapping that `mask` masks in its JSON, and what they become there."""
    if not any(map(_is_shaped, map(str, value))):
        return {}
    texts = {key: item for key, item in value.items() if isinstance(item, str) and len(item) <= _FAR}
    try:
        now = json.loads(mask(json.dumps(texts)))
    except ValueError:
        return {}
    found = zip(texts.items(), now.values(), strict=False) if len(now) == len(texts) else ()
    return {key: told for (key, was), told in found if told != was and MASK in told}


@lru_cache(maxsize=1024)
def _is_shaped(key: str) -> bool:
    return len(key) <= 120 and _SHAPED.fullmatch(key.casefold()) is not None


def made_below(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is a password that Terraform has made."""
    return value.get("type") == "random_password"


def without_made(value: Any, deep: int = 12) -> Any:
    """Such a mapping without what was made."""
    if isinstance(value, (list, tuple)):
        return [without_made(item, deep - 1) for item in value] if deep else MASK
    if not isinstance(value, Mapping):
        return value
    return {
        key: MASK if key in _MADE and isinstance(item, str) else without_made(item, deep - 1) if deep else MASK
        for key, item in value.items()
    }


@lru_cache(maxsize=1024)
def _named(key: str) -> str | None:
    """What a key's value names: `output` of `OutputKey`, nothing in particular of `name`; None: nothing."""
    if key in _NAMES:
        return ""
    found = _NAME.fullmatch(key)
    return found["of"] if found else None


def _held(item: Any) -> Any:
    """A field's text, also as DynamoDB has it: `{"S": "a"}`."""
    return item["S"] if isinstance(item, Mapping) and len(item) == 1 and "S" in item else item


@lru_cache(maxsize=4096)
def _tells(name: str) -> bool:
    return telling(name) or (len(name) <= 400 and telling(re.split(r"[/:.]", name)[-1]))


def mask_objects(text: str, small: str) -> str:
    """`text` with the values masked that another field of their object tells to be secret; `small`: the same text in
    small letters.
    """
    if "random_password" in small:
        text = _made(text)
    if not has(("value", "default"), small) or not has(_WORDS, small):
        return text
    kept, at = list[str](), 0
    for first, last in _says(text, text.lower()):
        if first < at:
            continue
        begin, end = _object(text, first, last)
        begin = max(begin, at)
        if begin < end:
            kept += [text[at:begin], _FIELD.sub(_value, text[begin:end])]
            at = end
    return "".join([*kept, text[at:]])


def _says(text: str, small: str) -> list[tuple[int, int]]:
    """Where fields stand that say that a value is secret."""
    found = list[tuple[int, int]]()
    for word in _WORDS if len(small) == len(text) else ():
        at = small.find(word)
        while at >= 0:
            end = at + len(word)
            if word.startswith("secure") or word == "secret":
                if not small[end : end + 1].isalnum() and (kind := _IS_KIND.search(text[max(0, at - 40) : at])):
                    found.append((max(0, at - 40) + kind.start(), end))
            elif not small[max(0, at - 1) : at].isalnum() and (beside := _IS_TRUE.match(text, end)):
                found.append((at, beside.end()))
            at = small.find(word, end)
    return sorted(found)


def _object(text: str, first: int, last: int) -> tuple[int, int]:
    """Where the fields begin and end that stand beside this one: between braces, or on lines of one indentation."""
    open_, close = _brace(text, first, -1), _brace(text, last, 1)
    if open_ is not None and close is not None:
        return open_, close
    line = text.rfind("\n", 0, first) + 1
    indent = text[line:first]
    if indent.strip(" -\"'"):  # another field of the same line
        end = text.find("\n", last)
        return line, end if end >= 0 else len(text)
    return _lines(text, line, len(indent.rstrip("\"'")))


def _brace(text: str, at: int, step: int) -> int | None:
    """The place of the brace around a place, before or behind it."""
    first = max(0, at - _FAR) if step < 0 else at
    places = [brace.start() for brace in _BRACE.finditer(text, *sorted((first, at + _FAR * (step > 0))))]
    deep = 0
    for place in reversed(places) if step < 0 else places:
        deep += 1 if (text[place] == "{") == (step < 0) else -1
        if deep == 1:
            return place
    return None


def _lines(text: str, line: int, indent: int) -> tuple[int, int]:
    """The lines around one that are indented as far as it, or farther."""
    begin, end = line, text.find("\n", line)
    for _ in range(_LINES):
        before = text.rfind("\n", 0, max(begin - 1, 0)) + 1
        if begin == 0 or not _inside(text[before : begin - 1], indent):
            break
        begin = before
    for _ in range(_LINES):
        behind = text.find("\n", end + 1) if end >= 0 else -1
        if end < 0 or not _inside(text[end + 1 : behind if behind >= 0 else len(text)], indent):
            break
        end = behind
    return begin, end if end >= 0 else len(text)


def _inside(line: str, indent: int) -> bool:
    return bool(line.strip()) and not line[:indent].strip(" -")


def _made(text: str) -> str:
    pieces = re.split(r"(random_password)", text)
    return "".join(
        _RESULT.sub(_value, piece[:_FAR]) + piece[_FAR:] if number and not number % 2 else piece
        for number, piece in enumerate(pieces)
    )


def _value(match: Match) -> str:
    """Masks a value; behind an equals sign a name without quotes is a program's variable."""
    if not match["q"] and match["head"].endswith("=") and match["value"].rstrip(")").replace(".", "").isidentifier():
        return match[0]
    return match[0] if no_value(match["value"]) else match["head"] + MASK
