"""Tables of names and values, such as a list of parameters: in a row with the name of a password, which other cells
are secret, in whatever form the table is written (`grids`).

What columns such a table has, has no end (a type, a version, an owner), so each other cell is taken for the value,
unless its column or it itself tells that it is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import lru_cache

from runbook_lib.base.masking.drawn import MIXED, looks_drawn
from runbook_lib.base.masking.kinds import MASK
from runbook_lib.base.masking.names import describes, no_value, surely, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import is_fact

Place = tuple[int, int]
"""A row and a cell in it."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VALUES = frozenset(
    """value values val plaintext plain before after declared actual old new default defaults current previous desired
    expected observed effective was now stringvalue""".split()  # noqa: SIM905
)
_NAMES = frozenset(
    "name key parameter param setting variable var property option header field attribute secret env".split()  # noqa: SIM905
)
HEADS = re.compile(rf"(?i){'|'.join(sorted(_VALUES | _NAMES))}")
"""What a line with the names of columns has."""
_INNOCENT = frozenset(
    """tier category protected required sensitive masked environment stage service owner team kind updated modified
    unit source comment note notes what why meaning rule since used usage scope""".split()  # noqa: SIM905
)
"""Last words of the names of columns, beside those of facts."""
_ABOUT = ("Type", "type", "Version", "version")
"""Other names of columns that such a record has."""
_FIELDS = 20
"""Most fields of a record that is shown field by field."""
_FAR = 400
_LABEL = re.compile(r"[^\W\d][\w.%/()-]*")
"""Most characters of a line in which the label of a field begins, and such a label."""
_KINDS = frozenset(("securestring", "secure_string"))
_CONSTANTS = _KINDS | frozenset(
    """string stringlist plaintext parameter_store secrets_manager standard advanced intelligent-tiering env_var file
    text secret none null nil nan nat true false yes no""".split()  # noqa: SIM905
)
"""What AWS and other tools write as the kind of a value, and what is no value."""
_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)? ?%?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]*(?:Z|[ ]?[+-]\d\d:?\d\d)?)?|\d\d:\d\d(?::\d\d)?")
_FIRST = 3
"""Rows among which the columns' names are."""
_LAST = re.compile(r"[/:.]")
_FOLDER = re.compile(r"(?:/[\w.-]*)+|https?://.*")


class Kind(Enum):
    """What rows of cells may be."""

    TABLE = "a table, with its columns' names or without"
    LISTS = "a table, or lists of any words"
    FIELDS = "fields of objects of any kind"
    TURNED = "a table, with its columns' names before its rows, or other columns"


def secret_cells(rows: Sequence[Sequence[str]], kind: Kind) -> set[Place]:
    """The cells that are secret in rows of which the first, or the first column, may have the columns' names."""
    straight = any(map(is_value, rows[0])) and any(map(is_name, rows[0]))
    if not straight and len({len(row) for row in rows}) == 1:
        turned = list(zip(*rows, strict=True))
        if any(map(is_value, turned[0])) and any(map(is_name, turned[0])):
            return {(row, cell) for cell, row in _secret(turned, Kind.FIELDS)}
    return set() if kind is Kind.TURNED else _secret(rows, kind)


def _secret(rows: Sequence[Sequence[str]], kind: Kind) -> set[Place]:
    first = next((at for at, row in enumerate(rows[:_FIRST]) if any(map(is_value, row))), 0)
    header = rows[first]
    every = set(range(max(map(len, rows))))
    values = {at for at, name in enumerate(header) if is_value(name)}
    names = {at for at, name in enumerate(header) if is_name(name)} - values
    if values and len(rows) > first + 1 and len(header) > len(values):
        index = {at for at, name in enumerate(header) if not name}
        return set(_found(rows, first + 1, (names | index if names else every) - values, values, _is_none))
    known = len(rows) > 1 and any(map(telling, header)) and not any(map(_is_told, header))  # a header that tells
    if kind is Kind.FIELDS or known:
        return set()
    if names and kind is Kind.TABLE and len(rows) > 1:
        innocent = {at for at, name in enumerate(header) if _is_innocent(name)}
        return set(_found(rows, 1, names, every - names - innocent, tells_nothing))
    words = [["" if cell.startswith("-") else cell for cell in row] for row in rows]
    return {
        (number, at)
        for number, at in _found(words, 0, every, every, tells_nothing)
        if MASK not in rows[number]  # what is secret in it was found with the columns' names
        and ((kind is Kind.LISTS and _is_mixed(rows[number][at])) or _of_a_kind(rows[number]))
    }


