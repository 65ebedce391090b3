"""The nearest of the names that there are: what a sentence about a misspelt one ends with."""

from __future__ import annotations

import difflib
from collections.abc import Collection

FEW = 30
"""More names than these are not listed."""


def hint(value: object, known: Collection[str]) -> str:
    """`did you mean 'x'?`, or the names that there are; empty where there are none, or too many to list."""
    near = difflib.get_close_matches(str(value), list(known), 1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"there are {', '.join(sorted(known))}" if 0 < len(known) <= FEW else ""
