"""Secrets in a column that pandas shows by itself, whose name stands below it, in an index, whose name stands alone
above it, and in a column of polars.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed, telling
from runbook_lib.base.masking.tables import is_secret

_NAMED = re.compile(r"(?:Freq: [^,\n]{1,20}, )?Name: (?P<name>[^,\n]{1,120}), (?:Length: \d+, )?dtype: ")
_VALUE = re.compile(r"(?P<head>.* {4})(?P<value>\S.*)")
_LABEL = re.compile(r"(?P<label>\S+(?: \S+)*)  +\S.*")
_MORE = re.compile(r"[ .]*\.\.[ .]*")
"""A line that stands for those between."""
_TEXT = re.compile(r"'(?!\[redacted\]')(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_POLARS = re.compile(r"(Series: '(?P<name>[^'\n]{1,120})' \[[^\]\n]{1,80}\]\n\[\n)(?P<rows>(?:\t[^\n]*\n)+)")
_GLIMPSE = re.compile(r"(?m)^(\$ (?P<name>\S{1,120}) +<[^<>\n]{1,80}> )(?P<values>[^\n]+)")
"""A column as polars shows it, alone and in `glimpse`."""
_LONGEST, _MOST = 4_000, 1_000
"""Most characters of a line, and lines of a column."""


def mask_columns(text: str, small: str) -> str:
    """`text` with the values of such columns masked; `small`: the same text in small letters."""
    if not stemmed(small):
        return text
    if "series: '" in small:
        text = _POLARS.sub(_series_of, text)
    if "> " in small and "$ " in small:
        text = _GLIMPSE.sub(_line, text)
    if "\n" not in text:
        return text
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if "dtype: " in line and (named := _NAMED.match(line)):
            _series(lines, at, named["name"])
        elif len(line) <= 120 and stemmed(line.casefold()) and line[:1].strip() and telling(line):
            _index(lines, at)
    return "\n".join(lines)


def _series_of(match: re.Match[str]) -> str:
    if not telling(match["name"]):
        return match[0]
    return match[1] + _TEXT.sub(lambda text: f"{text[0][0]}{MASK}{text[0][0]}", match["rows"])


def _line(match: re.Match[str]) -> str:
    return match[1] + MASK if telling(match["name"]) and is_secret(match["name"], match["values"]) else match[0]


def _series(lines: list[str], last: int, name: str) -> None:
    """Masks the values above the name of their column."""
    if not telling(name):
        return
    first = last
    while first > max(0, last - _MOST) and (_cells(lines[first - 1]) or _MORE.fullmatch(lines[first - 1])):
        first -= 1
    found = {at: cells for at in range(first, last) if (cells := _cells(lines[at])) and MASK not in lines[at]}
    begin = min((cells.start("value") for cells in found.values()), default=0)
    for at in found:
        cell = lines[at][begin:].strip()
        if not _MORE.fullmatch(cell) and is_secret(name, cell):
            lines[at] = f"{lines[at][:begin]}{MASK}"
    at = last + 1
    while at < len(lines) and lines[at].startswith(" " if at > last + 1 else "Categories ("):
        lines[at] = _TEXT.sub(f"'{MASK}'", lines[at])
        at += 1


def _cells(line: str) -> re.Match[str] | None:
    return _VALUE.fullmatch(line) if len(line) <= _LONGEST else None


def _index(lines: list[str], first: int) -> None:
    """Masks the labels below the name of an index: above it are the columns' names, or below all that of the one."""
    name, last, labels = lines[first].strip(), first + 1, set[str]()
    while last < min(len(lines), first + _MOST) and len(lines[last]) <= _LONGEST:
        label = _LABEL.fullmatch(lines[last])
        if not (label or _MORE.fullmatch(lines[last])) or _NAMED.match(lines[last]):
            break
        labels |= {label["label"]} if label else set()
        last += 1
    above = lines[first - 1] if first else ""
    framed = above.startswith(" " * (len(name) + 1)) and above.strip()
    if not labels or not (framed or (last < len(lines) and _NAMED.match(lines[last]))):
        return
    width = max(map(len, (name, *labels)))
    wide = max(width, len(MASK))
    for at in range(first + 1, last):
        said = lines[at][:width].strip()
        if said and said != MASK and not _MORE.fullmatch(said) and is_secret(name, said):
            lines[at] = MASK.ljust(wide) + lines[at][width:]
    if framed:
        lines[first - 1] = " " * (wide - width) + above
