"""The nearest of the names that there are: what a sentence about a misspelt one ends with."""

from __future__ import annotations

import difflib
from collections.abc import Collection

FEW = 30
"""More names than these are not listed."""


def close(value: object, known: Collection[str]) -> str:
    """`did you mean 'x'?`; empty where none is near. What is there already is no answer to itself."""
    near = difflib.get_close_matches(str(value), [name for name in known if name != value], 1)
    return f"did you mean '{near[0]}'?" if near else ""


def hint(value: object, known: Collection[str]) -> str:
    """`close`, or the names that there are; empty where there are none, or too many to list."""
    return close(value, known) or _listed(known)


def _listed(known: Collection[str]) -> str:
    return f"there are {', '.join(sorted(known))}" if 0 < len(known) <= FEW else ""
