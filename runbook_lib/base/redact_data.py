"""Redacts JSON-like values: keys and texts of mappings and lists, and what stands behind a telling name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from runbook_lib.base.masking.assigned import suffixed
from runbook_lib.base.masking.commands import mask_login, mask_words
from runbook_lib.base.masking.fields import made_below, secret_fields, shaped, without_made
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.kubernetes import HELD, is_secret
from runbook_lib.base.masking.lines import tells
from runbook_lib.base.masking.names import describes, surely, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.redact import Pieces, redact_lines, redact_text

_INPUTS = ("value", "input")
_USERS = ("user", "username", "login", "usr")
"""Next to one of these names `pass` means a password, not a verdict."""
_FEW = 8
_POINTS = {int, float, bool, type(None), str}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_DEEP = 200
"""Levels of nesting that are searched: a deeper value is masked as a whole."""


def redact(value: Any, _depth: int = 0) -> Any:
    """`redact_text` for JSON-like values: keys and texts of mappings and lists, and values behind a telling name."""
    if isinstance(value, str):
        return redact_text(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if _depth > _DEEP:
        return MASK
    return _mapping(value, _depth + 1) if isinstance(value, Mapping) else _list(value, _depth + 1)


def _mapping(value: Mapping[Any, Any], depth: int, *, below: bool = False, whole: bool = False) -> dict[Any, Any]:
    """Redacts keys and values; `below`: the mapping is the value of a telling name, such as `secrets`; `whole`: of a
    sure one.
    """
    found: dict[Any, Any] = {}
    pair, told = {str(key).casefold(): item for key, item in value.items()}, secret_fields(value)
    place = pair.get("loc")  # pydantic: the way to the field that it refuses
    if isinstance(place, (list, tuple)) and any(map(telling, map(str, place))):
        told |= {*_INPUTS}
    if made_below(value):
        value = without_made(value)
    login = 1 < len(value) <= _FEW and not pair.keys().isdisjoint(_USERS)
    manifest, in_json = is_secret(value), shaped(value, redact_text)
    for key, item in value.items():
        shown = redact_text(key) if isinstance(key, str) else key
        number = 1
        while shown in found:  # two keys that differed only in what is masked
            number += 1
            shown = f"{redact_text(key)} {number}"
        name = str(key)
        if name.casefold() in told or (manifest and name.casefold() in HELD):
            found[shown] = _masked(item, True, depth)
        elif telling(name) or (login and name.casefold() in ("pass", "pw")):
            found[shown] = _masked(item, surely(name), depth)
        elif isinstance(item, str) and suffixed(name, item):
            found[shown] = MASK
        elif key in in_json:
            found[shown] = in_json[key]
        elif whole or (below and not describes(name)):
            found[shown] = _masked(item, whole, depth)
        else:
            found[shown] = redact(item, depth)
    return found


def _masked(item: Any, whole: bool, depth: int = 0) -> Any:
    """The value behind a telling name: texts are masked; behind a sure name everything that could be a secret."""
    if isinstance(item, str):
        return item if not item or harmless(item) else MASK
    if item is None or isinstance(item, bool):
        return item
    if not isinstance(item, (Mapping, list, tuple)):
        return MASK if whole else redact(item, depth)
    if depth > _DEEP:
        return MASK
    if not isinstance(item, Mapping):
        return [_masked(inner, whole, depth + 1) for inner in item]
    return _mapping(item, depth + 1, below=True, whole=whole)


def _list(value: Sequence[Any], depth: int) -> list[Any]:
    """Redacts items in order: lines of a key, the words of a command, a name and its value."""
    if _plain(value):
        return list(value)
    pieces, found = Pieces(), []
    for item in value:
        found.append(redact_text(pieces.blocks(item)) if isinstance(item, str) else redact(item, depth))
    texts = [(at, item) for at, item in enumerate(value) if isinstance(item, str)]
    words = mask_words([item for _, item in texts])
    for (at, item), word in zip(texts, words or (), strict=False):
        found[at] = found[at] if word == item else word
    for (_, one), (at, two) in pairwise(texts):
        if not two or two.startswith("-") or harmless(two):
            continue
        flag = one.startswith("-") and telling(one)
        header = len(value) == 2 and telling(one) and not telling(two) and not (" " in one and " " in two)
        if flag or header:
            found[at] = MASK
        elif (masked := mask_login(f"{one} {two}")) != f"{one} {two}":
            found[at] = masked.removeprefix(f"{one} ")
    return _as_text(value, found) if 1 < len(texts) == len(value) else found


def _as_text(value: Sequence[str], found: list[str]) -> list[str]:
    """Texts that may be the lines of one output: what they show as one text is masked, too."""
    if not tells("\n".join(value)):
        return found
    told = [line if item == was else item for was, item, line in zip(value, found, redact_lines(value), strict=True)]
    return redact_lines(told)


def _plain(value: Sequence[Any]) -> bool:
    """Whether a list has only numbers and times, like the points of a metric: no secret, and a record has a million."""
    kinds = set(map(type, value))
    if not kinds <= _POINTS:
        return False
    return str not in kinds or all(_TIME.fullmatch(item) for item in value if type(item) is str)
