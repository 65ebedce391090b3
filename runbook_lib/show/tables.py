"""Tables that an on-call engineer reads in ten seconds: HTML in a notebook and a report, plain text in a terminal.

Styles are inline and inherit text colour and paper, so a table reads the same in JupyterLab (light or dark), in the
sealed report and in a page that strips style sheets. Every value is escaped.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.base.foreign import terminal
from runbook_lib.base.redact import redact_text
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.model import Evidence
from runbook_lib.show.style import BLACK, GREEN, GREY, VERMILLION, badge_of
from runbook_lib.show.whole import KEPT, whole, whole_command

WIDTH = 150
"""Width of the plain text in characters."""
_SHORT = 14
"""Most characters of a cell that is never wrapped."""
_LONG, _CLAUSE = 160, 40
"""Most characters of a reason that stands out as a whole, and the fewest of a first clause that does."""
_NONE = ' class="none"'
"""Attribute of an empty cell, which a telephone leaves out."""
_TELEPHONE, _WRAPS, _GAP = 46, 22, 3
"""Numbers of characters: on a line of a telephone, in a column that wraps, between two columns."""
_LINE = "rgba(128,128,128,.35)"
_CELL = (
    f"text-align:left;vertical-align:top;padding:5px 9px;border:0;border-bottom:1px solid {_LINE};"
    "white-space:normal;overflow-wrap:break-word"
)
_HEAD = f"{_CELL};font-weight:600;border-bottom:2px solid {_LINE}"
_TABLE = "border-collapse:collapse;border:0;font-size:13px;line-height:1.4;margin:0"
FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;color:inherit"
ANY = "overflow-wrap:anywhere"
"""Style of sentences: a path or a release in a command is broken rather than wider than a telephone."""


class Shown:
    """An output in two forms: HTML, and plain text for terminals and logs."""

    def __init__(self, html_text: str, text: str) -> None:
        self._html = html_text
        self._text = terminal(text)

    def _repr_html_(self) -> str:
        """Its HTML, in which JupyterLab (MathJax) looks for no formula."""
        return f'<div class="mathjax_ignore">{self._html}</div>' if self._html else ""

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("(…)" if cycle else self._text)


class Cell:
    """A cell of a table whose HTML has more than its text."""

    def __init__(self, text: str, markup: str | None = None, nowrap: bool = False) -> None:
        self.text = text
        self.html = _escaped(text) if markup is None else markup
        self.nowrap = nowrap


def _escaped(text: str) -> str:
    """The markup of a cell's text. Cells are on one line if they are short; others are wrapped on paper at least."""
    escaped = foreign.html(redact_text(text))  # first: escapes hide a secret from those who look for it later
    return escaped if len(text) <= _SHORT else whole(escaped)


def stack(*shown: Shown) -> Shown:
    """Several outputs, one below the other."""
    return Shown("".join(each._html for each in shown), "\n".join(str(each) for each in shown))


def _cell(value: object) -> Cell:
    return value if isinstance(value, Cell) else Cell("" if value is None else str(value))


def badge(word: str) -> Cell:
    """A verdict or decision as a coloured word with its icon."""
    icon, colour = badge_of(word)
    return _coloured(icon, word.replace("_", " "), colour)


def mark(ok: bool | None, says: tuple[str, str, str] = ("ok", "no", "unknown"), doubt: str = GREY) -> Cell:
    """Yes, no or unknown as a coloured word with its icon; `says`: the three words; `doubt`: colour of the last."""
    yes, no, unknown = says
    icon, word, colour = {True: ("✔", yes, GREEN), False: ("✘", no, VERMILLION), None: ("?", unknown, doubt)}[ok]
    return _coloured(icon, word, colour)


