"""Tables of names and values (`settings`) as programs write them: HTML, lines with a delimiter, CSV, aligned columns,
lists and fields of objects. Each way is read as rows of cells that know where they stand.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed
from runbook_lib.base.masking.settings import HEADS, Kind, is_header, secret_cells
from runbook_lib.base.masking.vocabulary import has

_MARKS = " \t\r*_`~\"'\\"
_TR = re.compile(r"<tr\b", re.I)
_TD = re.compile(r"<t[hd]\b[^<>]{0,300}>((?:(?!</?t[hd]\b|</tr\b|<tr\b|</table\b)[\s\S])*)", re.I)
_TAG = re.compile(r"<[^<>]{0,300}>")
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
_TEXT = r"\"(?:[^\"\\\n]|\\.){0,400}\"|'(?:[^'\\\n]|\\.){0,400}'"
_ITEM = rf"(?:{_TEXT}|-?\d[\d.eE+-]{{0,30}}|null|true|false|None|True|False|nan|NaN)"
_LABEL = rf"(?:{_TEXT}|\d{{1,9}})\s{{0,4}}:\s{{0,20}}"
_SIGN = r"\s{0,20},\s{0,20}"
_LIST = re.compile(rf"[\[(]\s{{0,20}}{_ITEM}(?:{_SIGN}{_ITEM}){{0,60}}\s{{0,20}},?\s{{0,20}}[\])]")
_OBJECT = re.compile(rf"\{{\s{{0,20}}{_LABEL}{_ITEM}(?:{_SIGN}{_LABEL}{_ITEM}){{0,60}}\s{{0,20}}\}}")
_FIELD = re.compile(rf"(?P<label>{_LABEL})?(?P<item>{_ITEM})")
_BEFORE = re.compile(rf"(?P<label>{_TEXT})\s{{0,4}}:\s{{0,60}}(?P<list>[\s\[({{]{{0,60}})\Z")
_GAP = re.compile(r"[\s,:\[\](){}]*")
_ELEMENT = re.compile(r"<(?P<tag>[A-Za-z][\w.:-]{0,40})>(?P<value>[^<>\n]{1,1000})</(?P=tag)>\s{0,80}")
_FAR, _MOST, _LONGEST = 200, 1_000, 4_000
"""Characters between two lists of a table, its lines, and characters of one."""


class Cell(NamedTuple):
    """A cell and where it stands."""

    text: str
    begin: int
    end: int


Row = list[Cell]
Span = tuple[int, int]
Edit = tuple[int, int, str]


def mask_grids(text: str, small: str) -> str:
    """`text` with the secrets in such tables masked; `small`: the same text in small letters."""
    if not stemmed(small) and "securestring" not in small:
        return text
    for read, signs in _READERS:
        if has(signs, small):
            edits = set[Edit]()
            for rows, kind in read(text):
                words = [[cell.text for cell in row] for row in rows]
                places = secret_cells(words, kind) if rows else set()
                if places:
                    edits |= set(_edits(text, rows, places, widen=read is _aligned))
            text = _edited(text, sorted(edits)) if edits else text
    return text


def _edits(text: str, rows: Sequence[Row], places: set[tuple[int, int]], *, widen: bool) -> Iterator[Edit]:
    """The masks of cells; `widen`: in columns that stay below each other."""
    if not widen:
        for number, at in places:
            cell = rows[number][at]
            yield cell.begin, cell.end, "\n".join([MASK] * (1 + text.count("\n", cell.begin, cell.end)))
        return
    for column in {at for _, at in places}:
        cells = [(number, row[column]) for number, row in enumerate(rows) if len(row) > column and row[column].text]
        starts = {cell.begin - text.rfind("\n", 0, cell.begin) for _, cell in cells}
        ends = {cell.end - text.rfind("\n", 0, cell.begin) for _, cell in cells}
        width = max(cell.end - cell.begin for _, cell in cells)
        wide = max(width, len(MASK))
        right = len(ends) == 1 and not any(text[cell.end - width : cell.begin].strip(" ") for _, cell in cells)
        left = len(starts) == 1 and not any(
            text[cell.end : cell.begin + width].partition("\n")[0].strip(" ") for _, cell in cells
        )
        for number, cell in cells:
            said = MASK if (number, column) in places else cell.text
            last = text.find("\n", cell.end)
            last = last if last >= 0 else len(text)
            if right:
                yield cell.end - width, cell.end, said.rjust(wide)
            elif left:
                end = min(cell.begin + width, last)
                yield cell.begin, end, said.ljust(wide) if end < last else said
            elif said == MASK:
                yield cell.begin, cell.end, said


def _edited(text: str, edits: Sequence[Edit]) -> str:
    kept, at = list[str](), 0
    for begin, end, now in edits:
        if at <= begin < end:
            kept += [text[at:begin], now]
            at = end
    return "".join([*kept, text[at:]])


def _cell(text: str, begin: int, end: int, marks: str = _MARKS) -> Cell:
    """The cell between two places, without what stands around its text."""
    said = text[begin:end]
    begin += len(said) - len(said.lstrip(marks))
    end = max(begin, end - (len(said) - len(said.rstrip(marks))))
    return Cell(text[begin:end].replace("\\/", "/"), begin, end)


# HTML and XML


def _html(text: str) -> Iterator[tuple[list[Row], Kind]]:
    small = text.lower() if len(text.lower()) == len(text) else text
    begin = small.find("<table")
    while begin >= 0:
        end = small.find("</table", begin)
        end = len(text) if end < 0 else end
        starts = [*(row.start() for row in _TR.finditer(text, begin, end)), end]
        rows = [
            [
                Cell(html.unescape(_TAG.sub("", cell[1])).strip(_MARKS), *cell.span(1))
                for cell in _TD.finditer(text, *span)
            ]
            for span in pairwise(starts)
        ]
        if rows := [row for row in rows if row]:
            yield rows, Kind.TABLE
        begin = small.find("<table", end)


def _elements(text: str) -> Iterator[tuple[list[Row], Kind]]:
    """Elements beside each other: `<name>a</name><value>b</value>`."""
    at, names, values = -1, Row(), Row()
    for one in _ELEMENT.finditer(text):
        if one.start() != at and values:
            yield [names, values], Kind.FIELDS
        if one.start() != at:
            names, values = Row(), Row()
        names.append(Cell(one["tag"], *one.span("tag")))
        values.append(Cell(one["value"], *one.span("value")))
        at = one.end()
    if values:
        yield [names, values], Kind.FIELDS


# Lists and objects


def _listed(text: str) -> Iterator[tuple[list[Row], Kind]]:
    run, last = list[tuple[str, int, list[re.Match[str]]]](), 0
    for one in _flat(text):
        gap = text[last : one.start()]
        label = _BEFORE.search(gap[-_FAR:])
        between = gap[: -len(label[0])] if label else gap
        if run and not (len(gap) <= _FAR and _GAP.fullmatch(between)):
            yield from _tables(text, run)
            run = []
        start = one.start() - len(label[0]) if label else one.start()
        run.append(
            (label["label"][1:-1] if label else "", start, list(_FIELD.finditer(text, one.start() + 1, one.end())))
        )
        last = one.end()
    yield from _tables(text, run)


def _flat(text: str) -> Iterator[re.Match[str]]:
    """Lists and objects that have no others in them."""
    at = 0
    for begin in re.finditer(r"[\[({]", text):
        found = (_OBJECT if begin[0] == "{" else _LIST).match(text, begin.start()) if begin.start() >= at else None
        if found:
            at = found.end()
            yield found


def _tables(text: str, run: list[tuple[str, int, list[re.Match[str]]]]) -> Iterator[tuple[list[Row], Kind]]:
    """The tables that a run of lists may be: each a row, with its label or without, or each a row of its own."""
    rows, labelled, plain = dict[int, list[Row]](), list[Row](), list[Row]()
    for label, start, fields in run:
        cells = [_cell(text, *field.span("item"), "\"'") for field in fields]
        if fields[0]["label"]:
            yield [[_cell(text, *field.span("label"), "\"': \t\n") for field in fields], cells], Kind.FIELDS
        rows.setdefault(len(cells), []).append(cells)
        if label:
            labelled.append([Cell(label, start, start), *cells])
        elif not fields[0]["label"]:
            plain.append(cells)
    for alike in rows.values():
        yield alike, Kind.FIELDS
    if any(is_header(cell.text) for alike in rows.values() for cell in alike[0]):
        plain = []  # the first of them has the names
    for kind, each in ((Kind.FIELDS, labelled), (Kind.LISTS, plain)):
        for _, some in groupby(each, len):
            yield list(some), kind


# Lines


def _delimited(text: str) -> Iterator[tuple[list[Row], Kind]]:
    for sign in (_BARS, _TAB):
        for many, run in groupby(_split(text, sign), len):
            rows = list(run)
            if many > 1 and (sign is _BARS or (len(rows) > 1 and any(map(is_header, (cell.text for cell in rows[0]))))):
                yield rows, Kind.TABLE


def _split(text: str, sign: re.Pattern[str]) -> Iterator[Row]:
    """The fields of each line that is no rule."""
    begin = 0
    for line in text.split("\n"):
        if len(line) <= _LONGEST and not _RULE.fullmatch(line):
            ends = [*(found.start() for found in sign.finditer(line)), len(line)]
            starts = [0, *(end + 1 for end in ends)]
            yield [_cell(text, begin + one, begin + two) for one, two in zip(starts, ends, strict=False)]
        begin += len(line) + 1


def _comma(text: str) -> Iterator[tuple[list[Row], Kind]]:
    begin = at = 0
    for line in text.split("\n"):
        if begin >= at and len(line) <= _LONGEST and line[:1].strip():
            for sign, field in _CSV.items():
                names = [name.strip('"') for name in line.rstrip().split(sign)]
                if (
                    len(names) < 2
                    or not any(map(is_header, names))
                    or not all(map(_IS_NAME.fullmatch, filter(None, names)))
                ):
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
        row.append(_cell(text, *found.span(1)))
        begin = found.end()
        if found["end"] is not None:
            if len(row) != many:
                return
            yield row
            row = Row()
            if not found["end"]:
                return


def _aligned(text: str) -> Iterator[tuple[list[Row], Kind]]:
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
    phrases = ([_cell(text, at + one.start(), at + one.end()) for one in _PHRASE.finditer(line)] for at, line in lines)
    for many, run in groupby(phrases, len):
        if many > 1:
            yield list(run), Kind.TURNED


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
        [_cell(text, begin + one, begin + two) for one, two in row] or [Cell("", begin, begin)] * most
        for (begin, _), row in zip(lines[first:], table, strict=False)
    ]


def _passed(row: str, header: str) -> bool:
    """Whether a line of a table is a rule, or the name of its index."""
    return _RULE.fullmatch(row) is not None or (header[:1] == " " and len(row.split()) == 1 and row[:1] != " ")


def _header(line: str, row: str) -> list[Span]:
    """The spans of the columns' names above a first row: blanks between two names may be as few as within one."""
    best, chosen = 3, list[Span]()
    phrases, words = _spans(_PHRASE, line), _spans(_WORD, line)
    for spans in (words, phrases, _cut(line, _spans(_PHRASE, row)), _cut(line, _spans(_WORD, row))):
        names = [line[slice(*span)].strip() for span in spans]
        if (
            len(spans) > 1
            and _are_names(names)
            and (spans != words or phrases == words or _is_spaced(line, row, names))
        ):
            fits, rank = _fitting(row, spans)
            if fits and rank < best:
                best, chosen = rank, spans
    return chosen


def _is_spaced(line: str, row: str, names: Sequence[str]) -> bool:
    """Whether words are those of a table: two blanks are between some of them, or they name and hold."""
    return "  " in line.strip() or "  " in row.strip() or sum(map(is_header, names)) > 1


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


_READERS = (
    (_html, ("<t",)),
    (_listed, "[{("),
    (_elements, ("</",)),
    (_aligned, ("  ", "\n")),
    (_delimited, "|│┃║┆\t"),
    (_comma, ",;"),
)
"""How each writing is read, and what a text of it has."""
