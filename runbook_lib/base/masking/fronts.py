"""Beginnings that lines share but for their numbers: what a logger writes before each (a time, a level, a program and
its number, a request's id), in whatever form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from runbook_lib.base.masking.names import stemmed

Stretch = tuple[int, int, list[int]]
"""Lines that begin alike: the first, the one behind the last, and the length of each beginning."""
_LEVELS = "trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|severe|alert"
_PART = re.compile(
    r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,64}(?![A-Za-z0-9]))|(?P<number>\d+)"
    rf"|(?P<level>(?i:{_LEVELS})(?![A-Za-z]))|(?P<word>[^\W\d]+)|(?P<blank>[ \t]+)|(?P<sign>.)"
)
_MOST = 48
"""Parts of a line that are compared."""
_NEAR, _BLOCK = 40, 64
"""Lines around one that has a telling name, and lines that are searched together for one."""

_BLANK = "\nblank"
_ENDS, _LISTS = ":|>]", "-*"
"""Signs behind which a line begins though no blank follows, and those of a list's items, which are its own."""

Part = tuple[str, int]


@lru_cache(maxsize=256)
def _parts(line: str) -> list[Part]:
    """What a line begins with: the kind of each part, or its letters, and where it ends."""
    found = list[Part]()
    for part in _PART.finditer(line[:400]):
        kind = str(part.lastgroup)
        found.append((part[0] if kind in ("word", "sign") else f"\n{kind}", part.end()))
        if len(found) == _MOST:
            break
    return found


def _shared(one: Sequence[Part], other: Sequence[Part]) -> int:
    """How many parts are the same, up to the last blank, or the last sign of a first word; 0: no beginning."""
    last, blank, told = 0, False, False
    for at, ((part, _), (same, _)) in enumerate(zip(one, other, strict=False), 1):
        if part != same or part == "arn":
            break
        if part == _BLANK:
            last, blank = (at, True) if told else (0, blank)
        elif not blank and part in _ENDS:
            last = at
        told = told or (part != _BLANK and part not in _LISTS)
    return last if told else 0


def alike(lines: Sequence[str]) -> Iterator[Stretch]:
    """Stretches of lines that begin alike, near those with a telling name."""
    near, at = _near(lines), 0
    while at < len(lines) - 1:
        first, shared, end = _parts(lines[at]) if at in near else [], 0, at + 1
        while first and end < len(lines) and end in near:
            now = _shared(first[: shared or None], _parts(lines[end]))
            if not now or (end > at + 2 and now < shared / 2):
                break
            shared, end = now, end + 1
        if shared:
            yield at, end, _fronts(lines[at:end], shared)
        at = end


def _fronts(lines: Sequence[str], shared: int) -> list[int]:
    """The length of each beginning. Of its last blanks, no more than all lines have: the others are an indentation."""
    parts = [_parts(line) for line in lines]
    ends = [one[shared - 1][1] for one in parts]
    if parts[0][shared - 1][0] != _BLANK:
        return ends
    begins = [one[shared - 2][1] if shared > 1 else 0 for one in parts]
    blanks = min(end - begin for begin, end in zip(begins, ends, strict=True))
    return [begin + blanks for begin in begins]


def _near(lines: Sequence[str]) -> set[int]:
    """Places of the lines around those with a telling name."""
    found = set[int]()
    for block in range(0, len(lines), _BLOCK):
        these = lines[block : block + _BLOCK]
        if stemmed("\n".join(these).casefold()):
            for at, line in enumerate(these, block):
                if len(line) < 4_000 and stemmed(line.casefold()):
                    found.update(range(max(0, at - _NEAR), min(len(lines), at + _NEAR)))
    return found
