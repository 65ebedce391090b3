"""Tables of names and values (`settings`) as programs write them: HTML, lines with a delimiter, CSV, aligned columns,
lists and fields of objects. Each way is read as rows of cells that know where they stand.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise

from runbook_lib.base.masking.aligned import MARKS, Cell, Row, aligned, cell_of, comma, delimited
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed
from runbook_lib.base.masking.rows import ITEM, SIGN, TEXT
from runbook_lib.base.masking.settings import Kind, is_header, secret_cells
from runbook_lib.base.masking.tables import CELL, ROW, TAG
from runbook_lib.base.masking.vocabulary import has

_LABEL = rf"(?:{TEXT}|\d{{1,9}})\s{{0,4}}:\s{{0,20}}"
_LIST = re.compile(rf"[\[(]\s{{0,20}}{ITEM}(?:{SIGN}{ITEM}){{0,60}}\s{{0,20}},?\s{{0,20}}[\])]")
_OBJECT = re.compile(rf"\{{\s{{0,20}}{_LABEL}{ITEM}(?:{SIGN}{_LABEL}{ITEM}){{0,60}}\s{{0,20}}\}}")
_FIELD = re.compile(rf"(?P<label>{_LABEL})?(?P<item>{ITEM})")
_BEFORE = re.compile(rf"(?P<label>{TEXT})\s{{0,4}}:\s{{0,60}}(?P<list>[\s\[({{]{{0,60}})\Z")
_GAP = re.compile(r"[\s,:\[\](){}]*")
_ELEMENT = re.compile(r"<(?P<tag>[A-Za-z][\w.:-]{0,40})>(?P<value>[^<>\n]{1,1000})</(?P=tag)>\s{0,80}")
_FAR = 200
"""Characters between two lists of a table."""
_BLANK = re.compile(r"(\n[ \t\r]*(?=\n))")

Edit = tuple[int, int, str]


def mask_grids(text: str, small: str) -> str:
    """`text` with the secrets in such tables masked; `small`: the same text in small letters."""
    if not _may_name(small):
        return text
    for read, signs in _READERS:
        if has(signs, small):
            text = _masked(text, read)
    if not has(_COLUMNS, small):
        return text
    parts = _BLANK.split(text)  # a table ends at a blank line
    for at, part in enumerate(parts):
        if "\n" in part.strip() and _may_name(part.casefold()):
            parts[at] = _masked(_masked(part, aligned), delimited)
    return "".join(parts)


def _may_name(small: str) -> bool:
    return stemmed(small) or "securestring" in small


def _masked(text: str, read: Callable[[str], Iterator[tuple[list[Row], Kind]]]) -> str:
    edits = set[Edit]()
    for rows, kind in read(text):
        words = [[cell.text for cell in row] for row in rows]
        places = secret_cells(words, kind) if rows else set()
        if places:
            edits |= set(_edits(text, rows, places, widen=read is aligned))
    return _edited(text, sorted(edits)) if edits else text


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


# HTML and XML


def _html(text: str) -> Iterator[tuple[list[Row], Kind]]:
    small = text.lower() if len(text.lower()) == len(text) else text
    begin = small.find("<table")
    while begin >= 0:
        end = small.find("</table", begin)
        end = len(text) if end < 0 else end
        starts = [*(row.start() for row in ROW.finditer(text, begin, end)), end]
        rows = [
            [
                Cell(html.unescape(TAG.sub("", cell[3])).strip(MARKS), *cell.span(3))
                for cell in CELL.finditer(text, *span)
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
        cells = [cell_of(text, *field.span("item"), "\"'") for field in fields]
        if fields[0]["label"]:
            yield [[cell_of(text, *field.span("label"), "\"': \t\n") for field in fields], cells], Kind.FIELDS
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


_READERS = (
    (_html, ("<t",)),
    (_listed, "[{("),
    (_elements, ("</",)),
    (comma, ",;"),
)
"""How each writing is read, and what a text of it has."""
_COLUMNS = ("  ", "\n", "|", "│", "┃", "║", "┆", "\t")
"""What a text has in which columns stand in lines."""
