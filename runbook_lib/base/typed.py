"""Converts a value from the command line: a whole number, a number, true or false, text. Light: the kill switch uses it
too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any


def readable(word: str) -> str:
    """A word of the command line as valid text: bytes that are not UTF-8 become a replacement mark.

    Python passes them on as halves of characters, which no file and no answer of AWS can hold. The path of an existing
    file stays as it is.
    """
    if word.isascii() or word.isprintable():  # no half of a character is printable
        return word
    if any(os.path.lexists(path) for path in (word, word.partition("=")[2]) if path and "\0" not in path):
        return word
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _plain(text: str) -> str:
    """A number in plain digits, 15 at most; a ValueError for `1_000`, `inf` and the digits of other scripts."""
    if not re.fullmatch(r"[-+]?[0-9]{1,15}(?:\.[0-9]{0,15})?(?:[eE][-+]?[0-9]{1,3})?", text):
        raise ValueError(text)
    return text


_BOOLS = {"true": True, "false": False, "yes": True, "no": False}
_READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (lambda text: int(_plain(text)), "whole number"),
    float: (lambda text: float(_plain(text)), "number"),
    bool: (lambda text: _BOOLS[text.casefold()], "true or false"),
}
TYPES = frozenset(_READERS)
"""Types that are converted; any other type is text."""


def typed(kind: Any, text: str) -> Any:
    """`text` as a value of `kind`.

    Raises:
        ValueError: the text is no such value; the message says what is expected.

    >>> typed(int, "2"), typed(bool, "Yes"), typed(str, "2")
    (2, True, '2')
    """
    if kind not in _READERS:
        return text
    read, name = _READERS[kind]
    try:
        return read(text)
    except (ValueError, KeyError):
        large = kind is not bool and re.fullmatch("[-+]?[0-9]{16,}", text)
        raise ValueError(f"'{text}' {'has more than 15 digits' if large else f'is no {name}'}") from None


def assignments(given: Iterable[str]) -> dict[str, str]:
    """The texts of `--set`, by their names.

    Raises:
        ValueError: a text has no `=`, or one name has two values; the message says so.

    >>> assignments(["attempt=2", "reason=a=b", "attempt=2"])
    {'attempt': '2', 'reason': 'a=b'}
    """
    found: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: expects name=value")
        if found.setdefault(name, text) != text:
            raise ValueError(f"--set {name} is said with '{found[name]}' and '{text}'; say it once")
    return found