def _coloured(icon: str, word: str, colour: str) -> Cell:
    style = f"background:{colour};color:{BLACK};border-radius:4px;padding:1px 7px;font-weight:700;white-space:nowrap"
    return Cell(f"{icon} {word}", f'<span style="{style}">{icon} {word}</span>', nowrap=True)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    note: str = "",
    wrap_head: bool = False,
    last_below: bool = False,
    kind: str = "",
) -> Shown:
    """A table from rows of strings, numbers or `Cell`s; without rows it says so. Names of columns are on one line
    unless `wrap_head`. A column with a name and without a word in any row is left out.

    Args:
        last_below: whether in HTML the last column, a sentence, is on a separate line below the rest of its row.
        kind: a class in HTML; its cells have their column's name, and a report draws it differently on a narrow page.
            Default: `stacks` where the columns do not fit beside each other on a telephone.
    """
    last = list(head[-1:])
    head, cells = _told(head, [[_cell(value) for value in row] for row in rows])
    last_below = last_below and list(head[-1:]) == last
    parts = [f'<div style="{FONT};font-size:14px;overflow-x:auto;margin:6px 0 10px">']
    if caption:
        parts.append(f'<div style="font-weight:600;margin:0 0 4px">{foreign.html(caption)}</div>')
    if cells:
        kind = kind or ("stacks" if any(head) and _wide(head, cells) else "")
        parts.append(f'<table class="{kind}" style="{_TABLE}">' if kind else f'<table style="{_TABLE}">')
        if any(head):
            style = f"{_HEAD};white-space:{'normal' if wrap_head else 'nowrap'};vertical-align:bottom"
            names = "".join(_named(name, style) for name in (head[:-1] if last_below else head))
            parts.append(f"<thead><tr>{names}</tr></thead>")
        parts.append("<tbody>")
        for row in cells:
            of = head if kind else ()
            parts.append(_two_lines(row, of) if last_below else _row(row, _CELL, of))
        parts.append("</tbody></table>")
    else:
        parts.append("<div>nothing to show</div>")
    if note:
        parts.append(f'<div style="opacity:.8;font-size:12px;margin-top:4px">{inline(note)}</div>')
    parts.append("</div>")
    return Shown("".join(parts), _plain(head, cells, caption, note))


def _told(head: Sequence[str], cells: list[list[Cell]]) -> tuple[Sequence[str], list[list[Cell]]]:
    """Head and rows without the named columns that are empty."""
    width = len(head)
    if not cells or any(len(row) != width for row in cells):
        return head, cells
    kept = [n for n, name in enumerate(head) if not name or any(row[n].text or row[n].html for row in cells)]
    return [head[n] for n in kept], [[row[n] for n in kept] for row in cells]


def _named(name: str, style: str) -> str:
    """The head of a column; a plain cell where the column has no name."""
    return f'<th scope="col" style="{style}">{foreign.html(name)}</th>' if name else f'<td style="{style}"></td>'


def _row(cells: Sequence[Cell], style: str, names: Sequence[str] = ()) -> str:
    named = [f' data-name="{foreign.html(name)}"' for name in names] or [""] * len(cells)
    kept = [";white-space:nowrap" if cell.nowrap or _short(cell) else "" for cell in cells]
    inner = (
        f'<td{name}{_class(c, named=bool(name))} style="{style}{keep}">{c.html}</td>'
        for name, keep, c in zip(named, kept, cells, strict=True)
    )
    return f'<tr style="background:transparent">{"".join(inner)}</tr>'


def _class(cell: Cell, named: bool) -> str:
    """The class of a cell: empty ones, which a telephone leaves out where cells have names; and short ones."""
    empty = cell.text == "–" or not (cell.text or cell.html)
    return _NONE if named and empty else ' class="whole"' if _short(cell) else ""


def _short(cell: Cell) -> bool:
    """Whether a cell is so short that it stays on one line, on paper too: `12 metrics`."""
    return 0 < len(cell.text.strip()) <= _SHORT


def _wide(head: Sequence[str], cells: Sequence[Sequence[Cell]]) -> bool:
    """Whether the columns, each wrapped as far as it is readable, are wider than a telephone."""
    width = 0
    for place, name in enumerate(head):
        column = [row[place] for row in cells if place < len(row)]
        wraps = max(len(name), *(len(cell.text.strip()) for cell in column if not cell.nowrap), 0)
        width += _GAP + max(min(wraps, _WRAPS), *(len(cell.text.strip()) for cell in column if cell.nowrap), 0)
    return width > _TELEPHONE


