"""The nearest known name: the end of a sentence about a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from runbook_lib.base.look_alike import latin

FEW = 30
"""Most names in one list."""


def close(value: object, known: Collection[str]) -> str:
    """`did you mean 'x'?`; empty if no name is near. A known name is never suggested for itself."""
    near = difflib.get_close_matches(latin(str(value)), [name for name in known if name != value], 1)
    return f"did you mean '{near[0]}'?" if near else ""


def hint(value: object, known: Collection[str]) -> str:
    """`close`, or the list of known names; empty if there are none, or too many."""
    return close(value, known) or _listed(known)


def _listed(known: Collection[str]) -> str:
    return f"there are {', '.join(sorted(known))}" if 0 < len(known) <= FEW else ""