def _of_a_kind(row: Sequence[str]) -> bool:
    named = any(tells(cell) or cell.startswith("/") for cell in row)
    return named and len(row) > 2 and any(map(_is_kind, row)) and not any(cell.startswith("-") for cell in row)


def _found(
    rows: Sequence[Sequence[str]], first: int, names: set[int], cells: set[int], is_none: Callable[[str, str], bool]
) -> Iterator[Place]:
    """The secret cells among some, in the rows from the first on that have a telling name."""
    for number, row in enumerate(rows[first:], first):
        if name := _name(row, names):
            yield from ((number, at) for at in cells if at < len(row) and not is_none(row[at], name))


def is_header(name: str) -> bool:
    """Whether a table of names and values may have a column of this name."""
    return is_value(name) or is_name(name)


@lru_cache(maxsize=4096)
def tells(name: str) -> bool:
    """Whether a name, or the last part of a path, is that of a secret."""
    return telling(name) or (len(name) <= 400 and telling(_LAST.split(name)[-1]))


@lru_cache(maxsize=1024)
def _last(name: str) -> str:
    words = _WORDS.findall(name) if len(name) <= 40 else []
    return words[-1].casefold() if words else ""


def is_value(name: str) -> bool:
    """Whether a column of this name has values."""
    return _last(name) in _VALUES and name != "PLAINTEXT" and len(name.split()) <= 2


def is_name(name: str) -> bool:
    """Whether a column of this name has names."""
    if name == "env_var" or "/" in name or len(name.split()) > 2:
        return False
    return _last(name) in _NAMES and (name.casefold() in _NAMES or not telling(name))


def is_turned(lines: Sequence[str], first: int) -> bool:
    """Whether a line is no header, but the row with the names of a table whose columns' names stand before the rows."""
    around = lines[max(0, first - _FIELDS) : first + _FIELDS]
    labels = [(_LABEL.findall(line[:_FAR]) or [""])[0] for line in (lines[first], *around)]
    return is_name(labels[0]) and any(is_value(label) or label in _ABOUT for label in labels[1:])


def _is_innocent(name: str) -> bool:
    return not name or _last(name) in _INNOCENT or describes(name) or is_fact(_last(name))


def _is_kind(cell: str) -> bool:
    return cell.casefold() in _KINDS or cell in ("PLAINTEXT", "SECRET")


def _is_told(cell: str) -> bool:
    return _is_kind(cell) or _is_mixed(cell)


def _is_mixed(cell: str) -> bool:
    return looks_drawn(cell, MIXED) and sum(map(str.isdigit, cell)) > 1


def _name(row: Sequence[str], asked: set[int]) -> str:
    """The telling name in a row; nothing if it has none. A kind tells as much as a name."""
    cells = [cell for at, cell in enumerate(row) if at in asked]
    told = next(filter(tells, cells), "")
    return told or ("password" if any(cell.casefold() in _KINDS for cell in row) else "")


def _is_none(cell: str, name: str) -> bool:
    """Whether a cell in the place of a value is no secret."""
    if not cell or cell in (MASK, *_ABOUT) or cell.casefold() in _CONSTANTS or no_value(cell) or _TIME.fullmatch(cell):
        return True
    return _NUMBER.fullmatch(cell) is not None and not surely(_LAST.split(name)[-1])


def tells_nothing(cell: str, name: str) -> bool:
    """Whether a cell in the place of anything is no secret."""
    if _is_none(cell, "") or tells(cell) or len(cell) < 4 or cell == name or cell[0] in "-<":
        return True
    return " " in cell or harmless(cell) or _FOLDER.fullmatch(cell) is not None
