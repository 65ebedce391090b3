"""Beginnings that lines share but for their numbers: what a logger writes before each (a time, a level, a program and
its number, a request's id), in whatever form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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


def _parts(line: str, most: int = _MOST) -> list[Part]:
    """What a line begins with: the kind of each part, or its letters, and where it ends; `most` parts."""
    found = list[Part]()
    for part in _PART.finditer(line[:400]):
        kind = str(part.lastgroup)
        found.append((part[0] if kind in ("word", "sign") else f"\n{kind}", part.end()))
        if len(found) == most:
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
        parts = [first]
        while first and end < len(lines) and end in near:
            parts.append(_parts(lines[end], shared or _MOST))
            now = _shared(first[: shared or None], parts[-1])
            if not now or (end > at + 2 and now < shared / 2):
                break
            shared, end = now, end + 1
        if shared:
            yield at, end, _fronts(parts[: end - at], shared)
        at = end


def _fronts(parts: Sequence[Sequence[Part]], shared: int) -> list[int]:
    """The length of each beginning. Of its last blanks, no more than all lines have: the others are an indentation."""
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
