"""What a value on the command line is read as: a whole number, a number, true or false, text. Light: the kill switch
reads by it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BOOLS = {"true": True, "false": False, "yes": True, "no": False}
_READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (int, "whole number"),
    float: (float, "number"),
    bool: (lambda text: _BOOLS[text.casefold()], "true or false"),
}
TYPES = frozenset(_READERS)
"""Types that are read; whatever else is text."""


def typed(kind: Any, text: str) -> Any:
    """`text` as a value of `kind`.

    Raises:
        ValueError: it is none; the message says what is wanted.

    >>> typed(int, "2"), typed(bool, "Yes"), typed(str, "2")
    (2, True, '2')
    """
    if kind not in _READERS:
        return text
    read, name = _READERS[kind]
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ValueError(f"'{text}' is no {name}") from None
