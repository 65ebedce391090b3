"""Tables of names and values (`settings`) in lines: aligned columns, cells with a delimiter between them, CSV. Each is
read as rows of cells that know where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from runbook_lib.base.masking.settings import HEADS, Kind, is_header, is_name, is_value

MARKS = " \t\r*_`~\"'\\"
_BARS = re.compile(r"[|│┃║┆]")
_TAB = re.compile(r"\t")
_RULE = re.compile(r"[ \t]*[\u2500-\u257f+|:=-]{1}[ \t\u2500-\u257f+|:=-]{2,}")
_CSV = {
    sign: re.compile(rf"(\"(?:[^\"]|\"\"){{0,2000}}\"|[^\"{sign}\n][^{sign}\n]*|)(?:{sign}|(?P<end>\n|\Z))")
    for sign in ",;"
}
_WORD = re.compile(r"\S+")
_PHRASE = re.compile(r"\S+(?: \S+)*")
_IS_NAME = re.compile(r"\.\.\.|[^\W\d][\w./()-]{0,40}(?: [\w./()-]{1,40})?")
_MOST, _LONGEST = 1_000, 4_000
"""Lines of a table, and characters of one."""


class Cell(NamedTuple):
    """A cell and where it stands."""

    text: str
    begin: int
    end: int


Row = list[Cell]
Span = tuple[int, int]


def cell_of(text: str, begin: int, end: int, marks: str = MARKS) -> Cell:
    """The cell between two places, without what stands around its text."""
    said = text[begin:end]
    begin += len(said) - len(said.lstrip(marks))
    end = max(begin, end - (len(said) - len(said.rstrip(marks))))
    return Cell(text[begin:end].replace("\\/", "/"), begin, end)


def delimited(text: str) -> Iterator[tuple[list[Row], Kind]]:
    for sign in (_BARS, _TAB):
        for many, run in groupby(_split(text, sign), len):
            rows = list(run)
            if many > 1 and (sign is _BARS or (len(rows) > 1 and _are_names([cell.text for cell in rows[0]]))):
                yield rows, Kind.TABLE


def _split(text: str, sign: re.Pattern[str]) -> Iterator[Row]:
    """The fields of each line that is no rule."""
    begin = 0
    for line in text.split("\n"):
        if len(line) <= _LONGEST and not _RULE.fullmatch(line):
            signs = [found.start() for found in sign.finditer(line)]
            starts, ends = [0, *(end + 1 for end in signs)], [*signs, len(line)]
            yield [cell_of(text, begin + one, begin + two) for one, two in zip(starts, ends, strict=True) if signs]
        begin += len(line) + 1


def comma(text: str) -> Iterator[tuple[list[Row], Kind]]:
    begin = at = 0
    for line in text.split("\n"):
        if begin >= at and len(line) <= _LONGEST and line[:1].strip():
            for sign, field in _CSV.items():
                names = [name.strip('"') for name in line.rstrip().split(sign)]
                if len(names) < 2 or not _are_names(names):
                    continue
                rows = list(_records(text, begin, field, len(names)))
                if len(rows) > 1:
                    yield rows, Kind.TABLE
                    at = rows[-1][-1].end
        begin += len(line) + 1


def _records(text: str, begin: int, field: re.Pattern[str], many: int) -> Iterator[Row]:
    """Rows of CSV of so many fields from a place on."""
    row = Row()
    while (found := field.match(text, begin)) and len(row) < many:
        row.append(cell_of(text, *found.span(1)))
        begin = found.end()
        if found["end"] is not None:
            if len(row) != many:
                return
            yield row
            row = Row()
            if not found["end"]:
                return


def aligned(text: str) -> Iterator[tuple[list[Row], Kind]]:
    """Columns with blanks between them, with names above or before the cells."""
    lines, begin = list[tuple[int, str]](), 0
    for line in text.split("\n"):
        lines.append((begin, line if len(line) <= _LONGEST and not _BARS.search(line) else ""))
        begin += len(line) + 1
    at = 0
    while at < len(lines):
        rows = _columns(text, lines, at)
        if len(rows) > 1:
            yield rows, Kind.TABLE
        at += max(1, len(rows))
    phrases = ((at, _spans(_PHRASE, line) if "  " in line else []) for at, line in lines)
    for many, run in groupby(phrases, lambda row: len(row[1])):
        if many > 1:
            yield [[cell_of(text, at + one, at + two) for one, two in spans] for at, spans in run], Kind.TURNED


def _columns(text: str, lines: Sequence[tuple[int, str]], first: int) -> list[Row]:
    """The rows of a table whose header is the first of the lines; none if it is no header."""
    line = lines[first][1]
    if not HEADS.search(line):
        return []
    second = first + 1
    while second < len(lines) and second < first + 3 and _passed(lines[second][1], line):
        second += 1
    header = _header(line, lines[second][1]) if second < len(lines) else []
    if not header:
        return []
    rows = list[list[Span]]()
    for _, row in lines[first + 1 : first + _MOST]:
        fits = _fitting(row, header)[0]
        if not fits and not _passed(row, line):
            break
        rows.append(fits)
    while rows and not rows[-1]:
        rows.pop()
    most = max(map(len, rows), default=0)
    table = [[(0, 0)] * (most - len(header)) + header, *rows]
    return [
        [cell_of(text, begin + one, begin + two) for one, two in row] or [Cell("", begin, begin)] * most
        for (begin, _), row in zip(lines[first:], table, strict=False)
    ]


def _passed(row: str, header: str) -> bool:
    """Whether a line of a table is a rule, or the name of its index."""
    return _RULE.fullmatch(row) is not None or (header[:1] == " " and len(row.split()) == 1 and row[:1] != " ")


def _header(line: str, row: str) -> list[Span]:
    """The spans of the columns' names above a first row: blanks between two names may be as few as within one."""
    best, chosen = 3, list[Span]()
    if not _is_spaced(line, row):
        return chosen
    phrases, words = _spans(_PHRASE, line), _spans(_WORD, line)
    for spans in (words, phrases, _cut(line, _spans(_PHRASE, row)), _cut(line, _spans(_WORD, row))):
        names = [line[slice(*span)].strip() for span in spans]
        if len(spans) > 1 and _are_names(names):
            fits, rank = _fitting(row, spans)
            if fits and rank < best:
                best, chosen = rank, spans
    return chosen


