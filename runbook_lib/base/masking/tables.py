"""Secrets in tables: the cells below a telling header, in HTML, in lines with a delimiter, in aligned columns.

Only the header tells: `ada  hunter2` means nothing by itself. Masking keeps the table's form; numbers are masked only
below a sure name, since a `token` can be a count.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Sequence
from itertools import pairwise, zip_longest

from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import stemmed, surely, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.settings import is_name, is_turned, is_value

TAG = re.compile(r"<[^<>]{0,300}>")
ROW = re.compile(r"<tr\b", re.I)
CELL = re.compile(r"(<(t[hd])\b[^<>]{0,300}>)((?:(?!</?t[hd]\b|</tr\b|<tr\b|</table\b)[\s\S])*)", re.I)
"""Of a table in HTML: a tag, the beginning of a row, a cell (its third group is what it holds)."""
_DELIMITERS = ("\t", "|", "┆", "│", "┃", "║", ",", ";", "&")
_QUOTING = (",", ";")
"""Those of CSV, where quotes may hold them."""
_LINES = 60
"""Most lines of one cell."""
_OF_ROWS = {"┃": "│", "║": "│"}
"""The delimiter of rows below a header that has another."""
_MARKS = " \t\r*_`~\"'│\\"
_HEADER = re.compile(
    r"(?i)[\w.%/()#-]{1,40}(?: [\w.%/()#-]{1,40})?|access key id|secret access key"
    r"|console (?:log|sign)-?in (?:link|url)"
)
"""A column's name; of a longer one, which may be a sentence, only those that AWS writes."""
_RULED = re.compile(r"[ \t=+-]*[=-]{3}[ \t=+-]*")
_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)? ?%?")
_WORD = re.compile(r"[^\W\d][\w.%/()-]*")
_RULE = re.compile(r"[ \t]*(?:[\u2500-\u257f+|:=-]{3,}|\\(?:midrule|hline)(?:[ ]?\\hline)?)[ \t]*")
"""A line between a header and its rows."""
_JSON = re.compile(r"\s*(?:\{\s*(?:[\"']|\Z)|\[\s*[{\[\"])")
_BREAK = re.compile(r"(\n|\\{1,4}n|'''|\"\"\"|<[^<>\n]{0,300}>)")
"""A break between two lines, also inside source text or HTML."""
_LONGEST = 4_000
"""Most characters of a line that can be a table's header."""
_BLOCK = 64
"""Lines that are searched together for a telling name: most of a long text have none."""


def mask_tables(text: str, small: str) -> str:
    """`text` with the cells below telling headers masked; `small`: the same text in small letters."""
    if not stemmed(small):
        return text
    if "<t" in small:
        text = _html(text)
    return _lines(text) if "\n" in text or "\\n" in text else text


def is_secret(header: str, cell: str) -> bool:
    """Whether a cell below a header is a secret; one that ends with the header's name is none: a log repeats itself."""
    if not cell.strip("=-+ ") or cell.rsplit(maxsplit=1)[-1].casefold() == header.rsplit(maxsplit=1)[-1].casefold():
        return False
    return not harmless(cell) and (surely(header) or _NUMBER.fullmatch(cell) is None)


def _are_headers(cells: Sequence[str]) -> bool:
    """Whether cells are names of columns: none is a number or a sentence."""
    return all((not cell or _HEADER.fullmatch(cell)) and not _NUMBER.fullmatch(cell) for cell in cells)


# HTML


def _html(text: str) -> str:
    kept, at = list[str](), 0
    small = text.lower() if len(text.lower()) == len(text) else text
    while (begin := small.find("<table", at)) >= 0:
        end = small.find("</table", begin)
        end = len(text) if end < 0 else end
        kept += [text[at:begin], _table(text[begin:end])]
        at = end
    return "".join([*kept, text[at:]])