def _two_lines(cells: Sequence[Cell], names: Sequence[str] = ()) -> str:
    """A row, and below it its last cell unless empty, which stays visible where a wide table scrolls."""
    if not (cells[-1].text or cells[-1].html):
        return _row(cells[:-1], _CELL, names[:-1])
    sight = "position:sticky;left:9px;width:fit-content;max-width:min(100%,calc(100vw - 64px))"
    below = (
        f'<td colspan="{len(cells) - 1}" style="{_CELL};padding-top:0"><div style="{sight}">{cells[-1].html}</div></td>'
    )
    above = _row(cells[:-1], f"{_CELL};border-bottom:0;break-after:avoid", names[:-1])
    return f'{above}<tr style="background:transparent">{below}</tr>'


def inline(text: str) -> str:
    """The text escaped; text between backticks is a command. No line ends within `--set`, or before a unit."""
    parts = re.split(r"`([^`]+)`", foreign.html(redact_text(text)))
    return "".join(
        f"<code>{whole_command(part)}</code>" if place % 2 else whole(part) for place, part in enumerate(parts)
    )


def lead(text: str) -> tuple[str, str]:
    """The first clause of a long reason, which stands out in a banner, and the rest; empty for a short one."""
    if len(text) <= _LONG:
        return text, ""
    for found in re.finditer(r"[;:] ", text):
        first = text[: found.start() + 1]
        if found.start() >= _CLAUSE and first.count("`") % 2 == 0:
            return first, text[found.end() :]
    return text, ""


def caption_line(text: str) -> Shown:
    """The caption of a table as a line by itself, where the table is left out."""
    return Shown(f'<div style="{FONT};font-size:14px;font-weight:600;margin:6px 0">{foreign.html(text)}</div>', text)


def _plain(head: Sequence[str], cells: Sequence[Sequence[Cell]], caption: str, note: str) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [caption] if caption else []
    if cells:
        drawn = Table(box=box.SIMPLE_HEAD, show_header=any(head), pad_edge=False)
        for place, name in enumerate(head):
            drawn.add_column(Text(name), no_wrap=all(row[place].nowrap for row in cells), overflow="fold")
        for row in cells:
            drawn.add_row(*(Text(terminal(each.text)) for each in row))
        out = io.StringIO()
        Console(file=out, width=WIDTH, color_system=None, force_jupyter=False, force_terminal=False).print(drawn)
        lines += [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    else:
        lines.append("nothing to show")
    return "\n".join([*lines, note] if note else lines)


def span(start: str | dt.datetime, end: str | dt.datetime) -> str:
    """An interval of time in words: `2026-11-23 03:05 to 2026-11-24 03:05 UTC`."""
    return f"{when(start).removesuffix(' UTC')} to {when(end)}"


def window(evidence: Evidence) -> Cell:
    """The window of evidence, with its length."""
    try:
        start, end = (dt.datetime.fromisoformat(text) for text in (evidence.start, evidence.end))
    except ValueError:
        return Cell(f"{evidence.start} to {evidence.end}")
    return _between(when(start), when(end), f"({words.hours((end - start).total_seconds() / 3600)})")


def between(start: str, end: str) -> Cell:
    """An interval of time in a cell, on one line or two."""
    return _between(when(start), when(end))


def _between(first: str, last: str, length: str = "") -> Cell:
    """Each part is on one line, and the lines are no longer than a sheet's narrow column."""
    parts = [f"{first.removesuffix(' UTC')} to", last, *([length] if length else [])]
    return Cell(" ".join(parts), " ".join(f"{KEPT}{part}</span>" for part in parts))


def where_table(facts: Mapping[str, object]) -> Shown:
    """A table of names and values, one a line."""
    rows = [[Cell(name, f"<b>{foreign.html(name)}</b>", nowrap=True), value] for name, value in facts.items()]
    return table(("", ""), rows)


def edged(text: str, colour: str | None = None) -> Shown:
    """A line of text; with a colour, it has a bar of that colour beside it."""
    edge = f";border-left:4px solid {colour};padding-left:8px;font-weight:600" if colour else ""
    return Shown(f'<div style="{FONT};{ANY};font-size:13px;margin:3px 0{edge}">{inline(text)}</div>', text)