def _is_spaced(line: str, row: str) -> bool:
    """Whether words are those of a table: two blanks are between some of them, or they name and hold. A log repeats
    its sentences.
    """
    names = line.split()
    if names == row.split():
        return False
    return "  " in line.strip() or "  " in row.strip() or (any(map(is_name, names)) and any(map(is_value, names)))


def _cut(header: str, cells: Sequence[Span]) -> list[Span]:
    """A header cut where the cells of a row end that stand to the right."""
    ends = [0, *(end for _, end in cells)]
    cuts = all(end >= len(header) or not header[end].strip() for end in ends[1:]) and ends[-1] >= len(header.rstrip())
    return list(pairwise(ends)) if cuts else []


def _are_names(names: Sequence[str]) -> bool:
    """Whether they are the names of the columns of such a table."""
    return any(map(is_header, names)) and all(map(_IS_NAME.fullmatch, filter(None, names)))


def _spans(pattern: re.Pattern[str], line: str) -> list[Span]:
    return [one.span() for one in pattern.finditer(line)]


def _fitting(row: str, header: Sequence[Span]) -> tuple[list[Span], int]:
    """The spans of a row's cells, and how far they fit: as many words as names (best), an index before them, or each
    below its name.
    """
    starts = [start for start, _ in header]
    for more in (0, 1):
        for pattern in (_PHRASE, _WORD):
            spans = _spans(pattern, row)
            if len(spans) == len(header) + more and (not more or spans[0][1] < starts[0]):
                return spans, more
    if "  " in row.strip() and all(start == 0 or row[start - 1 : start].strip() == "" for start in starts):
        return list(zip(starts, [*starts[1:], max(len(row), starts[-1])], strict=True)), 2
    return [], 3