def _table(table: str) -> str:
    starts = [0, *(match.start() for match in ROW.finditer(table)), len(table)]
    rows = [table[one:other] for one, other in pairwise(starts)]
    headers: list[str] = []
    for number, row in enumerate(rows):
        cells = list(CELL.finditer(row))
        said = [html.unescape(TAG.sub("", cell[3])).strip() for cell in cells]
        if cells and (
            all(cell[2].lower() == "th" for cell in cells)
            or (not headers and any(map(telling, said)) and _are_headers(said))
        ):
            headers = [
                one or other for one, other in zip_longest(said, headers, fillvalue="")
            ]  # pandas: an index's name
            continue
        for at in range(len(cells) - 1, -1, -1):
            # Its name stands above it, or beside it, as that of a row.
            beside = at == len(cells) - 1 and not is_name(said[0]) and not any(map(is_value, headers))
            names = [headers[at] if at < len(headers) else "", said[at - 1] if at and beside else ""]
            if any(telling(name) and _HEADER.fullmatch(name) and is_secret(name, said[at]) for name in names):
                cell = cells[at]
                rows[number] = rows[number][: cell.start(3)] + MASK + rows[number][cell.end(3) :]
    return "".join(rows)


# Lines


def _lines(text: str) -> str:
    plain = not any(sign in text for sign in ("<", "\\n", "'''", '"""'))
    pieces, at = ([] if plain else _BREAK.split(text)), 0
    lines = text.split("\n") if plain else pieces[::2]
    while at < len(lines) - 1:
        if at % _BLOCK == 0 and not stemmed("\n".join(lines[at : at + _BLOCK]).casefold()):
            at += _BLOCK
        elif len(lines[at]) <= _LONGEST and stemmed(lines[at].casefold()):
            at = at + 1 if is_turned(lines, at) else _delimited(lines, at) or _aligned(lines, at) or at + 1
        else:
            at += 1
    if plain:
        return "\n".join(lines)
    pieces[::2] = lines
    return "".join(pieces)


def _delimited(lines: list[str], first: int) -> int:
    """Masks the rows of a table with delimiters; returns the line after it, or 0 if there is no such table."""
    for above in _DELIMITERS:
        if above not in lines[first]:
            continue
        if above == "&" and not lines[first].rstrip().endswith("\\\\"):  # no row of LaTeX
            continue
        headers = [field.strip(_MARKS).replace("\\_", "_") for field in _fields(lines[first], above)]
        named = [one for one in headers if one]
        if len(named) < 2 or not any(map(telling, named)) or not _are_headers(named):
            continue
        if headers[0] and _fields(lines[first + 1], above)[0].strip(_MARKS) == headers[0]:
            continue  # what a program writes before each line
        if first > 0 and _RULE.fullmatch(lines[first - 1]) and len(_fields(lines[first - 1], above)) == len(headers):
            continue  # a row, not a header
        at = first + 1
        sign = above if any(above in line for line in lines[at : at + 2]) else _OF_ROWS.get(above, above)
        while at < len(lines) and not _JSON.match(lines[at]):
            end = at + 1
            fields = _fields(lines[at], sign)
            if sign in _QUOTING and (ends := _cell_ends(lines, at)) > end:
                whole = _fields("\n".join(lines[at:ends]), sign)
                end, fields = (ends, whole) if len(whole) == len(headers) else (end, fields)
            if len(fields) != len(headers):
                if not _RULE.fullmatch(lines[at]):
                    break
                at += 1
                continue
            masked = [_field(*pair) for pair in zip(headers, fields, strict=True)]
            if masked != fields:
                lines[at:end] = _joined(masked, sign).split("\n")
            at = end
        if at > first + 1:
            return at
    return 0


def _cell_ends(lines: Sequence[str], at: int) -> int:
    """The line after the one in which a row ends: a cell in quotes may have several."""
    odd = False
    for end in range(at, min(at + _LINES, len(lines))):
        odd ^= lines[end].count('"') % 2 == 1
        if not odd:
            return end + 1
    return at + 1


def _fields(line: str, sign: str) -> list[str]:
    if sign in _QUOTING and '"' in line:
        try:
            rows = list(csv.reader(io.StringIO(line, newline=""), delimiter=sign))
            return rows[0] if len(rows) == 1 else []
        except csv.Error:
            return []
    return line.split(sign)


def _joined(fields: Sequence[str], sign: str) -> str:
    if sign not in _QUOTING:
        return sign.join(fields)
    out = io.StringIO()
    csv.writer(out, delimiter=sign, lineterminator="\n").writerow(fields)
    return out.getvalue().removesuffix("\n")


def _field(header: str, field: str) -> str:
    bare = field.strip(_MARKS)
    if not telling(header) or not is_secret(header, bare):
        return field
    before, _, after = field.partition(bare)
    masked = "\n".join([MASK] * (1 + bare.count("\n")))  # as many lines as before
    return field if bare == masked else f"{before}{masked}{after}"


Span = tuple[int, int]


def _aligned(lines: list[str], first: int) -> int:
    """Masks the rows of a table with aligned columns (pandas: to the right; a terminal's: to the left)."""
    header = lines[first].rstrip().removesuffix("\\").rstrip()
    ruled = first > 0 and _RULED.fullmatch(lines[first - 1]) is not None
    above = lines[first - 2] if ruled and first > 1 else "" if ruled or not first else lines[first - 1]
    best, chosen = first, None
    for spans, fits, mask in (
        (_to_words(header), _fits_words, _mask_words),
        (_to_the_right(header), _fits_right, _mask_right),
        (_to_the_left(header), _fits_left, _mask_left),
    ):
        secret = [one for one in spans if telling(header[slice(*one)].strip())]
        if not secret or _is_variable(header) or (above and fits(above, header, spans)):
            continue
        last = first + 1
        while last < len(lines) and (fits(lines[last], header, spans) or _RULED.fullmatch(lines[last])):
            last += 1
        rows = lines[first + 1 : last]  # words of sentences may stand below each other, too
        spaced = (
            mask is not _mask_words
            or ruled
            or len({line[:1] == " " for line in (header, *rows)}) > 1
            or any("  " in line.strip() for line in (header, *rows))
        )
        if last > best and spaced and not all(map(_RULED.fullmatch, rows)):
            best, chosen = last, (spans, secret, mask)
    if not chosen:
        return 0
    spans, secret, mask = chosen
    for span in reversed(secret):
        name = header[slice(*span)].strip()
        lines[first:best] = mask(lines[first:best], span, name, first_column=span == spans[0])
    return best


def _is_variable(line: str) -> bool:
    """Whether it is a variable of the environment and its value, which is no header: `DB_PASSWORD  x`."""
    words = line.split()
    return len(words) == 2 and "_" in words[0] and words[0].isupper() and not words[1].isupper()


def _to_words(header: str) -> list[Span]:
    """Span of each word with the space behind it."""
    words = list(re.finditer(r"\S+", header))
    if len(words) < 2 or not all(_WORD.fullmatch(word[0]) for word in words):
        return []
    starts = [word.start() for word in words]
    return list(zip(starts, [*starts[1:], _LONGEST], strict=True))


def _fits_words(row: str, header: str, spans: Sequence[Span]) -> bool:
    """Whether each word begins below its name; if there is a gap, one that is too long may have moved the others."""
    words = [word.span() for word in re.finditer(r"\S+", row)]
    if len(words) != len(spans) or words[0][0] != spans[0][0]:
        return False
    pairs = list(zip(words, spans, strict=True))
    gap = "  " in row.strip() or "  " in header.strip()
    moved = gap and all(first < end and last > start for (first, last), (start, end) in pairs)
    return moved or all(first == start for (first, _), (start, _) in pairs)


def _mask_words(lines: list[str], span: Span, name: str, *, first_column: bool) -> list[str]:
    rows = [[word.span() for word in re.finditer(r"\S+", line)] for line in lines]
    which = [start for start, _ in rows[0]].index(span[0])
    if all(len(row) != len(rows[0]) or row[which][0] == span[0] for row in rows) and all(
        len(row) <= which + 1 or row[which + 1][0] == span[1] for row in rows
    ):
        return _mask_left(lines, span, name, first_column=first_column)
    found = lines[:1]
    for line, row in zip(lines[1:], rows[1:], strict=True):
        start, end = row[which] if len(row) == len(rows[0]) else (0, 0)
        secret = not _RULED.fullmatch(line) and is_secret(name, line[start:end])
        found.append(f"{line[:start]}{MASK}{line[end:]}" if secret else line)
    return found


def _to_the_right(header: str) -> list[Span]:
    """Span of each name with the space before it."""
    words = list(re.finditer(r"\S+", header))
    if not all(_WORD.fullmatch(word[0]) for word in words) or (len(words) < 2 and not header.startswith(" ")):
        return []
    return [(before, word.end()) for before, word in zip([0, *(word.end() for word in words)], words, strict=False)]


def _fits_right(row: str, header: str, spans: Sequence[Span]) -> bool:
    row, indent = row.rstrip(), len(header) - len(header.lstrip())
    if 0 < len(row) < indent:
        return True  # the index's own name, or an index without values
    if len(row) != len(header) or any(row[end - 1] != " " and end < len(row) and row[end] != " " for _, end in spans):
        return False
    own = len(row) - len(row.lstrip())
    return own < indent or (len(row.split()) == len(spans) and all(row[end - 1] != " " for _, end in spans))


def _mask_right(lines: list[str], span: Span, name: str, *, first_column: bool) -> list[str]:
    start, end = span
    header, rows = lines[0], lines[1:]
    indexed = first_column and header.startswith(" ") and any(not row.startswith(" ") for row in rows)
    names = len(header.split())
    heads = [
        re.match(r"\S*", row)[0] if indexed and (len(row.split()) != names or not row[end - 1 : end].strip()) else ""  # type: ignore[index]
        for row in rows
    ]
    cells = [row[start:end].removeprefix(head).strip() for row, head in zip(rows, heads, strict=True)]
    masked = [MASK if is_secret(name, cell) else cell for cell in cells]
    if masked == cells:
        return lines
    width = max(end - start, 1 + max(len(head) + len(cell) for head, cell in zip(heads, masked, strict=True)))
    found = [header[:start] + header[start:end].rjust(width) + header[end:]]
    for row, head, cell in zip(rows, heads, masked, strict=True):
        found.append(f"{row[:start]}{head}{cell.rjust(width - len(head))}{row[end:]}".rstrip())
    return found


def _to_the_left(header: str) -> list[Span]:
    """Span of each name with the space behind it; the last one reaches the end of the line."""
    words = list(re.finditer(r"\S+(?: \S+)*", header))
    if len(words) < 2 or not all(_HEADER.fullmatch(word[0]) for word in words):
        return []
    starts = [word.start() for word in words]
    return list(zip(starts, [*starts[1:], _LONGEST], strict=True))


def _fits_left(row: str, _header: str, spans: Sequence[Span]) -> bool:
    if "  " not in row.strip() and (
        len(row.split()) != len(spans) or any(row[start : start + 1].isspace() for start, _ in spans)
    ):
        return False
    return all(start == 0 or start >= len(row) or row[start - 1] == " " for start, _ in spans)


def _mask_left(lines: list[str], span: Span, name: str, *, first_column: bool) -> list[str]:  # noqa: ARG001
    start, end = span
    cells = [row[start:end].strip() for row in lines[1:]]
    masked = [MASK if is_secret(name, cell) else cell for cell in cells]
    if masked == cells:
        return lines
    width = max(min(end, max(map(len, lines))) - start, len(MASK) + 2)
    found = []
    for row, cell in zip(lines, [lines[0][start:end].strip(), *masked], strict=True):
        found.append(f"{row[:start].ljust(start)}{cell.ljust(width)}{row[end:]}".rstrip())
    return found
